// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Accepting: wait in the kernel until a connection is there, then take it with
 * accept4(2), so that the kernel's own permission checks run.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <unistd.h>

#include "internal.h"

/*
 * The connection broke before it was taken, or somebody else took it.  The
 * network errors are those that accept(2) says to treat so; EOPNOTSUPP cannot
 * mean that the socket is of the wrong type, for it listens.
 */
static bool is_passing(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return true;
	default:
		return false;
	}
}

static int check_listener(const struct cancelio_conn *listener)
{
	int listens;
	int error = conn_option(listener, SO_ACCEPTCONN, &listens);

	if (error)
		return error;
	if (!listens)
		return -EINVAL;
	return conn_set_nonblock(listener);
}

/* Gives the new socket, or -1 with the failure in @done. */
static int take(struct cancelio_conn *listener, struct sockaddr *addr,
		socklen_t *addr_len, struct cancelio_completion *done)
{
	unsigned int cancels = atomic_load(&listener->read_cancels);
	int error = check_listener(listener);
	int fd;

	while (!error) {
		if (ready_wait(listener, POLLIN, CANCELIO_NEVER, cancels, done))
			return -1;
		fd = accept4(listener->fd, addr, addr_len, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (!is_passing(errno))
			error = -errno;
	}
	op_end(done, listener, CANCELIO_OP_WAIT_READY, error);
	return -1;
}

static void accept_one(struct cancelio_conn *listener,
		       struct cancelio_conn **conn, struct sockaddr *addr,
		       socklen_t *addr_len, struct cancelio_completion *done)
{
	int fd = take(listener, addr, addr_len, done);
	int error;

	if (fd < 0)
		return;
	error = cancelio_attach(listener->context, fd, conn);
	if (error) {
		close(fd);
		op_end(done, listener, CANCELIO_OP_WAIT_READY, error);
	}
}

int cancelio_accept(struct cancelio_conn *listener,
		    struct cancelio_conn **conn, struct sockaddr *addr,
		    socklen_t *addr_len, struct cancelio_completion *result)
{
	struct cancelio_completion done;
	int error = conn_enter(listener);

	if (error) {
		op_end(&done, listener, CANCELIO_OP_WAIT_READY, error);
	} else {
		accept_one(listener, conn, addr, addr_len, &done);
		conn_leave(listener);
	}
	return op_outcome(&done, result);
}
