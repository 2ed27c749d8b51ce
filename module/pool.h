/* SPDX-License-Identifier: GPL-2.0 */
/* Sides that are ready, and threads that can run them. */
#ifndef CIO_POOL_H
#define CIO_POOL_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

/**
 * enum cio_pool_kind - who may run
 * @CIO_POOL_ANY: sides for any runner; runners that are threads of the program
 * @CIO_POOL_WORKER: sides for workers only; runners that are workers
 * @CIO_POOL_OWNER: sides for threads of the program only (C45); no runners
 */
enum cio_pool_kind {
	CIO_POOL_ANY,
	CIO_POOL_WORKER,
	CIO_POOL_OWNER,
	CIO_POOL_KINDS,
};

/**
 * struct cio_runner - a thread that can run ready sides, on its stack
 * @node: in the pool's list of idle runners; empty while it is not idle
 * @all: in the pool's list of all workers, if it is one
 * @task: the thread
 */
struct cio_runner {
	struct list_head node;
	struct list_head all;
	struct task_struct *task;
};

/**
 * struct cio_pool_rest - what a runner leaves that takes a side
 * @alone: no worker is there for the next side
 * @caller: a side waits for a thread of the program, and none is there
 */
struct cio_pool_rest {
	bool alone;
	bool caller;
};

/**
 * struct cio_pool - what is ready, and who is idle
 * @lock: protects the following fields; nests inside the conns' locks; taken
 *	with interrupts off
 * @ready: ready sides, first in, first out, by who may run them; each holds a
 *	reference to its conn
 * @idle: idle runners, the one that slept last first
 * @coming: the runner of each kind that was woken last and has not looked yet, or
 *	NULL
 * @is_reminded: @reminder is set
 * @reminder: others are to come for what is still ready; not one of the context's
 *	timers, which may be late by their slack
 * @workers: all worker threads, as runners
 * @nr_workers: worker threads that live or are being made
 * @stop: the workers are to end: there is no conn and never will be
 * @orphans: conns whose last reference went where a file cannot be closed; a
 *	worker frees them; no lock
 *
 * No ready side is forgotten, as far as there are threads (on the thread engine one
 * that sleeps for an operation is not there for others): a runner looks at @ready
 * and joins @idle under one lock, making a side ready takes one runner out of @idle
 * and wakes it unless one is @coming, and whoever was idle looks at @ready again,
 * whatever woke it, before it goes.  So many sides that become ready at once wake one
 * thread.  Whenever a side is left to a thread that is @coming, or to one that runs
 * another side, @reminder is set: if that thread does not get a processor, or is held
 * up by a page fault, others come.
 * Where only threads of the program would do and none is idle, the side stays
 * listed, poll(2) says so, and those who poll are woken.
 */
struct cio_pool {
	spinlock_t lock;	/* what follows */
	struct list_head ready[CIO_POOL_KINDS];
	struct list_head idle[CIO_POOL_KINDS];
	struct cio_runner *coming[CIO_POOL_KINDS];
	bool is_reminded;
	struct hrtimer reminder;
	struct list_head workers;
	unsigned int nr_workers;
	bool stop;
	struct llist_head orphans;
};

void cio_pool_init(struct cio_pool *pool,
		   enum hrtimer_restart (*remind)(struct hrtimer *));
bool cio_pool_add(struct cio_pool *pool, struct list_head *side,
		  enum cio_pool_kind who);
bool cio_pool_withdraw(struct cio_pool *pool, struct list_head *side);
struct list_head *cio_pool_next(struct cio_pool *pool, enum cio_pool_kind who,
				struct cio_pool_rest *rest);
bool cio_pool_call_all(struct cio_pool *pool);
bool cio_pool_reminded(struct cio_pool *pool);
bool cio_pool_idle(struct cio_pool *pool, struct cio_runner *runner,
		   enum cio_pool_kind who);
void cio_pool_busy(struct cio_pool *pool, struct cio_runner *runner,
		   enum cio_pool_kind who);
bool cio_pool_has_spare(struct cio_pool *pool);
void cio_pool_add_orphan(struct cio_pool *pool, struct llist_node *conn,
			 bool by_worker);
void cio_pool_stop(struct cio_pool *pool);

/* Whether a side is ready that waits for a thread of the program. */
static inline bool cio_pool_wants_owner(const struct cio_pool *pool)
{
	return !list_empty(&pool->ready[CIO_POOL_OWNER]);
}

#endif /* CIO_POOL_H */
