# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What the guest's scripts share: a proxy to look at, clients and servers beside it, and
# lines for the host, whose fields are separated by tabs:
#
#   ok|not TEXT             whether TEXT is so
#   figure GROUP NAME VALUE UNIT
#   end                     all was looked at
#   # TEXT                  progress
#
# shellcheck disable=SC3043,SC2034

# Nothing that is awaited takes so long, seconds.
LIMIT=${LIMIT:-60}
# Attached to a context that serves nobody: the listener, and where signals come in.
AT_REST=2
FRONT=7000
# What the kernel gives sockets for what they send and receive.
SEND_BUFFERS=/proc/sys/net/ipv4/tcp_wmem
RECEIVE_BUFFERS=/proc/sys/net/ipv4/tcp_rmem

say() {
	printf '# %s\n' "$*"
}

figure() {
	printf 'figure\t%s\t%s\t%s\t%s\n' "$@"
}

# stated TEXT COMMAND...: COMMAND shows that TEXT is so.
stated() {
	local text=$1
	shift
	if "$@" >/tmp/stated 2>&1; then
		printf 'ok\t%s\n' "$text"
	else
		printf 'not\t%s\n' "$text"
		tail -n 3 /tmp/stated | sed 's/^/#   /'
		failed=1
	fi
}

seconds() {
	cut -d . -f 1 /proc/uptime
}

# awaited COMMAND...: until it succeeds.
awaited() {
	local end=$(($(seconds) + LIMIT))
	until "$@"; do
		[ "$(seconds)" -lt "$end" ] || return 1
		usleep 20000
	done
}

# logged REGEX [COUNT]: the proxy's log has such a line, or so many.
logged() {
	[ "$(grep -cE -e "$1" "$log")" -ge "${2:-1}" ]
}

will_log() {
	awaited logged "$@" || { echo "no line with: $1"; tail -n 3 "$log"; return 1; }
}

# field NAME: of the last connection that has ended.
field() {
	grep '^conn=' "$log" | tail -n 1 | tr ' ' '\n' | sed -n "s/^$1=//p"
}

at_least() {
	echo "$1 is to be at least $2"
	[ "$1" -ge "$2" ]
}

between() {
	echo "$2 is to be from $1 to $3"
	[ "$1" -le "$2" ] && [ "$2" -le "$3" ]
}

# What /proc/uptime says, ms.
now_ms() {
	echo $(($(cut -d ' ' -f 1 /proc/uptime | tr -d .) * 10))
}

# ended CODE PROCESS: it ends, with that exit code.
ended() {
	local code=0
	awaited gone "$2" || { echo "it does not end"; return 1; }
	wait "$2" || code=$?
	echo "it ended with $code"
	[ "$code" -eq "$1" ]
}

# start_proxy UPSTREAM [OPTION]...: on port $FRONT; its process is $proxy, its log $log.
start_proxy() {
	local upstream=$1 fd
	shift
	started=$((started + 1))
	log=/tmp/log.$started
	/cio-proxy --listen "127.0.0.1:$FRONT" --upstream "$upstream" "$@" >"$log" 2>&1 &
	proxy=$!
	awaited logged '^listening' || { say "the proxy does not start: $(cat "$log")"; exit 1; }
	for fd in "/proc/$proxy/fd/"*; do
		[ "$(readlink "$fd")" != /dev/cancelio ] || info=/proc/$proxy/fdinfo/${fd##*/}
	done
	fds=$(open_files)
}

open_files() {
	find "/proc/$proxy/fd" -type l | wc -l
}

# What is attached to the proxy's context.
attached() {
	sed -n 's/^conns:[[:space:]]*//p' "$info"
}

attached_at_least() {
	[ "$(attached)" -ge "$1" ]
}

resident_kb() {
	sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$proxy/status"
}

rests() {
	[ "$(attached)" -eq $AT_REST ] && [ "$(open_files)" -eq "$fds" ]
}

at_rest() {
	awaited rests || { echo "$(attached) attached, $(open_files) descriptors"; return 1; }
}

# end_proxy TEXT: nothing is left of what it did, and it ends by itself.
end_proxy() {
	stated "$1: no connection and no descriptor is left" at_rest
	kill -TERM "$proxy"
	stated "$1: the proxy ends" ended 0 "$proxy"
}

# In passing, between two ends of one kind.
stop_proxy() {
	kill -TERM "$proxy"
	ended 0 "$proxy"
}

listens() {
	netstat -ltn | grep -q "127.0.0.1:$1 "
}

start_nginx() {
	nginx -c /guest/nginx.conf 8<&- 9<&- &
	nginx=$!
	awaited listens 8080 || { say "nginx does not start"; exit 1; }
}

# serve PORT SOCAT-ARGUMENT...: a server of socat's; its process is $server.
serve() {
	local port=$1
	shift
	socat "$@" >/tmp/socat 2>&1 &
	server=$!
	awaited listens "$port" || { say "socat does not listen on $port"; exit 1; }
}

# The process and its children.
end_server() {
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
}

# A client that says what is written to fd 8, and whose output is $1.
start_client() {
	nc 127.0.0.1 "$FRONT" </tmp/said >"$1" 2>/tmp/client &
	client=$!
}

# What it was told and did not take is not for the next one.
end_client() {
	kill "$client" 2>/dev/null
	wait "$client" 2>/dev/null
	open_said
}

open_said() {
	exec 8<&-
	rm -f /tmp/said
	mkfifo /tmp/said
	exec 8<>/tmp/said
}

# Small ones for all sockets that come: whoever sends to a slow peer has to wait soon.
small_buffers() {
	usual_send=$(cat $SEND_BUFFERS) usual_receive=$(cat $RECEIVE_BUFFERS)
	echo "4096 16384 32768" >$SEND_BUFFERS
	echo "4096 16384 32768" >$RECEIVE_BUFFERS
}

usual_buffers() {
	echo "$usual_send" >$SEND_BUFFERS
	echo "$usual_receive" >$RECEIVE_BUFFERS
}

gone() {
	[ ! -d "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status"
}

sum_of() {
	sha256sum <"$1" | cut -d ' ' -f 1
}

# same FILE FILE
same() {
	cmp "$1" "$2"
}

# begins_with WHOLE PART: PART is no more than the beginning of it.
begins_with() {
	local size
	size=$(stat -c %s "$2")
	echo "$2 has $size bytes"
	[ "$size" -lt "$(stat -c %s "$1")" ] && head -c "$size" "$1" | cmp - "$2"
}
