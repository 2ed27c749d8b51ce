// SPDX-License-Identifier: GPL-2.0
#include "io.h"

#include "msg.h"

#include <linux/poll.h>
#include <linux/socket.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <net/busy_poll.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#define RECV_FLAGS (MSG_PEEK | MSG_WAITALL | MSG_TRUNC | MSG_NOSIGNAL | \
		    MSG_CMSG_CLOEXEC)
#define SEND_FLAGS (MSG_MORE | MSG_EOR | MSG_NOSIGNAL)
/* Bytes that one attempt gives to a stream. */
#define SEND_SLICE (128U << 10)
#define READ_EVENTS (POLLIN | POLLPRI | POLLRDHUP)

static int io_check_events(u32 events)
{
	if (!events)
		return -EINVAL;
	if (!(events & ~READ_EVENTS) || events == POLLOUT)
		return 0;
	return -EINVAL;
}

/* Whether the operation's own fields are valid. */
int cio_io_check(const struct cancelio_op *req)
{
	u32 allowed = RECV_FLAGS;

	switch (req->opcode) {
	case CANCELIO_OP_WAIT_READY:
		if (req->addr || req->len)
			return -EINVAL;
		return io_check_events(req->msg_flags);
	case CANCELIO_OP_SENDMSG:
	case CANCELIO_OP_SEND:
		allowed = SEND_FLAGS;
		break;
	case CANCELIO_OP_RECVMSG:
	case CANCELIO_OP_RECV:
		break;
	default:
		return -EINVAL;
	}
	if (req->msg_flags & ~allowed ||
	    req->len > (cio_opcode_has_msg(req->opcode) ? 0 : CANCELIO_MAX_LEN))
		return -EINVAL;
	if ((req->msg_flags & MSG_PEEK) && (req->msg_flags & MSG_WAITALL))
		return -EINVAL;
	return 0;
}

/*
 * The kernel's internal codes stay inside (C7): an attempt that does not wait
 * is not interrupted, and if one says so nevertheless, it has moved nothing.
 */
static int io_plain_error(int ret)
{
	switch (ret) {
	case -EWOULDBLOCK:
	/* A send with TCP_FASTOPEN_CONNECT has begun to connect. */
	case -EINPROGRESS:
	case -EINTR:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return -EAGAIN;
	default:
		return ret;
	}
}

/* A UNIX socket whose peer has gone stays connected, and is shut down. */
static bool io_is_broken(const struct cio_conn *conn)
{
	const struct sock *sk = conn->sock->sk;

	if (conn->is_unix)
		return READ_ONCE(sk->sk_shutdown) == SHUTDOWN_MASK;
	return READ_ONCE(sk->sk_state) == TCP_CLOSE;
}

/*
 * A broken connection's failure concerns both sides, but the socket tells it only
 * once, to whoever asks first: keep it (C33).  Not what the attempt itself was
 * refused for, nor ECONNREFUSED, after which the socket can be connected again.
 * A UNIX socket breaks in one way only, and refuses in many.
 */
static int io_keep_error(struct cio_conn *conn, int error)
{
	if (!conn->is_connected || !io_is_broken(conn))
		return error;
	if (conn->is_unix && error != -ECONNRESET)
		return error;
	switch (error) {
	case -EAGAIN:
	case -ECONNREFUSED:
	case -EFAULT:
	case -EINVAL:
	case -ENOBUFS:
	case -ENOMEM:
	case -ENOTCONN:
	case -EOPNOTSUPP:
		break;
	default:
		WRITE_ONCE(conn->error, error);
	}
	return error;
}

/* What is on the socket, before an attempt takes it off. */
static void io_keep_socket_error(struct cio_conn *conn)
{
	int error = READ_ONCE(conn->sock->sk->sk_err);

	if (unlikely(error))
		io_keep_error(conn, -error);
	else if (unlikely(READ_ONCE(conn->error)) && !io_is_broken(conn))
		/* It was connected anew. */
		WRITE_ONCE(conn->error, 0);
}

/* Whether the addresses of what is left can be nobody's memory. */
static bool io_is_bad(const struct cio_op *op)
{
	if (cio_op_has_msg(op))
		return op->msg->bad;
	return !access_ok(u64_to_user_ptr(op->addr + op->done),
			  op->len - op->done);
}

/* What is left, and not bad. */
static void io_import(const struct cio_op *op, int direction,
		      struct iov_iter *iter)
{
	if (cio_op_has_msg(op))
		cio_msg_import(op, direction, iter);
	else
		iov_iter_ubuf(iter, direction,
			      u64_to_user_ptr(op->addr + op->done),
			      op->len - op->done);
}

/*
 * SO_RCVLOWAT: a stream with fewer bytes than that is not ready.  The socket wakes
 * nobody for them, but an attempt that does not wait would take them.
 */
