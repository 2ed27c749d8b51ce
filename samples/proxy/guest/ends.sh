# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Every way in which a connection can end: the line of the log, and what the client sees.
#
# shellcheck disable=SC3043,SC2154

# Packets to it go out, and nobody takes them.
BLACKHOLE=192.0.2.1:80
# No way leads there.
NOWHERE=203.0.113.1:80

# curl_says CODES ARGUMENT...: how it ends, in one of these ways: 0 well.
curl_says() {
	local code=0 want=$1
	shift
	curl -sS -m "$LIMIT" -o /tmp/got "$@" || code=$?
	echo "curl: $code"
	echo "$want" | grep -qw "$code"
}

# A reset can meet curl while it looks whether it is connected, sends or reads; an end would be
# an empty answer, 52.
is_reset() {
	curl_says "7 55 56" "$@"
}

# More than a deadline's time that may pass until the log has its line, ms: less than any other
# deadline is away.
LATE=8000

# ends_by TEXT REGEX [MS]: so the log says of the connection that ends, after MS and not much more.
ends_by() {
	stated "$1" will_log "^conn=[0-9]+ client=127\.0\.0\.1:[0-9]+ $2"
	[ -z "${3:-}" ] || stated "  not before its $3 ms, nor long after" between "$3" "$(field ms)" $(($3 + LATE))
}

front() {
	echo "http://127.0.0.1:$FRONT/$1"
}

end_of_file() {
	start_proxy 127.0.0.1:8080
	stated "a client that ends the connection gets all" curl_says 0 "$(front small)"
	ends_by "  by=client why=end-of-file" "by=client why=end-of-file .*to-client=[0-9]+ ms=[0-9]+$"
	stated "an upstream that ends it, too" curl_says 0 -H "Connection: close" "$(front small)"
	ends_by "  by=upstream why=end-of-file" "by=upstream why=end-of-file "
	end_proxy "end of file"
}

ipv6() {
	start_proxy "[::1]:8080" --listen "[::1]:$FRONT"
	stated "IPv6 on both sides" curl_says 0 "http://[::1]:$FRONT/small"
	stated "  the log has its address" will_log "client=\[::1\]:[0-9]+ by=client why=end-of-file"
	end_proxy "IPv6"
}

# The upstream answers when the client has ended its side, and not before.
half_close() {
	serve 9001 -t "$LIMIT" TCP-LISTEN:9001,fork,reuseaddr,bind=127.0.0.1 EXEC:sha256sum
	start_proxy 127.0.0.1:9001
	timeout "$LIMIT" socat -t "$LIMIT" - "TCP:127.0.0.1:$FRONT" </www/big >/tmp/answer
	stated "half-close: the end of 16 MiB is carried through, and the answer comes back" \
		grep -q "^$(sum_of /www/big) " /tmp/answer
	ends_by "  both ways are counted" "by=client why=end-of-file to-upstream=$BIG to-client=68 "
	end_proxy "half-close"
	end_server
}

no_upstream() {
	start_proxy 127.0.0.1:9
	stated "an upstream that refuses: the client is reset" is_reset "$(front small)"
	ends_by "  by=upstream why=refused" "by=upstream why=refused .*error=ECONNREFUSED"
	stop_proxy
	start_proxy $NOWHERE
	stated "no way to the upstream: the client is reset" is_reset "$(front small)"
	ends_by "  why=unreachable" "by=upstream why=unreachable .*error=ENETUNREACH"
	stop_proxy
	ip route add ${BLACKHOLE%:*}/32 dev lo
	start_proxy $BLACKHOLE --connect-timeout 300
	stated "an upstream that does not answer: the client is reset" is_reset "$(front small)"
	ends_by "  why=connect-timeout" "by=proxy why=connect-timeout " 300
	end_proxy "no upstream"
	start_proxy $BLACKHOLE --connect-timeout 5000 --lifetime 250
	stated "  also where its life time ends sooner" is_reset "$(front small)"
	ends_by "  why=lifetime" "by=proxy why=lifetime to-upstream=0 to-client=0 " 250
	stop_proxy
}

