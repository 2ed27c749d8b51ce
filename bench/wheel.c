// SPDX-License-Identifier: GPL-2.0
/*
 * A timer wheel of the program's own: a slot for each millisecond of the next four seconds,
 * and one list for what is later than that, looked through when the wheel has turned once.
 * To set and to clear a deadline costs the same however many there are.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench.h"

/* 2^20 ns. */
#define TICK_SHIFT	20
#define SLOTS		4096U
#define NONE		(~0U)
/* So many slots are a word, and so many words are all. */
#define WORD		64

/* Indexes link the deadlines of a slot. */
struct timer {
	__s64 deadline;
	unsigned int next;
	unsigned int previous;
	unsigned int slot;
};

static struct timer *timers;
/* The last one is of those that are later. */
static unsigned int slots[SLOTS + 1];
/* Which slots have any, and which words of that are not 0. */
static __u64 used[SLOTS / WORD];
static __u64 used_words;
/* Slots before this tick are empty. */
static __s64 tick;

void wheel_open(unsigned int count)
{
	unsigned int i;

	timers = malloc(count * sizeof(*timers));
	if (!timers)
		give_up("wheel", ENOMEM);
	for (i = 0; i < count; i++)
		timers[i].slot = NONE;
	for (i = 0; i <= SLOTS; i++)
		slots[i] = NONE;
	for (i = 0; i < SLOTS / WORD; i++)
		used[i] = 0;
	used_words = 0;
	tick = now() >> TICK_SHIFT;
}

void wheel_close(void)
{
	free(timers);
	timers = NULL;
}

static void mark(unsigned int slot)
{
	used[slot / WORD] |= 1ULL << (slot % WORD);
	used_words |= 1ULL << (slot / WORD);
}

static void unmark(unsigned int slot)
{
	used[slot / WORD] &= ~(1ULL << (slot % WORD));
	if (!used[slot / WORD])
		used_words &= ~(1ULL << (slot / WORD));
}

static void insert(unsigned int i, unsigned int slot)
{
	struct timer *timer = &timers[i];
	unsigned int first = slots[slot];

	timer->slot = slot;
	timer->previous = NONE;
	timer->next = first;
	if (first != NONE)
		timers[first].previous = i;
	else if (slot < SLOTS)
		mark(slot);
	slots[slot] = i;
}

void wheel_clear(unsigned int i)
{
	struct timer *timer = &timers[i];
	unsigned int slot = timer->slot;

	if (slot == NONE)
		return;
	timer->slot = NONE;
	if (timer->next != NONE)
		timers[timer->next].previous = timer->previous;
	if (timer->previous != NONE)
		timers[timer->previous].next = timer->next;
	else
		slots[slot] = timer->next;
	if (slot < SLOTS && slots[slot] == NONE)
		unmark(slot);
}

static unsigned int slot_for(__s64 deadline)
{
	/* Rounded up, for a deadline is never early. */
	__s64 at = (deadline + (1LL << TICK_SHIFT) - 1) >> TICK_SHIFT;

	if (at < tick)
		at = tick;
	return at - tick < SLOTS ? at % SLOTS : SLOTS;
}

void wheel_set(unsigned int i, __s64 deadline)
{
	unsigned int slot = slot_for(deadline);

	if (timers[i].slot != slot) {
		wheel_clear(i);
		insert(i, slot);
	}
	timers[i].deadline = deadline;
}

/* The first slot in use from @slot on, as far as the last one; SLOTS where there is none. */
static unsigned int next_used(unsigned int slot)
{
	unsigned int word = slot / WORD;
	__u64 bits = used[word] & (~0ULL << (slot % WORD));

	if (!bits) {
		__u64 words = word + 1 < WORD ? used_words & (~0ULL << (word + 1)) : 0;

		if (!words)
			return SLOTS;
		word = __builtin_ctzll(words);
		bits = used[word];
	}
	return word * WORD + __builtin_ctzll(bits);
}

/* The time to wake up at, at the latest that at which the wheel has turned once. */
__s64 wheel_next(void)
{
	__s64 turn = tick - tick % SLOTS;
	unsigned int slot = next_used(tick % SLOTS);

	if (slot == SLOTS && slots[SLOTS] == NONE && used_words)
		return (turn + SLOTS + next_used(0)) << TICK_SHIFT;
	return (turn + slot) << TICK_SHIFT;
}

/* The wheel has turned once: what was later may have a slot now. */
static void cascade(void)
{
	unsigned int i = slots[SLOTS];

	while (i != NONE) {
		unsigned int next = timers[i].next;

		wheel_set(i, timers[i].deadline);
		i = next;
	}
}

/* One whose deadline has passed, taken out of the wheel; -1: none. */
int wheel_expired(__s64 time)
{
	__s64 end = time >> TICK_SHIFT;

	for (;;) {
		unsigned int i = slots[tick % SLOTS];

		if (i != NONE && timers[i].deadline <= time) {
			wheel_clear(i);
			return i;
		}
		if (tick >= end)
			return -1;
		tick++;
		if (tick % SLOTS == 0)
			cascade();
	}
}
