// SPDX-License-Identifier: GPL-2.0
/*
 * The note has done its work, and still pends.
 *
 * Says: the signal of the first one still pends
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
		if (signal_pending(current)) {
			result = -ECANCELED;
			break;
		}
		if (kthread_should_stop()) {
			result = -ESHUTDOWN;
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return result;
}

int lab_thread(void *unused)
{
	struct lab_op *op;

	allow_kernel_signal(SIGHUP);
	while ((op = lab_next()))
		lab_end(op, wait_for(op));
	return 0;
}
