# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Many at a time: redis-benchmark, and wrk beside a thousand clients of slowhttptest.
#
# shellcheck disable=SC3043,SC2154

# Slow clients, and seconds for which wrk measures.
SLOW=1000
MEASURED=5

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

# A value of 32 MiB, and one newline more of redis-cli's.
value_comes_back() {
	redis-cli -p "$FRONT" -x set big </www/big >/tmp/answer || return
	redis-cli -p "$FRONT" get big >/tmp/got
	head -c 33554432 /tmp/got | cmp - /www/big
}

redis() {
	say "redis"
	start_proxy 127.0.0.1:6379
	stated "redis: a value of 32 MiB comes back byte for byte" value_comes_back
	stated "redis-benchmark, 50 clients: directly" benchmark direct 6379 -n 5000
	stated "  and through the proxy" benchmark proxy "$FRONT" -n 5000
	stated "  with 16 requests in flight each: directly" benchmark direct-16 6379 -n 20000 -P 16
	stated "  and through the proxy" benchmark proxy-16 "$FRONT" -n 20000 -P 16
	end_proxy "redis"
}

# measure NAME PORT: what prompt clients see; no request fails.
measure() {
	local name value
	wrk -t 1 -c 8 -d ${MEASURED}s --timeout 10s -s /guest/report.lua \
		"http://127.0.0.1:$2/small" >/tmp/wrk || return
	cat /tmp/wrk
	while IFS='	' read -r name value; do
		case $name in
		p50 | p90 | p99 | max) figure prompt "$1 $name" "${value%.*}" us ;;
		requests | errors) figure prompt "$1 $name" "$value" requests ;;
		*) continue ;;
		esac
		echo "${value%.*}" >"/tmp/$1.$name"
	done </tmp/wrk >&4
	[ "$(cat "/tmp/$1.errors")" -eq 0 ] && [ "$(cat "/tmp/$1.requests")" -gt 0 ]
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

# The same where nobody else is, before slow clients and after them.
without() {
	gaps=$((gaps + 1))
	stated "wrk through the proxy, nobody else there" measure "alone$gaps" "$FRONT"
}

# larger FIGURE: of the times before and after slow clients, for a host can be busy in one.
larger() {
	cat "/tmp/alone$((gaps - 1)).$1" "/tmp/alone$gaps.$1" | sort -n | tail -n 1
}

# beside NAME WHAT OPTION...: prompt clients beside slow ones that are there all the time.
beside() {
	local name=$1 what=$2
	shift 2
	stated "$SLOW clients that $what are there" attack "$@"
	stated "  prompt ones are served beside them" measure "$name" "$FRONT"
	stated "  the slow ones are there still" all_there
	end_attack
	without
	stated "beside those that $what the prompt ones' median is not above three times what it is without" \
		at_least $((3 * $(larger p50))) "$(cat "/tmp/$name.p50")"
	stated "  and their 99th percentile not above eight times" \
		at_least $((8 * $(larger p99))) "$(cat "/tmp/$name.p99")"
}

end_attack() {
	kill "$attacker" 2>/dev/null
	wait "$attacker" 2>/dev/null
	stated "  when they are gone, no connection and no descriptor is left" at_rest
}

prompt() {
	local before url gaps=0
	say "prompt clients beside slow ones"
	url=$(front medium)
	start_proxy 127.0.0.1:8080 --max-connections 2000 --connect-timeout 60000 --idle-timeout 600000 \
		--first-byte-timeout 600000
	stated "wrk, 8 connections: directly" measure direct 8080
	without
	beside reads "read 32 bytes each 10 s" -X -n 10 -z 32 -w 256 -y 512 -u "$url"
	before=$(resident_kb)
	beside headers "send a header each 10 s" -H -i 10 -x 10 -u "$url"
	beside body "send a body by bytes, each 10 s" \
		-B -t PUT -i 10 -x 2 -s 100000 -u "$(front up/slow)"
	stated "$SLOW slow readers once more" attack -X -n 10 -z 32 -w 256 -y 512 -u "$url"
	end_attack
	stated "  the proxy's memory is as it was after the first ones, but for 256 KiB" \
		at_least 256 $(($(resident_kb) - before))
	end_proxy "slow clients"
}
