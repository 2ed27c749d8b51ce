// SPDX-License-Identifier: GPL-2.0
/*
 * The operation is used after it was given away: its waiter may be another's by then.
 *
 * Says: the waiter had returned, and was woken again through the operation
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
	if (atomic_cmpxchg(&op->word, LAB_PENDING, LAB_ENDING) != LAB_PENDING)
		return false;
	op->bytes = bytes;
	atomic_set_release(&op->word, how);
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
	hrtimer_cancel(&op->timer);
	return how;
}
