/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libcancelio - socket reads and writes that can be interrupted at any moment
 *
 * This file has connections in blocking style and single operations;
 * cancelio-context.h, which it includes, has contexts and the ioctls one to one.
 * The interface is unstable until version 1.0.
 */
#ifndef CANCELIO_H
#define CANCELIO_H

#include <stddef.h>
#include <sys/socket.h>

#include "cancelio-context.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * DOC: Conventions
 *
 * *Errors.*  Every function that can fail returns 0 or a count when it succeeds,
 * else a negative error number: -EBADF, not -1 with errno.  errno holds nothing
 * of interest after a call.  What a call gives back through a pointer ("out") is
 * written only when it succeeds, unless the pointer's description says otherwise.
 *
 * *How an operation ended.*  cancelio_read(), cancelio_write(),
 * cancelio_accept(), cancelio_connect() and cancelio_op_wait() take an optional
 * @result.  It is written whatever the outcome, and has what the return value has
 * no room for: the reason, the bytes moved beside the error, which deadline it
 * was and how late.  For a call that the kernel refused to begin, its id is 0
 * and its reason ERROR, or CLOSED where the connection was.
 *
 * *Three errors that are not the socket's.*  -ETIME: the deadline passed.
 * -ECANCELED: canceled.  -EBADF: the connection was closed.  Each leaves stream
 * and socket intact: after the first two the next call works (once the
 * deadline was moved), and no byte was lost.  -ETIMEDOUT is TCP's own time-out.
 *
 * *Times* are absolute, signed nanoseconds of CLOCK_MONOTONIC: cancelio_now(),
 * cancelio_after().  %CANCELIO_NEVER is none; what is not in the future has
 * passed.
 *
 * *Signals.*  None of the functions of this file returns -EINTR: a signal
 * handler runs, and the call goes on.  To end a call from a handler, set a flag
 * that another thread acts on.  No call raises SIGPIPE.
 *
 * *Threads.*  Every function may be called from any thread of the process that
 * opened the context, at any time, also several on one connection.  See
 * cancelio_close() and cancelio_ref() for the end of a connection.  In a child
 * process after fork(2) calls fail with -EPERM.
 *
 * *The socket.*  Its O_NONBLOCK, SO_RCVTIMEO and SO_SNDTIMEO do not matter to
 * reads and writes.  cancelio_accept() and cancelio_connect() set O_NONBLOCK
 * on the open socket, which whoever shares it sees, and nobody may clear it
 * meanwhile.
 */

/* A connection: an attached socket. */
struct cancelio_conn;

/**
 * struct cancelio_handle - names one started operation; may be copied freely
 * @context: the context it runs in
 * @id: the kernel's name of it, never used again in that context
 */
struct cancelio_handle {
	struct cancelio *context;
	__u64 id;
};

/**
 * cancelio_now() - the present time
 *
 * Example::
 *
 *	__s64 start = cancelio_now();
 *
 * Return: ns of CLOCK_MONOTONIC.
 */
__s64 cancelio_now(void);

/**
 * cancelio_after() - a time from now on
 * @ns: nanoseconds, negative for the past
 *
 * Example::
 *
 *	cancelio_set_read_deadline(conn, cancelio_after(300 * 1000000LL));
 *
 * Return: cancelio_now() + @ns, ns; at most the last instant before
 * %CANCELIO_NEVER.
 */
__s64 cancelio_after(__s64 ns);

/**
 * cancelio_reason_name() - a reason as a word
 * @reason: an &enum cancelio_reason
 *
 * Example::
 *
 *	printf("ended: %s\n", cancelio_reason_name(result.reason));
 *
 * Return: "done", "error", "deadline", "canceled", "closed", or "unknown".
 */
const char *cancelio_reason_name(unsigned int reason);

/**
 * cancelio_attach() - make a connection of a socket
 * @context: the context
 * @fd: a socket: connected, listening or neither yet.  The connection takes it
 *	over: cancelio_close() closes it.  When attaching fails it stays the
 *	caller's
 * @conn: out: the connection, without deadlines
 *
 * Example::
 *
 *	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
 *	struct cancelio_conn *conn;
 *	int error = cancelio_attach(context, fd, &conn);
 *
 *	if (error)
 *		close(fd);
 *
 * Return: 0, or
 *
 * * -EBADF: @fd is not open; -ENOTSOCK: not a socket
 * * -EPROTONOSUPPORT: neither TCP nor UDP nor AF_UNIX
 * * -EEXIST: attached to this context already
 * * -EMFILE: the process has RLIMIT_NOFILE sockets attached; -ENOMEM
 * * -EPERM, -ESHUTDOWN: not this process's context, or it was shut down
 */
