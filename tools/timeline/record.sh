#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# record.sh FILE COMMAND...: run the command while the kernel notes what happens to
# operations, threads and signals, in a trace of its own, and write that to FILE
# below a header.  Needs root, tracefs and the module, and no more than a POSIX shell and
# awk, for it also runs in the throwaway machine.  Exits with the command's exit code,
# or with 2 and a message when nothing can be recorded.
#
# Environment: BUFFER_KB for each processor (16384).

set -u

TRACING=/sys/kernel/tracing
BUFFER_KB=${BUFFER_KB:-16384}

# What is recorded; of "want" a kernel may lack some.
NEED='cancelio sched/sched_switch sched/sched_waking'
WANT='signal/signal_generate signal/signal_deliver
	sched/sched_process_fork sched/sched_process_exit
	timer/hrtimer_expire_entry timer/hrtimer_expire_exit
	tcp/tcp_probe tcp/tcp_receive_reset tcp/tcp_send_reset sock/inet_sock_set_state'

die() {
	echo "cio-timeline: $*" >&2
	exit 2
}

check_here() {
	[ "$(id -u)" -eq 0 ] || die "no permission to trace: run it as root, or with --machine"
	[ -e /sys/module/cancelio ] ||
		die "the module is not loaded: modprobe cancelio, or use --machine"
	[ -d $TRACING/events ] || mount -t tracefs tracefs $TRACING 2>/dev/null
	[ -d $TRACING/events ] ||
		die "no tracefs at $TRACING: the kernel needs CONFIG_FTRACE, mount it with: mount -t tracefs tracefs $TRACING"
	[ -d $TRACING/events/cancelio ] ||
		die "the loaded module has no events: $TRACING/events/cancelio is missing"
}

# put VALUE FILE: into a file of the trace.
put() {
	echo "$1" >"$trace/$2" 2>/dev/null || die "cannot write $1 to $trace/$2"
}

make_trace() {
	trace=$TRACING/instances/cio-timeline.$$
	mkdir "$trace" 2>/dev/null || die "cannot make $trace: the kernel has no instances of traces"
	trap remove_trace EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	put 0 tracing_on
	put mono trace_clock
	put "$BUFFER_KB" buffer_size_kb
}

# shellcheck disable=SC2317
remove_trace() {
	echo 0 >"$trace/events/enable"
	rmdir "$trace" 2>/dev/null || echo "cio-timeline: $trace stays: remove it with rmdir" >&2
}

# All at once, while nothing runs yet: each patches the kernel's code.
turn_events_on() {
	local event
	events='' lacking=''
	for event in $NEED $WANT; do
		if echo 1 >"$trace/events/$event/enable" 2>/dev/null; then
			events="$events $event"
			continue
		fi
		case " $NEED " in
		*" $event "*) die "the kernel has no event $event" ;;
		esac
		lacking="$lacking $event"
	done
}

# Names of tasks that may never be seen to run.
list_tasks() {
	local dir name mapped kind
	for dir in /proc/[0-9]*/task/[0-9]*; do
		mapped='' kind=''
		{ read -r name <"$dir/comm"; } 2>/dev/null || continue
		# Nothing is mapped in a kernel thread.
		{ read -r mapped <"$dir/maps"; } 2>/dev/null
		[ -n "$mapped" ] || kind=' kthread'
		echo "# task: ${dir##*/} $name$kind"
	done
}

lost_events() {
	local cpu
	for cpu in "$trace"/per_cpu/cpu*; do
		awk -v cpu="${cpu##*/}" '$1 == "overrun:" || $1 == "dropped" && $2 == "events:" {
			lost += $NF } END { print "# lost: " cpu " " lost + 0 }' "$cpu/stats"
	done
}

# Without the timers of others.
text() {
	awk '/^#/ { next }
		/ hrtimer_expire_entry: / {
			if (!/cancelio/) next
			match($0, /hrtimer=[^ ]*/)
			ours[substr($0, RSTART, RLENGTH)] = 1
		}
		/ hrtimer_expire_exit: / {
			match($0, /hrtimer=[^ ]*/)
			timer = substr($0, RSTART, RLENGTH)
			if (!(timer in ours)) next
			delete ours[timer]
		}
		{ print }' "$trace/trace"
}

# The names of those that are in the text.
tasks_in() {
	awk 'FNR == NR {
			for (rest = $0; match(rest, /(pid=|-)[0-9]+/); rest = substr(rest, RSTART + RLENGTH)) {
				pid = substr(rest, RSTART, RLENGTH)
				gsub(/[^0-9]/, "", pid)
				seen[pid] = 1
			}
			next
		}
		$3 in seen' "$1" "$1.tasks"
}

engines() {
	awk '/ cio_worker_start: .* engine=thread/ || / cio_block: / { thread = 1 }
		/ cio_worker_start: .* engine=poll/ { poll = 1 }
		/ cio_submit: / { some = 1 }
		END {
			if (thread && poll) print "both"
			else if (thread) print "thread"
			else if (poll || some) print "poll"
			else print "none"
		}' "$1"
}

# header TEXT: as it was when the command had ended.
header() {
	echo '# cio-timeline 1'
	echo "# kernel: $(uname -r)"
	echo "# date: $begun"
	echo "# command: $command"
	echo "# pid: $pid"
	echo "# exit: $code"
	echo "# engine: $(engines "$1")"
	echo '# clock: mono'
	echo "# events:$events"
	echo "# lacking:$lacking"
	lost_events
	tasks_in "$1"
	echo "# lines: $(wc -l <"$1" | tr -d ' ')"
}

[ $# -ge 2 ] || die "usage: record.sh FILE COMMAND..."
file=$1
shift
command -v "$1" >/dev/null || die "no such command: $1"
check_here
: >"$file" || die "cannot write $file"
make_trace
turn_events_on
command=$*
begun=$(date -u +%Y-%m-%dT%H:%M:%SZ)
list_tasks >"$file.tasks"
put 1 tracing_on
"$@" &
pid=$!
wait "$pid"
code=$?
put 0 tracing_on
echo 0 >"$trace/events/enable"
text >"$file.text"
mv "$file.tasks" "$file.text.tasks"
{ header "$file.text" && cat "$file.text"; } >"$file" || die "cannot write $file"
rm -f "$file.text" "$file.text.tasks"
lost=$(awk '/^# lost: / { n += $4 } END { print n + 0 }' "$file")
[ "$lost" -eq 0 ] ||
	echo "cio-timeline: $lost events are lost: record again with a larger buffer (now $BUFFER_KB KB for each processor)" >&2
exit "$code"
