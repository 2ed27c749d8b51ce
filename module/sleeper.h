/* SPDX-License-Identifier: GPL-2.0 */
/* A thread of the thread engine, asleep for an operation. */
#ifndef CIO_SLEEPER_H
#define CIO_SLEEPER_H

#include "end.h"

/**
 * struct cio_sleeper - a thread asleep for a BLOCKED operation, on its stack
 * @task: the thread; it sleeps interruptibly
 * @op: the operation
 * @tried: the id of the last one that the thread tried and that waits, or 0;
 *	the thread's own
 * @event: something happened on the socket, to be tried
 * @interrupted: somebody has won @op and sent SIGHUP; @out says why it ends
 * @out: valid once @interrupted
 *
 * Protected by the conn's lock.  The signal is sent under it, and only while the
 * side names this sleeper: so that none arrives after the operation's end, to
 * hit the thread's next one.
 */
struct cio_sleeper {
	struct task_struct *task;
	struct cio_op *op;
	u64 tried;
	bool event;
	bool interrupted;
	struct cio_outcome out;
};

bool cio_sleeper_block(struct cio_side *side, struct cio_sleeper *sleeper);
bool cio_sleeper_unblock(struct cio_side *side, struct cio_kick *kick);
void cio_sleeper_interrupt(struct cio_conn *conn, struct cio_sleeper *sleeper,
			   const struct cio_outcome *out);
void cio_sleeper_wake(struct cio_sleeper *sleeper);

#endif /* CIO_SLEEPER_H */
