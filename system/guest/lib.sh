# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts in a Debian of system/run share.  Sourced by them, in /mnt, as root.
# Each prints a line for all that has to be so, and a count; exits with 1 when one was not.

set -uo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
# What a login has.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

failed=0 passed=0
LOG=/mnt/log
PROGRAMS=/mnt/programs

# stated TEXT COMMAND...: COMMAND shows that TEXT is so; what it prints is shown if not.
stated() {
	local text=$1
	shift
	if "$@" >$LOG 2>&1; then
		passed=$((passed + 1))
		echo "ok      $text"
	else
		failed=$((failed + 1))
		echo "FAILED  $text"
		tail -n 60 $LOG | sed 's/^/  | /'
	fi
}

refused() {
	! "$@"
}

finish() {
	echo "$1 on $(uname -r): $passed as stated, $failed not"
	[ "$failed" -eq 0 ]
}

# as USER COMMAND...: with the groups that it has by now, in its home.
as() {
	runuser -l "$1" -c "${*:2}"
}

# become USER PROGRAM...: the same without a shell, for a program that is ended by its id.
become() {
	exec setpriv "--reuid=$1" "--regid=$1" --init-groups "${@:2}"
}

# fails_with TEXT COMMAND...: COMMAND does not work, and says TEXT.
fails_with() {
	local text=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "it works: $said"
		return 1
	fi
	echo "it says: $said"
	grep -qF -e "$text" <<<"$said"
}

is_loaded() {
	[ -e /sys/module/cancelio ]
}

# References drain for a moment after the last program is gone.
await_unused() {
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		[ "$(cat /sys/module/cancelio/refcnt)" -gt 0 ] || return 0
		sleep 0.1
	done
	return 1
}

# Which node, whose, and who may open it.
has_node() {
	stat -c '%n %F %t:%T %U:%G %a' /dev/cancelio
	[ "$(stat -c '%F %t:%T %U:%G %a' /dev/cancelio)" = \
		"character special file a:f7 root:cancelio 660" ]
}