int cancelio_attach(struct cancelio *context, int fd,
		    struct cancelio_conn **conn);

/**
 * cancelio_close() - close a connection
 * @conn: the connection, not to be used afterwards
 *
 * Ends what is pending: the calls of other threads inside the connection return
 * -EBADF, started operations end with CLOSED.  Then closes the socket; that,
 * and giving back the memory, is done by the last of those calls when it
 * leaves, so that none of them ever meets another file under the same number.  As
 * with fclose(3) no call may begin once cancelio_close() has returned, unless
 * its thread holds a reference, see cancelio_ref().
 *
 * What was written is still sent, as with close(2), and SO_LINGER counts.
 *
 * It waits until what runs at this moment has ended, and the thread's signals wait as
 * long: an operation that a page of the program's memory holds up holds up the close.
 *
 * Example::
 *
 *	cancelio_close(conn);
 *
 * Return: 0, or
 *
 * * -EBADF: closed already
 * * -EPERM: not this process's context; the process's copy of the socket was
 *   closed
 */
int cancelio_close(struct cancelio_conn *conn);

/**
 * cancelio_ref() - keep a connection's memory
 * @conn: the connection
 *
 * For a thread that may call into a connection that another thread closes: with
 * a reference such a call returns -EBADF, also after cancelio_close().  It does
 * not keep the socket open.
 *
 * Example::
 *
 *	struct cancelio_conn *mine = cancelio_ref(conn);
 *
 *	pthread_create(&thread, NULL, reader, mine);
 *
 * Return: @conn.
 */
struct cancelio_conn *cancelio_ref(struct cancelio_conn *conn);

/**
 * cancelio_unref() - give a reference back
 * @conn: the connection, from cancelio_ref()
 *
 * The reference that comes with cancelio_attach() and cancelio_accept() is given
 * back by cancelio_close(), not by this.
 *
 * Example::
 *
 *	while (cancelio_read(conn, buf, sizeof(buf), NULL) > 0)
 *		continue;
 *	cancelio_unref(conn);
 */
void cancelio_unref(struct cancelio_conn *conn);

/**
 * cancelio_conn_fd() - a connection's socket
 * @conn: the connection
 *
 * For setsockopt(2), getpeername(2) and the like.  It stays the connection's: do
 * not close it, and do not use it while another thread may close @conn.
 *
 * Example::
 *
 *	setsockopt(cancelio_conn_fd(conn), IPPROTO_TCP, TCP_NODELAY, &one,
 *		   sizeof(one));
 *
 * Return: the descriptor, or
 *
 * * -EBADF: closed
 */
int cancelio_conn_fd(struct cancelio_conn *conn);

/**
 * cancelio_conn_id() - a connection's number in its context
 * @conn: the connection
 *
 * For the functions of the lower layer, for example to submit many operations at
 * once.
 *
 * Example::
 *
 *	op.conn = cancelio_conn_id(conn);
 *
 * Return: the number, never 0.
 */
__u64 cancelio_conn_id(const struct cancelio_conn *conn);

/**
 * cancelio_read() - read
 * @conn: the connection
 * @buf: where the data goes
 * @len: bytes there, 0 to %CANCELIO_MAX_LEN
 * @result: out, may be NULL: how it ended; always written
 *
 * Waits until there is something, and takes what is there, as recv(2).  A read
 * that ended by deadline, cancel or close has taken nothing: the next one gets
 * the data.  Reads of several threads are served first in, first out.
 *
 * Example::
 *
 *	struct cancelio_completion how;
 *	int n = cancelio_read(conn, buf, sizeof(buf), &how);
 *
 *	if (n == -ETIME)
 *		printf("nothing came; %lld ns late\n", how.late);
 *
 * Return: the bytes read; 0 at a stream's end, for an empty datagram, and for
 * @len 0 on a stream; or
 *
 * * -ETIME: the read deadline passed; so does every read until it is moved
 * * -ECANCELED: by cancelio_cancel() or cancelio_cancel_read()
 * * -EBADF: the connection was closed; -ESHUTDOWN: the context was
 * * -ECONNRESET: the peer reset the connection; -ETIMEDOUT: TCP gave it up
 * * -ENOTCONN, -ECONNREFUSED and others of recv(2)
 * * -EFAULT: @buf cannot be written; -EINVAL: @len
 * * -EAGAIN: too many operations in the context; -EPERM; -ENOMEM
 * * -EACCES: taken away by cancelio_restrict_ops()
 */
