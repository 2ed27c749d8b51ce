// SPDX-License-Identifier: GPL-2.0
/* Every call, in the situations in which it allocates or copies. */
#define _GNU_SOURCE
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that a context has room for at first. */
#define FIRST_CONNS 13

static const char data[BYTES] = "what is read and written here, to be found at the other end";
static struct cancelio_stats counts;

/* What stands in a socket. */
static const char *holds(int sock, size_t bytes)
{
	char got[BYTES + 1];
	ssize_t len = recv(sock, got, sizeof(got), MSG_DONTWAIT);

	if (len < 0)
		len = 0;
	if ((size_t)len != bytes)
		return "bytes were lost, or doubled";
	return memcmp(got, data, bytes) ? "the bytes are others" : NULL;
}

/* An end that the fault, or none, explains. */
static const char *explained(const struct cancelio_completion *result)
{
	if (result->reason == CANCELIO_DONE && !result->error)
		return NULL;
	if (result->reason == CANCELIO_ERROR &&
	    (is_fault(result->error) || result->error == -ENOBUFS))
		return NULL;
	return "the operation ended in a way that no fault explains";
}

/* A read moved all, or nothing and left it in the socket. */
static const char *read_right(struct stage *stage, const struct cancelio_completion *result)
{
	if (explained(result))
		return explained(result);
	if (result->reason != CANCELIO_DONE)
		return holds(stage->sock, BYTES);
	if (result->bytes != BYTES || memcmp(stage->buffer, data, BYTES))
		return "the read is done, and the bytes are not there";
	return holds(stage->sock, 0);
}

static const char *write_right(struct stage *stage, const struct cancelio_completion *result)
{
	if (explained(result))
		return explained(result);
	if (result->reason == CANCELIO_DONE && result->bytes != BYTES)
		return "the write is done, and not all bytes are gone";
	return holds(stage->peer, result->bytes);
}

static int give(struct stage *stage)
{
	return write(stage->peer, data, BYTES) == BYTES ? 0 : -errno;
}

/* Data that has arrived. */
static int feed(struct stage *stage)
{
	int ret = give(stage);

	return ret || wait_events(stage->sock, POLLIN) ? ret : -ETIME;
}

static struct cancelio_op recv_op(struct stage *stage)
{
	return op_recv(stage->conn, stage->buffer, BYTES);
}

static struct cancelio_op send_op(struct stage *stage)
{
	return op_send(stage->conn, data, BYTES);
}

/* Two buffers, an address and room for control data. */
static struct cancelio_op recvmsg_op(struct stage *stage)
{
	stage->iov[0] = iovec_of(stage->buffer, 16);
	stage->iov[1] = iovec_of(stage->buffer + 16, BYTES - 16);
	stage->msg = message_of(stage->iov, 2);
	stage->msg.control = (unsigned long)stage->control;
	stage->msg.control_len = sizeof(stage->control);
	return op_recvmsg(stage->conn, &stage->msg);
}

static struct cancelio_op sendmsg_op(struct stage *stage)
{
	stage->iov[0] = iovec_of((void *)data, 16);
	stage->iov[1] = iovec_of((void *)(data + 16), BYTES - 16);
	stage->msg = message_of(stage->iov, 2);
	stage->msg.flags = 0;
	return op_sendmsg(stage->conn, &stage->msg);
}

/* With a descriptor: the context's own would be a cycle. */
static struct cancelio_op sendfd_op(struct stage *stage)
{
	struct cancelio_op op = sendmsg_op(stage);
	struct cmsghdr *head = (struct cmsghdr *)stage->control;
	int fd = stage->peer;

	head->cmsg_len = CMSG_LEN(sizeof(fd));
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	stage->msg.control = (unsigned long)stage->control;
	stage->msg.control_len = CMSG_SPACE(sizeof(fd));
	return op;
}

static struct cancelio_op ready_op(struct stage *stage)
{
	return op_ready(stage->conn, POLLIN);
}

/* Submit: one that was taken ends, one that was not has done nothing. */
#define SUBMIT(_kind)							\
static int submit_##_kind(struct stage *stage)				\
{									\
	struct cancelio_op op = _kind##_op(stage);			\
									\
	return cio_submit(stage->fd, &op, 1, &stage->id, NULL);		\
}

