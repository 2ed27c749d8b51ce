/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An operation that somebody waits for, and for which three come: its completion, a cancel,
 * and its deadline's timer.  One of them ends it.
 */
#ifndef LAB_WINNER_H
#define LAB_WINNER_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include "lab.h"

/* What the word of an operation says. */
enum lab_end {
	LAB_PENDING,
	LAB_ENDING,	/* somebody has won it, and is about to say how it ended */
	LAB_DONE,	/* from here on: how it ended */
	LAB_CANCELED,
	LAB_DEADLINE,
	LAB_ENDS
};

/**
 * struct lab_op - an operation
 * @word: an enum lab_end; its memory stays as long as anybody may come
 * @bytes: the result; the waiter's, from its return on
 * @waiter: who waits; does not wait any more from its return on
 * @timer: comes at the deadline
 */
struct lab_op {
	atomic_t word;
	int bytes;
	struct task_struct *waiter;
	struct hrtimer timer;
};

/*
 * Yours.  Begin an operation that ends at @deadline at the latest: its timer calls
 * lab_op_fire().  The current thread is not the waiter, who is there already, in @waiter.
 */
void lab_op_start(struct lab_op *op, ktime_t deadline);

/*
 * Yours.  Somebody comes, in any context, also when it is over: end it, if nobody has, and
 * wake its waiter.  True when this call ended it.
 */
bool lab_op_end(struct lab_op *op, enum lab_end how, int bytes);

/*
 * Yours.  Called by the waiter: sleep until it has ended, and return how.  From the return
 * on nobody touches @bytes, wakes the waiter, or comes from the timer.
 */
enum lab_end lab_op_wait(struct lab_op *op);

/* The timer's callback: calls lab_op_end() for the deadline. */
enum hrtimer_restart lab_op_fire(struct hrtimer *timer);

/*
 * Others come between any two instructions; mostly they do not.  In an answer, this is called
 * after each look at an atomic word and after each change of it, and here they do.
 */
void lab_moment(void);

#ifdef LAB_MOMENTS
#define lab_then_moment(expression) ({		\
	typeof(expression) _value = expression;	\
						\
	lab_moment();				\
	_value;					\
})
#define atomic_read(v)			lab_then_moment(atomic_read(v))
#define atomic_read_acquire(v)		lab_then_moment(atomic_read_acquire(v))
#define atomic_xchg(v, new)		lab_then_moment(atomic_xchg(v, new))
#define atomic_cmpxchg(v, old, new)	lab_then_moment(atomic_cmpxchg(v, old, new))
#define atomic_try_cmpxchg(v, old, new)	lab_then_moment(atomic_try_cmpxchg(v, old, new))
#define atomic_set(v, new)		do { atomic_set(v, new); lab_moment(); } while (0)
#define atomic_set_release(v, new)	do { atomic_set_release(v, new); lab_moment(); } while (0)
#endif

#endif
