// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A connection: its life, its deadlines, cancel and half-close.
 *
 * Every call counts itself into the connection, uses the descriptor, and counts
 * itself out.  cancelio_close() marks the count, after which nobody enters, has
 * the kernel end what is pending, and leaves like any other call.  Whoever leaves
 * last closes the descriptor.  So no call uses a number that was closed, and
 * perhaps given to another file meanwhile (as in golang/go#59545).
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

/* In conn.calls: no call may enter any more. */
#define CONN_CLOSED	0x80000000U

/* Adds one call, and @mark, unless the connection is closed. */
static int conn_count_in(struct cancelio_conn *conn, unsigned int mark)
{
	unsigned int calls = atomic_load(&conn->calls);

	do {
		if (calls & CONN_CLOSED)
			return -EBADF;
	} while (!atomic_compare_exchange_weak(&conn->calls, &calls,
					       (calls + 1) | mark));
	return 0;
}

int conn_enter(struct cancelio_conn *conn)
{
	return conn_count_in(conn, 0);
}

void conn_leave(struct cancelio_conn *conn)
{
	if (atomic_fetch_sub(&conn->calls, 1) != (CONN_CLOSED | 1))
		return;
	close(conn->fd);
	cancelio_unref(conn);
}

int cancelio_attach(struct cancelio *context, int fd,
		    struct cancelio_conn **conn)
{
	struct cancelio_conn *new = calloc(1, sizeof(*new));
	int error;

	if (!new)
		return -ENOMEM;
	new->context = context;
	new->fd = fd;
	atomic_init(&new->refs, 1);
	error = cancelio_attach_fd(context, fd, &new->id);
	if (error) {
		free(new);
		return error;
	}
	context_ref(context);
	*conn = new;
	return 0;
}

/*
 * Ends what is pending, and waits until it has ended.  A detach that a signal interrupts
 * cannot be waited for again: signals wait meanwhile.
 */
static int conn_detach(struct cancelio_conn *conn)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = cancelio_detach(conn->context, conn->id);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* Detached all the same; or the context's end has detached everything. */
	return error == -EINTR || error == -ESHUTDOWN ? 0 : error;
}

int cancelio_close(struct cancelio_conn *conn)
{
	int error = conn_count_in(conn, CONN_CLOSED);

	if (error)
		return error;
	error = conn_detach(conn);
	conn_leave(conn);
	return error;
}

struct cancelio_conn *cancelio_ref(struct cancelio_conn *conn)
{
	atomic_fetch_add(&conn->refs, 1);
	return conn;
}

void cancelio_unref(struct cancelio_conn *conn)
{
	if (atomic_fetch_sub(&conn->refs, 1) != 1)
		return;
	context_unref(conn->context);
	free(conn);
}

int cancelio_conn_fd(struct cancelio_conn *conn)
{
	return atomic_load(&conn->calls) & CONN_CLOSED ? -EBADF : conn->fd;
}

__u64 cancelio_conn_id(const struct cancelio_conn *conn)
{
	return conn->id;
}

int conn_set_nonblock(const struct cancelio_conn *conn)
{
	int flags = fcntl(conn->fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return 0;
	return fcntl(conn->fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int conn_option(const struct cancelio_conn *conn, int option, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(conn->fd, SOL_SOCKET, option, value, &len) < 0 ?
	       -errno : 0;
}

static int set_deadline(struct cancelio_conn *conn, unsigned int sides,
			__s64 deadline)
{
	int error = conn_enter(conn);

	if (error)
		return error;
	error = cancelio_move_deadline(conn->context, conn->id, sides, deadline,
				       deadline);
	conn_leave(conn);
	return error;
}

int cancelio_set_deadline(struct cancelio_conn *conn, __s64 deadline)
{
	return set_deadline(conn, CANCELIO_READ | CANCELIO_WRITE, deadline);
}

int cancelio_set_read_deadline(struct cancelio_conn *conn, __s64 deadline)
{
	return set_deadline(conn, CANCELIO_READ, deadline);
}

int cancelio_set_write_deadline(struct cancelio_conn *conn, __s64 deadline)
{
	return set_deadline(conn, CANCELIO_WRITE, deadline);
}

/*
 * A signal may interrupt the waiting for a running operation.  The cancel stays
 * requested, so asking again waits on; finding nothing then means that it ended.
 */
static int cancel_in_kernel(struct cancelio_conn *conn, unsigned int sides)
{
	int ended = cancelio_cancel_conn_ops(conn->context, conn->id, sides);

	while (ended == -EINTR) {
		ended = cancelio_cancel_conn_ops(conn->context, conn->id, sides);
		if (ended == -ENOENT)
			ended = 0;
	}
	return ended;
}

static int cancel_sides(struct cancelio_conn *conn, unsigned int sides)
{
	int ended = conn_enter(conn);

	if (ended)
		return ended;
	/* Counted before the kernel looks: see ready_wait(). */
	if (sides & CANCELIO_READ)
		atomic_fetch_add(&conn->read_cancels, 1);
	if (sides & CANCELIO_WRITE)
		atomic_fetch_add(&conn->write_cancels, 1);
	ended = cancel_in_kernel(conn, sides);
	conn_leave(conn);
	return ended;
}

int cancelio_cancel(struct cancelio_conn *conn)
{
	return cancel_sides(conn, CANCELIO_READ | CANCELIO_WRITE);
}

int cancelio_cancel_read(struct cancelio_conn *conn)
{
	return cancel_sides(conn, CANCELIO_READ);
}

int cancelio_cancel_write(struct cancelio_conn *conn)
{
	return cancel_sides(conn, CANCELIO_WRITE);
}

static int close_side(struct cancelio_conn *conn, int how)
{
	int error = conn_enter(conn);

	if (error)
		return error;
	error = shutdown(conn->fd, how) < 0 ? -errno : 0;
	conn_leave(conn);
	return error;
}

int cancelio_close_read(struct cancelio_conn *conn)
{
	return close_side(conn, SHUT_RD);
}

int cancelio_close_write(struct cancelio_conn *conn)
{
	return close_side(conn, SHUT_WR);
}
