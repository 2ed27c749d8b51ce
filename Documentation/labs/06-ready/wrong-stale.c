// SPDX-License-Identifier: GPL-2.0
/*
 * The event is seen, and left for the next wait as well.
 *
 * Says: one event ended two waits
 */
#include "ready.h"

#include <stddef.h>

bool pd_commit(struct goroutine *g, struct word *word)
{
	return word_cas(word, PD_WAIT, (uintptr_t)g);
}

bool pd_block(struct goroutine *g, struct word *word)
{
	if (word_load(word) == PD_READY)
		return true;
	if (word_cas(word, PD_NIL, PD_WAIT))
		g_park(g, word);
	return word_load(word) == PD_READY;
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
