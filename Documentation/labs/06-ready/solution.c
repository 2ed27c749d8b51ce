// SPDX-License-Identifier: GPL-2.0
/*
 * Every change is a compare-and-swap from what was seen, so that none is made on top of
 * another one.  The event and the goroutine meet in whichever order they come: the event finds
 * the goroutine and wakes it, or the goroutine finds the event, at the latest when it commits.
 */
#include "ready.h"

#include <stddef.h>

bool pd_commit(struct goroutine *g, struct word *word)
{
	return word_cas(word, PD_WAIT, (uintptr_t)g);
}

bool pd_block(struct goroutine *g, struct word *word)
{
	do {
		if (word_cas(word, PD_READY, PD_NIL))
			return true;
	} while (!word_cas(word, PD_NIL, PD_WAIT));
	g_park(g, word);
	return word_swap(word, PD_NIL) == PD_READY;
}

struct goroutine *pd_unblock(struct word *word, bool ready)
{
	uintptr_t old;

	do {
		old = word_load(word);
		if (old == PD_READY || (old == PD_NIL && !ready))
			return NULL;
	} while (!word_cas(word, old, ready ? PD_READY : PD_NIL));
	return old > PD_WAIT ? (struct goroutine *)old : NULL;
}
