// SPDX-License-Identifier: GPL-2.0
#include "cookie.h"

#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/slab.h>

/**
 * struct cio_cookies - a hash table of operations by user_data
 * @lock: protects the chains; nests inside the conns' locks; taken with
 *	interrupts off
 * @bits: logarithm of the number of chains
 * @chains: one for each entry of the completion ring, so that they stay short
 */
struct cio_cookies {
	spinlock_t lock;	/* the chains */
	unsigned int bits;
	struct hlist_head chains[];
};

/* @entries is a power of two. */
struct cio_cookies *cio_cookies_create(u32 entries)
{
	struct cio_cookies *cookies;

	cookies = kvzalloc(struct_size(cookies, chains, entries),
			   GFP_KERNEL_ACCOUNT);
	if (!cookies)
		return NULL;
	spin_lock_init(&cookies->lock);
	cookies->bits = ilog2(entries);
	return cookies;
}

void cio_cookies_free(struct cio_cookies *cookies)
{
	kvfree(cookies);
}

static struct hlist_head *cookie_chain(struct cio_cookies *cookies, u64 cookie)
{
	return cookies->chains +
	       (cookies->bits ? hash_64(cookie, cookies->bits) : 0);
}

void cio_cookie_add(struct cio_cookies *cookies, struct cio_op *op)
{
	unsigned long flags;

	spin_lock_irqsave(&cookies->lock, flags);
	hlist_add_head(&op->cookie_node,
		       cookie_chain(cookies, op->user_data));
	spin_unlock_irqrestore(&cookies->lock, flags);
}

void cio_cookie_remove(struct cio_cookies *cookies, struct cio_op *op)
{
	unsigned long flags;

	spin_lock_irqsave(&cookies->lock, flags);
	hlist_del_init(&op->cookie_node);
	spin_unlock_irqrestore(&cookies->lock, flags);
}

/* Still to be ended, and no cancel has been asked for. */
static bool cookie_cancellable(const struct cio_op *op)
{
	u64 word = cio_op_word(op);

	return cio_word_state(word) == CIO_QUEUED ||
	       (cio_word_state(word) == CIO_RUNNING && !(word & CIO_CANCEL));
}

/* The id of an operation with this cookie that can be cancelled, or 0. */
u64 cio_cookie_find(struct cio_cookies *cookies, u64 cookie)
{
	unsigned long flags;
	struct cio_op *op;
	u64 id = 0;

	spin_lock_irqsave(&cookies->lock, flags);
	hlist_for_each_entry(op, cookie_chain(cookies, cookie), cookie_node) {
		if (op->user_data == cookie && cookie_cancellable(op)) {
			id = cio_op_id(op);
			break;
		}
	}
	spin_unlock_irqrestore(&cookies->lock, flags);
	return id;
}
