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
static __u64 used[SLOTS / WORD];
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
	tick = now() >> TICK_SHIFT;
}

void wheel_close(void)
{
	free(timers);
	timers = NULL;
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
		used[slot / WORD] |= 1ULL << (slot % WORD);
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
		used[slot / WORD] &= ~(1ULL << (slot % WORD));
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

/* The time to wake up at. */
__s64 wheel_next(void)
{
	unsigned int slot = tick % SLOTS, word = slot / WORD, i;
	__u64 bits = used[word] & (~0ULL << (slot % WORD));

	for (i = 0; i <= SLOTS / WORD; i++) {
		if (bits) {
			slot = word * WORD + __builtin_ctzll(bits);
			return (tick + (slot - tick) % SLOTS) << TICK_SHIFT;
		}
		word = (word + 1) % (SLOTS / WORD);
		bits = used[word];
	}
	return (tick + SLOTS - tick % SLOTS) << TICK_SHIFT;
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
