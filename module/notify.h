/* SPDX-License-Identifier: GPL-2.0 */
/* The eventfd that a context signals. */
#ifndef CIO_NOTIFY_H
#define CIO_NOTIFY_H

#include <linux/irq_work.h>
#include <linux/rcupdate.h>

struct eventfd_ctx;

/**
 * struct cio_notify - the eventfd of a context
 * @eventfd: a reference, or NULL; read under RCU, replaced by xchg
 * @deferred: signals it where the waking thread may not
 */
struct cio_notify {
	struct eventfd_ctx __rcu *eventfd;
	struct irq_work deferred;
};

void cio_notify_init(struct cio_notify *notify);
void cio_notify_stop(struct cio_notify *notify);
struct eventfd_ctx *cio_notify_replace(struct cio_notify *notify,
				       struct eventfd_ctx *eventfd);
void cio_notify_put(struct eventfd_ctx *old);
void cio_notify_do_signal(struct cio_notify *notify);

/* From any context, also under a wait queue's lock. */
static inline void cio_notify_signal(struct cio_notify *notify)
{
	if (rcu_access_pointer(notify->eventfd))
		cio_notify_do_signal(notify);
}

#endif /* CIO_NOTIFY_H */
