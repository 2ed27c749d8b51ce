/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libcancelio, the lower layer: contexts, one function per ioctl of
 * <linux/cancelio.h>.  Programs include <cancelio.h>, which includes this.
 */
#ifndef CANCELIO_CONTEXT_H
#define CANCELIO_CONTEXT_H

#include <linux/cancelio.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/**
 * DOC: The lower layer
 *
 * A &struct cancelio is one context of /dev/cancelio.  The functions here are
 * one to one with the ioctls of <linux/cancelio.h>, which specifies them, and
 * name connections and operations by the kernel's numbers.  The library fills in
 * the size fields; it never retries and hides no result.
 *
 * Besides the errors named at each function, every one that takes a context can
 * return those common to every ioctl: -EPERM in another process than the one
 * that opened it, -ESHUTDOWN after the context was shut down (not from
 * cancelio_info(), cancelio_map_ring(), cancelio_wait(), cancelio_wait_op() and
 * cancelio_read_stats()), -EOPNOTSUPP for what the module does not have yet, and
 * -EFAULT for a bad pointer.
 *
 * Every function may be called from any thread of the process at any time, but
 * cancelio_free() by the last user only, and cancelio_peek() and
 * cancelio_advance() by one thread at a time.
 */

/* A context: one open of /dev/cancelio. */
struct cancelio;

/**
 * cancelio_open() - open and set up a context
 * @context: out: the context, to be ended with cancelio_free()
 * @setup: engine, entries, max_workers, slack, and how its threads are scheduled, as
 *	for %CANCELIO_SETUP, zero for the defaults; out: ring_bytes and conn_limit.  NULL:
 *	all defaults
 *
 * Opens /dev/cancelio close-on-exec, checks that the module speaks this
 * library's ABI, and sets the context up.
 *
 * Example::
 *
 *	struct cancelio_setup setup = { .entries = 1024 };
 *	struct cancelio *context;
 *	int error = cancelio_open(&context, &setup);
 *
 * Return: 0, or
 *
 * * -ENOENT, -EACCES, -EMFILE, -ENFILE and others of open(2); -ENOENT, -ENODEV
 *   and -ENXIO where the module is not loaded
 * * -EPROTO: the module speaks another ABI than the library
 * * -EINVAL: a value of @setup is out of range, a flag unknown, reserved not zero
 * * -EPERM: a scheduling policy, priority or nice value that the caller may not have
 * * -EFAULT: @setup's cpus cannot be read
 * * -EOPNOTSUPP: the module does not have that engine
 * * -ENOMEM: no memory; -EAGAIN: no worker thread could be made, or the process
 *   has as many as it may
 */
int cancelio_open(struct cancelio **context, struct cancelio_setup *setup);

/**
 * cancelio_free() - end a context
 * @context: the context, or NULL
 *
 * Shuts the context down: whatever is pending ends with CLOSED, and every
 * connection is detached.  The caller sees to it that no other thread is inside a
 * function of the lower layer, or calls one afterwards.  Connections of the upper
 * layer may still exist: their calls return, and each has still to be given to
 * cancelio_close(); the descriptor and the memory go with the last of them.
 *
 * In a child process after fork(2) it gives back the child's copies only.
 *
 * Example::
 *
 *	cancelio_free(context);
 */
void cancelio_free(struct cancelio *context);

/**
 * cancelio_fd() - the context's file descriptor
 * @context: the context
 *
 * For poll(2), select(2) and epoll(7): it is readable exactly while completions
 * are in the ring.  It stays the library's: do not close it.
 *
 * Example::
 *
 *	struct pollfd p = { .fd = cancelio_fd(context), .events = POLLIN };
 *
 * Return: the descriptor.
 */
int cancelio_fd(const struct cancelio *context);

/**
 * cancelio_info() - ask what the module can do
 * @context: the context
 * @info: out: see &struct cancelio_info
 *
 * Example::
 *
 *	struct cancelio_info info;
 *
 *	if (cancelio_info(context, &info) == 0 &&
 *	    info.engines & (1U << CANCELIO_ENGINE_THREAD))
 *		puts("has the thread engine");
 *
 * Return: 0, or a common error.
 */
int cancelio_info(struct cancelio *context, struct cancelio_info *info);

/**
 * cancelio_attach_fd() - attach a socket
 * @context: the context
 * @fd: the socket, which stays the caller's
 * @conn: out: the connection's number, never 0
 *
 * The context holds the socket open until cancelio_detach(): closing @fd alone
 * sends no FIN.  cancelio_attach() is the same one layer up.
 *
 * Example::
 *
 *	__u64 conn;
 *	int error = cancelio_attach_fd(context, fd, &conn);
 *
 * Return: 0, or
 *
 * * -EBADF: @fd is not open; -ENOTSOCK: not a socket
 * * -EPROTONOSUPPORT: neither TCP nor UDP nor AF_UNIX
 * * -EEXIST: attached to this context already
 * * -EMFILE: the process has RLIMIT_NOFILE sockets attached; -ENOMEM
 */
