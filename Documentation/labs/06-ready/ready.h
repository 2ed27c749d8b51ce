/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Go's network poller in small.  A goroutine whose socket would block parks on a word of the
 * socket; the poller, which hears from epoll that it is ready, leaves that in the word, and
 * wakes who is parked there.  Goroutines are threads here.
 */
#ifndef LAB_READY_H
#define LAB_READY_H

#include <stdbool.h>
#include <stdint.h>

/* What a word holds, when not the address of the goroutine that is parked on it. */
enum {
	PD_NIL,		/* nothing is known, and nobody waits */
	PD_READY,	/* an event has come that nobody has used yet */
	PD_WAIT,	/* somebody is about to park, and has not yet */
};

struct word;
struct goroutine;

/*
 * All that may be done to a word.  word_cas() changes it from @old to @new, and is false,
 * and changes nothing, where it is not @old.
 */
uintptr_t word_load(struct word *word);
void word_store(struct word *word, uintptr_t new);
uintptr_t word_swap(struct word *word, uintptr_t new);
bool word_cas(struct word *word, uintptr_t old, uintptr_t new);

/*
 * Parks @g until g_ready(@g).  When it is as good as asleep, pd_commit() is asked whether it
 * may: where that says no, it goes on at once.
 */
void g_park(struct goroutine *g, struct word *word);

/* Yours.  Whether @g may stay parked; its address is in the word then. */
bool pd_commit(struct goroutine *g, struct word *word);

/*
 * Yours, called by the goroutine @g.  Wait for an event: true when there is or was one, which
 * is used up by that.  False when it was woken for a deadline.
 */
bool pd_block(struct goroutine *g, struct word *word);

/*
 * Yours, called by the poller for an event, @ready, and by a timer for a deadline.  Returns
 * the goroutine that was parked and is to be woken, or NULL.  An event is kept for whoever
 * comes next; a deadline is not.
 */
struct goroutine *pd_unblock(struct word *word, bool ready);

#endif
