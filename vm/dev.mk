# SPDX-License-Identifier: GPL-2.0
#
# Targets for developers; a line with two #s is printed by `make help`.

vm:
	@vm/setup base $(FOREIGN)
	@vm/shell

## check-rt       the tests on the real-time kernels
check-rt:
	@vm/setup base
	@KERNEL="$(or $(KERNEL),6.1-rt 6.12-rt)" vm/check $(T)

## check-32       the tests as 32-bit programs, on 64-bit kernels
check-32:
	@vm/setup base m32
	@vm/check --32 $(T)

## check-arm64    the tests on kernels for arm64, in an emulated machine of that architecture
check-arm64:
	@vm/setup base arm64
	@KERNEL="$(or $(KERNEL),6.1-arm64 6.12-arm64 6.12-16k-arm64)" vm/check $(T)

## check-debug    tests, races and corpus on a kernel with KASAN, lockdep and more; T=name picks one
check-debug:
	@vm/setup base kernel race
	@detectors/check debug
	@$(if $(T),,KERNEL=debug race/check --module "$$(vm/module debug --debug)")
	@$(if $(T),,KERNEL=debug fuzz/check --replay)
	@KERNEL=debug vm/check $(T)

## check-race     the same on a kernel with KCSAN
check-race:
	@vm/setup base kernel race
	@detectors/check kcsan
	@$(if $(T),,KERNEL=kcsan race/check --module "$$(vm/module kcsan --debug)")
	@$(if $(T),,KERNEL=kcsan fuzz/check --replay)
	@KERNEL=kcsan vm/check $(T)

## faults         every allocation and copy of the calls made to fail, one by one; S=steady: work without any
faults:
	@vm/setup base kernel race
	@faults/check $(S)

## coverage       how much of the module runs in the tests and with faults
coverage:
	@vm/setup base kernel coverage
	@coverage/check

## conformance    all of these, and the page of what was promised and what held
conformance:
	@vm/setup base m32 docs
	@rm -rf build/check/all
	-@KERNEL="6.1 6.12 6.1-rt 6.12-rt" vm/check
	-@KERNEL="6.1 6.12" vm/check --32
	@vm/conformance

## check-all      all that is below and above, and the page of figures; takes several hours
check-all:
	@vm/setup base lint model docs m32 arm64 kernel race coverage timeline browser bpftrace tool system deb
	@vm/all

## lint           style, static checks, and builds for all of Debian's kernels
lint:
	@vm/setup base lint
	@vm/lint

## race           known races, one by one, and without what prevents each; R=name picks one, TIMELINE=1 draws it
race:
	@$(if $(TIMELINE),$(if $(R),,echo 'TIMELINE=1 needs R=name' >&2; exit 2))
	@vm/setup base race $(if $(TIMELINE),timeline)
	@race/check $(R)
	@$(if $(TIMELINE),tools/timeline/show race $(R))

## pairs          races by pair of all that can happen to an operation, ROUNDS=1000000; PAIR=a,b picks one
pairs:
	@vm/setup base
	@pairs/check

## soak           load and endurance for TIME seconds (3600), and a kill of 100,000 operations; TIME=0: only that
soak:
	@vm/setup base
	@soak/check

## explore        races in an order that a seed decides, SEEDS=1000; SEED=n replays, BUG=name has a bug
explore:
	@vm/setup base kernel race
	@explore/check $(if $(SEED),--seed $(SEED),$(or $(SEEDS),1000))

## explore-bugs   which known bugs that finds, and how soon, SEEDS=100; B=name picks one
explore-bugs:
	@vm/setup base kernel race
	@explore/check --bugs $(B)

## fuzz           random programs against a model for TIME seconds (600), SEED=number; KDIR's KCOV guides
fuzz:
	@vm/setup base race
	@fuzz/check $(or $(TIME),600) $(SEED)

