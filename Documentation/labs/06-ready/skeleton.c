// SPDX-License-Identifier: GPL-2.0
/*
 * Ready or wait: one word decides.  ready.h has its values, and what may be done to it.
 *
 * This is the state machine without its states: it parks, and is woken if it was there in
 * time.
 */
#include "ready.h"

#include <stddef.h>

bool pd_commit(struct goroutine *g, struct word *word)
{
	/* YOUR PART: what if the event has come since PD_WAIT was set? */
	word_store(word, (uintptr_t)g);
	return true;
}

bool pd_block(struct goroutine *g, struct word *word)
{
	/* YOUR PART: what if it has come before? */
	word_store(word, PD_WAIT);
	g_park(g, word);
	word_store(word, PD_NIL);
	return true;
}

struct goroutine *pd_unblock(struct word *word, bool ready)
{
	uintptr_t old = word_load(word);

	/* YOUR PART: what is left in the word, and for whom? */
	(void)ready;
	return old > PD_WAIT ? (struct goroutine *)old : NULL;
}