SUBMIT(recv)
SUBMIT(send)
SUBMIT(recvmsg)
SUBMIT(sendmsg)
SUBMIT(sendfd)
SUBMIT(ready)

/* The structures of a newer program: they are copied by other functions. */
static int submit_longer(struct stage *stage)
{
	struct {
		struct cancelio_op op;
		__u64 more;
	} entry = { .op = recv_op(stage) };
	struct {
		struct cancelio_submit submit;
		__u64 more;
	} arg = { .submit = {
		.size = sizeof(arg), .op_size = sizeof(entry), .count = 1,
		.ops = (unsigned long)&entry, .ids = (unsigned long)&stage->id,
	} };

	return cio_ioctl(stage->fd, CANCELIO_SUBMIT, &arg);
}

/* A read that was submitted before or after its data came. */
static const char *submitted_read(struct stage *stage, int ret)
{
	struct cancelio_completion result;

	if (ret < 0)
		return holds(stage->sock, BYTES);
	if (reap(stage->fd, &result) != 1)
		return "no completion";
	return read_right(stage, &result);
}

/* Its data comes only now. */
static const char *submitted_waits(struct stage *stage, int ret)
{
	struct cancelio_completion result;

	if (give(stage))
		return "the peer cannot send";
	if (ret < 0)
		return wait_events(stage->sock, POLLIN) ? holds(stage->sock, BYTES) : "no data";
	if (reap(stage->fd, &result) != 1)
		return "no completion";
	return read_right(stage, &result);
}

static const char *submitted_write(struct stage *stage, int ret)
{
	struct cancelio_completion result;

	if (ret < 0)
		return holds(stage->peer, 0);
	if (reap(stage->fd, &result) != 1)
		return "no completion";
	if (result.bytes)
		wait_events(stage->peer, POLLIN);
	return write_right(stage, &result);
}

static const char *submitted_ready(struct stage *stage, int ret)
{
	struct cancelio_completion result;

	if (ret >= 0 && (reap(stage->fd, &result) != 1 || explained(&result)))
		return "no completion, or another one";
	return holds(stage->sock, BYTES);
}

/* CALL: after a failure its operation may have done its work, like recvmsg(2)'s. */
#define CALL(_kind)							\
static int call_##_kind(struct stage *stage)				\
{									\
	struct cancelio_op op = _kind##_op(stage);			\
									\
	return cio_call(stage->fd, &op, &stage->id, &stage->result);	\
}

CALL(recv)
CALL(send)
CALL(recvmsg)
CALL(sendmsg)

static const char *called_read(struct stage *stage, int ret)
{
	if (!ret)
		return read_right(stage, &stage->result);
	return !holds(stage->sock, BYTES) ? NULL : holds(stage->sock, 0);
}

static const char *called_write(struct stage *stage, int ret)
{
	if (ret)
		return NULL;
	if (stage->result.bytes)
		wait_events(stage->peer, POLLIN);
	return write_right(stage, &stage->result);
}

/* Open, SETUP, ATTACH, DETACH. */
static int act_open(struct stage *stage)
{
	stage->extra = cio_open();
	return stage->extra < 0 ? stage->extra : 0;
}

static int prepare_open(struct stage *stage)
{
	stage->fd = cio_open();
	return stage->fd < 0 ? stage->fd : 0;
}

static int act_setup(struct stage *stage)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = stage->engine, .entries = ENTRIES,
	};

	return cio_setup(stage->fd, &setup);
}

/* One that failed left the context as it was. */
static const char *check_setup(struct stage *stage, int ret)
{
	if (ret)
		ret = act_setup(stage);
	return ret ? "the second attempt fails" : NULL;
}

static int act_setup_cpus(struct stage *stage)
{
	__u64 processors = ~0ULL;
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = stage->engine, .entries = ENTRIES,
		.cpus = (unsigned long)&processors, .cpus_size = sizeof(processors),
	};

	return cio_setup(stage->fd, &setup);
}

static int prepare_second(struct stage *stage)
{
	int ends[2];
	int ret = tcp_pair(AF_INET, ends);

	if (ret)
		return ret;
	close(ends[1]);
	stage->extra = ends[0];
	return 0;
}

