// SPDX-License-Identifier: GPL-2.0
/*
 * Every order of two steps of a goroutine and of the poller, in one thread: the poller's whole
 * call is made at one moment of the goroutine's, or where it would sleep.  So whoever sleeps
 * and was not woken by that is never woken.
 */
#include "check.h"

#include <stddef.h>
#include <stdio.h>

/* More than there are in a call. */
#define MOMENTS	12

static struct word word;
static struct goroutine me;

/* What comes, and when. */
static int countdown;
static bool is_event, came, came_asleep;
static int orders;

static void come(void)
{
	struct goroutine *g;

	came = true;
	g = pd_unblock(&word, is_event);
	if (g && g != &me)
		wrong("pd_unblock() returned something that is no goroutine");
	if (g)
		g_ready(g);
}

static void at_moment(void)
{
	if (!came && !countdown--)
		come();
}

/* What comes, comes now at the latest; and if the goroutine is not woken then, it never is. */
static void in_sleep(struct goroutine *g)
{
	if (!came) {
		came_asleep = true;
		come();
	}
	if (g->posts)
		return;
	if (came_asleep)
		wrong("%s came while the goroutine slept, and did not wake it",
		      is_event ? "the event" : "the deadline");
	wrong("the event came before it had parked, and the goroutine sleeps: it is lost");
}

static bool block(uintptr_t before, int number, bool event)
{
	bool ready;

	atomic_store(&word.value, before);
	me.posts = 0;
	countdown = number;
	came = false;
	came_asleep = false;
	is_event = event;
	orders++;
	moment = at_moment;
	ready = pd_block(&me, &word);
	moment = NULL;
	if (me.posts > 1)
		wrong("the goroutine was woken twice for one wait");
	return ready;
}

/* An event at each moment of a wait: it ends it, or is there for the next one. */
static void event_during_wait(int number)
{
	uintptr_t left;

	if (!block(PD_NIL, number, true))
		wrong("an event came, and pd_block() says that none did");
	left = atomic_load(&word.value);
	if (left == PD_READY)
		wrong("one event ended two waits: it is still in the word after the first one");
	if (left != PD_NIL)
		wrong("after the wait the word is %#lx, and not PD_NIL", (unsigned long)left);
}

/* One was there before; what comes meanwhile is another one. */
static void event_before_wait(int number)
{
	uintptr_t left;

	if (!block(PD_READY, number, true))
		wrong("an event was there before the wait, and pd_block() says that none was");
	if (came_asleep)
		wrong("the event was there before the wait, and the goroutine slept: it is lost");
	left = atomic_load(&word.value);
	if (!came && left == PD_READY)
		wrong("one event ended two waits: it is still in the word after the first one");
	if (came && left != PD_NIL && left != PD_READY)
		wrong("after the wait the word is %#lx", (unsigned long)left);
}

/* A deadline ends the sleep, and is nothing that could be used later. */
static void deadline_in_sleep(void)
{
	if (block(PD_NIL, MOMENTS, false))
		wrong("a deadline ended the wait, and pd_block() says that it was an event");
	if (atomic_load(&word.value) != PD_NIL)
		wrong("a deadline has left something in the word");
}

/* Nobody waits. */
static void nobody_waits(void)
{
	atomic_store(&word.value, PD_NIL);
	if (pd_unblock(&word, true))
		wrong("pd_unblock() says that somebody is to be woken, and nobody waits");
	if (atomic_load(&word.value) != PD_READY)
		wrong("an event came while nobody waited, and the word does not say so: it is lost");
	if (pd_unblock(&word, true) || pd_unblock(&word, false))
		wrong("pd_unblock() says that somebody is to be woken, and nobody waits");
	if (atomic_load(&word.value) != PD_READY)
		wrong("a deadline has taken an event away");
	atomic_store(&word.value, PD_NIL);
	if (pd_unblock(&word, false) || atomic_load(&word.value) != PD_NIL)
		wrong("a deadline came while nobody waited, and has left something");
}

/* Two wake the one that is parked: an event at a moment of another one. */
static void two_wake(int number)
{
	struct goroutine *g;

	atomic_store(&word.value, (uintptr_t)&me);
	me.posts = 0;
	countdown = number;
	came = false;
	is_event = true;
	orders++;
	moment = at_moment;
	g = pd_unblock(&word, true);
	moment = NULL;
	if (!came)
		come();
	me.posts += g == &me;
	if (me.posts != 1)
		wrong("two events came while the goroutine slept, and woke it %d times", me.posts);
}

void check_orders(void)
{
	sem_init(&me.sem, 0, 0);
	sleeps = in_sleep;
	nobody_waits();
	for (int number = 0; number < MOMENTS; number++) {
		event_before_wait(number);
		event_during_wait(number);
		two_wake(number);
	}
	deadline_in_sleep();
	printf("%d orders of two steps: no event lost, none used twice\n", orders);
}
