// SPDX-License-Identifier: GPL-2.0
/*
 * One winner, who says that there is a result before there is.
 *
 * Says: the waiter returned before the result was there
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
	struct task_struct *waiter = op->waiter;

	if (atomic_cmpxchg(&op->word, LAB_PENDING, how) != LAB_PENDING)
		return false;
	op->bytes = bytes;
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
	hrtimer_cancel(&op->timer);
	return how;
}