## fuzz-replay    the corpus of programs, each a few times
fuzz-replay:
	@vm/setup base
	@fuzz/check --replay

## fuzz-faults    the module with faults, each of which the fuzzer has to find
fuzz-faults:
	@vm/setup base race
	@fuzz/check --faults $(F)

## mutants        the module with known bugs, which its tests have to catch; M=name picks one
mutants:
	@vm/setup base race
	@mutants/check $(M)

## bench          what work costs, and with what else one could use, in instructions; T=row picks one
bench:
	@vm/setup base bench
	@bench/check $(if $(QUICK),--quick) $(T)

## bench-page     the same for all rows, and the page of it in the manual
bench-page:
	@vm/setup base bench
	-@bench/check
	@bench/page

## bench-late     how late deadlines are, in microseconds, idle and under load; RECORD=1 for the manual
bench-late:
	@vm/setup base late
	@bench/late/check $(if $(RECORD),--record)

## model          the models of operations and of a context's end, checked by spin, and with faults
model:
	@vm/setup model
	@model/check

## timeline       a page to step through: why blocked reads came back, on both engines; R=name a race beside its model
timeline:
	@vm/setup base timeline $(if $(R),race model)
	@tools/timeline/show $(if $(R),model $(R),work)

## check-timeline tests of recording, sentences and page, the last in a browser; T=name picks some
check-timeline:
	@vm/setup base timeline browser race model
	@tools/timeline/check $(T)

## lab            an exercise on your own answer, L=eintr, hole, states, note, winner or ready; SOLUTION=1
lab:
	@vm/setup base
	@Documentation/labs/run "$(L)" $(if $(SOLUTION),solution)

## check-labs     their checkers, on skeletons, wrong answers and solutions; L=name picks one
check-labs:
	@vm/setup base
	@Documentation/labs/check $(L)

## image          an archive to take away: the machine, which starts where there is nothing but qemu
image:
	@vm/setup base timeline
	@image/build

## check-image    that archive, unpacked and started with an empty environment
check-image:
	@vm/setup base timeline
	@image/check

## check-bpftrace tools/bpftrace/cio-ends.bt, who ended which operation and why, on work that is known
check-bpftrace:
	@vm/setup base bpftrace
	@tools/bpftrace/check

## check-tool     tools/cancelio, whether it tells what is so, in all states of module and device
check-tool:
	@vm/setup base tool
	@tools/cancelio/check

## proxy-faults   the proxy with faults, each of which its demo has to find; F=name picks one
proxy-faults:
	@vm/setup base race proxy
	@samples/proxy/faults/check $(F)

## dist           a source tarball, in build/dist, the same bytes from the same sources
dist:
	@vm/dist

## check-dist     that tarball, unpacked elsewhere: builds, packs itself again, passes a test; T=all: make check
check-dist:
	@vm/setup base
	@vm/check-dist $(T)

## deb            Debian's packages, in build/deb, which lintian has to like
deb:
	@vm/setup deb
	@vm/deb

## check-deb      the packages in a throwaway Debian: installed, used, removed, purged, on 6.1 and 6.12
check-deb:
	@vm/setup base deb system
	@system/check deb

## check-install  make install in a throwaway Debian: installed, used, uninstalled, on 6.1 and 6.12
check-install:
	@vm/setup base system
	@system/check install

## docs           the manual as HTML, in build/docs/html
docs:
	@vm/setup docs
	@$(MAKE) -s -C Documentation

## kernels        which of Debian's kernels there are
kernels:
	@vm/kernel --list

.PHONY: vm check-all check-rt check-32 check-arm64 check-debug check-race faults coverage conformance lint race \
	timeline check-timeline mutants pairs explore explore-bugs soak fuzz fuzz-replay fuzz-faults bench bench-page bench-late model \
	lab check-labs image check-image check-bpftrace check-tool proxy-faults dist check-dist deb check-deb check-install docs kernels