static int act_attach(struct stage *stage)
{
	__u64 conn;

	return cio_attach(stage->fd, stage->extra, &conn);
}

static const char *check_attach(struct stage *stage, int ret)
{
	if (ret)
		ret = act_attach(stage);
	if (ret)
		return "the second attempt fails";
	return act_attach(stage) == -EEXIST ? NULL : "it is attached twice, or not at all";
}

/* A context without connections. */
static int prepare_first(struct stage *stage)
{
	int ret = prepare_open(stage) ?: act_setup(stage);

	return ret ?: prepare_second(stage);
}

/* The table of connections is full. */
static int prepare_full(struct stage *stage)
{
	int i, ret = 0;
	__u64 conn;

	for (i = 1; i < FIRST_CONNS && !ret; i++) {
		ret = prepare_second(stage) ?: cio_attach(stage->fd, stage->extra, &conn);
		close(stage->extra);
		stage->extra = -1;
	}
	return ret ?: prepare_second(stage);
}

static int act_detach(struct stage *stage)
{
	return cio_detach(stage->fd, stage->conn);
}

static const char *check_detach(struct stage *stage, int ret)
{
	if (ret)
		ret = act_detach(stage);
	if (ret)
		return "the second attempt fails";
	return act_detach(stage) == -EBADF ? NULL : "it is attached still";
}

/* Three of four are valid. */
static int act_batch(struct stage *stage)
{
	struct cancelio_op ops[4];
	__u64 ids[4];
	int i;

	for (i = 0; i < 4; i++)
		ops[i] = with_cookie(recv_op(stage), i);
	ops[3].opcode = 99;
	return cio_submit(stage->fd, ops, 4, ids, NULL);
}

static const char *check_batch(struct stage *stage, int ret)
{
	struct cancelio_completion results[4];
	unsigned int seen = 0;
	int i;

	if (ret < 0)
		return NULL;
	if (cio_cancel(stage->fd, CANCELIO_CANCEL_ALL, 0, 0) != ret ||
	    cio_wait(stage->fd, ret, results, 4, after(LONG_ENOUGH)) != ret)
		return "not as many go on as were taken";
	/* In any order: a thread ends the one that it sleeps for by itself. */
	for (i = 0; i < ret; i++)
		seen |= 1U << results[i].user_data;
	return seen == (1U << ret) - 1 ? NULL : "others were taken than said";
}

/* Three completions to be copied out. */
static int prepare_three(struct stage *stage)
{
	int i;

	for (i = 0; i < 3; i++)
		if (submit_one(stage->fd, with_cookie(ready_op(stage), i)) != 1)
			return -EIO;
	return feed(stage);
}

static int act_wait(struct stage *stage)
{
	struct cancelio_completion *to = (void *)stage->page;

	return cio_wait(stage->fd, 3, to, 4, after(LONG_ENOUGH));
}

static int prepare_wait(struct stage *stage)
{
	stage->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return stage->page == MAP_FAILED ? -ENOMEM : prepare_three(stage);
}

static const char *check_wait(struct stage *stage, int ret)
{
	struct cancelio_completion *to = (void *)stage->page;
	int rest = 3 - (ret > 0 ? ret : 0), i;
	const char *wrong = NULL;

	if (rest && cio_wait(stage->fd, rest, to + 3 - rest, 4, after(LONG_ENOUGH)) != rest)
		wrong = "completions were lost";
	for (i = 3 - rest; !wrong && i < 3; i++)
		if (to[i].user_data != (__u64)i)
			wrong = "completions were changed";
	munmap(to, 4096);
	return wrong ?: holds(stage->sock, BYTES);
}

static int prepare_held_result(struct stage *stage)
{
	struct cancelio_op op = with_flags(ready_op(stage), CANCELIO_OP_HOLD);

	if (cio_submit(stage->fd, &op, 1, &stage->id, NULL) != 1)
		return -EIO;
	return feed(stage);
}

static int act_wait_op(struct stage *stage)
{
	return cio_wait_op(stage->fd, stage->id, after(LONG_ENOUGH), &stage->result);
}

static const char *check_wait_op(struct stage *stage, int ret)
{
	if (ret)
		ret = act_wait_op(stage);
	if (ret || stage->result.id != stage->id)
		return "the result was lost";
	return holds(stage->sock, BYTES);
}

