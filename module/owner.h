/* SPDX-License-Identifier: GPL-2.0 */
/* The owner of contexts: a process and its memory. */
#ifndef CIO_OWNER_H
#define CIO_OWNER_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct cio_owner;

/**
 * struct cio_owned - what ends with its owner
 * @end: ends it; may sleep; may be called more than once and at once
 * @group: the thread group that opened it, a reference
 * @node: in the list of its address space
 * @wait: hears when @group ends
 * @work: ends it then, in a thread
 * @owner: its address space
 * @inside: kernel threads that have that address space taken
 * @look: looks now and then, while there are some, whether the program is still
 *	that one
 */
struct cio_owned {
	void (*end)(struct cio_owned *owned);
	struct pid *group;
	struct list_head node;
	struct wait_queue_entry wait;
	struct work_struct work;
	struct cio_owner *owner;
	atomic_t inside;
	struct delayed_work look;
};

/**
 * struct cio_owner - an address space that has contexts
 * @notifier: tells when the address space ends; holds its structure
 * @lock: taken to change or walk @owned; outer to a context's lock
 * @owned: its contexts
 * @nr_conns: conns of all its contexts that are not freed yet
 * @nr_workers: workers of all its contexts that live or are being made
 */
struct cio_owner {
	struct mmu_notifier notifier;
	struct mutex lock;	/* owned */
	struct list_head owned;
	atomic_t nr_conns;
	atomic_t nr_workers;
};

/* The most workers of an owner. */
#define CIO_OWNER_WORKERS_MAX	4096

bool cio_owner_enter(struct cio_owned *owned);
void cio_owner_leave(struct cio_owned *owned);
struct cio_owner *cio_owner_get(void);
void cio_owner_put(struct cio_owner *owner);
void cio_owner_add(struct cio_owner *owner, struct cio_owned *owned,
		   void (*end)(struct cio_owned *owned));
void cio_owner_del(struct cio_owner *owner, struct cio_owned *owned);
void cio_owner_stop(struct cio_owned *owned);

/* Count one more, unless there are @limit. */
static inline bool cio_owner_take(atomic_t *count, unsigned int limit)
{
	int old = atomic_read(count);

	do {
		if ((unsigned int)old >= limit)
			return false;
	} while (!atomic_try_cmpxchg(count, &old, old + 1));
	return true;
}

static inline struct mm_struct *cio_owner_mm(const struct cio_owner *owner)
{
	return owner->notifier.mm;
}

#endif /* CIO_OWNER_H */
