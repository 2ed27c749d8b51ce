# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Byte for byte: curl and nginx, alone and while all that is pending is canceled, the proxy
# drains, and somebody is killed.
#
# shellcheck disable=SC3043,SC2154

many_requests() {
	local n
	curl -sS "$(front 'small?[1-200]')" >/tmp/got 2>/dev/null
	for n in $(seq 200); do
		cat /www/small
	done >/tmp/want
	same /tmp/want /tmp/got
}

ranges() {
	local from
	for from in 0 1000000 8388607 16776784; do
		curl -sS -r "$from-$((from + 431))" -o /tmp/got "$(front big)" || return
		tail -c +$((from + 1)) /www/big | head -c 432 >/tmp/want
		same /tmp/want /tmp/got || return
	done
}

# Eight at a time.
many_bodies() {
	local n
	curl -sS --no-progress-meter -Z --parallel-immediate --parallel-max 8 \
		-o '/tmp/many.#1' "$(front 'part?[1-8]')" || return
	for n in 1 2 3 4 5 6 7 8; do
		same /www/part "/tmp/many.$n" || return
	done
	rm -f /tmp/many.*
}

download() {
	curl -sS -o /tmp/got "$(front big)" && same /www/big /tmp/got
}

upload() {
	rm -f /www/up/big
	curl -sS -o /tmp/answer -T /www/big "$(front up/big)" && awaited arrived &&
		same /www/big /www/up/big
}

# nginx renames a body when it is whole.
arrived() {
	[ -e /www/up/big ]
}

bodies() {
	say "bodies, by curl and nginx"
	start_proxy 127.0.0.1:8080
	stated "200 requests, one connection: each answer byte for byte" many_requests
	ends_by "  it was one connection" "by=client why=end-of-file"
	stated "  and no other" [ "$(grep -c '^conn=' "$log")" -eq 1 ]
	stated "four ranges" ranges
	stated "16 MiB down" download
	stated "16 MiB up" upload
	stated "8 times 4 MiB down, at a time" many_bodies
	end_proxy "bodies"
	under_cancel
}

# cancel_until_done PROCESS...: cancels what is pending, again and again.
cancel_until_done() {
	local process
	for process; do
		until gone "$process"; do
			kill -USR1 "$proxy"
			usleep 2000
		done
	done
}

# Of connections, at the least: each time one more is the listener's.
canceled() {
	awk '/^canceled:/ && $2 > 1 { n += $2 - 1 } END { print n + 0 }' "$log"
}

# Slow enough that there is something to cancel, also in the middle of a send.
under_cancel() {
	local down up
	small_buffers
	start_proxy 127.0.0.1:8080
	rm -f /www/up/big /tmp/got
	curl -sS --limit-rate 8M -o /tmp/got "$(front big)" &
	down=$!
	curl -sS --limit-rate 8M -o /tmp/answer -T /www/big "$(front up/big)" &
	up=$!
	cancel_until_done $down $up
	stated "16 MiB each way while what is pending is canceled: down" ended 0 "$down"
	stated "  byte for byte" same /www/big /tmp/got
	stated "  and up" ended 0 "$up"
	stated "  byte for byte" same /www/big /www/up/big
	stated "  $(canceled) operations were canceled" at_least "$(canceled)" 100
	figure bodies canceled "$(canceled)" operations
	end_proxy "cancel"
	usual_buffers
}

# Nobody listens.
refused_now() {
	curl_says 7 "$(front small)"
}

# A download at a rate that takes a while: its process is $client, what has come /tmp/part.
slow_download() {
	: >/tmp/part
	curl -sS --limit-rate "$1" -o /tmp/part "$(front big)" 2>/tmp/curl &
	client=$!
	awaited echoed /tmp/part 100000
}

drain_to_the_end() {
	start_proxy 127.0.0.1:8080 --drain-timeout 60000
	slow_download 8M
	kill -TERM "$proxy"
	awaited logged '^draining: 1 connections'
	stated "drain: no more is accepted" refused_now
	stated "  what was there ends well" ended 0 "$client"
	stated "  byte for byte" same /www/big /tmp/part
	stated "  the proxy ends by itself" ended 0 "$proxy"
	stated "  and says so" logged '^ended: 1 connections'
}

# cut_short CODE WHAT: what the client has is a beginning of it, and it is told so: 56 by a
# reset, 18 by an end before the length that it knows.
cut_short() {
	stated "  the client sees $2" ended "$1" "$client"
	stated "  it has a beginning of the body, byte for byte" begins_with /www/big /tmp/part
}

# At the moment of the signal some have come, and were not accepted.
drain_serves_who_came() {
	local clients n
	start_proxy 127.0.0.1:8080
	clients='' n=0
	kill -STOP "$proxy"
	while [ $((n += 1)) -le 8 ]; do
		curl -sS -m "$LIMIT" -o "/tmp/came.$n" "$(front small)" &
		clients="$clients $!"
	done
	awaited connected 8
	kill -TERM "$proxy"
	kill -CONT "$proxy"
	for n in $clients; do
		ended 0 "$n" || return
	done
	ended 0 "$proxy" || { cat "$log"; return 1; }
	for n in 1 2 3 4 5 6 7 8; do
		same /www/small "/tmp/came.$n" || return
	done
}

# connected N: so many are, accepted or not.
connected() {
	[ "$(netstat -tn | grep -c ":$FRONT .*ESTABLISHED")" -ge $((2 * $1)) ]
}

drain() {
	local begin n
	say "drain"
	drain_to_the_end
	for n in 1 2 3 4 5; do
		stated "drain, round $n: eight that came before it are served" drain_serves_who_came
	done
	small_buffers
	start_proxy 127.0.0.1:8080 --drain-timeout 700
	slow_download 200k
	begin=$(now_ms)
	kill -TERM "$proxy"
	stated "drain: the proxy ends when its time is over" ended 0 "$proxy"
	stated "  not before its 700 ms, nor long after" between 700 $(($(now_ms) - begin)) $((700 + LATE))
	ends_by "  why=drain-timeout" "by=proxy why=drain-timeout .*to-client=[1-9]"
	cut_short 56 "a reset"
	start_proxy 127.0.0.1:8080 --drain-timeout 600000
	slow_download 200k
	kill -TERM "$proxy"
	awaited logged '^draining'
	kill -TERM "$proxy"
	stated "drain: a second SIGTERM ends it at once" ended 0 "$proxy"
	ends_by "  why=stopped" "by=proxy why=stopped "
	cut_short 56 "a reset"
	usual_buffers
}

kills() {
	say "kills"
	small_buffers
	start_proxy 127.0.0.1:8080
	slow_download 200k
	kill -KILL "$proxy"
	wait "$proxy" 2>/dev/null
	cut_short 56 "the kill of the proxy as a reset"
	start_proxy 127.0.0.1:8080
	stated "  another proxy takes its place at once" download
	slow_download 200k
	kill -KILL "$client"
	wait "$client" 2>/dev/null
	ends_by "kill of a client that downloads: by=client why=reset" "by=client why=reset .*to-client=[1-9]"
	stated "  what it got is a beginning of the body, byte for byte" begins_with /www/big /tmp/part
	slow_download 200k
	kill -KILL "$nginx"
	wait "$nginx" 2>/dev/null
	cut_short 18 "the kill of nginx as nginx's own end"
	ends_by "  by=upstream why=end-of-file" "by=upstream why=end-of-file .*to-client=[1-9]"
	start_nginx
	stated "  when nginx is back its clients are served" download
	end_proxy "kills"
	usual_buffers
}