int cancelio_read(struct cancelio_conn *conn, void *buf, size_t len,
		  struct cancelio_completion *result);

/**
 * cancelio_write() - write all of it
 * @conn: the connection
 * @buf: the data
 * @len: bytes there, 0 to %CANCELIO_MAX_LEN
 * @result: out, may be NULL: how it ended; always written
 *
 * On a stream it goes on until the socket has accepted all bytes.  When it ends
 * before, the bytes field of @result is the exact number that the socket did
 * accept, beside the error: go on from there.  A datagram is sent whole or not at
 * all.  Writes of several threads do not mix: first in, first out.
 *
 * Example::
 *
 *	int n = cancelio_write(conn, data, len, &how);
 *
 *	if (n < 0)
 *		printf("%s after %u bytes\n", strerror(-n), how.bytes);
 *
 * Return: @len, or
 *
 * * -ETIME: the write deadline passed; so does every write until it is moved
 * * -ECANCELED: by cancelio_cancel() or cancelio_cancel_write()
 * * -EBADF: the connection was closed; -ESHUTDOWN: the context was
 * * -EPIPE: this side or the peer is closed; -ECONNRESET: the peer reset the
 *   connection; -ETIMEDOUT: TCP gave it up
 * * -ENOTCONN, -EMSGSIZE, -ECONNREFUSED and others of send(2)
 * * -EFAULT: @buf cannot be read; -EINVAL: @len
 * * -EOPNOTSUPP: an AF_UNIX socket in a context of the thread engine
 * * -EAGAIN: too many operations in the context; -EPERM; -ENOMEM
 * * -EACCES: taken away by cancelio_restrict_ops()
 */
int cancelio_write(struct cancelio_conn *conn, const void *buf, size_t len,
		   struct cancelio_completion *result);

/**
 * cancelio_accept() - accept a connection
 * @listener: a connection whose socket listens
 * @conn: out: the new connection, without deadlines, its socket close-on-exec
 * @addr: out, may be NULL: the peer's address, as for accept4(2); may have been
 *	written also on failure
 * @addr_len: bytes at @addr; out: the address's length; NULL with @addr NULL
 * @result: out, may be NULL: how it ended; always written
 *
 * Waits until a connection is there and takes it with accept4(2), under
 * @listener's read deadline.  When another thread or process took it first, it
 * waits on under the same deadline.  A connection that broke before it was taken
 * (ECONNABORTED, and the network errors that accept(2) names) is passed over.
 *
 * Example::
 *
 *	while (cancelio_accept(listener, &conn, NULL, NULL, NULL) == 0)
 *		serve(conn);
 *
 * Return: 0, or
 *
 * * -ETIME: the read deadline passed; a connection that is there stays queued
 * * -ECANCELED: by cancelio_cancel() or cancelio_cancel_read()
 * * -EBADF: @listener was closed; -ESHUTDOWN: the context was
 * * -EINVAL: @listener does not listen
 * * -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -EPERM and others of accept4(2)
 * * the errors of cancelio_attach() for the new socket, which is then closed
 * * -EAGAIN: too many operations in the context
 * * -EACCES: taken away by cancelio_restrict_ops()
 */
int cancelio_accept(struct cancelio_conn *listener,
		    struct cancelio_conn **conn, struct sockaddr *addr,
		    socklen_t *addr_len, struct cancelio_completion *result);

