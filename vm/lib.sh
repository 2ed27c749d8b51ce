# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts of vm/ share.  Sourced, never run.  Messages go to stderr, so
# that a script's stdout holds nothing but what it was asked to print.

set -euo pipefail
export LC_ALL=C.UTF-8
# What make was called with is not for the makes that run here.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		return 1
	fi
}

# The architecture of a kernel, as Debian calls it.
arch_of() {
	case $1 in
	*-arm64) echo arm64 ;;
	*) echo amd64 ;;
	esac
}

# What stands behind the names of directories with programs for a kernel, where these are
# not for this architecture.
suffix_of() {
	case $1 in
	*-arm64) echo -arm64 ;;
	esac
}

# What stands before the names of the compiler and its tools for a kernel.
cross_of() {
	case $1 in
	*-arm64) echo aarch64-linux-gnu- ;;
	esac
}

APT_LISTS=/var/lib/apt/lists
APT_OPTIONS=()
[ "$(id -u)" -ne 0 ] || APT_OPTIONS=(-o APT::Sandbox::User=root)

# use_packages_of ARCH: those of another architecture than this system's are asked for by
# lists of our own, which need no root; the system goes on without that architecture.
use_packages_of() {
	local dir=$BUILD/apt-$1 native
	native=$(dpkg --print-architecture)
	[ "$1" != "$native" ] || return 0
	APT_LISTS=$dir/lists
	APT_OPTIONS+=(-o "APT::Architecture=$1" -o "APT::Architectures::=$1"
		-o "APT::Architectures::=$native" -o "Dir::State::Lists=$APT_LISTS"
		-o "Dir::Cache=$dir/cache")
	mkdir -p "$APT_LISTS/partial" "$dir/cache/archives/partial"
}

apt_cache() {
	apt-cache "${APT_OPTIONS[@]}" "$@"
}

# Ask the archive which packages it has.  Those of this system need root or sudo.
refresh_package_lists() {
	say "reading the package lists (apt-get update)"
	if [ "$APT_LISTS" = /var/lib/apt/lists ]; then
		as_root apt-get -q update >&2 ||
			die "the package lists are missing or old: as root, run: apt-get update"
	else
		apt-get -q "${APT_OPTIONS[@]}" update >&2 ||
			die "the package lists for ${APT_LISTS%/*} cannot be read"
	fi
}

have_package_lists() {
	compgen -G "$APT_LISTS/*_Packages*" >/dev/null
}

# apt_download DIR PACKAGE...: the packages' files, nothing is installed.
apt_download() {
	local dir=$1
	shift
	(cd "$dir" && apt-get -q "${APT_OPTIONS[@]}" download "$@" >&2)
}

# download_packages DIR PACKAGE...: as apt_download, with newer lists at need.
download_packages() {
	say "downloading ${*:2}"
	apt_download "$@" && return
	refresh_package_lists
	apt_download "$@" || die "cannot download: ${*:2}"
}

# Make the directory SCRATCH, which goes away with the script.
make_scratch() {
	[ -z "${SCRATCH:-}" ] || return 0
	mkdir -p "$BUILD"
	SCRATCH=$(mktemp -d "$BUILD/scratch.XXXXXX")
	trap 'rm -rf "$SCRATCH"' EXIT
}

# unpack_packages DIR PACKAGE...: download, and unpack below DIR, all or nothing.
unpack_packages() {
	local into=$1 deb
	shift
	make_scratch
	rm -rf "$SCRATCH/debs" "$SCRATCH/tree"
	mkdir "$SCRATCH/debs" "$SCRATCH/tree"
	download_packages "$SCRATCH/debs" "$@"
	for deb in "$SCRATCH"/debs/*.deb; do
		dpkg -x "$deb" "$SCRATCH/tree"
	done
	mkdir -p "$(dirname "$into")"
	rm -rf "$into"
	mv "$SCRATCH/tree" "$into"
}

# A kernel of our own looks at every access to memory and at every lock: it is slower by a
# factor, not by an amount, and keeps books on all of its memory.
is_slow_kernel() {
	case $1 in
	debug | kcsan | */*) ;;
	*) return 1 ;;
	esac
}

# Seconds that a test program may take on a kernel.
program_limit() {
	if is_slow_kernel "$1"; then
		echo 600
	else
		echo 120
	fi
}

# lock NAME: one process at a time from here to the end of the script.
lock() {
	mkdir -p "$BUILD/locks"
	exec 9>"$BUILD/locks/$1"
	flock 9
}

# The kernel that $KDIR or $KERNEL (6.12) names: kernel for vm/module, and the
# options on_kernel for vm/run.
# shellcheck disable=SC2034
settle_kernel() {
	if [ -n "${KDIR:-}" ]; then
		kernel=$(realpath -m "$KDIR")/
		on_kernel=(--kdir "$kernel")
	else
		kernel=${KERNEL:-6.12}
		on_kernel=(--kernel "$kernel")
	fi
}

# build_ahead DIR COMMAND NAME...: run "COMMAND NAME" for one name after the other, in
# the background, while machines run.  What it says goes to DIR/build.log.
build_ahead() {
	local dir=$1 command=$2 build
	shift 2
	rm -f "$dir"/*.built
	for build; do
		"$command" "$build" && echo ok >"$dir/$build.built" ||
			echo failed >"$dir/$build.built"
	done 2>"$dir/build.log" &
	builder=$!
	trap 'kill "$builder" 2>/dev/null || true' EXIT
}

# await_build DIR NAME: until it is built; fails where that failed.
await_build() {
	until [ -s "$1/$2.built" ]; do
		sleep 0.2
	done
	grep -q ok "$1/$2.built"
}