static bool io_below_lowat(struct cio_conn *conn, const struct cio_op *op)
{
	struct sock *sk = conn->sock->sk;
	u32 events;

	if (!conn->is_stream || (op->msg_flags & MSG_WAITALL) ||
	    READ_ONCE(sk->sk_rcvlowat) <= 1)
		return false;
	events = (__force u32)vfs_poll(conn->file, NULL);
	return !(events & (POLLIN | POLLRDHUP | POLLERR | POLLHUP));
}

/*
 * Whether a read of TCP is sure to find nothing, seen without the socket's lock.
 * Everything that changes it is followed by an event, which is noticed like one
 * during an attempt.  The first read of a conn is tried all the same: security
 * modules may refuse it.  What is between socket and program (TLS, BPF, IPsec over TCP
 * put a function of their own there), a socket under repair, and busy polling, only an
 * attempt knows; and only an attempt forgets the error of an earlier connection.
 */
static bool io_is_empty(const struct cio_conn *conn)
{
	struct sock *sk = conn->sock->sk;

	return conn->is_tcp && conn->was_read &&
	       skb_queue_empty_lockless(&sk->sk_receive_queue) &&
	       READ_ONCE(sk->sk_state) == TCP_ESTABLISHED &&
	       !READ_ONCE(sk->sk_err) &&
	       !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) &&
	       READ_ONCE(sk->sk_prot)->recvmsg == tcp_prot.recvmsg &&
	       !tcp_sk(sk)->repair && !READ_ONCE(conn->error) &&
	       !sk_can_busy_loop(sk);
}

/*
 * Whether 0 bytes would be the end.  For packets: nobody can send to one that
 * has ended, so that none comes after this look.
 */
static bool io_reads_end(const struct cio_conn *conn)
{
	return conn->is_stream ||
	       (conn->is_connected &&
		skb_queue_empty_lockless(&conn->sock->sk->sk_receive_queue));
}

/*
 * The attempt found nothing.  A datagram socket that was shut down says so only
 * to a read that waits.
 */
static int io_recv_nothing(struct cio_conn *conn, struct cio_op *op, int error)
{
	if (error == -EAGAIN && !conn->is_stream &&
	    (READ_ONCE(conn->sock->sk->sk_shutdown) & RCV_SHUTDOWN))
		return 0;
	return io_keep_error(conn, error);
}

static bool io_got_control(const struct cio_op *op, const struct msghdr *msg)
{
	return cio_op_has_msg(op) && cio_msg_got_control(op->msg, msg);
}

/*
 * Whether MSG_WAITALL has more to wait for.  As with recvmsg(2), data with control
 * data of a UNIX stream, another writer's perhaps, is not glued to other data.
 */
static bool io_wants_more(const struct cio_conn *conn, const struct cio_op *op,
			  const struct msghdr *msg)
{
	if (!conn->is_stream || !(op->msg_flags & MSG_WAITALL) ||
	    op->done == op->len)
		return false;
	return !conn->is_unix || !io_got_control(op, msg);
}

/*
 * @address is for that of the sender of a message.  Not inline: kernels may clear what
 * a function has on the stack, also where it returns before it needs it.
 */
static noinline int io_recv(struct cio_conn *conn, struct cio_op *op,
			    struct sockaddr_storage *address)
{
	struct msghdr msg = {};
	bool end, ended;
	int ret, error;

	io_import(op, ITER_DEST, &msg.msg_iter);
	if (cio_op_has_msg(op))
		cio_msg_recv_begin(op, &msg, address);
	end = io_reads_end(conn);
	io_keep_socket_error(conn);
	ret = sock_recvmsg(conn->sock, &msg, MSG_DONTWAIT |
			   (op->msg_flags & ~MSG_WAITALL) |
			   (msg.msg_flags & MSG_CMSG_COMPAT));
	if (ret < 0)
		ret = io_recv_nothing(conn, op, io_plain_error(ret));
	conn->was_read |= ret >= 0 || ret == -EAGAIN;
	if (ret < 0)
		return ret;
	op->done += ret;
	/* A message of 0 bytes that brings descriptors is none. */
	ended = end && !ret && op->len > op->done &&
		(conn->is_stream || !io_got_control(op, &msg));
	if (ended) {
		/* A connection that reads as ended may have been reset. */
		io_keep_socket_error(conn);
		error = READ_ONCE(conn->error);
		if (error)
			return error;
	}
	/* The end after a part, with MSG_WAITALL, leaves what came with the part. */
	if (ret || !op->done) {
		/* Of all parts: control data that an earlier one lost is lost. */
		op->events |= msg.msg_flags & CIO_MSG_FLAGS;
		if (cio_op_has_msg(op) &&
		    cio_msg_recv_end(op->msg, &msg, op->events))
			return -EFAULT;
	}
	return !ended && io_wants_more(conn, op, &msg) ? CIO_IO_MORE : 0;
}

static noinline int io_recv_message(struct cio_conn *conn, struct cio_op *op)
{
	struct sockaddr_storage address;

	return io_recv(conn, op, &address);
}