/**
 * cancelio_connect() - connect a socket
 * @conn: a connection whose socket is not connected
 * @addr: the peer's address, as for connect(2)
 * @addr_len: bytes there
 * @deadline: for this call alone, ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER; the
 *	earlier of it and the write deadline counts
 * @result: out, may be NULL: how it ended; always written
 *
 * Starts with connect(2) and waits.  It succeeds only when the socket has no
 * error and has a peer.  A deadline or a cancel ends the waiting, not the
 * attempt: the same call again waits on, or finds that it succeeded meanwhile
 * (a cancel that races with the success spoils nothing).
 * cancelio_close() gives the attempt up.  After another error make a new socket.
 *
 * Example::
 *
 *	error = cancelio_connect(conn, (struct sockaddr *)&peer, sizeof(peer),
 *				 cancelio_after(2000000000), NULL);
 *
 * Return: 0, or
 *
 * * -ETIME: a deadline passed; when before the call, nothing was begun
 * * -ECANCELED: by cancelio_cancel() or cancelio_cancel_write()
 * * -EBADF: the connection was closed; -ESHUTDOWN: the context was
 * * -EISCONN: it was connected before
 * * -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH, -ENETUNREACH, -ETIMEDOUT (TCP's
 *   own), -EADDRNOTAVAIL, -EACCES, -EPERM and others of connect(2)
 * * -ENOTCONN: it failed, and another caller has taken the error
 * * -EAGAIN: of connect(2), or too many operations in the context; -ENOMEM
 */
int cancelio_connect(struct cancelio_conn *conn, const struct sockaddr *addr,
		     socklen_t addr_len, __s64 deadline,
		     struct cancelio_completion *result);

/**
 * cancelio_set_deadline() - set both deadlines, atomically
 * @conn: the connection
 * @deadline: ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER for none
 *
 * A deadline holds for the pending and all future operations of its side,
 * until it is moved.  Once it has passed, every operation of that side ends with
 * -ETIME at once; moved to the future or to none, the connection works again
 * and has lost nothing.  As SetDeadline of Go's net package.
 *
 * Example::
 *
 *	cancelio_set_deadline(conn, cancelio_after(5 * 1000000000LL));
 *
 * Return: 0, or
 *
 * * -EBADF: closed; -ESHUTDOWN: the context was; -EPERM
 */
int cancelio_set_deadline(struct cancelio_conn *conn, __s64 deadline);

/**
 * cancelio_set_read_deadline() - set the deadline of reads and accepts
 * @conn: the connection
 * @deadline: ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER for none
 *
 * Example::
 *
 *	cancelio_set_read_deadline(conn, CANCELIO_NEVER);
 *
 * Return: as cancelio_set_deadline().
 */
int cancelio_set_read_deadline(struct cancelio_conn *conn, __s64 deadline);

/**
 * cancelio_set_write_deadline() - set the deadline of writes and connects
 * @conn: the connection
 * @deadline: ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER for none
 *
 * Example::
 *
 *	cancelio_set_write_deadline(conn, cancelio_after(1000000000));
 *
 * Return: as cancelio_set_deadline().
 */
int cancelio_set_write_deadline(struct cancelio_conn *conn, __s64 deadline);

/**
 * cancelio_cancel() - end what is pending on both sides
 * @conn: the connection
 *
 * The calls and started operations that wait in @conn end with -ECANCELED, those
 * that had in fact finished report their success.  It leaves no mark: the next
 * call works.
 *
 * Example::
 *
 *	cancelio_cancel(conn);
 *
 * Return: how many operations it ended, or
 *
 * * -ENOENT: none was pending (an accept or connect that was caught between two
 *   of its steps ends all the same)
 * * -EBADF: closed; -ESHUTDOWN: the context was; -EPERM; -ENOMEM
 */
int cancelio_cancel(struct cancelio_conn *conn);

/**
 * cancelio_cancel_read() - end pending reads and accepts
 * @conn: the connection
 *
 * Example::
 *
 *	cancelio_cancel_read(listener);
 *
 * Return: as cancelio_cancel().
 */
int cancelio_cancel_read(struct cancelio_conn *conn);

/**
 * cancelio_cancel_write() - end pending writes and connects
 * @conn: the connection
 *
 * Example::
 *
 *	cancelio_cancel_write(conn);
 *
 * Return: as cancelio_cancel().
 */
int cancelio_cancel_write(struct cancelio_conn *conn);

