# SPDX-License-Identifier: GPL-2.0
#
# Targets for developers; a line with two #s is printed by `make help`.

vm:
	@vm/setup base
	@vm/shell

## lint           style, static checks, and builds for all of Debian's kernels
lint:
	@vm/setup base lint
	@vm/lint

## model          the model of an operation's life, checked by spin, and with faults in it
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

.PHONY: vm lint model docs kernels
