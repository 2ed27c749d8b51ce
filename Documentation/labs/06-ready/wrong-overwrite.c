// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever parks writes his address, whatever has come meanwhile.
 *
 * Says: the event came before it had parked, and the goroutine sleeps
 */
#include "ready.h"

#include <stddef.h>

bool pd_commit(struct goroutine *g, struct word *word)
{
	word_store(word, (uintptr_t)g);
	return true;
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
