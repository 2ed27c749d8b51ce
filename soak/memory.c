// SPDX-License-Identifier: GPL-2.0
/* The kernel's memory when nothing is open, round after round. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

#define MAX_SAMPLES	4096
/* What may be more at the end than at the beginning, KiB. */
#define BOUND		4096
/* A kernel gives back some of what was used a moment later. */
#define REST		(1500 * MS)

enum place {
	USED, SLAB, UNRECLAIMABLE, STACKS, TABLES, PERCPU, VMALLOC, SOCKETS, PLACES,
};

static const char *const names[PLACES] = {
	"used", "Slab", "SUnreclaim", "KernelStack", "PageTables", "Percpu", "VmallocUsed",
	"sockets",
};

static long samples[MAX_SAMPLES][PLACES];
static int count;

/* A number behind a word in a file of /proc, or 0. */
static long number_of(const char *file, const char *line, const char *word)
{
	char text[8192], *at;
	long value = 0;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		violation("%s: %s", file, strerror(errno));
	text[len] = 0;
	at = strstr(text, line);
	at = at ? strstr(at, word) : NULL;
	if (at)
		sscanf(at + strlen(word), "%*[: ]%ld", &value);
	return value;
}

static long kib_of(const char *word)
{
	char line[32];

	snprintf(line, sizeof(line), "\n%s:", word);
	return number_of("/proc/meminfo", line, word);
}

static long sockets(void)
{
	return number_of("/proc/net/sockstat", "TCP:", "inuse") +
		number_of("/proc/net/sockstat", "TCP:", "orphan") +
		number_of("/proc/net/sockstat6", "TCP6:", "inuse");
}

/* Free pages that processors keep at hand do not count as free. */
static long kib_at_hand(void)
{
	FILE *in = fopen("/proc/zoneinfo", "re");
	long pages, sum = 0;
	char line[256];

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, " count: %ld", &pages) == 1)
			sum += pages;
	if (in)
		fclose(in);
	return sum * (sysconf(_SC_PAGESIZE) >> 10);
}

static void drop_pages(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "3", 1) != 1)
		violation("caches cannot be dropped: %s", strerror(errno));
	close(fd);
}

static void measure(long *to)
{
	int i;

	to[USED] = number_of("/proc/meminfo", "MemTotal:", "MemTotal") - kib_of("MemFree") -
		kib_of("Buffers") - kib_of("Cached") - kib_of("SReclaimable") -
		kib_at_hand();
	for (i = SLAB; i < SOCKETS; i++)
		to[i] = kib_of(names[i]);
	to[SOCKETS] = sockets();
}

static void print(const long *sample)
{
	int i;

	printf("soak: memory, KiB:");
	for (i = 0; i < SOCKETS; i++)
		printf(" %s %ld", names[i], sample[i]);
	printf("; %ld sockets\n", sample[SOCKETS]);
	fflush(stdout);
}

/* The sockets that are there when nothing of ours is. */
static long sockets_before;

void memory_baseline(void)
{
	sockets_before = sockets();
}

void memory_sample(void)
{
	__s64 limit = after(PATIENCE);

	while (sockets() > sockets_before) {
		if (now() > limit)
			violation("%ld sockets are left", sockets() - sockets_before);
		sleep_until(after(50 * MS));
	}
	sleep_until(after(REST));
	drop_pages();
	sleep_until(after(REST));
	if (count == MAX_SAMPLES)
		count--;
	measure(samples[count]);
	print(samples[count]);
	count++;
}

static long least(int from, int to, enum place place)
{
	long value = samples[from][place];

	for (; from < to; from++)
		if (samples[from][place] < value)
			value = samples[from][place];
	return value;
}

/*
 * The least of the last third against the least of the first, without the very first: what
 * is lost round by round raises both, and what is only late to come back neither.
 */
bool memory_is_flat(FILE *figures)
{
	int third = (count - 1) / 3, i;
	bool flat = true;

	if (third < 1) {
		printf("soak: memory: too few rounds to compare\n");
		return true;
	}
	for (i = 0; i < SOCKETS; i++) {
		long first = least(1, 1 + third, i), last = least(count - third, count, i);

		fprintf(figures, "memory %s first KiB: %ld\n", names[i], first);
		fprintf(figures, "memory %s last KiB: %ld\n", names[i], last);
		if (i == SLAB || last - first <= BOUND)
			continue;
		printf("VIOLATION: memory: %s was %ld KiB, and is %ld KiB\n", names[i], first,
		       last);
		flat = false;
	}
	return flat;
}