/* Where nothing is there, nothing is made ready for an attempt. */
static int io_recv_if_any(struct cio_conn *conn, struct cio_op *op)
{
	if (io_is_bad(op))
		return -EFAULT;
	if (io_is_empty(conn) || io_below_lowat(conn, op))
		return -EAGAIN;
	return cio_op_has_msg(op) ? io_recv_message(conn, op) :
				    io_recv(conn, op, NULL);
}

/*
 * The socket wakes somebody when it becomes writable.  One that is writable and
 * takes nothing all the same will not: an unconnected UNIX datagram socket whose
 * addressee is full, TCP short of memory.
 *
 * Events from before the look at the socket are forgotten, for what they said is
 * seen by it: room, an error, a hang-up, a shutdown.  A UNIX datagram socket
 * reports its own failed attempt as an event.
 */
static int io_send_waits(struct cio_conn *conn, struct cio_op *op)
{
	const struct sock *sk = conn->sock->sk;
	u32 events;

	spin_lock_irq(&conn->lock);
	cio_op_side(conn, op)->again = false;
	spin_unlock_irq(&conn->lock);
	events = (__force u32)vfs_poll(conn->file, NULL);
	if (events & (POLLOUT | POLLERR | POLLHUP) ||
	    READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return CIO_IO_LATER;
	return -EAGAIN;
}

/*
 * A peer that takes as fast as we give would never let the attempt end, and with it
 * neither a deadline nor a cancel (C16).
 */
static void io_cut(const struct cio_conn *conn, struct msghdr *msg)
{
	if (!conn->is_stream || iov_iter_count(&msg->msg_iter) <= SEND_SLICE)
		return;
	iov_iter_truncate(&msg->msg_iter, SEND_SLICE);
	msg->msg_flags &= ~MSG_EOR;
}

static int io_send(struct cio_conn *conn, struct cio_op *op,
		   struct sockaddr_storage *address)
{
	struct msghdr msg = {};
	int ret;

	if (io_is_bad(op))
		return -EFAULT;
	io_import(op, ITER_SOURCE, &msg.msg_iter);
	/*
	 * Descriptors go once.  Elsewhere control data can concern all of the
	 * bytes, as the kind of a TLS record does.
	 */
	if (cio_op_has_msg(op))
		cio_msg_send_begin(op, &msg, address, !op->done ||
				   conn->sock->sk->sk_family != AF_UNIX);
	msg.msg_flags = op->msg_flags | MSG_DONTWAIT | MSG_NOSIGNAL;
	io_cut(conn, &msg);
	io_keep_socket_error(conn);
	ret = sock_sendmsg(conn->sock, &msg);
	/* A write gets EPIPE also after the program's own shutdown(2). */
	if (ret == -EPIPE && conn->is_connected)
		return READ_ONCE(conn->error) ?: -EPIPE;
	if (ret < 0)
		ret = io_keep_error(conn, io_plain_error(ret));
	if (ret == -EAGAIN)
		return io_send_waits(conn, op);
	if (ret < 0)
		return ret;
	op->done += ret;
	return conn->is_stream && op->done < op->len ? CIO_IO_MORE : 0;
}

static int io_send_message(struct cio_conn *conn, struct cio_op *op)
{
	struct sockaddr_storage address;

	return io_send(conn, op, &address);
}

static int io_wait_ready(struct cio_conn *conn, struct cio_op *op)
{
	u32 events = (__force u32)vfs_poll(conn->file, NULL);

	op->events = events & (op->msg_flags | POLLERR | POLLHUP);
	return op->events ? 0 : -EAGAIN;
}

/*
 * Try once, without waiting, under the program's memory and the submitter's
 * credentials.  Returns 0 when done, CIO_IO_MORE, -EAGAIN or CIO_IO_LATER when
 * it would wait, or the error.  What was moved is added to the operation.
 */
int cio_io_try(struct cio_conn *conn, struct cio_op *op)
{
	/* TCP_ULP has put another socket behind the file. */
	if (unlikely(sock_from_file(conn->file) != conn->sock))
		return -ENOTSOCK;
	switch (op->opcode) {
	case CANCELIO_OP_RECV:
	case CANCELIO_OP_RECVMSG:
		return io_recv_if_any(conn, op);
	case CANCELIO_OP_SEND:
		return io_send(conn, op, NULL);
	case CANCELIO_OP_SENDMSG:
		return io_send_message(conn, op);
	default:
		return io_wait_ready(conn, op);
	}
}

/* SO_BUSY_POLL: for how long a thread that waits is to look at the device itself. */
u64 cio_io_busy_poll_ns(const struct cio_conn *conn)
{
#ifdef CONFIG_NET_RX_BUSY_POLL
	if (conn->is_unix || sock_from_file(conn->file) != conn->sock)
		return 0;
	return (u64)READ_ONCE(conn->sock->sk->sk_ll_usec) * NSEC_PER_USEC;
#else
	return 0;
#endif
}

/* One such look, where the socket wants it; without waiting. */
void cio_io_busy_poll(const struct cio_conn *conn)
{
	struct sock *sk = conn->sock->sk;

	if (cio_io_busy_poll_ns(conn) && sk_can_busy_loop(sk))
		sk_busy_loop(sk, true);
}
