// SPDX-License-Identifier: GPL-2.0
/*
 * The note only wakes.  Whether an operation ends says its own word, so that a note that comes
 * for nobody, or too late, means nothing; it is drained, else the next sleep would end at once.
 *
 * The last drain comes after lab_end(), when no note is sent any more: one that came between
 * a drain and the end would be left for the next operation.
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
		if (READ_ONCE(op->canceled)) {
			result = -ECANCELED;
			break;
		}
		if (kthread_should_stop()) {
			result = -ESHUTDOWN;
			break;
		}
		/* A note that nobody decided.  While one pends, no sleep is interruptible. */
		if (signal_pending(current)) {
			flush_signals(current);
			continue;
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
	while ((op = lab_next())) {
		lab_end(op, wait_for(op));
		flush_signals(current);
	}
	return 0;
}
