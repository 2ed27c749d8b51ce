// SPDX-License-Identifier: GPL-2.0
/*
 * The poll engine: Go's network poller.
 *
 * One entry in the socket's wait queue for as long as the conn is attached.  It
 * is safe to leave it there: the file is held, and the socket's wait queue lives
 * as long as the file.  Since the entry is always there, an event after an
 * attempt began is never missed: it finds the side running and leaves a mark
 * that makes the runner try again, or finds it waiting and makes it ready.
 */
#include "engine.h"

#include "side.h"

#include <linux/poll.h>

static int poll_event(struct wait_queue_entry *wait, unsigned int mode,
		      int sync, void *key)
{
	cio_side_event(container_of(wait, struct cio_conn, wait),
		       key_to_poll(key));
	return 0;
}

/**
 * struct poll_probe - which wait queues a file's poll uses
 * @table: handed to poll
 * @queue: the last one
 * @nr: how many
 */
struct poll_probe {
	struct poll_table_struct table;
	wait_queue_head_t *queue;
	unsigned int nr;
};

static void poll_probe_queue(struct file *file, wait_queue_head_t *queue,
			     struct poll_table_struct *table)
{
	struct poll_probe *probe = container_of(table, struct poll_probe,
						table);

	probe->queue = queue;
	probe->nr++;
}

/* Whether the socket's poll waits on the socket's own queue, and no other. */
static bool poll_uses_own_queue(struct cio_conn *conn)
{
	struct poll_probe probe = {};

	init_poll_funcptr(&probe.table, poll_probe_queue);
	vfs_poll(conn->file, &probe.table);
	return probe.nr == 1 && probe.queue == &conn->sock->wq.wait;
}

/* An entry of the same context is in the queue; queue's lock. */
static bool poll_is_watched(struct cio_conn *conn, wait_queue_head_t *queue)
{
	struct wait_queue_entry *wait;

	list_for_each_entry(wait, &queue->head, entry)
		if (wait->func == poll_event &&
		    container_of(wait, struct cio_conn, wait)->ctx == conn->ctx)
			return true;
	return false;
}

static int poll_attach(struct cio_conn *conn)
{
	wait_queue_head_t *queue = &conn->sock->wq.wait;
	int ret = 0;

	if (!poll_uses_own_queue(conn))
		return -EPROTONOSUPPORT;
	init_waitqueue_func_entry(&conn->wait, poll_event);
	spin_lock_irq(&queue->lock);
	if (poll_is_watched(conn, queue))
		ret = -EEXIST;
	else
		__add_wait_queue(queue, &conn->wait);
	spin_unlock_irq(&queue->lock);
	return ret;
}

static void poll_detach(struct cio_conn *conn)
{
	remove_wait_queue(&conn->sock->wq.wait, &conn->wait);
}

const struct cio_engine cio_engine_poll = {
	.attach = poll_attach,
	.detach = poll_detach,
};
