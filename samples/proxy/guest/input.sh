# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# What a wrong command line, and a system without what the proxy needs, are answered.
#
# shellcheck disable=SC3043

ADDRESSES="--listen 127.0.0.1:7000 --upstream 127.0.0.1:8080"

# refuses CODE TEXT COMMAND...: it ends with CODE, and says TEXT, on its standard error.
refuses() {
	local code=0 want=$1 text=$2
	shift 2
	timeout "$LIMIT" "$@" 2>/tmp/refused >/tmp/output || code=$?
	cat /tmp/refused
	[ "$code" -eq "$want" ] && grep -qF -e "$text" /tmp/refused && [ ! -s /tmp/output ]
}

# A usage error, with the option's name and what it may be.
wrong() {
	refuses 2 "$@"
}

wrong_addresses() {
	local address
	wrong "--listen is ADDRESS:PORT, an IPv4 address or [an IPv6 address]" /cio-proxy &&
		wrong "--upstream is ADDRESS:PORT" /cio-proxy --listen 127.0.0.1:7000 &&
		wrong ", and it is missing" /cio-proxy --listen || return
	for address in 7000 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:70x :7000 \
		localhost:7000 ::1:7000 "[::1]" "[127.0.0.1]:7000" ""; do
		echo "'$address'"
		wrong "a port of 1 to 65535, not '$address'" /cio-proxy --upstream "$address" ||
			return
	done
}

# wrong_number OPTION MOST UNIT: nothing, no number, below and above the range.
wrong_number() {
	local value
	wrong "--$1 is 1 to $2 $3, and it is missing" /cio-proxy "--$1" || return
	for value in 0 -1 x 1x "" $(($2 + 1)) 99999999999999999999; do
		echo "'$value'"
		wrong "--$1 is 1 to $2 $3, not '$value'" /cio-proxy "--$1" "$value" || return
	done
}

wrong_words() {
	local word
	for word in --bogus -x word --help=1; do
		wrong "there is no option '$word'; there are:" /cio-proxy "$word" || return
	done
}

usage() {
	local option most unit
	stated "usage: 14 wrong addresses are named, with what they may be" wrong_addresses
	while read -r option most unit; do
		stated "usage: --$option names its range, 1 to $most $unit, for 8 wrong values" \
			wrong_number "$option" "$most" "$unit"
	done <<-END
		connect-timeout 600000 ms
		first-byte-timeout 3600000 ms
		idle-timeout 86400000 ms
		lifetime 604800000 ms
		drain-timeout 3600000 ms
		max-connections 100000 connections
	END
	stated "usage: what is no option is named, with those that there are" wrong_words
	stated "usage: --help is answered" sh -c "/cio-proxy --help | grep -q -e --lifetime"
}

# shellcheck disable=SC2086
missing_things() {
	stated "too few descriptors are named, and how many connections there can be" \
		refuses 2 "--max-connections is 1 to 42 here, not '43'" sh -c \
		"ulimit -n 100; exec /cio-proxy $ADDRESSES --max-connections 43"
	stated "no permission for the device is named" \
		refuses 1 "no permission to open /dev/cancelio" \
		su nobody -s /bin/sh -c "/cio-proxy $ADDRESSES"
	stated "a module that speaks another version is named" \
		refuses 1 "the module cancelio speaks another version" /for-other-version $ADDRESSES
	stated "a module that lacks something is named" \
		refuses 1 "the module cancelio lacks an operation" /for-more-operations $ADDRESSES
	rmmod cancelio
	stated "a module that is not loaded is named" \
		refuses 1 "the module cancelio is not loaded" /cio-proxy $ADDRESSES
	mknod /dev/cancelio c 10 200
	stated "so is a device that is there without it" \
		refuses 1 "the module cancelio is not loaded" /cio-proxy $ADDRESSES
	rm -f /dev/cancelio
	insmod /modules/cancelio.ko
	chmod 666 /dev/cancelio
	stated "no permission for a port is named" refuses 1 \
		"--listen 127.0.0.1:80: ports below 1024 need CAP_NET_BIND_SERVICE" \
		su nobody -s /bin/sh -c "/cio-proxy --listen 127.0.0.1:80 --upstream 127.0.0.1:8080"
	chmod 600 /dev/cancelio
	stated "a port that is in use is named" refuses 1 \
		"--listen 127.0.0.1:8080: Address already in use" \
		/cio-proxy --listen 127.0.0.1:8080 --upstream 127.0.0.1:8080
	stated "an address that is not this machine's is named" refuses 1 \
		"--listen 192.0.2.1:7000: Cannot assign requested address" \
		/cio-proxy --listen 192.0.2.1:7000 --upstream 127.0.0.1:8080
}

input() {
	say "wrong options, and a system without what is needed"
	usage
	missing_things
}
