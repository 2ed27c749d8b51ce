// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Connecting: begin with connect(2), so that the kernel's own permission checks
 * run, then wait in the kernel until the socket is writable.
 *
 * The deadline goes with the operation that waits, not with the connection.  So
 * one that fires, or a cancel that comes, while the attempt succeeds leaves
 * nothing behind that would spoil the new connection (as in golang/go#16523).
 */
#include <poll.h>

#include "internal.h"

/* Neither a success nor a failure yet. */
#define IN_PROGRESS	1

/*
 * An attempt that an earlier call has begun and did not see the end of may be
 * still under way (EALREADY), or have succeeded (0 or EISCONN).
 */
static int begin(struct cancelio_conn *conn, const struct sockaddr *addr,
		 socklen_t addr_len)
{
	if (connect(conn->fd, addr, addr_len) == 0)
		return 0;
	switch (errno) {
	case EINPROGRESS:
	case EALREADY:
	case EINTR:
		return IN_PROGRESS;
	case EISCONN:
		return atomic_load(&conn->connecting) ? 0 : -EISCONN;
	default:
		return -errno;
	}
}

static int check_error(const struct cancelio_conn *conn)
{
	int pending;
	int error = conn_option(conn, SO_ERROR, &pending);

	if (error)
		return error;
	switch (pending) {
	case EINPROGRESS:
	case EALREADY:
	case EINTR:
		return IN_PROGRESS;
	case EISCONN:
		return 0;
	default:
		return -pending;
	}
}

/*
 * Writable does not mean connected.  Without a peer the attempt goes on, unless
 * the socket was hung up: then it failed, and somebody else took the error.
 */
static int check(const struct cancelio_conn *conn, unsigned int events)
{
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	int error = check_error(conn);

	if (error)
		return error;
	if (getpeername(conn->fd, (struct sockaddr *)&peer, &peer_len) == 0)
		return 0;
	if (errno == ENOTCONN && !(events & (POLLERR | POLLHUP)))
		return IN_PROGRESS;
	return -errno;
}

static void attempt(struct cancelio_conn *conn, const struct sockaddr *addr,
		    socklen_t addr_len, __s64 deadline,
		    struct cancelio_completion *done)
{
	unsigned int cancels = atomic_load(&conn->write_cancels);
	int error = conn_set_nonblock(conn);

	if (error)
		goto out;
	/* Closed and deadline come before the first packet. */
	error = ready_try(conn, POLLOUT, deadline, done);
	if (error && error != -EAGAIN)
		return;
	error = begin(conn, addr, addr_len);
	if (!error)
		error = check(conn, 0);
	while (error == IN_PROGRESS) {
		atomic_store(&conn->connecting, true);
		if (ready_wait(conn, POLLOUT, deadline, cancels, done))
			return;
		error = check(conn, done->events);
		/* The socket reports a success once more: not to the next call. */
		if (!error)
			begin(conn, addr, addr_len);
	}
	atomic_store(&conn->connecting, false);
out:
	op_end(done, conn, CANCELIO_OP_WAIT_READY, error);
}

int cancelio_connect(struct cancelio_conn *conn, const struct sockaddr *addr,
		     socklen_t addr_len, __s64 deadline,
		     struct cancelio_completion *result)
{
	struct cancelio_completion done;
	int error = conn_enter(conn);

	if (error) {
		op_end(&done, conn, CANCELIO_OP_WAIT_READY, error);
	} else {
		attempt(conn, addr, addr_len, deadline, &done);
		conn_leave(conn);
	}
	return op_outcome(&done, result);
}