int cancelio_attach_fd(struct cancelio *context, int fd, __u64 *conn);

/**
 * cancelio_detach() - detach a socket
 * @context: the context
 * @conn: the connection's number
 *
 * Ends the operations of both sides with CLOSED, waits until none is in flight
 * and drops the socket.
 *
 * Example::
 *
 *	cancelio_detach(context, conn);
 *	close(fd);
 *
 * Return: 0, or
 *
 * * -EBADF: no such connection, or detached already
 * * -EINTR: a signal came while an operation was running; it ends soon
 */
int cancelio_detach(struct cancelio *context, __u64 conn);

/**
 * cancelio_submit() - submit an array of operations
 * @context: the context
 * @ops: the operations; their buffers belong to the kernel until each ends
 * @count: how many, 1 to %CANCELIO_MAX_BATCH
 * @ids: out, may be NULL: the id of each operation taken, room for @count
 * @refused: out, may be NULL: why the first operation that was not taken was
 *	refused, -errno, or 0 when all were taken; written on every return
 *
 * Takes the operations in order and stops at the first that it must refuse.
 *
 * Example::
 *
 *	struct cancelio_op op = {
 *		.opcode = CANCELIO_OP_RECV,
 *		.flags = CANCELIO_OP_TIMEOUT,
 *		.conn = conn,
 *		.user_data = 42,
 *		.addr = (__u64)(uintptr_t)buf,
 *		.len = sizeof(buf),
 *		.deadline = 300 * 1000000LL,
 *	};
 *	int taken = cancelio_submit(context, &op, 1, NULL, NULL);
 *
 * Return: how many it took, at least 1, or
 *
 * * -EAGAIN: no room in the ring, or too many operations: reap first
 * * -EBADF: no such connection
 * * -EINVAL: @count or an operation's opcode, flag, length or reserved field
 * * -EOPNOTSUPP: an opcode that the module, engine or socket lacks
 * * -EACCES: taken away by cancelio_restrict_ops()
 * * -EFAULT: @ops or a message cannot be read, or @ids not be written
 * * -ENOBUFS: a message has too much control data
 * * -EINTR: a fatal signal came; -ENOMEM
 */
int cancelio_submit(struct cancelio *context, const struct cancelio_op *ops,
		    unsigned int count, __u64 *ids, int *refused);

/**
 * cancelio_submit_and_wait() - submit an array of operations, and wait, in one call
 * @context: the context
 * @ops: the operations; their buffers belong to the kernel until each ends
 * @count: how many, 1 to %CANCELIO_MAX_BATCH
 * @ids: out, may be NULL: the id of each operation taken, room for @count
 * @min: when all were taken, wait until this many completions are in the ring, 1 to
 *	its entries, whichever operations they are of; 0: do not wait
 * @time: do not wait longer than to this absolute time, ns; %CANCELIO_NEVER: no limit;
 *	0 without @min
 * @error: out, may be NULL: why the first operation that was not taken was refused, or
 *	when all were taken how the wait ended, 0 when @min completions are there;
 *	written on every return
 *
 * The completions are then reaped by cancelio_peek(), or where the ring is not mapped by
 * cancelio_wait(), which does not sleep for them.
 *
 * Example::
 *
 *	int error;
 *	int taken = cancelio_submit_and_wait(context, ops, 2, NULL, 1,
 *					     cancelio_after(SECOND), &error);
 *	if (taken == 2 && error == -ETIME)
 *		puts("both are pending still");
 *
 * Return: how many it took, at least 1, or an error as cancelio_submit(), or
 *
 * * -EINVAL: @min above the ring's entries, or @time without @min
 *
 * In @error, when all were taken:
 *
 * * -ETIME: @time came first
 * * -EINTR: a signal came first
 * * -ESHUTDOWN: the context was shut down, and fewer than @min completions are left
 */
int cancelio_submit_and_wait(struct cancelio *context, const struct cancelio_op *ops,
			     unsigned int count, __u64 *ids, unsigned int min, __s64 time,
			     int *error);

/**
 * cancelio_call() - submit one operation and wait for it
 * @context: the context
 * @op: the operation
 * @id: out, may be NULL: its id, 0 when it was refused; written on every return
 * @result: out: how it ended
 *
 * The result goes to this caller alone and takes no entry of the ring.
 *
 * Example::
 *
 *	int error = cancelio_call(context, &op, &id, &result);
 *
 *	while (error == -EINTR && id)
 *		error = cancelio_wait_op(context, id, CANCELIO_NEVER, &result);
 *
 * Return: 0 with @result however the operation ended, or
 *
 * * -EINTR: a signal came first; the operation goes on, and cancelio_wait_op()
 *   gives its result
 * * the errors of cancelio_submit()
 */
