# SPDX-License-Identifier: GPL-2.0
#
# cancelio: see README.md.  `make help` lists the targets.

PREFIX ?= /usr/local
USERLIB := $(CURDIR)/build/userlib
RELEASE := $(shell uname -r)
HEADERS := /lib/modules/$(RELEASE)/build
DEMOS := $(patsubst samples/%/demo,%,$(wildcard samples/*/demo))
# Without the kernel's signing key there is nothing to sign with.
UNSIGNED := $(if $(wildcard $(HEADERS)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)
LIBRARY = $(MAKE) -C userlib O=$(USERLIB) PREFIX=$(PREFIX)
TOOL = $(MAKE) -C tools/cancelio O=$(CURDIR)/build/tool LIBRARY=$(USERLIB) PREFIX=$(PREFIX)
# What else is installed, beside the module and the library; packages have SYSTEM in their way.
SYSTEM ?= system
PARTS := $(SYSTEM) tools Documentation/man

# To make it is two names.
$(foreach name,CURDIR DESTDIR PREFIX,$(if $(word 2,$($(name))),$(error $(name) has a space: $($(name)))))
override DESTDIR := $(abspath $(DESTDIR))

all: module library tool

module:
	@RELEASE=$(RELEASE) vm/module live $(if $(DEBUG),--debug)

library:
	@$(LIBRARY)

tool: library
	@$(TOOL) where-possible

install: all
	$(MAKE) -C $(HEADERS) M=$(CURDIR)/build/module/live-$(RELEASE) $(UNSIGNED) INSTALL_MOD_DIR=updates \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(if $(DESTDIR),,depmod $(RELEASE))
	$(MAKE) install-user

# All but the module, which the package has built where it is installed.
install-user: library
	$(LIBRARY) install DESTDIR=$(DESTDIR)
	$(TOOL) install-where-possible DESTDIR=$(DESTDIR)
	$(foreach part,$(PARTS),$(MAKE) -C $(part) install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) &&) true
	$(if $(DESTDIR),,ldconfig)

# The module goes first, and stops all when it is in use; from all kernels.
uninstall:
	$(foreach part,$(PARTS),$(MAKE) -C $(part) uninstall DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) &&) true
	$(LIBRARY) uninstall DESTDIR=$(DESTDIR)
	$(TOOL) uninstall DESTDIR=$(DESTDIR)
	$(if $(DESTDIR),,ldconfig)
	@system/remove-module $(DESTDIR)

demo:
	@vm/setup base
	@[ -x samples/$(or $(T),echo)/demo ] || { echo 'T=$(T): no such demo, there are: $(DEMOS)' >&2; exit 2; }
	@samples/$(or $(T),echo)/demo

check:
	@vm/setup base $(FOREIGN)
	@vm/check $(T)

clean:
	rm -rf $(addprefix build/,module userlib selftests userlib-32 selftests-32 userlib-arm64 selftests-arm64 samples-arm64 samples man check race pairs explore soak bench proxy timeline bpftrace tool labs image lint deb dist scratch.*)

distclean:
	rm -rf build

help:
	@echo 'make                module for the running kernel, library, tool'
	@echo 'make install        these, tools and manual pages, below DESTDIR and PREFIX (make uninstall removes them)'
	@echo 'make demo           the echo server in a throwaway machine; KEEP=1 leaves it running;'
	@echo '                    T=name picks another of samples/*/demo: $(DEMOS)'
	@echo 'make check          all tests in throwaway machines; T=name picks one'
	@echo 'make vm             a shell in such a machine'
	@echo 'make clean          remove what was built; distclean also kernels and sources'
	@echo 'KERNEL=name picks another Debian kernel for demo, check and vm, KDIR=path your own'
	@sed -n 's/^## /make /p' vm/dev.mk

export KERNEL KDIR KEEP
# Where a kernel is for another architecture, what it takes to build for it and to run it.
FOREIGN = $(if $(findstring -arm64,$(KERNEL)),arm64)

include vm/dev.mk

.PHONY: all module library tool install install-user uninstall demo check clean distclean help
