// SPDX-License-Identifier: GPL-2.0
#include "deadline.h"

#include "race.h"

#include <linux/sched/task.h>

/* Timers and operations in one interrupt, about; the rest comes in the next one. */
#define TIMER_BATCH 64
/*
 * Time between two such interrupts, ns.  A timer that is set to a past time from
 * its own callback runs again in the same interrupt: this leaves it, and leaves the
 * processor a part of the time.
 */
#define TIMER_PAUSE (10 * NSEC_PER_USEC)

static bool timer_queued(const struct timerqueue_node *node)
{
	return !RB_EMPTY_NODE(&node->node);
}

/* The queue whose first timer comes first, and that timer. */
static struct timerqueue_node *timers_first(struct cio_timers *timers,
					    enum cio_timer_kind *kind)
{
	struct timerqueue_node *first = NULL, *node;
	int i;

	for (i = 0; i < CIO_TIMER_KINDS; i++) {
		node = timerqueue_getnext(&timers->queues[i]);
		if (node && (!first || node->expires < first->expires)) {
			first = node;
			*kind = i;
		}
	}
	return first;
}

static void timers_program(struct cio_timers *timers, ktime_t expires,
			   u32 slack)
{
	lockdep_assert_held(&timers->lock);
	timers->next = expires;
	hrtimer_start_range_ns(&timers->hrtimer, expires, slack, timers->mode);
}

/* Let @node come at @expires or earlier; under a conn's lock. */
void cio_timer_ensure(struct cio_timers *timers, struct timerqueue_node *node,
		      enum cio_timer_kind kind, ktime_t expires)
{
	if (expires == KTIME_MAX)
		return;
	/* A time before the clock's zero would not sort, and has passed too. */
	expires = max_t(ktime_t, expires, 0);
	spin_lock(&timers->lock);
	if (timer_queued(node)) {
		if (node->expires <= expires)
			goto out;
		timerqueue_del(&timers->queues[kind], node);
	}
	cio_pause(CIO_AT_TIMER_SET);
	node->expires = expires;
	timerqueue_add(&timers->queues[kind], node);
	if (expires < timers->next)
		timers_program(timers, expires, timers->slack);
out:
	spin_unlock(&timers->lock);
}

/* Under a conn's lock. */
void cio_timer_remove(struct cio_timers *timers, struct timerqueue_node *node,
		      enum cio_timer_kind kind)
{
	spin_lock(&timers->lock);
	if (timer_queued(node))
		timerqueue_del(&timers->queues[kind], node);
	spin_unlock(&timers->lock);
}

/*
 * The timer came.  Each due timer leaves its queue and is claimed under the
 * lock, so that its owner cannot go away, and expires without it: the owner's
 * lock is the outer one.  A later batch is asked for by setting the timer
 * again, which is legal from its own callback: it cannot run twice at once, and
 * neither can the thread that does this in its place.  While it runs, @next is before
 * any time that somebody could want, and nobody else sets it.
 */
static void timers_run(struct cio_timers *timers)
{
	ktime_t now = ktime_get();
	struct timerqueue_node *node;
	enum cio_timer_kind kind;
	unsigned long flags;
	int batch = TIMER_BATCH;

	cio_pause(CIO_AT_TIMER_FIRED);
	spin_lock_irqsave(&timers->lock, flags);
	timers->next = 0;
	while ((node = timers_first(timers, &kind)) && node->expires <= now &&
	       batch > 0) {
		batch--;
		timerqueue_del(&timers->queues[kind], node);
		if (!timers->actions->claim(node, kind))
			continue;
		spin_unlock_irqrestore(&timers->lock, flags);
		batch -= timers->actions->expire(node, kind);
		spin_lock_irqsave(&timers->lock, flags);
	}
	spin_unlock_irqrestore(&timers->lock, flags);
	/* Before the pause, of which it would take its time. */
	timers->actions->flush(timers);
	spin_lock_irqsave(&timers->lock, flags);
	node = timers_first(timers, &kind);
	if (!node)
		timers->next = KTIME_MAX;
	else if (node->expires <= now)
		timers_program(timers, ktime_add(ktime_get(), TIMER_PAUSE), 0);
	else
		timers_program(timers, node->expires, timers->slack);
	spin_unlock_irqrestore(&timers->lock, flags);
}

static enum hrtimer_restart timers_fire(struct hrtimer *hrtimer)
{
	timers_run(container_of(hrtimer, struct cio_timers, hrtimer));
	return HRTIMER_NORESTART;
}

#ifdef CONFIG_PREEMPT_RT
/* In the hard interrupt: none of the locks. */
static enum hrtimer_restart timers_ring(struct hrtimer *hrtimer)
{
	struct cio_timers *timers = container_of(hrtimer, struct cio_timers,
						 hrtimer);

	/* Before the wake-up: pairs with the thread's state before its look. */
	WRITE_ONCE(timers->rang, true);
	wake_up_process(timers->thread);
	return HRTIMER_NORESTART;
}
#endif

void cio_timers_init(struct cio_timers *timers,
		     const struct cio_timer_actions *actions)
{
	int i;

	timers->actions = actions;
	spin_lock_init(&timers->lock);
	for (i = 0; i < CIO_TIMER_KINDS; i++)
		timerqueue_init_head(&timers->queues[i]);
	timers->next = KTIME_MAX;
	/*
	 * Not a hard timer: on PREEMPT_RT the locks that an expiry takes sleep,
	 * so there it runs in the thread of the soft timers.
	 */
	timers->mode = HRTIMER_MODE_ABS;
	hrtimer_init(&timers->hrtimer, CLOCK_MONOTONIC, timers->mode);
	timers->hrtimer.function = timers_fire;
}

#ifdef CONFIG_PREEMPT_RT
/*
 * A hard timer that wakes @thread, which then calls cio_timers_run_rung(); before any
 * timer is set.
 */
void cio_timers_use_thread(struct cio_timers *timers, struct task_struct *thread)
{
	get_task_struct(thread);
	timers->thread = thread;
	timers->mode = HRTIMER_MODE_ABS_HARD;
	hrtimer_init(&timers->hrtimer, CLOCK_MONOTONIC, timers->mode);
	timers->hrtimer.function = timers_ring;
}

/* In the thread: what is to be done if the timer has come. */
void cio_timers_run_rung(struct cio_timers *timers)
{
	if (!READ_ONCE(timers->rang))
		return;
	WRITE_ONCE(timers->rang, false);
	/* Before the look at the queues: one that comes from here on rings again. */
	smp_mb();
	timers_run(timers);
}
#endif

/* The queues are empty, or will be unnoticed; waits for a callback to end. */
void cio_timers_stop(struct cio_timers *timers)
{
	hrtimer_cancel(&timers->hrtimer);
	if (cio_timers_have_thread(timers))
		put_task_struct(timers->thread);
}