/* Cancel: two reads that wait. */
static int prepare_two(struct stage *stage)
{
	struct cancelio_op ops[2] = {
		with_cookie(recv_op(stage), 7), with_cookie(recv_op(stage), 7),
	};
	__u64 ids[2];

	if (cio_submit(stage->fd, ops, 2, ids, NULL) != 2)
		return -EIO;
	stage->id = ids[0];
	return 0;
}

static int cancel_id(struct stage *stage)
{
	return cio_cancel(stage->fd, CANCELIO_CANCEL_ID, stage->id, 0);
}

static int cancel_cookie(struct stage *stage)
{
	return cio_cancel(stage->fd, CANCELIO_CANCEL_COOKIE, 7, 0);
}

static int cancel_conn(struct stage *stage)
{
	return cio_cancel(stage->fd, CANCELIO_CANCEL_CONN, stage->conn, CANCELIO_READ);
}

static int cancel_all(struct stage *stage)
{
	return cio_cancel(stage->fd, CANCELIO_CANCEL_ALL, 0, 0);
}

/* Whatever was canceled or not: what is left can be, and each ends once. */
static const char *check_cancel(struct stage *stage, int ret)
{
	struct cancelio_completion results[2];
	int rest = cancel_all(stage);

	if (rest == -ENOENT)
		rest = 0;
	if (rest < 0 || (ret >= 0 && ret + rest != 2) || (ret < 0 && rest > 2))
		return "not as many were canceled as said";
	if (cio_wait(stage->fd, 2, results, 2, after(LONG_ENOUGH)) != 2)
		return "a completion was lost";
	if (results[0].reason != CANCELIO_CANCELED || results[1].reason != CANCELIO_CANCELED)
		return "one ended for another reason";
	return NULL;
}

/*
 * A read at its attempt, in a page that is held back until the cancel waits for it, or
 * has returned.
 */
static atomic_bool returned;
static pthread_t releaser;

static bool main_sleeps(void)
{
	char name[64], text[256] = "", *end;
	int fd;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", getpid());
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		exit(1);
	close(fd);
	end = strrchr(text, ')');
	return end && end[2] == 'S';
}

static void *release(void *argument)
{
	struct stage *stage = argument;

	while (!returned && !main_sleeps())
		sched_yield();
	if (release_page(stage->uffd, stage->page))
		exit(1);
	return NULL;
}

static int prepare_running(struct stage *stage)
{
	struct cancelio_op op;

	stage->page = held_page(&stage->uffd);
	if (!stage->page)
		return -EOPNOTSUPP;
	op = with_flags(op_recv(stage->conn, stage->page, BYTES), CANCELIO_OP_WORKER);
	op = with_cookie(op, 7);
	if (cio_submit(stage->fd, &op, 1, &stage->id, NULL) != 1 || feed(stage))
		return -EIO;
	if (!await_fault(stage->uffd))
		return -EIO;
	returned = false;
	return -pthread_create(&releaser, NULL, release, stage);
}

/* Nothing is found where the attempt did its work: 0 then. */
#define CANCEL_RUNNING(_scope)						\
static int cancel_running_##_scope(struct stage *stage)			\
{									\
	int ret = cancel_##_scope(stage);				\
									\
	return ret == -ENOENT ? 0 : ret;				\
}

CANCEL_RUNNING(id)
CANCEL_RUNNING(cookie)
CANCEL_RUNNING(conn)
CANCEL_RUNNING(all)

static const char *check_running(struct stage *stage, int ret)
{
	struct cancelio_completion result;
	bool done;

	returned = true;
	pthread_join(releaser, NULL);
	if (reap(stage->fd, &result) != 1)
		return "no completion";
	done = result.reason == CANCELIO_DONE;
	if (!done && result.reason != CANCELIO_CANCELED)
		return "it ended for another reason";
	munmap(stage->page, 4096);
	return holds(stage->sock, done ? 0 : BYTES);
}

static int act_deadline(struct stage *stage)
{
	return cio_deadline(stage->fd, stage->conn, CANCELIO_READ, 0, 0);
}