# All ports of this machine from which one can connect to the upstream are in use: the one.
no_port() {
	local ports=/proc/sys/net/ipv4/ip_local_port_range before
	before=$(cat $ports)
	echo "61111 61111" >$ports
	start_proxy 127.0.0.1:8080
	nc 127.0.0.1 8080 </tmp/said >/tmp/got 2>/tmp/client &
	client=$!
	awaited in_use 61111
	stated "no port is left for the upstream: the client is reset" is_reset "$(front small)"
	ends_by "  why=failed" "by=proxy why=failed .*error=EADDRNOTAVAIL"
	end_client
	echo "$before" >$ports
	stop_proxy
}

in_use() {
	netstat -tn | grep -q "127.0.0.1:$1 .*127.0.0.1:8080 .*ESTABLISHED"
}

first_byte() {
	start_proxy 127.0.0.1:8080 --first-byte-timeout 400
	start_client /tmp/got
	ends_by "a client that says nothing: why=first-byte-timeout" \
		"by=proxy why=first-byte-timeout to-upstream=0 to-client=0 " 400
	stated "  and its connection ends" awaited gone "$client"
	end_client
	stop_proxy
	serve 9002 -u TCP-LISTEN:9002,fork,reuseaddr,bind=127.0.0.1 OPEN:/dev/null
	start_proxy 127.0.0.1:9002 --first-byte-timeout 400
	stated "an upstream that stalls: the client is reset" is_reset "$(front small)"
	ends_by "  why=first-byte-timeout" \
		"by=proxy why=first-byte-timeout to-upstream=[1-9][0-9]* to-client=0 " 400
	end_proxy "first byte"
	end_server
}

echoed() {
	[ -e "$1" ] && [ "$(stat -c %s "$1")" -ge "$2" ]
}

# A byte more, as long as not so many connections have ended.
trickles() {
	printf x >&8
	logged "why=" "$1"
}

idle() {
	serve 9003 TCP-LISTEN:9003,fork,reuseaddr,bind=127.0.0.1 EXEC:cat
	start_proxy 127.0.0.1:9003 --idle-timeout 500 --first-byte-timeout 60000
	start_client /tmp/got
	echo hello >&8
	ends_by "silence after an answer: why=idle-timeout" \
		"by=proxy why=idle-timeout to-upstream=6 to-client=6 " 500
	end_client
	stop_proxy
	end_server
	one_way
}

# The other way has said something once: what waits there has an older deadline.
one_way() {
	serve 9006 TCP-LISTEN:9006,fork,reuseaddr,bind=127.0.0.1 "SYSTEM:echo ready; cat >/dev/null"
	start_proxy 127.0.0.1:9006 --idle-timeout 1500 --first-byte-timeout 60000 --lifetime 3500
	start_client /tmp/got
	awaited trickles 1
	ends_by "bytes that trickle one way keep it for its life time: why=lifetime" \
		"by=proxy why=lifetime to-upstream=[1-9][0-9]* to-client=6 " 3500
	end_client
	end_proxy "idle"
	end_server
	half_over
}

# The upstream has said all, and the client, who has not, was waited for before it did.
half_over() {
	serve 9007 -U TCP-LISTEN:9007,fork,reuseaddr,bind=127.0.0.1 "SYSTEM:sleep 1; echo ready"
	start_proxy 127.0.0.1:9007 --idle-timeout 500 --first-byte-timeout 60000
	start_client /tmp/got
	awaited attached_at_least $((AT_REST + 2))
	kill -STOP "$client"
	ends_by "silence of a client after the upstream's end: why=idle-timeout" \
		"by=proxy why=idle-timeout to-upstream=0 to-client=6 " 1500
	kill -CONT "$client"
	end_client
	end_proxy "half over"
	end_server
}

