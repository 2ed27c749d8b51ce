// SPDX-License-Identifier: GPL-2.0
/*
 * The clock, the middle of many measurements, the kernel's memory, and the lines that the
 * table is made of.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BLOCKS 1024

static __s64 blocks[BLOCKS];
static unsigned int nr_blocks;

__s64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

void sleep_until(__s64 time)
{
	struct timespec until = { .tv_sec = time / SECOND, .tv_nsec = time % SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

/* Where nothing runs this takes no time out there. */
void settle(void)
{
	sleep_until(now() + 5 * SECOND);
}

/* Where a profile begins and ends (bench/profile): no file of callers inlines them. */
void profile_begin(void)
{
	__asm__ volatile("");
}

void profile_end(void)
{
	__asm__ volatile("");
}

void block_note(__s64 ns)
{
	if (nr_blocks < BLOCKS)
		blocks[nr_blocks++] = ns;
}

static int compare(const void *a, const void *b)
{
	__s64 x = *(const __s64 *)a, y = *(const __s64 *)b;

	return (x > y) - (x < y);
}

double block_mean(void)
{
	unsigned int tail = nr_blocks / 20, i;
	double sum = 0;

	qsort(blocks, nr_blocks, sizeof(blocks[0]), compare);
	for (i = tail; i < nr_blocks - tail; i++)
		sum += blocks[i];
	sum /= nr_blocks - 2 * tail;
	nr_blocks = 0;
	return sum;
}

double block_median(void)
{
	unsigned int middle = nr_blocks / 2;
	double median;

	qsort(blocks, nr_blocks, sizeof(blocks[0]), compare);
	median = nr_blocks % 2 ? blocks[middle] : (blocks[middle - 1] + blocks[middle]) / 2.0;
	nr_blocks = 0;
	return median;
}

void report(const char *row, const struct peer *peer, double figure)
{
	printf("figure\t%s\t%s\t%.2f\n", row, peer->name, figure);
	fflush(stdout);
}

void report_absent(const char *row, const struct peer *peer, const char *why)
{
	printf("absent\t%s\t%s\t%s\n", row, peer->name, why);
	fflush(stdout);
}

/* The sum of all numbers behind @key at the beginning of a line. */
static __s64 sum_of(const char *file, const char *key)
{
	size_t len = strlen(key);
	char line[256];
	__s64 sum = 0;
	FILE *in = fopen(file, "r");

	if (!in)
		give_up(file, 0);
	while (fgets(line, sizeof(line), in)) {
		const char *text = line + strspn(line, " ");

		if (!strncmp(text, key, len))
			sum += strtoll(text + len, NULL, 10);
	}
	fclose(in);
	return sum;
}

/* What is free stands in the zones, and with each processor. */
__s64 memory_used(void)
{
	__s64 page = sysconf(_SC_PAGESIZE);
	__s64 free = sum_of("/proc/zoneinfo", "nr_free_pages ");
	__s64 kept = sum_of("/proc/zoneinfo", "count:");

	__s64 own = sum_of("/proc/self/status", "RssAnon:") << 10;

	return -(free + kept) * page - own;
}
