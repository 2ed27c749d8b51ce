# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Many at a time: redis-benchmark, and wrk beside a thousand clients of slowhttptest.
#
# shellcheck disable=SC3043,SC2154

# Slow clients, prompt ones, and seconds for which these are measured.
SLOW=1000
PROMPT=4
MEASURED=3
# Where the other proxy listens.
OTHER=7001

# benchmark NAME PORT ARGUMENT...: requests per second, and the latency of the 99th percentile.
benchmark() {
	local name=$1 port=$2 test rps p99
	shift 2
	redis-benchmark -h 127.0.0.1 -p "$port" -t set,get --csv "$@" 2>/tmp/redis-errors |
		sed 1d | tr -d '"' >/tmp/benchmark
	while IFS=, read -r test rps _ _ _ _ p99 _; do
		figure redis "$name $test" "${rps%.*}" requests/s
		figure redis "$name $test p99" "$p99" ms
	done </tmp/benchmark >&4
	[ "$(wc -l </tmp/benchmark)" -eq 2 ] && ! grep -i error /tmp/redis-errors
}

# A value of 16 MiB, and one newline more of redis-cli's.
value_comes_back() {
	redis-cli -p "$FRONT" -x set big </www/big >/tmp/answer || return
	redis-cli -p "$FRONT" get big >/tmp/got
	head -c "$BIG" /tmp/got | cmp - /www/big
}

redis() {
	say "redis"
	start_proxy 127.0.0.1:6379
	stated "redis: a value of 16 MiB comes back byte for byte" value_comes_back
	stated "redis-benchmark, 50 clients: directly" benchmark direct 6379 -n 5000
	stated "  and through the proxy" benchmark proxy "$FRONT" -n 5000
	stated "  with 16 requests in flight each: directly" benchmark direct-16 6379 -n 20000 -P 16
	stated "  and through the proxy" benchmark proxy-16 "$FRONT" -n 20000 -P 16
	end_proxy "redis"
}

# measure NAME PORT: what prompt clients see; no request fails.
measure() {
	local name value
	wrk -t 1 -c $PROMPT -d ${MEASURED}s --timeout 10s -s /guest/report.lua \
		"http://127.0.0.1:$2/small" >"/tmp/wrk.$1" || return
	cat "/tmp/wrk.$1"
	while IFS='	' read -r name value; do
		case $name in
		p50 | p90 | p99 | max) figure prompt "$1 $name" "${value%.*}" us ;;
		requests | errors) figure prompt "$1 $name" "$value" requests ;;
		*) continue ;;
		esac
		echo "${value%.*}" >"/tmp/$1.$name"
	done <"/tmp/wrk.$1" >&4
	[ "$(cat "/tmp/$1.errors")" -eq 0 ] && [ "$(cat "/tmp/$1.requests")" -gt 0 ]
}

# measure_both NAME: through the proxy and through the other one, at the same time.
measure_both() {
	local here
	measure "$1" "$FRONT" &
	here=$!
	measure "$1-other" "$OTHER" && wait $here
}

# attack OPTION...: a thousand slow clients of one kind are there; its process is $attacker.
# They come at such a rate that what they say, each 10 s, is spread over the time.
attack() {
	local came
	slowhttptest -c $((SLOW + 20)) -r 100 -l 300 -p 60 "$@" >/tmp/attack 2>&1 &
	attacker=$!
	until all_there; do
		came=$(attached)
		awaited attached_at_least $((came + 1)) || { echo "no more than $came attached"; return 1; }
	done
}

all_there() {
	attached_at_least $((AT_REST + 2 * SLOW))
}

end_attack() {
	kill "$attacker" 2>/dev/null
	wait "$attacker" 2>/dev/null
	stated "  when they are gone, no connection and no descriptor is left" at_rest
}

# within NAME FIGURE N M: it is at most N/M of the other proxy's.
within() {
	at_least $(($3 * $(cat "/tmp/$1-other.$2") / $4)) "$(cat "/tmp/$1.$2")"
}

median_within() {
	within "$1" p50 3 2
}

# Slow ones that came in the same second speak in the same one: a hundred are served at once then.
p99_within() {
	within "$1" p99 3 1
}

# rounds NAME: one, and where the host held up one of the two proxies, up to three more.
rounds() {
	local n
	for n in 1 2 3 4; do
		measure_both "$1" || return
		median_within "$1" && p99_within "$1" && break
	done
	figure prompt "$1 rounds" "$n" rounds >&4
}

# beside NAME WHAT OPTION...: prompt clients beside slow ones that are there all the time.  What
# else the machine and its host do then, the other proxy's clients see as well.
beside() {
	local name=$1 what=$2
	shift 2
	stated "$SLOW clients that $what are there" attack "$@"
	stated "  prompt ones are served beside them" rounds "$name"
	stated "  their median is at most 1.5 times that of another proxy, which has no slow ones" \
		median_within "$name"
	stated "  and their 99th percentile at most three times" p99_within "$name"
	stated "  the slow ones are there still" all_there
	end_attack
}

# patient_proxy [OPTION]...: it does not end connections that are slow.
patient_proxy() {
	start_proxy 127.0.0.1:8080 --max-connections 2000 --connect-timeout 60000 \
		--idle-timeout 600000 --first-byte-timeout 600000 "$@"
}

begin_prompt() {
	say "prompt clients beside slow ones"
	small_buffers
	patient_proxy --listen 127.0.0.1:$OTHER
	other=$proxy
	patient_proxy
	stated "wrk, $PROMPT connections: directly" measure direct 8080
	stated "  and through two proxies, nobody else there" measure_both alone
}

slow_readers() {
	beside reads "read 32 bytes each 10 s" -X -n 10 -z 32 -w 256 -y 512 -u "$(front medium)"
}

slow_senders() {
	beside headers "send a header each 10 s" -H -i 10 -x 10 -u "$(front medium)"
	beside body "send a body by bytes, each 10 s" \
		-B -t PUT -i 10 -x 2 -s 100000 -u "$(front up/slow)"
}

end_prompt() {
	stated "wrk through two proxies, nobody else there again" rounds after
	stated "  the median of the one that had slow clients is at most 1.5 times the other's" \
		median_within after
	end_proxy "slow clients"
	kill -TERM "$other"
	stated "  and so does the other one" ended 0 "$other"
	usual_buffers
}

prompt() {
	local before
	begin_prompt
	slow_readers
	before=$(resident_kb)
	slow_senders
	stated "the proxy's memory is as it was after the first of them, but for 256 KiB" \
		at_least 256 $(($(resident_kb) - before))
	end_prompt
}
