// SPDX-License-Identifier: GPL-2.0
/* What all processes share: records, counts, the pattern of a stream, chance. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

/* A prime number: no size of a buffer is a multiple of it. */
#define PERIOD	65521

struct shared *shared;
char self[32] = "soak";
void (*before_violation)(void);

static __u8 pattern[PERIOD + SEND_MAX];

/* The first one is told: others are what it leads to. */
void violation(const char *format, ...)
{
	char text[256], line[320];
	va_list arguments;
	int len;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	len = snprintf(line, sizeof(line), "VIOLATION: %s: %s\n", self, text);
	fflush(stdout);
	if (__atomic_exchange_n(&shared->violations, 1, __ATOMIC_SEQ_CST))
		len = 0;
	if (write(STDOUT_FILENO, line, len) != len)
		_exit(2);
	if (before_violation)
		before_violation();
	_exit(1);
}

void count_add(enum count which, __u64 number)
{
	__atomic_add_fetch(&shared->counts[which], number, __ATOMIC_RELAXED);
}

__u64 count_of(enum count which)
{
	return __atomic_load_n(&shared->counts[which], __ATOMIC_RELAXED);
}

/* splitmix64. */
__u64 random_next(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

__u32 random_below(__u64 *state, __u32 limit)
{
	return (random_next(state) >> 32) * limit >> 32;
}

bool one_in(__u64 *state, __u32 chances)
{
	return !random_below(state, chances);
}

void raise_to(__s64 *most, __s64 value)
{
	if (value > __atomic_load_n(most, __ATOMIC_RELAXED))
		__atomic_store_n(most, value, __ATOMIC_RELAXED);
}

void pattern_init(void)
{
	__u64 state = 1;
	int i;

	for (i = 0; i < PERIOD; i++)
		pattern[i] = random_next(&state);
	memcpy(pattern + PERIOD, pattern, SEND_MAX);
}

/* SEND_MAX bytes of a stream from a place on. */
const __u8 *pattern_at_place(__u32 stream, __u64 place)
{
	return pattern + (stream * 40503ULL + place) % PERIOD;
}

bool pattern_is(const __u8 *bytes, size_t len, __u32 stream, __u64 place)
{
	return !memcmp(bytes, pattern_at_place(stream, place), len);
}

static void record_init(struct record *record)
{
	__u32 generation = record->generation + 1;

	memset(record, 0, sizeof(*record));
	record->generation = generation;
	record->stream = 2 * __atomic_add_fetch(&shared->streams, 1, __ATOMIC_RELAXED);
	flag_set(&record->used);
}

static bool record_is_over(const struct record *record)
{
	return flag_get(&record->left) && flag_get(&record->judged);
}

/* NULL where all are in use. */
struct record *record_take(int worker)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct record *record = NULL;
	static unsigned int last;
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < SLOTS; i++) {
		record = &shared->records[worker * SLOTS + ++last % SLOTS];
		if (!record->used || record_is_over(record))
			break;
		record = NULL;
	}
	if (record)
		record_init(record);
	pthread_mutex_unlock(&lock);
	return record;
}

void record_leave(struct record *record)
{
	flag_set(&record->left);
}

/* Connections that have not been judged. */
int records_used(int worker)
{
	int i, used = 0;

	for (i = 0; i < SLOTS; i++) {
		const struct record *record = &shared->records[worker * SLOTS + i];

		used += flag_get(&record->used) && !record_is_over(record);
	}
	return used;
}
