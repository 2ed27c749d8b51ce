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

all: module library

module:
	@vm/module live $(if $(DEBUG),--debug)

library:
	@$(LIBRARY)

install: all
	$(MAKE) -C $(HEADERS) M=$(CURDIR)/build/module/live $(UNSIGNED) \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(LIBRARY) install DESTDIR=$(DESTDIR)
	$(if $(DESTDIR),,depmod $(RELEASE) && ldconfig)

uninstall:
	find $(DESTDIR)/lib/modules/$(RELEASE) -name 'cancelio.ko*' -delete
	$(LIBRARY) uninstall DESTDIR=$(DESTDIR)
	$(if $(DESTDIR),,depmod $(RELEASE) && ldconfig)

demo:
	@vm/setup base
	@[ -x samples/$(or $(T),echo)/demo ] || { echo 'T=$(T): no such demo, there are: $(DEMOS)' >&2; exit 2; }
	@samples/$(or $(T),echo)/demo

check:
	@vm/setup base
	@vm/check $(T)

clean:
	rm -rf $(addprefix build/,module userlib selftests userlib-32 selftests-32 samples check race pairs explore soak bench timeline bpftrace labs image lint scratch.*)

distclean:
	rm -rf build

help:
	@echo 'make                module for the running kernel, library'
	@echo 'make install        both, below DESTDIR and PREFIX (make uninstall removes them)'
	@echo 'make demo           the echo server in a throwaway machine; KEEP=1 leaves it running;'
	@echo '                    T=five-ways picks another of samples/*/demo'
	@echo 'make check          all tests in throwaway machines; T=name picks one'
	@echo 'make vm             a shell in such a machine'
	@echo 'make clean          remove what was built; distclean also kernels and sources'
	@echo 'KERNEL=name picks another Debian kernel for demo, check and vm, KDIR=path your own'
	@sed -n 's/^## /make /p' vm/dev.mk

export KERNEL KDIR KEEP

include vm/dev.mk

.PHONY: all module library install uninstall demo check clean distclean help