/**
 * cancelio_close_read() - close the read side
 * @conn: the connection
 *
 * shutdown(2) with SHUT_RD: pending and later reads report the stream's end once
 * what has arrived was read.
 *
 * Example::
 *
 *	cancelio_close_read(conn);
 *
 * Return: 0, or
 *
 * * -EBADF: closed
 * * -ENOTCONN: not connected
 */
int cancelio_close_read(struct cancelio_conn *conn);

/**
 * cancelio_close_write() - close the write side
 * @conn: the connection
 *
 * shutdown(2) with SHUT_WR: the peer reads the stream's end after what was
 * written; pending and later writes end with -EPIPE.
 *
 * Example::
 *
 *	cancelio_write(conn, request, len, NULL);
 *	cancelio_close_write(conn);
 *
 * Return: as cancelio_close_read().
 */
int cancelio_close_write(struct cancelio_conn *conn);

/**
 * cancelio_start_read() - begin a read, to be waited for later
 * @conn: the connection
 * @buf: where the data goes; the kernel's until cancelio_op_wait() has given
 *	the result, or cancelio_op_cancel() has returned 1
 * @len: bytes there, 0 to %CANCELIO_MAX_LEN
 * @handle: out: names it; to be given to cancelio_op_wait(), also after the
 *	connection was closed, but before the context is freed
 *
 * Example::
 *
 *	struct cancelio_handle read;
 *
 *	cancelio_start_read(conn, buf, sizeof(buf), &read);
 *	do_something_else();
 *	n = cancelio_op_wait(&read, CANCELIO_NEVER, NULL);
 *
 * Return: 0, or
 *
 * * -EBADF: closed; -ESHUTDOWN: the context was; -EPERM
 * * -EINVAL: @len
 * * -EAGAIN: too many operations in the context; -ENOMEM
 * * -EACCES: taken away by cancelio_restrict_ops()
 */
int cancelio_start_read(struct cancelio_conn *conn, void *buf, size_t len,
			struct cancelio_handle *handle);

/**
 * cancelio_start_write() - begin a write, to be waited for later
 * @conn: the connection
 * @buf: the data; not to be changed until cancelio_op_wait() has given the
 *	result, or cancelio_op_cancel() has returned 1
 * @len: bytes there, 0 to %CANCELIO_MAX_LEN
 * @handle: out: as for cancelio_start_read()
 *
 * Example::
 *
 *	cancelio_start_write(conn, data, len, &write);
 *
 * Return: as cancelio_start_read(), or
 *
 * * -EOPNOTSUPP: an AF_UNIX socket in a context of the thread engine
 */
int cancelio_start_write(struct cancelio_conn *conn, const void *buf,
			 size_t len, struct cancelio_handle *handle);

/**
 * cancelio_op_cancel() - cancel one started operation
 * @handle: the operation
 *
 * Its result is still to be fetched with cancelio_op_wait().
 *
 * Example::
 *
 *	cancelio_op_cancel(&read);
 *	n = cancelio_op_wait(&read, CANCELIO_NEVER, NULL);
 *
 * Return: 1, or
 *
 * * -ENOENT: it had in fact finished, or its result was taken
 * * -ESHUTDOWN: the context was shut down; -EPERM; -ENOMEM
 */
int cancelio_op_cancel(const struct cancelio_handle *handle);

/**
 * cancelio_op_wait() - wait for one started operation
 * @handle: the operation
 * @time: return at this absolute time, ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER;
 *	0 looks once
 * @result: out, may be NULL: how the operation ended; not written for the errors
 *	marked below
 *
 * Gives the result once.  @time ends the waiting, not the operation.
 *
 * Example::
 *
 *	n = cancelio_op_wait(&read, cancelio_after(1000000), NULL);
 *	if (n == -EAGAIN)
 *		puts("not yet");
 *
 * Return: the bytes moved, or the errors of cancelio_read() and cancelio_write()
 * but -EAGAIN, or, with @result not written,
 *
 * * -EAGAIN: @time came first; the operation goes on
 * * -ENOENT: its result was taken; -EBUSY: another thread waits for it
 * * -EPERM
 */
int cancelio_op_wait(const struct cancelio_handle *handle, __s64 time,
		     struct cancelio_completion *result);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* CANCELIO_H */