int cancelio_call(struct cancelio *context, const struct cancelio_op *op,
		  __u64 *id, struct cancelio_completion *result);

/**
 * cancelio_wait() - wait for completions
 * @context: the context
 * @min: return when so many are there; 0: look once, run what is ready, return
 * @time: return at this absolute time, ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER
 * @completions: out: the completions; NULL in a context whose ring is mapped
 * @max: room at @completions, entries; not below @min
 *
 * Example::
 *
 *	struct cancelio_completion done[64];
 *	int n = cancelio_wait(context, 1, cancelio_after(1000000000), done, 64);
 *
 * Return: how many it copied, or in a context whose ring is mapped how many are
 * in the ring; or
 *
 * * -ETIME, -EINTR: @time or a signal came first; none was copied
 * * -EBUSY: the ring is mapped, and @completions is not NULL
 * * -EINVAL: @min is above @max or above the ring's entries
 * * -ESHUTDOWN: the context was shut down, and fewer than @min are left
 */
int cancelio_wait(struct cancelio *context, unsigned int min, __s64 time,
		  struct cancelio_completion *completions, unsigned int max);

/**
 * cancelio_wait_op() - wait for one held operation
 * @context: the context
 * @id: an operation with %CANCELIO_OP_HOLD, or whose cancelio_call() was
 *	interrupted
 * @time: return at this absolute time, ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER
 * @result: out: how it ended; given once
 *
 * Example::
 *
 *	error = cancelio_wait_op(context, id, CANCELIO_NEVER, &result);
 *
 * Return: 0 with @result however the operation ended, or
 *
 * * -ETIME, -EINTR: @time or a signal came first; the operation goes on
 * * -ENOENT: no such operation, or its result was taken
 * * -EINVAL: it is not a held one; -EBUSY: another thread waits for it
 */
int cancelio_wait_op(struct cancelio *context, __u64 id, __s64 time,
		     struct cancelio_completion *result);

/**
 * cancelio_cancel_id() - cancel one operation
 * @context: the context
 * @id: its id
 *
 * When a cancel returns how many it ended, the kernel touches none of their
 * memory again and their completions are visible.  It leaves no mark: the next
 * operation works.
 *
 * Example::
 *
 *	if (cancelio_cancel_id(context, id) == -ENOENT)
 *		puts("had ended already");
 *
 * Return: 1, or
 *
 * * -ENOENT: no such operation, or it had in fact finished
 * * -EINTR: a signal came while it waited for a running operation; the cancel
 *   stays requested
 * * -ENOMEM
 */
int cancelio_cancel_id(struct cancelio *context, __u64 id);

/**
 * cancelio_cancel_cookie() - cancel all operations of a cookie
 * @context: the context
 * @cookie: the user_data they were submitted with
 *
 * Example::
 *
 *	cancelio_cancel_cookie(context, 42);
 *
 * Return: how many it ended, or the errors of cancelio_cancel_id().
 */
int cancelio_cancel_cookie(struct cancelio *context, __u64 cookie);

/**
 * cancelio_cancel_conn_ops() - cancel the operations of a connection
 * @context: the context
 * @conn: the connection's number
 * @sides: %CANCELIO_READ, %CANCELIO_WRITE or both
 *
 * Example::
 *
 *	cancelio_cancel_conn_ops(context, conn, CANCELIO_READ);
 *
 * Return: how many it ended, or the errors of cancelio_cancel_id(), or
 *
 * * -EBADF: no such connection
 * * -EINVAL: @sides
 */
int cancelio_cancel_conn_ops(struct cancelio *context, __u64 conn,
			     unsigned int sides);

/**
 * cancelio_cancel_all() - cancel all operations of a context
 * @context: the context
 *
 * Example::
 *
 *	cancelio_cancel_all(context);
 *
 * Return: how many it ended, or the errors of cancelio_cancel_id().
 */
int cancelio_cancel_all(struct cancelio *context);

/**
 * cancelio_move_deadline() - move a connection's deadlines
 * @context: the context
 * @conn: the connection's number
 * @sides: %CANCELIO_READ, %CANCELIO_WRITE or both: which are moved
 * @read: the read side's deadline, ns of CLOCK_MONOTONIC, or %CANCELIO_NEVER;
 *	ignored when not moved
 * @write: the write side's, likewise
 *
 * A deadline holds for pending and future operations of its side until it is
 * moved, and one that has passed ends every later one at once, as with
 * SetDeadline of Go's net package.  Both are moved atomically.
 *
 * Example::
 *
 *	cancelio_move_deadline(context, conn, CANCELIO_READ,
 *			       cancelio_after(300 * 1000000LL), 0);
 *
 * Return: 0, or
 *
 * * -EBADF: no such connection
 * * -EINVAL: @sides
 */
