// SPDX-License-Identifier: GPL-2.0
#include "pool.h"

/* Idle workers that are kept; more of them end. */
#define SPARE_WORKERS 8

void cio_pool_init(struct cio_pool *pool)
{
	int i;

	spin_lock_init(&pool->lock);
	for (i = 0; i < CIO_POOL_KINDS; i++) {
		INIT_LIST_HEAD(&pool->ready[i]);
		INIT_LIST_HEAD(&pool->idle[i]);
	}
	INIT_LIST_HEAD(&pool->workers);
	init_llist_head(&pool->orphans);
}

/*
 * Wake one idle runner of @kind.  Under the lock: a runner leaves the list only
 * under it, so that its stack and task are there.
 */
static bool pool_wake(struct cio_pool *pool, enum cio_pool_kind kind)
{
	struct cio_runner *runner;

	lockdep_assert_held(&pool->lock);
	runner = list_first_entry_or_null(&pool->idle[kind], struct cio_runner,
					  node);
	if (!runner)
		return false;
	list_del_init(&runner->node);
	wake_up_process(runner->task);
	return true;
}

/* A thread of the program is preferred: it has the right memory and cache. */
static bool pool_wake_for(struct cio_pool *pool, enum cio_pool_kind who)
{
	if (who != CIO_POOL_WORKER && pool_wake(pool, CIO_POOL_ANY))
		return true;
	return who != CIO_POOL_OWNER && pool_wake(pool, CIO_POOL_WORKER);
}

/*
 * Put a side on a ready list, with the reference that the caller took.  Returns
 * whether an idle runner was there.
 */
bool cio_pool_add(struct cio_pool *pool, struct list_head *side,
		  enum cio_pool_kind who)
{
	unsigned long flags;
	bool woken;

	spin_lock_irqsave(&pool->lock, flags);
	list_add_tail(side, &pool->ready[who]);
	woken = pool_wake_for(pool, who);
	spin_unlock_irqrestore(&pool->lock, flags);
	return woken;
}

/*
 * Take a side off its ready list: its reference is the caller's.  False where a
 * runner has taken it.
 */
bool cio_pool_withdraw(struct cio_pool *pool, struct list_head *side)
{
	unsigned long flags;
	bool listed;

	spin_lock_irqsave(&pool->lock, flags);
	listed = !list_empty(side);
	list_del_init(side);
	spin_unlock_irqrestore(&pool->lock, flags);
	return listed;
}

/* Where a runner of kind @who finds work next, or NULL. */
static struct list_head *pool_peek(struct cio_pool *pool,
				   enum cio_pool_kind who)
{
	enum cio_pool_kind own = who == CIO_POOL_WORKER ? CIO_POOL_WORKER :
							  CIO_POOL_OWNER;

	if (!list_empty(&pool->ready[own]))
		return pool->ready[own].next;
	if (!list_empty(&pool->ready[CIO_POOL_ANY]))
		return pool->ready[CIO_POOL_ANY].next;
	return NULL;
}

/*
 * Take the next ready side, with its reference.  @alone, where wanted, says that
 * no worker is idle.
 */
struct list_head *cio_pool_next(struct cio_pool *pool, enum cio_pool_kind who,
				bool *alone)
{
	struct list_head *side;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	side = pool_peek(pool, who);
	if (side)
		list_del_init(side);
	if (alone)
		*alone = side && list_empty(&pool->idle[CIO_POOL_WORKER]);
	spin_unlock_irqrestore(&pool->lock, flags);
	return side;
}

/*
 * Become idle, unless there is work or the pool stops.  The caller has set its
 * task state before, so that a wake-up from here on is not lost.
 */
bool cio_pool_idle(struct cio_pool *pool, struct cio_runner *runner,
		   enum cio_pool_kind who)
{
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&pool->lock, flags);
	idle = !pool_peek(pool, who) && !pool->stop &&
	       !(who == CIO_POOL_WORKER && !llist_empty(&pool->orphans));
	if (idle)
		list_add(&runner->node, &pool->idle[who]);
	spin_unlock_irqrestore(&pool->lock, flags);
	return idle;
}

/* End being idle, taken from the list by a wake-up or not. */
void cio_pool_busy(struct cio_pool *pool, struct cio_runner *runner)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_del_init(&runner->node);
	spin_unlock_irqrestore(&pool->lock, flags);
}

/*
 * Whether a worker more than are worth keeping would be idle.  There is nothing
 * to do for it: what it may have been woken for, somebody else has done.
 */
bool cio_pool_has_spare(struct cio_pool *pool)
{
	struct list_head *idle;
	int nr = 0;

	lockdep_assert_held(&pool->lock);
	if (pool_peek(pool, CIO_POOL_WORKER) || !llist_empty(&pool->orphans))
		return false;
	list_for_each(idle, &pool->idle[CIO_POOL_WORKER])
		if (++nr == SPARE_WORKERS)
			return true;
	return false;
}

/*
 * From any context; at least one worker lives as long as there is a conn.  Where
 * none is idle, one that sleeps for an operation does it: whoever is awake does
 * not mind to be woken.  A worker itself looks at the orphans before it sleeps.
 */
void cio_pool_add_orphan(struct cio_pool *pool, struct llist_node *conn,
			 bool by_worker)
{
	struct cio_runner *worker;
	unsigned long flags;

	llist_add(conn, &pool->orphans);
	spin_lock_irqsave(&pool->lock, flags);
	if (!pool_wake(pool, CIO_POOL_WORKER) && !by_worker)
		list_for_each_entry(worker, &pool->workers, all)
			wake_up_process(worker->task);
	spin_unlock_irqrestore(&pool->lock, flags);
}

void cio_pool_stop(struct cio_pool *pool)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	pool->stop = true;
	while (pool_wake(pool, CIO_POOL_WORKER))
		;
	spin_unlock_irqrestore(&pool->lock, flags);
}
