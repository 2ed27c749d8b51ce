// SPDX-License-Identifier: GPL-2.0
/*
 * Anybody may send this note.
 *
 * Says: a SIGHUP from a program woke your thread
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

	allow_signal(SIGHUP);
	while ((op = lab_next())) {
		lab_end(op, wait_for(op));
		flush_signals(current);
	}
	return 0;
}
