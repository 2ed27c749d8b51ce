// SPDX-License-Identifier: GPL-2.0
/*
 * One entry in the socket's wait queue for as long as the conn is attached.  It
 * is safe to leave it there: the file is held, and the socket's wait queue lives
 * as long as the file.  Since the entry is always there, an event after an
 * attempt began is never missed: it finds the side running and leaves a mark
 * that makes the runner try again, or finds it waiting and makes it ready, or
 * wakes the thread that sleeps for it.
 */
#include "watch.h"

#include "side.h"

#include <linux/poll.h>

static int watch_event(struct wait_queue_entry *wait, unsigned int mode,
		       int sync, void *key)
{
	cio_side_event(container_of(wait, struct cio_conn, wait),
		       key_to_poll(key));
	return 0;
}

/**
 * struct watch_probe - which wait queues a file's poll uses
 * @table: handed to poll
 * @queue: the last one
 * @nr: how many
 */
struct watch_probe {
	struct poll_table_struct table;
	wait_queue_head_t *queue;
	unsigned int nr;
};

static void watch_probe_queue(struct file *file, wait_queue_head_t *queue,
			      struct poll_table_struct *table)
{
	struct watch_probe *probe = container_of(table, struct watch_probe,
						 table);

	probe->queue = queue;
	probe->nr++;
}

/* Whether the socket's poll waits on the socket's own queue, and no other. */
static bool watch_own_queue(struct cio_conn *conn)
{
	struct watch_probe probe = {};

	init_poll_funcptr(&probe.table, watch_probe_queue);
	vfs_poll(conn->file, &probe.table);
	return probe.nr == 1 && probe.queue == &conn->sock->wq.wait;
}

/* An entry of the same context is in the queue; queue's lock. */
static bool watch_is_there(struct cio_conn *conn, wait_queue_head_t *queue)
{
	struct wait_queue_entry *wait;

	list_for_each_entry(wait, &queue->head, entry)
		if (wait->func == watch_event &&
		    container_of(wait, struct cio_conn, wait)->ctx == conn->ctx)
			return true;
	return false;
}

/*
 * Watch the conn's socket: every event on it is reported by cio_side_event().
 * -EEXIST when the context watches it already, -EPROTONOSUPPORT when its poll
 * waits elsewhere.
 */
int cio_watch_start(struct cio_conn *conn)
{
	wait_queue_head_t *queue = &conn->sock->wq.wait;
	int ret = 0;

	if (!watch_own_queue(conn))
		return -EPROTONOSUPPORT;
	init_waitqueue_func_entry(&conn->wait, watch_event);
	spin_lock_irq(&queue->lock);
	if (watch_is_there(conn, queue))
		ret = -EEXIST;
	else
		__add_wait_queue(queue, &conn->wait);
	spin_unlock_irq(&queue->lock);
	return ret;
}

/* Once this has returned nothing more is reported. */
void cio_watch_stop(struct cio_conn *conn)
{
	remove_wait_queue(&conn->sock->wq.wait, &conn->wait);
}
