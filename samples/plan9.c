// SPDX-License-Identifier: GPL-2.0
/*
 * For those who come from Plan 9: asyncIO, one read or write that goes on by itself
 * and can be called off, and netFD, whose deadlines need no more than that.
 *
 * There, every operation had a process, asleep in its system call; a timer posted the
 * note "hangup" to it, the call came back interrupted, and the connection was as good
 * as before.  Here the thread engine does so inside the kernel:
 *
 *	the operation's process		a kernel thread: cancelio/PID-thread in ps
 *	its pid, and mu over it		the operation's id, never given twice: no lock
 *	the note "hangup"		SIGHUP, which only the kernel can send there
 *	rtimer, wtimer			the connection's two deadlines
 *	rtimedout, wtimedout		the same two: passed, they stay so until moved
 *	"interrupted"			-ETIME or -ECANCELED, according to who did it
 */
#include <cancelio.h>
#include "peer.h"

struct asyncIO {
	__u64 id;
	int refused;
};

struct result {
	int n;
	int err;
};

struct netFD {
	int sysfd;
	__u64 conn;
};

static struct cancelio *context;

/* Returns at once.  With HOLD the result is kept for the one that waits for this id. */
static struct asyncIO newAsyncIO(struct netFD *fd, __u32 fn, void *b, size_t len)
{
	struct cancelio_op op = { .opcode = fn, .flags = CANCELIO_OP_HOLD, .conn = fd->conn,
				  .addr = (unsigned long)b, .len = len };
	struct asyncIO aio = { 0 };

	cancelio_submit(context, &op, 1, &aio.id, &aio.refused);
	return aio;
}

/* An operation that has ended is not there any more, so this cannot hit the next one. */
static void Cancel(const struct asyncIO *aio)
{
	cancelio_cancel_id(context, aio->id);
}

/* Both the bytes and the error: a write may have moved some before it was ended. */
static struct result Wait(const struct asyncIO *aio)
{
	struct cancelio_completion res;
	int err = aio->refused ?: -EINTR;

	while (err == -EINTR)
		err = cancelio_wait_op(context, aio->id, CANCELIO_NEVER, &res);
	return err ? (struct result) { 0, err } : (struct result) { res.bytes, res.error };
}

/* Nobody looks whether the time is over: the kernel does, before it touches the socket. */
static struct result Read(struct netFD *fd, void *b, size_t len)
{
	struct asyncIO raio = newAsyncIO(fd, CANCELIO_OP_RECV, b, len);

	return Wait(&raio);
}

static struct result Write(struct netFD *fd, void *b, size_t len)
{
	struct asyncIO waio = newAsyncIO(fd, CANCELIO_OP_SEND, b, len);

	return Wait(&waio);
}

/* No timer to stop or to start anew.  CANCELIO_NEVER stands for the zero time. */
static int SetDeadline(struct netFD *fd, __s64 t)
{
	return cancelio_move_deadline(context, fd->conn, CANCELIO_READ | CANCELIO_WRITE, t, t);
}

static int SetReadDeadline(struct netFD *fd, __s64 t)
{
	return cancelio_move_deadline(context, fd->conn, CANCELIO_READ, t, 0);
}

static int SetWriteDeadline(struct netFD *fd, __s64 t)
{
	return cancelio_move_deadline(context, fd->conn, CANCELIO_WRITE, 0, t);
}

/* From here on: what was said, checked on a connection to ourselves. */
#define TOTAL	(16 << 20)	/* bytes, more than two sockets hold */

static unsigned char sent[TOTAL], got[TOTAL];

static void check_read(const char *what, struct result r, const char *text, int err)
{
	check(what, r.err == err && r.n == (int)strlen(text) && !memcmp(got, text, r.n),
	      r.n, r.err);
}

static void reads(struct netFD *fd, int peer)
{
	struct asyncIO aio = newAsyncIO(fd, CANCELIO_OP_RECV, got, TOTAL);
	int tries = 1000;
	__s64 t;

	while (!thread_sleeps() && --tries)
		usleep(10000);
	check("Read: a kernel thread sleeps for it", tries > 0, 0, 0);
	t = cancelio_after(50 * MS);
	SetReadDeadline(fd, t);
	check_read("  until its deadline", Wait(&aio), "", -ETIME);
	check("  and not a moment less", cancelio_now() >= t, 0, 0);
	peer_says(peer, "hello");
	check_read("Read of what has come since", Read(fd, got, TOTAL), "", -ETIME);
	SetReadDeadline(fd, CANCELIO_NEVER);
	check_read("  without a deadline", Read(fd, got, TOTAL), "hello", 0);

	SetReadDeadline(fd, cancelio_after(3000 * MS));
	aio = newAsyncIO(fd, CANCELIO_OP_RECV, got, TOTAL);
	SetReadDeadline(fd, CANCELIO_NEVER);
	usleep(3100000);
	peer_says(peer, "later");
	check_read("Read beyond a deadline since moved", Wait(&aio), "later", 0);
}

static void *cancel(void *aio)
{
	usleep(20000);
	Cancel(aio);
	return NULL;
}

static void cancels(struct netFD *fd, int peer)
{
	struct asyncIO aio = newAsyncIO(fd, CANCELIO_OP_RECV, got, TOTAL);
	pthread_t thread;

	pthread_create(&thread, NULL, cancel, &aio);
	check_read("Cancel by another thread", Wait(&aio), "", -ECANCELED);
	pthread_join(thread, NULL);
	Cancel(&aio);
	peer_says(peer, "again");
	check_read("  and the next Read", Read(fd, got, TOTAL), "again", 0);
}

static void writes(struct netFD *fd, int peer)
{
	struct asyncIO rest;
	struct result r;

	for (int i = 0; i < TOTAL; i++)
		sent[i] = i ^ i >> 8 ^ i >> 16;
	SetWriteDeadline(fd, cancelio_after(100 * MS));
	r = Write(fd, sent, TOTAL);
	check("Write to a peer that does not read", r.err == -ETIME, r.n, r.err);
	SetWriteDeadline(fd, CANCELIO_NEVER);
	rest = newAsyncIO(fd, CANCELIO_OP_SEND, sent + r.n, TOTAL - r.n);
	recv(peer, got, TOTAL, MSG_WAITALL);
	r = Wait(&rest);
	check("  and the rest, once it reads", !r.err && !memcmp(sent, got, TOTAL), r.n, r.err);
}

int main(void)
{
	struct cancelio_setup setup = { .engine = CANCELIO_ENGINE_THREAD };
	int listener = peer_listen(0), peer = peer_dial(listener);
	struct netFD fd = { .sysfd = accept(listener, NULL, NULL) };
	struct result r;

	if (cancelio_open(&context, &setup) || cancelio_attach_fd(context, fd.sysfd, &fd.conn))
		return 1;
	reads(&fd, peer);
	cancels(&fd, peer);
	writes(&fd, peer);
	SetDeadline(&fd, cancelio_now());
	r = Write(&fd, sent, 1);
	check("SetDeadline to now, Write", !r.n && r.err == -ETIME, r.n, r.err);
	check_read("SetDeadline to now, Read", Read(&fd, got, 1), "", -ETIME);
	cancelio_free(context);
	return failures > 0;
}