# What the client does not read stays in the sockets, and in one buffer.
talks_too_much() {
	local before
	serve 9004 -U TCP-LISTEN:9004,fork,reuseaddr,bind=127.0.0.1 OPEN:/dev/zero
	start_proxy 127.0.0.1:9004 --idle-timeout 500
	before=$(resident_kb)
	start_client /tmp/unread
	ends_by "an upstream that says more than the client reads: why=idle-timeout" \
		"by=proxy why=idle-timeout to-upstream=0 to-client=[1-9][0-9]*\+[1-9][0-9]* " 500
	stated "  of which the proxy holds one buffer" at_least 64 $(($(resident_kb) - before))
	end_client
	end_proxy "talks too much"
	end_server
}

unread_at() {
	local port
	port=$(printf %04X "$1")
	awk -v port="$port" '$2 ~ ":" port "$" && $4 == "01" {
		split($5, queue, ":"); if (queue[2] != "00000000") found = 1 }
		END { exit !found }' /proc/net/tcp
}

resets() {
	start_proxy 127.0.0.1:8080
	curl -s --limit-rate 100k -o /tmp/got "$(front big)" &
	client=$!
	awaited echoed /tmp/got 1000
	kill -KILL "$client"
	wait "$client" 2>/dev/null
	ends_by "a client that is killed: by=client why=reset" "by=client why=reset .*error=(ECONNRESET|EPIPE)"
	stop_proxy
	serve 9005 -u TCP-LISTEN:9005,bind=127.0.0.1 OPEN:/dev/null
	kill -STOP "$server"
	start_proxy 127.0.0.1:9005
	curl -sS -o /tmp/got -T /www/small "$(front x)" 2>/tmp/curl &
	client=$!
	awaited unread_at 9005
	kill -KILL "$server"
	wait "$server" 2>/dev/null
	ends_by "an upstream that is killed: by=upstream why=reset" \
		"by=upstream why=reset .*error=(ECONNRESET|EPIPE)"
	stated "  and the client is reset" ended 56 "$client"
	end_proxy "resets"
}

ends() {
	say "every way to end"
	end_of_file
	ipv6
	half_close
	no_upstream
	no_port
	first_byte
	idle
	talks_too_much
	resets
}

# descriptors_left N: the proxy can open that many more.
descriptors_left() {
	local left=$1 n=0
	while [ -e "/proc/$proxy/fd/$n" ] || [ "$left" -gt 0 ]; do
		[ -e "/proc/$proxy/fd/$n" ] || left=$((left - 1))
		n=$((n + 1))
	done
	prlimit --pid "$proxy" --nofile="$n:"
}

# It is not to come to that, but for somebody who takes them away.
out_of_descriptors() {
	local waiting
	start_proxy 127.0.0.1:8080
	start_client /tmp/held
	awaited attached_at_least $((AT_REST + 2))
	descriptors_left 0
	curl -sS -m "$LIMIT" -o /tmp/got "$(front small)" &
	waiting=$!
	stated "out of descriptors: the proxy says so, and asks again" \
		will_log "accept: again in 100 ms: Too many open files" 3
	printf 'GET /small HTTP/1.0\r\n\r\n' >&8
	stated "  a connection that is there is served" awaited echoed /tmp/held 3893
	descriptors_left 100
	stated "  one that waits is, when there are some" ended 0 "$waiting"
	descriptors_left 1
	stated "one descriptor is left, and none for the upstream: the client is reset" \
		is_reset "$(front small)"
	ends_by "  why=failed" "by=proxy why=failed .*error=EMFILE"
	descriptors_left 100
	end_client
	end_proxy "descriptors"
}

limit() {
	local holders=''
	say "the limits of connections and descriptors"
	start_proxy 127.0.0.1:8080 --max-connections 8
	while [ "$(echo "$holders" | wc -w)" -lt 8 ]; do
		start_client /tmp/got
		holders="$holders $client"
	done
	awaited attached_at_least $((AT_REST + 16))
	stated "with 8 of 8 connections the next one is reset" is_reset "$(front small)"
	ends_by "  why=max-connections" "by=proxy why=max-connections "
	end_client
	awaited logged "by=client why=end-of-file"
	stated "when one has left, another one is served" curl_says 0 "$(front small)"
	# shellcheck disable=SC2086
	kill $holders 2>/dev/null
	end_proxy "limit"
	out_of_descriptors
}
