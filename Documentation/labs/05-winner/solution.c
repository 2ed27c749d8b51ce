// SPDX-License-Identifier: GPL-2.0
/*
 * One instruction decides: whoever changes the word from LAB_PENDING has won, and the others
 * see that they have not.  The winner writes the result, and only then says that there is one,
 * for the waiter may look at any moment without having been woken.
 *
 * wake_up_process() needs a thread that still exists: here threads outlive operations, elsewhere
 * the winner holds a reference of its own.
 */
#include "winner.h"

#include <linux/sched.h>

void lab_op_start(struct lab_op *op, ktime_t deadline)
{
	atomic_set(&op->word, LAB_PENDING);
	op->bytes = 0;
	hrtimer_init(&op->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	op->timer.function = lab_op_fire;
	hrtimer_start(&op->timer, deadline, HRTIMER_MODE_ABS);
}

bool lab_op_end(struct lab_op *op, enum lab_end how, int bytes)
{
	struct task_struct *waiter;

	if (atomic_cmpxchg(&op->word, LAB_PENDING, LAB_ENDING) != LAB_PENDING)
		return false;
	/* Ours alone, until the word says more. */
	op->bytes = bytes;
	waiter = op->waiter;
	/* Pairs with the waiter's acquire.  From here on it is the waiter's. */
	atomic_set_release(&op->word, how);
	wake_up_process(waiter);
	return true;
}

enum lab_end lab_op_wait(struct lab_op *op)
{
	enum lab_end how;

	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		how = atomic_read_acquire(&op->word);
		if (how > LAB_ENDING)
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	/* Takes it out of the queue, or waits until its callback is over. */
	hrtimer_cancel(&op->timer);
	return how;
}
