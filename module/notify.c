// SPDX-License-Identifier: GPL-2.0
/*
 * The eventfd of a context.  It is signalled after whatever a program looks for
 * was published; who sets one looks for that himself afterwards.  So there is no
 * moment in between that both of them miss.
 */
#include "notify.h"

#include <linux/eventfd.h>

void cio_notify_do_signal(struct cio_notify *notify)
{
	struct eventfd_ctx *eventfd;

	rcu_read_lock();
	eventfd = rcu_dereference(notify->eventfd);
	/*
	 * Not from within the wake-up of another eventfd: whoever put our wake-up
	 * behind that one could put this one there too, without end.
	 */
	if (eventfd && eventfd_signal_allowed())
		cio_eventfd_signal(eventfd);
	else if (eventfd)
		irq_work_queue(&notify->deferred);
	rcu_read_unlock();
}

/* In an interrupt of its own; on PREEMPT_RT in the thread for such work. */
static void notify_deferred(struct irq_work *work)
{
	struct cio_notify *notify = container_of(work, struct cio_notify,
						 deferred);
	struct eventfd_ctx *eventfd;

	rcu_read_lock();
	eventfd = rcu_dereference(notify->eventfd);
	if (eventfd)
		cio_eventfd_signal(eventfd);
	rcu_read_unlock();
}

void cio_notify_init(struct cio_notify *notify)
{
	init_irq_work(&notify->deferred, notify_deferred);
}

/* Nobody signals any more, and nobody else sets it; waits for what was put off. */
void cio_notify_stop(struct cio_notify *notify)
{
	irq_work_sync(&notify->deferred);
	if (rcu_access_pointer(notify->eventfd))
		eventfd_ctx_put(rcu_dereference_protected(notify->eventfd,
							  true));
}

/* Takes over the reference to @eventfd, and returns the old one's. */
struct eventfd_ctx *cio_notify_replace(struct cio_notify *notify,
				       struct eventfd_ctx *eventfd)
{
	/* A full barrier: the pointer before the caller's look. */
	return unrcu_pointer(xchg(&notify->eventfd, RCU_INITIALIZER(eventfd)));
}

/* Once this has returned, one that was replaced is not signalled any more. */
void cio_notify_put(struct eventfd_ctx *old)
{
	if (!old)
		return;
	/* Those who found it are done with it after a grace period. */
	synchronize_rcu();
	eventfd_ctx_put(old);
}