# All that is on the disk, and what is written in the files that others keep for us.  Left
# out: logs, caches, the books of dpkg and systemd, dkms's own key, backups of /etc/group,
# and the headers of the kernels, which are most of all files.
list_files() {
	find / -xdev \( -path /mnt -o -path /tmp -o -path /home -o -path /root -o -path /var/log \
		-o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt \
		-o -path /var/lib/systemd -o -path '/usr/src/linux-*' -o -path '/var/lib/dkms/mok.*' \
		-o -path '/etc/*-' \) -prune -o \
		\( -type d -printf '%p %y %m %U:%G\n' -o -printf '%p %y %m %U:%G %s %l\n' \) | sort
	find /etc /lib/modules/*/modules.* -type f ! -path '/etc/*-' -exec sha256sum {} + | sort -k 2
}

nothing_left() {
	list_files >/mnt/after
	diff /mnt/before /mnt/after
}

# By name, wherever it is: also devices, caches, and what dpkg knows.
nothing_of_that_name() {
	local found
	found=$(find / \( -path /proc -o -path /sys -o -path /mnt -o -path /home -o -path /var/log \) \
		-prune -o -iname '*cancelio*' -print 2>/dev/null)
	echo "found: $found"
	[ -z "$found" ] && ! is_loaded && ! getent group cancelio
}

# Programs built with the library that is installed: the README's, its server, a selftest.
build_programs() {
	local flags kselftest=/mnt/kselftest
	read -ra flags < <(pkg-config --cflags --libs libcancelio) || return
	mkdir -p $PROGRAMS
	cc -O1 -o $PROGRAMS/hello samples/hello/hello.c "${flags[@]}" &&
		cc -O1 -pthread -o $PROGRAMS/echo samples/echo/*.c "${flags[@]}" &&
		cc -O1 -pthread -Iselftests -I$kselftest -o $PROGRAMS/library_test \
			selftests/{library_test,util,watch}.c "${flags[@]}" &&
		ldd $PROGRAMS/library_test | grep -F "libcancelio.so.0 => $1"
}

# hello_as USER: as samples/hello/run.
hello_as() {
	local said line server
	coproc SERVER { become "$1" $PROGRAMS/echo --read-deadline 60000; }
	server=$SERVER_PID
	while read -r line <&"${SERVER[0]}"; do
		case $line in listening*) break ;; esac
	done
	said=$(become "$1" $PROGRAMS/hello)
	kill "$server"
	wait "$server"
	echo "$said"
	[ "$said" = "first read: deadline
second read: done, hello" ]
}

# passes COMMAND...: of a selftest's cases, all pass and some ran.
passes() {
	local said
	said=$("$@" 2>&1)
	echo "$said"
	grep -qE '^# Totals: pass:[1-9][0-9]* fail:0 ' <<<"$said"
}

# Where all of it has passed already, a quarter of the selftest is enough.
SOME=(-v poll_ipv4)

test_as() {
	passes become "$1" $PROGRAMS/library_test "${@:2}"
}

may_not_open() {
	fails_with "Permission denied" as "$1" ': <>/dev/cancelio'
}

# man_has SECTION NAME: such a page, which is about it.
man_has() {
	as user man "$1" "$2" | grep -w -e "$2"
}

# One of each section, and one that is only another name.
check_manual() {
	local page words
	for page in "1 cancelio" "1 cio-timeline" "3 cancelio_read" "3 cancelio_start_write" \
		"4 cancelio" "5 cancelio-fdinfo" "7 cancelio-deadlines"; do
		read -ra words <<<"$page"
		stated "man $page" man_has "${words[@]}"
	done
}

# The group decides: root can, its members can, others cannot.
check_use() {
	stated "programs build with the installed library" build_programs "$1"
	stated "the device is the group's, and has its number" has_node
	stated "root passes the library's selftest" test_as root "${SOME[@]}"
	stated "who is not in the group may not open it" may_not_open stranger
	stated "nor may a user before joining it" may_not_open user
	stated "the tool tells that user what to do" \
		fails_with "usermod -aG cancelio user" as user cancelio info
	stated "joining" usermod -aG cancelio user
	stated "a member passes the library's selftest" test_as user
	stated "a member's program meets its deadline, and is echoed to" hello_as user
	stated "the tool tells a member what there is" as user cancelio info
	stated "and measures" as user cancelio bench --time 1
	stated "cio-timeline is there" as user cio-timeline --help
	check_manual
}

# A boot into a command leaves it out.
start_bus() {
	systemctl start dbus.socket
}

# contained [OPTION]... -- COMMAND...: in a container that shares /usr and nothing else.
contained() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	systemd-nspawn -q --directory=/ --volatile=yes --register=no --pipe \
		--bind-ro=$PROGRAMS:/programs "${options[@]}" "$@" </dev/null
}

# A container gets the node and the permission by --bind; without either it is refused.
check_container() {
	local opens=(/bin/sh -c ': <>/dev/cancelio') lib=${1%/*}
	start_bus
	stated "a container without the device has none" fails_with "cannot open" \
		contained -- /bin/sh -c ': </dev/cancelio'
	stated "with its node alone it is refused" fails_with "Operation not permitted" \
		contained --bind=/dev/cancelio --property=DeviceAllow= -- "${opens[@]}"
	stated "with the node and the permission it passes the library's selftest" \
		passes contained --bind=/dev/cancelio "--bind-ro=$lib:/library" \
		--setenv=LD_LIBRARY_PATH=/library -- /programs/library_test "${SOME[@]}"
}

# serving [OPTION]... -- COMMAND...: as a service of the user's, which may use few devices.
serving() {
	systemd-run -q --wait --pipe -p User=user -p DevicePolicy=closed "$@" </dev/null
}

check_service() {
	stated "a service without the permission is refused" \
		fails_with "Operation not permitted" serving -- /bin/sh -c ': <>/dev/cancelio'
	stated "one with it passes the library's selftest" \
		passes serving -p "DeviceAllow=/dev/cancelio rw" -- $PROGRAMS/library_test "${SOME[@]}"
}

# As under Secure Boot, whose two ways a running kernel can be put into, but not out of.
check_refusal() {
	stated "the module can be unloaded" unload
	stated "a kernel that is locked down lets modprobe say: Operation not permitted" \
		locked_down
	stated "one that enforces signatures: Key was rejected by service" enforced
}

unload() {
	await_unused && modprobe -r cancelio && ! is_loaded
}

locked_down() {
	mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
	echo integrity >/sys/kernel/security/lockdown
	fails_with "could not insert 'cancelio': Operation not permitted" modprobe cancelio &&
		dmesg | grep -E "Lockdown: modprobe: .*is restricted; see man kernel_lockdown.7"
}

enforced() {
	echo 1 >/sys/module/module/parameters/sig_enforce
	fails_with "could not insert 'cancelio': Key was rejected by service" modprobe cancelio &&
		dmesg | grep -E "Loading of .* is rejected"
}
