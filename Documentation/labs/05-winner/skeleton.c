// SPDX-License-Identifier: GPL-2.0
/*
 * An operation, and three who come for it: each believes that it is the only one.
 *
 * winner.h says what is asked of the functions.  The sleep is right as it is; the rest is
 * not.
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
	/* YOUR PART: one of all that come is to win.  What is done first, what last? */
	op->bytes = bytes;
	atomic_set(&op->word, how);
	wake_up_process(op->waiter);
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
	/* YOUR PART: who may still come, though the operation has ended? */
	return how;
}
