/* SPDX-License-Identifier: GPL-2.0 */
/* The context's timer: one hrtimer, two ordered queues. */
#ifndef CIO_DEADLINE_H
#define CIO_DEADLINE_H

#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>

/**
 * enum cio_timer_kind - what a timer belongs to
 * @CIO_TIMER_OP: to an operation, for its own deadline
 * @CIO_TIMER_SIDE: to a side of a connection
 */
enum cio_timer_kind {
	CIO_TIMER_OP,
	CIO_TIMER_SIDE,
	CIO_TIMER_KINDS,
};

struct cio_timers;

/**
 * struct cio_timer_actions - what to do with a timer that came
 * @claim: called under the queue's lock with the timer already out of its
 *	queue: make sure that its owner stays, and say whether to go on
 * @expire: called without the lock for a timer that @claim took; returns how
 *	many operations without a timer of their own it ended
 * @flush: called at the end of a batch, to wake whom the expiries concern
 *
 * All are called from the timer interrupt; on PREEMPT_RT from the thread that
 * runs soft timers, or from the context's own, for the locks below sleep there.
 */
struct cio_timer_actions {
	bool (*claim)(struct timerqueue_node *node, enum cio_timer_kind kind);
	int (*expire)(struct timerqueue_node *node, enum cio_timer_kind kind);
	void (*flush)(struct cio_timers *timers);
};

/**
 * struct cio_timers - the deadlines of a context
 * @actions: constant
 * @slack: how far expiries may be merged, ns; constant
 * @mode: of @hrtimer; constant from SETUP on
 * @thread: runs the expiries where @hrtimer is a hard one on PREEMPT_RT, else NULL; a
 *	reference; constant from SETUP on
 * @rang: @hrtimer came, and @thread has not looked yet
 * @lock: protects the following fields and every node; nests inside the conns'
 *	locks; taken with interrupts off
 * @queues: the timers, by time
 * @next: when @hrtimer is set to fire, KTIME_MAX when it is not
 * @hrtimer: never cancelled under a lock that its callback takes
 *
 * A deadline that moves later leaves its timer where it is: the timer comes too
 * early, its owner looks at the clock, and sets it again (C17).
 */
struct cio_timers {
	const struct cio_timer_actions *actions;
	u32 slack;
	enum hrtimer_mode mode;
	struct task_struct *thread;
	bool rang;
	spinlock_t lock;	/* queues, next */
	struct timerqueue_head queues[CIO_TIMER_KINDS];
	ktime_t next;
	struct hrtimer hrtimer;
};

void cio_timers_init(struct cio_timers *timers,
		     const struct cio_timer_actions *actions);
void cio_timers_stop(struct cio_timers *timers);
void cio_timer_ensure(struct cio_timers *timers, struct timerqueue_node *node,
		      enum cio_timer_kind kind, ktime_t expires);
void cio_timer_remove(struct cio_timers *timers, struct timerqueue_node *node,
		      enum cio_timer_kind kind);

#ifdef CONFIG_PREEMPT_RT
void cio_timers_use_thread(struct cio_timers *timers, struct task_struct *thread);
void cio_timers_run_rung(struct cio_timers *timers);
#else
static inline void cio_timers_use_thread(struct cio_timers *timers,
					 struct task_struct *thread)
{
}

static inline void cio_timers_run_rung(struct cio_timers *timers)
{
}
#endif

/* Elsewhere than on PREEMPT_RT never. */
static inline bool cio_timers_have_thread(const struct cio_timers *timers)
{
	return IS_ENABLED(CONFIG_PREEMPT_RT) && timers->thread;
}

/* Whether the current thread is that one. */
static inline bool cio_timers_in_thread(const struct cio_timers *timers)
{
	return cio_timers_have_thread(timers) && current == timers->thread;
}

/* For another reason than the timer. */
static inline void cio_timers_wake_thread(struct cio_timers *timers)
{
	if (cio_timers_have_thread(timers))
		wake_up_process(timers->thread);
}

#endif /* CIO_DEADLINE_H */
