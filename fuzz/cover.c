// SPDX-License-Identifier: GPL-2.0
#include "cover.h"
#include "program.h"

#include <fcntl.h>
#include <linux/kcov.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define KCOV_FILE	"/sys/kernel/debug/kcov"
/* Places in a trace; what does not fit is not seen. */
#define ENTRIES		(16 << 10)
/* Of one worker, and the handle by which workers report to us. */
#define REMOTE_ENTRIES	(8 << 10)
#define REMOTE_HANDLE	1

/* A trace for each thread of the program, and one for the workers. */
static struct trace {
	int fd;
	__u64 *area;			/* a count, and the places */
} traces[THREADS + 1];

static __u64 text;			/* where the module's code begins */
static bool usable;

static __u64 module_text(void)
{
	FILE *file = fopen("/sys/module/cancelio/sections/.text", "r");
	unsigned long long address = 0;

	if (file && fscanf(file, "%llx", &address) != 1)
		address = 0;
	if (file)
		fclose(file);
	return address;
}

bool cover_init(void)
{
	int i;

	text = module_text();
	for (i = 0; i <= THREADS; i++) {
		traces[i].fd = open(KCOV_FILE, O_RDWR | O_CLOEXEC);
		if (traces[i].fd < 0 || ioctl(traces[i].fd, KCOV_INIT_TRACE, ENTRIES))
			return false;
		traces[i].area = mmap(NULL, ENTRIES * sizeof(__u64), PROT_READ | PROT_WRITE,
				      MAP_SHARED, traces[i].fd, 0);
		if (traces[i].area == MAP_FAILED)
			return false;
	}
	usable = text;
	return usable;
}

/* Threads made after this one has enabled it give the handle to their contexts. */
void cover_process(void)
{
	struct kcov_remote_arg remote = {
		.trace_mode = KCOV_TRACE_PC,
		.area_size = REMOTE_ENTRIES,
		.common_handle = KCOV_SUBSYSTEM_COMMON | REMOTE_HANDLE,
	};

	if (usable && ioctl(traces[THREADS].fd, KCOV_REMOTE_ENABLE, &remote))
		fprintf(stderr, "fuzz: workers are not covered\n");
}

void cover_thread(int thread)
{
	if (usable)
		ioctl(traces[thread].fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

void cover_clear(void)
{
	int i;

	for (i = 0; usable && i <= THREADS; i++)
		__atomic_store_n(&traces[i].area[0], 0, __ATOMIC_RELAXED);
}

static void cover_add(struct cover *cover, __u64 what)
{
	__u64 bit = 1ULL << (what % 64);
	__u64 *word = &cover->bits[what % COVER_BITS / 64];

	cover->count += !(*word & bit);
	*word |= bit;
}

void cover_read(struct covered *covered)
{
	__u64 count, j, place, last;
	int i;

	memset(covered, 0, sizeof(*covered));
	for (i = 0; usable && i <= THREADS; i++) {
		count = __atomic_load_n(&traces[i].area[0], __ATOMIC_RELAXED);
		last = 0;
		for (j = 1; j <= count && j < ENTRIES; j++) {
			place = traces[i].area[j] - text;
			cover_add(&covered->places, place);
			cover_add(&covered->edges, (last * 0x9e3779b1 ^ place) * 0x85ebca6b >> 8);
			last = place;
		}
	}
}

__u32 cover_new(const struct cover *more, struct cover *all, bool add)
{
	__u32 i, count = 0;

	for (i = 0; i < COVER_BITS / 64; i++) {
		count += __builtin_popcountll(more->bits[i] & ~all->bits[i]);
		if (add)
			all->bits[i] |= more->bits[i];
	}
	if (add)
		all->count += count;
	return count;
}

bool cover_has(const struct cover *all, const struct cover *part)
{
	__u32 i;

	for (i = 0; i < COVER_BITS / 64; i++)
		if (part->bits[i] & ~all->bits[i])
			return false;
	return true;
}

void cover_subtract(struct cover *cover, const struct cover *known)
{
	__u32 i;

	for (i = 0; i < COVER_BITS / 64; i++)
		cover->bits[i] &= ~known->bits[i];
}

void cover_intersect(struct cover *cover, const struct cover *other)
{
	__u32 i;

	for (i = 0; i < COVER_BITS / 64; i++)
		cover->bits[i] &= other->bits[i];
}
