// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel thread that sleeps for one operation after the other, and hears of no note.
 */
#include "note.h"

#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

static int wait_for(struct lab_op *op)
{
	int result = 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(op->data))
			break;
		/* YOUR PART: what else ends the sleep, and what does not? */
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return result;
}

int lab_thread(void *unused)
{
	struct lab_op *op;

	/* YOUR PART: a kernel thread ignores every signal, until it says otherwise. */
	while ((op = lab_next())) {
		lab_end(op, wait_for(op));
		/* YOUR PART: what is still there of a note? */
	}
	return 0;
}