int cancelio_move_deadline(struct cancelio *context, __u64 conn,
			   unsigned int sides, __s64 read, __s64 write);

/**
 * cancelio_shutdown_context() - end everything in a context
 * @context: the context, which still has to be given to cancelio_free()
 *
 * Everything pending ends with CLOSED, every connection is detached, and the
 * completions can still be reaped.  Threads that wait inside return.
 *
 * Example::
 *
 *	cancelio_shutdown_context(context);
 *	while ((n = cancelio_wait(context, 0, 0, done, 64)) > 0)
 *		reap(done, n);
 *
 * Return: 0, or
 *
 * * -EINTR: a signal came while an operation was running; it ends soon
 * * -ESHUTDOWN: it was shut down before
 */
int cancelio_shutdown_context(struct cancelio *context);

/**
 * cancelio_set_eventfd() - signal an eventfd for completions
 * @context: the context
 * @fd: an eventfd(2), or -1 to stop
 *
 * Signalled after each batch of completions in the ring, at once when some are
 * there now, and when the context is shut down.  Read the eventfd first, then reap
 * all there is: so none is missed.  It replaces the one that was set before, which
 * is not signalled any more.  The context keeps it, whether or not @fd is closed.
 *
 * Example::
 *
 *	error = cancelio_set_eventfd(context, eventfd(0, EFD_CLOEXEC));
 *
 * Return: 0, or
 *
 * * -EBADF: @fd is not open; -EINVAL: not an eventfd, or below -1
 */
int cancelio_set_eventfd(struct cancelio *context, int fd);

/**
 * cancelio_read_stats() - what a context has counted
 * @context: the context
 * @flags: 0, or %CANCELIO_STATS_RESET to count from zero from now on
 * @stats: out: see &struct cancelio_stats
 *
 * Example::
 *
 *	struct cancelio_stats stats;
 *
 *	if (cancelio_read_stats(context, 0, &stats) == 0)
 *		printf("%llu deadlines missed\n", stats.ended[CANCELIO_DEADLINE]);
 *
 * Return: 0, or
 *
 * * -EINVAL: @flags
 * * -ENOMEM
 */
int cancelio_read_stats(struct cancelio *context, unsigned int flags,
			struct cancelio_stats *stats);

/**
 * cancelio_restrict_ops() - give up operations, for good
 * @context: the context
 * @ops: the opcodes that stay allowed, a bit (1 << opcode) each
 * @sides: the sides that stay allowed, %CANCELIO_READ and %CANCELIO_WRITE
 *
 * What is not allowed is refused with -EACCES, by the functions of both layers;
 * what was accepted before goes on.  cancelio_accept() and cancelio_connect() need
 * %CANCELIO_OP_WAIT_READY.  A second call can only remove more.
 *
 * Example::
 *
 *	cancelio_restrict_ops(context, 1U << CANCELIO_OP_RECV, CANCELIO_READ);
 *
 * Return: 0, or
 *
 * * -EINVAL: an unknown bit
 */
int cancelio_restrict_ops(struct cancelio *context, unsigned int ops,
			  unsigned int sides);

/**
 * cancelio_map_ring() - map the completion ring
 * @context: the context
 *
 * From then on the program reaps with cancelio_peek() and cancelio_advance(),
 * without a system call, and cancelio_wait() only waits.  A second call changes
 * nothing.
 *
 * Example::
 *
 *	error = cancelio_map_ring(context);
 *
 * Return: 0, or
 *
 * * -ENOMEM and others of mmap(2)
 * * -EPROTO: the ring is not one that this library understands
 */
int cancelio_map_ring(struct cancelio *context);

/**
 * cancelio_peek() - copy completions from the mapped ring, and leave them there
 * @context: the context
 * @completions: out: the completions, oldest first
 * @max: room there, entries
 *
 * One thread at a time may reap: cancelio_peek() and cancelio_advance() take no
 * lock.
 *
 * Example::
 *
 *	while ((n = cancelio_peek(context, done, 64)) > 0) {
 *		handle(done, n);
 *		cancelio_advance(context, n);
 *	}
 *
 * Return: how many it copied, 0 when the ring is empty, or
 *
 * * -ENXIO: the ring is not mapped
 */
int cancelio_peek(struct cancelio *context,
		  struct cancelio_completion *completions, unsigned int max);

/**
 * cancelio_advance() - give entries of the mapped ring back to the kernel
 * @context: the context
 * @count: how many, the oldest ones
 *
 * See cancelio_peek() for an example.
 *
 * Return: 0, or
 *
 * * -ENXIO: the ring is not mapped
 * * -EINVAL: there are not so many in it; nothing happened
 */
int cancelio_advance(struct cancelio *context, unsigned int count);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* CANCELIO_CONTEXT_H */