static const char *check_deadline(struct stage *stage, int ret)
{
	struct cancelio_completion results[2];

	if (ret && act_deadline(stage))
		return "the second attempt fails";
	if (cio_wait(stage->fd, 2, results, 2, after(LONG_ENOUGH)) != 2)
		return "a completion was lost";
	return results[0].reason == CANCELIO_DEADLINE ? NULL : "one ended for another reason";
}

static int prepare_eventfd(struct stage *stage)
{
	stage->extra = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return stage->extra < 0 ? -errno : 0;
}

/* One operation has been counted. */
static int prepare_stats(struct stage *stage)
{
	return feed(stage) ?: call_recv(stage);
}

static int act_stats(struct stage *stage)
{
	return cio_stats(stage->fd, CANCELIO_STATS_RESET, &counts);
}

/* What could not be told is told the next time. */
static const char *check_stats(struct stage *stage, int ret)
{
	if (ret)
		ret = act_stats(stage);
	if (ret)
		return "the second attempt fails";
	return counts.submitted == 1 ? NULL : "the operation is not counted, or twice";
}

static int act_eventfd(struct stage *stage)
{
	return cio_eventfd(stage->fd, stage->extra);
}

static int act_restrict(struct stage *stage)
{
	return cio_restrict(stage->fd, ~0U >> 27, CANCELIO_READ | CANCELIO_WRITE);
}

static int act_info(struct stage *stage)
{
	struct cancelio_info info;

	return cio_info(stage->fd, &info);
}

static int act_mmap(struct stage *stage)
{
	stage->page = (char *)cio_map(stage->fd, ENTRIES);
	return stage->page ? 0 : -errno;
}

/* Once it is mapped the program reaps; else WAIT goes on to. */
static const char *check_mmap(struct stage *stage, int ret)
{
	if (ret)
		return NULL;
	if (munmap(stage->page, cio_ring_bytes(ENTRIES)))
		return "cannot be unmapped";
	close(stage->fd);
	stage->fd = -1;
	return NULL;
}

