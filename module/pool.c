// SPDX-License-Identifier: GPL-2.0
#include "pool.h"

/* Idle workers that are kept; more of them end. */
#define SPARE_WORKERS 8
/*
 * ns that others have for what is ready, before somebody else is called: a little more
 * than another thread's turn on the processor, after which they come most often.
 */
#define PATIENCE (4 * NSEC_PER_MSEC)

void cio_pool_init(struct cio_pool *pool,
		   enum hrtimer_restart (*remind)(struct hrtimer *))
{
	int i;

	spin_lock_init(&pool->lock);
	for (i = 0; i < CIO_POOL_KINDS; i++) {
		INIT_LIST_HEAD(&pool->ready[i]);
		INIT_LIST_HEAD(&pool->idle[i]);
	}
	INIT_LIST_HEAD(&pool->workers);
	hrtimer_init(&pool->reminder, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	pool->reminder.function = remind;
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
	pool->coming[kind] = runner;
	wake_up_process(runner->task);
	return true;
}

/* Within the lock, which the timer's callback takes: never to be waited for here. */
static void pool_remind(struct cio_pool *pool)
{
	lockdep_assert_held(&pool->lock);
	if (pool->is_reminded)
		return;
	pool->is_reminded = true;
	hrtimer_start(&pool->reminder, PATIENCE, HRTIMER_MODE_REL);
}

/*
 * See that a runner looks at what is ready for @who.  One that is on its way does, but
 * it may not get a processor for long.
 */
static bool pool_call(struct cio_pool *pool, enum cio_pool_kind who)
{
	bool comes = (who != CIO_POOL_WORKER && pool->coming[CIO_POOL_ANY]);

	/* A thread of the program is preferred: it has the right memory and cache. */
	if (!comes && who != CIO_POOL_WORKER && pool_wake(pool, CIO_POOL_ANY))
		return true;
	if (!comes && who != CIO_POOL_OWNER) {
		comes = pool->coming[CIO_POOL_WORKER];
		if (!comes)
			return pool_wake(pool, CIO_POOL_WORKER);
	}
	if (comes)
		pool_remind(pool);
	return comes;
}

/*
 * Have others come for all that is ready.  Returns whether a side waits for a thread
 * of the program and none comes.
 */
static bool pool_call_all(struct cio_pool *pool)
{
	bool called = true;
	int who;

	for (who = 0; who < CIO_POOL_KINDS; who++)
		if (!list_empty(&pool->ready[who]))
			called = pool_call(pool, who) || who != CIO_POOL_OWNER;
	return !called;
}

/*
 * A runner took a side and is going to take the others, unless its attempt is held
 * up by a page fault.  A worker calls another one for them at once.  A thread of the
 * program, which finds many sides ready at once and runs them faster than another
 * thread wakes up, has itself reminded of them.  Returns whether to call for a thread
 * of the program.
 */
static bool pool_care_for_rest(struct cio_pool *pool, enum cio_pool_kind who)
{
	bool owner = !list_empty(&pool->ready[CIO_POOL_OWNER]);

	if (who == CIO_POOL_WORKER)
		return pool_call_all(pool);
	if (owner || !list_empty(&pool->ready[CIO_POOL_ANY]))
		pool_remind(pool);
	return owner && !pool->coming[CIO_POOL_ANY] &&
	       list_empty(&pool->idle[CIO_POOL_ANY]);
}

/*
 * Put a side on a ready list, with the reference that the caller took.  Returns
 * whether a runner comes for it.  Under the conn's lock, with interrupts off.
 */
bool cio_pool_add(struct cio_pool *pool, struct list_head *side,
		  enum cio_pool_kind who)
{
	bool called;

	spin_lock(&pool->lock);
	list_add_tail(side, &pool->ready[who]);
	called = pool_call(pool, who);
	spin_unlock(&pool->lock);
	return called;
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

/* Take the next ready side, with its reference. */
struct list_head *cio_pool_next(struct cio_pool *pool, enum cio_pool_kind who,
				struct cio_pool_rest *rest)
{
	struct list_head *side;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	side = pool_peek(pool, who);
	if (side) {
		list_del_init(side);
		rest->caller = pool_care_for_rest(pool, who);
	}
	rest->alone = side && !pool->coming[CIO_POOL_WORKER] &&
		      list_empty(&pool->idle[CIO_POOL_WORKER]);
	spin_unlock_irqrestore(&pool->lock, flags);
	return side;
}

/*
 * A runner goes, or does something else first, and leaves what is ready.  Returns
 * whether to call for a thread of the program.
 */
bool cio_pool_call_all(struct cio_pool *pool)
{
	unsigned long flags;
	bool tell;

	spin_lock_irqsave(&pool->lock, flags);
	tell = pool_call_all(pool);
	spin_unlock_irqrestore(&pool->lock, flags);
	return tell;
}

/* The reminder came: whoever is coming has had its time.  Returns the same. */
bool cio_pool_reminded(struct cio_pool *pool)
{
	unsigned long flags;
	bool tell;
	int i;

	spin_lock_irqsave(&pool->lock, flags);
	pool->is_reminded = false;
	for (i = 0; i < CIO_POOL_KINDS; i++)
		pool->coming[i] = NULL;
	tell = pool_call_all(pool);
	/* Those may be no better off; as long as there are others. */
	if (pool->coming[CIO_POOL_ANY] || pool->coming[CIO_POOL_WORKER])
		pool_remind(pool);
	spin_unlock_irqrestore(&pool->lock, flags);
	return tell;
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

/*
 * End being idle, taken from the list by a wake-up or not; what is ready from here
 * on calls another one.  The caller looks at what is ready, or at what it was
 * woken for, before it goes.
 */
void cio_pool_busy(struct cio_pool *pool, struct cio_runner *runner,
		   enum cio_pool_kind who)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_del_init(&runner->node);
	if (pool->coming[who] == runner)
		pool->coming[who] = NULL;
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
	if (!pool_call(pool, CIO_POOL_WORKER) && !by_worker)
		list_for_each_entry(worker, &pool->workers, all)
			wake_up_process(worker->task);
	spin_unlock_irqrestore(&pool->lock, flags);
}

void cio_pool_stop(struct cio_pool *pool)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	/* A thread that keeps deadlines reads it without the lock. */
	WRITE_ONCE(pool->stop, true);
	while (pool_wake(pool, CIO_POOL_WORKER))
		;
	spin_unlock_irqrestore(&pool->lock, flags);
}
