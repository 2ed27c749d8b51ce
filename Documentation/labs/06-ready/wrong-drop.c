// SPDX-License-Identifier: GPL-2.0
/*
 * Where nobody is parked there is nobody to tell.
 *
 * Says: it is lost
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
		if (old <= PD_WAIT)
			return NULL;
	} while (!word_cas(word, old, ready ? PD_READY : PD_NIL));
	return (struct goroutine *)old;
}