static int act_fdinfo(struct stage *stage)
{
	char name[64], text[4096];
	int fd, ret = 0;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", stage->fd);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int act_poll(struct stage *stage)
{
	struct pollfd look = { .fd = stage->fd, .events = POLLIN };

	return poll(&look, 1, 0) < 0 ? -errno : 0;
}

static int act_shutdown(struct stage *stage)
{
	return cio_shutdown(stage->fd);
}

/* The two reads of before end, and nothing is accepted. */
static const char *check_shutdown(struct stage *stage, int ret)
{
	struct cancelio_completion results[2];

	if (ret && act_shutdown(stage))
		return "the second attempt fails";
	if (cio_wait(stage->fd, 2, results, 2, after(LONG_ENOUGH)) != 2)
		return "a completion was lost";
	close(stage->fd);
	stage->fd = -1;
	return NULL;
}

static int act_close(struct stage *stage)
{
	int ret = close(stage->fd);

	stage->fd = -1;
	return ret ? -errno : 0;
}

/* Work for a thread of the module; the operation waits before the fault is set. */
static int prepare_worker_recv(struct stage *stage)
{
	struct cancelio_op op = with_flags(recv_op(stage), CANCELIO_OP_WORKER);

	return submit_one(stage->fd, op) == 1 ? 0 : -EIO;
}

static int prepare_worker_recvmsg(struct stage *stage)
{
	struct cancelio_op op = with_flags(recvmsg_op(stage), CANCELIO_OP_WORKER);

	return submit_one(stage->fd, op) == 1 ? 0 : -EIO;
}

static int act_feed(struct stage *stage)
{
	int ret = give(stage);

	if (ret)
		return ret;
	return wait_events(stage->fd, POLLIN) ? 0 : -ETIME;
}

static int act_worker_send(struct stage *stage)
{
	struct cancelio_op op = with_flags(send_op(stage), CANCELIO_OP_WORKER);

	if (cio_submit(stage->fd, &op, 1, NULL, NULL) != 1)
		return -EIO;
	return wait_events(stage->fd, POLLIN) ? 0 : -ETIME;
}

const struct scene scenes[] = {
	{ "open", .no_context = true, .act = act_open },
	{ "info", .act = act_info },
	{ "setup", .no_context = true, .prepare = prepare_open, .act = act_setup,
	  .check = check_setup },
	{ "setup-cpus", .no_context = true, .prepare = prepare_open, .act = act_setup_cpus,
	  .check = check_setup },
	{ "attach-first", .no_context = true, .prepare = prepare_first, .act = act_attach,
	  .check = check_attach },
	{ "attach-full", .prepare = prepare_full, .act = act_attach, .check = check_attach },
	{ "attach", .prepare = prepare_second, .act = act_attach, .check = check_attach },
	{ "detach", .act = act_detach, .check = check_detach },
	{ "submit-recv", .prepare = feed, .act = submit_recv, .check = submitted_read },
	{ "submit-longer", .prepare = feed, .act = submit_longer, .check = submitted_read },
	{ "submit-recv-waits", .act = submit_recv, .check = submitted_waits },
	{ "submit-send", .act = submit_send, .check = submitted_write },
	{ "submit-recvmsg", .prepare = feed, .act = submit_recvmsg, .check = submitted_read },
	{ "submit-recvmsg-waits", .act = submit_recvmsg, .check = submitted_waits },
	{ "submit-sendmsg", .act = submit_sendmsg, .check = submitted_write },
	{ "submit-ready", .prepare = feed, .act = submit_ready, .check = submitted_ready },
	{ "submit-batch", .act = act_batch, .check = check_batch },
	{ "unix-send", .no_thread = true, .is_unix = true, .act = submit_send,
	  .check = submitted_write },
	{ "unix-descriptor", .no_thread = true, .is_unix = true, .act = submit_sendfd,
	  .check = submitted_write },
	{ "unix-recvmsg", .no_thread = true, .is_unix = true, .prepare = feed,
	  .act = submit_recvmsg, .check = submitted_read },
	{ "call-recv", .prepare = feed, .act = call_recv, .check = called_read },
	{ "call-send", .act = call_send, .check = called_write },
	{ "call-recvmsg", .prepare = feed, .act = call_recvmsg, .check = called_read },
	{ "call-sendmsg", .act = call_sendmsg, .check = called_write },
	{ "wait", .prepare = prepare_wait, .act = act_wait, .check = check_wait },
	{ "wait-op", .prepare = prepare_held_result, .act = act_wait_op, .check = check_wait_op },
	{ "cancel-id", .prepare = prepare_two, .act = cancel_id, .check = check_cancel },
	{ "cancel-cookie", .prepare = prepare_two, .act = cancel_cookie, .check = check_cancel },
	{ "cancel-conn", .prepare = prepare_two, .act = cancel_conn, .check = check_cancel },
	{ "cancel-all", .prepare = prepare_two, .act = cancel_all, .check = check_cancel },
	{ "cancel-running-id", .prepare = prepare_running, .act = cancel_running_id,
	  .check = check_running },
	{ "cancel-running-cookie", .prepare = prepare_running, .act = cancel_running_cookie,
	  .check = check_running },
	{ "cancel-running-conn", .prepare = prepare_running, .act = cancel_running_conn,
	  .check = check_running },
	{ "cancel-running-all", .prepare = prepare_running, .act = cancel_running_all,
	  .check = check_running },
	{ "set-deadline", .prepare = prepare_two, .act = act_deadline, .check = check_deadline },
	{ "eventfd", .prepare = prepare_eventfd, .act = act_eventfd },
	{ "stats", .prepare = prepare_stats, .act = act_stats, .check = check_stats },
	{ "restrict", .act = act_restrict },
	{ "mmap", .act = act_mmap, .check = check_mmap },
	{ "fdinfo", .act = act_fdinfo },
	{ "poll", .act = act_poll },
	{ "shutdown", .prepare = prepare_two, .act = act_shutdown, .check = check_shutdown },
	{ "close", .prepare = prepare_two, .act = act_close },
	{ "worker-recv", .prepare = prepare_worker_recv, .act = act_feed,
	  .check = submitted_read, .by_worker = true },
	{ "worker-recvmsg", .prepare = prepare_worker_recvmsg, .act = act_feed,
	  .check = submitted_read, .by_worker = true },
	{ "worker-send", .act = act_worker_send, .check = submitted_write, .by_worker = true },
	{ }
};
