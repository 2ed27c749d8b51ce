// SPDX-License-Identifier: GPL-2.0
#include "cookie.h"

#include "memory.h"

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>

#define MIN_CHAINS 1024U
/* Operations looked at in one hold of the lock. */
#define WALK_PIECE 256U

/**
 * struct cio_cookies - a hash table of operations by user_data
 * @lock: protects the chains; nests inside the conns' locks; taken with
 *	interrupts off
 * @factor: odd and secret, so that nobody makes a long chain of different cookies
 *	(multiply-shift hashing: two that differ meet in a chain with a probability
 *	of at most two in the number of chains)
 * @shift: what leaves as many bits of a product as there are in a chain's number
 * @chains: one for each entry of the completion ring, so that they stay short
 */
struct cio_cookies {
	spinlock_t lock;	/* the chains */
	u64 factor;
	unsigned int shift;
	struct hlist_head chains[];
};

/* @entries is a power of two. */
struct cio_cookies *cio_cookies_create(u32 entries)
{
	u32 chains = max(entries, MIN_CHAINS);
	struct cio_cookies *cookies;

	cookies = kvzalloc(struct_size(cookies, chains, chains),
			   CIO_GFP);
	if (!cookies)
		return NULL;
	spin_lock_init(&cookies->lock);
	cookies->factor = get_random_u64() | 1;
	cookies->shift = 64 - ilog2(chains);
	return cookies;
}

void cio_cookies_free(struct cio_cookies *cookies)
{
	kvfree(cookies);
}

static struct hlist_head *cookie_chain(struct cio_cookies *cookies, u64 cookie)
{
	return cookies->chains + (cookie * cookies->factor >> cookies->shift);
}

/* Both under the conn's lock. */
void cio_cookie_add(struct cio_cookies *cookies, struct cio_op *op)
{
	spin_lock(&cookies->lock);
	hlist_add_head(&op->cookie_node,
		       cookie_chain(cookies, op->user_data));
	spin_unlock(&cookies->lock);
}

void cio_cookie_remove(struct cio_cookies *cookies, struct cio_op *op)
{
	spin_lock(&cookies->lock);
	hlist_del_init(&op->cookie_node);
	spin_unlock(&cookies->lock);
}

static bool cookie_wanted(const struct cio_op *op, bool cancelled)
{
	u64 word = cio_op_word(op);

	if (cio_word_state(word) == CIO_QUEUED ||
	    cio_word_state(word) == CIO_BLOCKED)
		return !cancelled;
	if (cio_word_state(word) == CIO_RUNNING)
		return !!(word & CIO_CANCEL) == cancelled;
	return cio_word_state(word) == CIO_ENDING && cancelled;
}

/*
 * Let others have the lock and the processor, within a walk along a chain: @place
 * keeps the place behind @node, and is FREE, which no walk wants.  Returns the node
 * that is behind it then.
 */
static struct hlist_node *cookie_breathe(struct cio_cookies *cookies,
					 struct hlist_node *node)
	__must_hold(&cookies->lock)
{
	struct cio_op place = {};
	struct hlist_node *next;

	hlist_add_behind(&place.cookie_node, node);
	spin_unlock_irq(&cookies->lock);
	cond_resched();
	spin_lock_irq(&cookies->lock);
	next = place.cookie_node.next;
	hlist_del(&place.cookie_node);
	return next;
}

/*
 * The id of a pending operation with this cookie, or 0: if @cancelled of one that
 * runs with a cancel asked for or is ending, else of another one.  A chain is as
 * long as one cookie was used for many; may sleep.
 */
u64 cio_cookie_find(struct cio_cookies *cookies, u64 cookie, bool cancelled)
{
	struct hlist_node *node;
	u32 seen = 0;
	u64 id = 0;

	spin_lock_irq(&cookies->lock);
	node = cookie_chain(cookies, cookie)->first;
	while (node && !id) {
		struct cio_op *op = hlist_entry(node, struct cio_op,
						cookie_node);

		if (op->user_data == cookie && cookie_wanted(op, cancelled))
			id = cio_op_id(op);
		node = ++seen % WALK_PIECE ? node->next :
			cookie_breathe(cookies, node);
	}
	spin_unlock_irq(&cookies->lock);
	return id;
}
