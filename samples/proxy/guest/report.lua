-- SPDX-License-Identifier: GPL-2.0
-- What wrk has measured, as lines: NAME VALUE; latencies in us.

done = function(summary, latency)
	local errors = summary.errors
	local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout

	print("p50", latency:percentile(50))
	print("p90", latency:percentile(90))
	print("p99", latency:percentile(99))
	print("max", latency.max)
	print("requests", summary.requests)
	print("errors", failed)
end
