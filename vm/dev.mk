# SPDX-License-Identifier: GPL-2.0
#
# Targets for developers; a line with two #s is printed by `make help`.

vm:
	@vm/setup base
	@vm/shell

## check-rt       the tests on the real-time kernels
check-rt:
	@vm/setup base
	@KERNEL="$(or $(KERNEL),6.1-rt 6.12-rt)" vm/check $(T)

## check-32       the tests as 32-bit programs, on 64-bit kernels
check-32:
	@vm/setup base m32
	@vm/check --32 $(T)

## conformance    all of these, and the page of what was promised and what held
conformance:
	@vm/setup base m32 docs
	@rm -rf build/check/all
	-@KERNEL="6.1 6.12 6.1-rt 6.12-rt" vm/check
	-@KERNEL="6.1 6.12" vm/check --32
	@vm/conformance

## lint           style, static checks, and builds for all of Debian's kernels
lint:
	@vm/setup base lint
	@vm/lint

## race           known races, one by one, and without what prevents each; R=name picks one
race:
	@vm/setup base race
	@race/check $(R)

## pairs          races by pair of all that can happen to an operation, ROUNDS=1000000; PAIR=a,b picks one
pairs:
	@vm/setup base
	@pairs/check

## model          the models of operations and of a context's end, checked by spin, and with faults
model:
	@vm/setup model
	@model/check

## docs           the manual as HTML, in build/docs/html
docs:
	@vm/setup docs
	@$(MAKE) -s -C Documentation

## kernels        which of Debian's kernels there are
kernels:
	@vm/kernel --list

.PHONY: vm check-rt check-32 conformance lint race pairs model docs kernels
