// SPDX-License-Identifier: GPL-2.0
/*
 * steady: once a context is set up, sockets are attached and it has worked for a while, the
 * module allocates nothing for an operation.  Each allocation of the module is made to fail
 * from then on, and the kernel counts how many it fails: all has to work as before, and the
 * count to stay at none.  Then calls that do allocate are refused, which shows that the
 * failing is real.
 *
 * An allocation of the module is one with a function of the module on the stack, not far below
 * the allocator: the socket's own ones are further away.  The kernel must run with
 * no_debug_objects, whose books are allocated just as near.
 */
#define _GNU_SOURCE
#include "../selftests/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../selftests/watch.h"

#define FAULTS "/sys/kernel/debug/"
#define ENTRIES 8
#define BYTES 64
#define ROUNDS 30
/* Seconds for these. */
#define PATIENCE 300
/* Of the innermost functions so many; the socket's allocations have the module behind them. */
#define NEAR 8
#define MANY 1000000
/* More operations than pend here otherwise, and than a page has room for. */
#define MORE 64

struct stage {
	const char *engine;
	int fd;
	int sock;
	int peer;
	__u64 conn;
	char buffer[BYTES];
};

static const char data[BYTES] = "what is sent and received";
static const char *const injectors[] = { "failslab", "fail_page_alloc" };

static void die(const char *what)
{
	fprintf(stderr, "steady: %s\n", what);
	exit(1);
}

static void put(const char *injector, const char *name, const char *text)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), FAULTS "%s/%s", injector, name);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("this kernel does not make allocations fail by who makes them");
	close(fd);
}

static void put_number(const char *injector, const char *name, unsigned long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%#lx", number);
	put(injector, name, text);
}

/* Where the module's functions are; its data may be counted to them. */
static void module_range(unsigned long *begin, unsigned long *end)
{
	FILE *modules = fopen("/proc/modules", "r");
	unsigned long size = 0;
	char line[512];

	*begin = 0;
	while (modules && fgets(line, sizeof(line), modules))
		if (sscanf(line, "cancelio %lu %*s %*s %*s %lx", &size, begin) == 2)
			break;
	if (!*begin || !size)
		die("where the module is cannot be seen");
	fclose(modules);
	*end = *begin + size;
}

/* From now on all of them fail, also those that may wait. */
static void fail_all(void)
{
	unsigned long begin, end;
	int i;

	module_range(&begin, &end);
	for (i = 0; i < 2; i++) {
		put(injectors[i], "ignore-gfp-wait", "N");
		put_number(injectors[i], "require-start", begin);
		put_number(injectors[i], "require-end", end);
		put_number(injectors[i], "stacktrace-depth", NEAR);
		put_number(injectors[i], "times", MANY);
	}
	put("fail_page_alloc", "ignore-gfp-highmem", "N");
	put("fail_page_alloc", "min-order", "0");
	for (i = 0; i < 2; i++)
		put_number(injectors[i], "probability", 100);
}

static void fail_none(void)
{
	int i;

	for (i = 0; i < 2; i++)
		put_number(injectors[i], "probability", 0);
}

/* How many were made to fail since fail_all(); the kernel's log says where. */
static int count_failed(void)
{
	int sum = 0, left, i;

	for (i = 0; i < 2; i++) {
		char file[128];
		FILE *times;

		snprintf(file, sizeof(file), FAULTS "%s/times", injectors[i]);
		times = fopen(file, "r");
		if (!times || fscanf(times, "%d", &left) != 1)
			die("how many failed cannot be seen");
		fclose(times);
		sum += MANY - left;
	}
	return sum;
}

static bool feed(struct stage *stage)
{
	return write(stage->peer, data, BYTES) == BYTES;
}

static bool take(struct stage *stage)
{
	char got[BYTES];

	return recv(stage->peer, got, BYTES, MSG_WAITALL) == BYTES && !memcmp(got, data, BYTES);
}

static struct cancelio_op recv_op(struct stage *stage)
{
	return op_recv(stage->conn, stage->buffer, BYTES);
}

/* An end of the one that pends. */
static bool ends(struct stage *stage, enum cancelio_reason reason)
{
	struct cancelio_completion end;

	return reap(stage->fd, &end) == 1 && end.reason == reason;
}

static bool received(struct stage *stage, const struct cancelio_completion *end)
{
	return end->reason == CANCELIO_DONE && end->bytes == BYTES &&
	       !memcmp(stage->buffer, data, BYTES);
}

static bool call_ready(struct stage *stage)
{
	struct cancelio_completion end;

	return feed(stage) && wait_events(stage->sock, POLLIN) &&
	       !run(stage->fd, recv_op(stage), &end) && received(stage, &end);
}

/* Once the other thread sleeps in its call. */
static void *feed_later(void *argument)
{
	struct stage *stage = argument;
	pid_t thread = getpid();

	return await_in_ioctl(&thread) && feed(stage) ? stage : NULL;
}

static bool call_blocked(struct stage *stage)
{
	struct cancelio_completion end;
	pthread_t feeder;
	void *fed;
	int ret;

	if (pthread_create(&feeder, NULL, feed_later, stage))
		return false;
	ret = run(stage->fd, recv_op(stage), &end);
	pthread_join(feeder, &fed);
	return fed && !ret && received(stage, &end);
}

static bool call_deadline(struct stage *stage)
{
	struct cancelio_completion end;

	return !run(stage->fd, with_timeout(recv_op(stage), MS), &end) &&
	       end.reason == CANCELIO_DEADLINE;
}

static bool call_send(struct stage *stage)
{
	struct cancelio_completion end;

	return !run(stage->fd, op_send(stage->conn, data, BYTES), &end) &&
	       end.reason == CANCELIO_DONE && take(stage);
}

static bool submit_ready(struct stage *stage)
{
	return feed(stage) && wait_events(stage->sock, POLLIN) &&
	       submit_one(stage->fd, recv_op(stage)) == 1 && ends(stage, CANCELIO_DONE);
}

static bool submit_blocked(struct stage *stage)
{
	return submit_one(stage->fd, recv_op(stage)) == 1 && feed(stage) &&
	       ends(stage, CANCELIO_DONE);
}

/* All that the ring has room for: those behind the first one wait in the queue. */
static bool submit_many(struct stage *stage)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (submit_one(stage->fd, recv_op(stage)) != 1)
			return false;
	for (i = 0; i < ENTRIES; i++)
		if (!feed(stage) || !ends(stage, CANCELIO_DONE))
			return false;
	return true;
}

static bool submit_worker(struct stage *stage)
{
	struct cancelio_op op = with_flags(recv_op(stage), CANCELIO_OP_WORKER);

	return submit_one(stage->fd, op) == 1 && feed(stage) && ends(stage, CANCELIO_DONE);
}

static bool submit_send(struct stage *stage)
{
	return submit_one(stage->fd, op_send(stage->conn, data, BYTES)) == 1 &&
	       ends(stage, CANCELIO_DONE) && take(stage);
}

static bool wait_ready(struct stage *stage)
{
	return submit_one(stage->fd, op_ready(stage->conn, POLLIN)) == 1 && feed(stage) &&
	       ends(stage, CANCELIO_DONE) && submit_one(stage->fd, recv_op(stage)) == 1 &&
	       ends(stage, CANCELIO_DONE);
}

static bool submit_deadline(struct stage *stage)
{
	return submit_one(stage->fd, with_timeout(recv_op(stage), MS)) == 1 &&
	       ends(stage, CANCELIO_DEADLINE);
}

static bool set_deadline(struct stage *stage, __s64 deadline)
{
	return !cio_deadline(stage->fd, stage->conn, CANCELIO_READ, deadline, 0);
}

/* The connection's, moved while a read pends. */
static bool conn_deadline(struct stage *stage)
{
	return set_deadline(stage, after(LONG_ENOUGH)) &&
	       submit_one(stage->fd, recv_op(stage)) == 1 &&
	       set_deadline(stage, after(2 * LONG_ENOUGH)) && set_deadline(stage, after(MS)) &&
	       ends(stage, CANCELIO_DEADLINE) && set_deadline(stage, CANCELIO_NEVER);
}

/* One that waits behind another: nobody has it, on either engine. */
static bool cancel_waiting(struct stage *stage)
{
	struct cancelio_op ops[2] = { recv_op(stage), recv_op(stage) };
	__u64 ids[2];

	return cio_submit(stage->fd, ops, 2, ids, NULL) == 2 &&
	       cio_cancel(stage->fd, CANCELIO_CANCEL_ID, ids[1], 0) == 1 &&
	       ends(stage, CANCELIO_CANCELED) && feed(stage) && ends(stage, CANCELIO_DONE);
}

static const struct {
	const char *name;
	bool (*play)(struct stage *stage);
} works[] = {
	{ "CALL of a receive, data there", call_ready },
	{ "CALL of a receive, blocked", call_blocked },
	{ "CALL of a receive, its deadline passes", call_deadline },
	{ "CALL of a send", call_send },
	{ "SUBMIT of a receive, data there", submit_ready },
	{ "SUBMIT of a receive, blocked", submit_blocked },
	{ "SUBMIT of as many receives as there is room for", submit_many },
	{ "SUBMIT of a receive to a worker", submit_worker },
	{ "SUBMIT of a send", submit_send },
	{ "SUBMIT of a wait for readiness", wait_ready },
	{ "SUBMIT of a receive, its deadline passes", submit_deadline },
	{ "a connection's deadline, set, moved, passing", conn_deadline },
	{ "a cancel by id", cancel_waiting },
	{ }
};

/* One thread, so that none is made meanwhile. */
static void stage_make(struct stage *stage, __u32 engine)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = engine, .entries = ENTRIES, .max_workers = 1,
	};
	int ends[2];

	stage->engine = engine == CANCELIO_ENGINE_POLL ? "poll" : "thread";
	stage->fd = cio_open();
	if (stage->fd < 0 || cio_setup(stage->fd, &setup) || tcp_pair(AF_INET, ends) ||
	    cio_attach(stage->fd, ends[0], &stage->conn))
		die("a context cannot be made");
	stage->sock = ends[0];
	stage->peer = ends[1];
}

static void stage_end(struct stage *stage)
{
	close(stage->fd);
	close(stage->sock);
	close(stage->peer);
}

/* Returns how many kinds of work went wrong, or allocated. */
static int play_all(struct stage *stage, bool failing)
{
	int before, made, i, k, bad = 0;
	bool right;

	for (i = 0; works[i].name; i++) {
		alarm(PATIENCE);
		before = failing ? count_failed() : 0;
		right = true;
		for (k = 0; k < ROUNDS && right; k++)
			right = works[i].play(stage);
		made = failing ? count_failed() - before : 0;
		bad += !right || made;
		if (failing)
			printf("steady: %s engine: %s: %s, %d allocations in %d rounds\n",
			       stage->engine, works[i].name, right ? "ok" : "WRONG", made, k);
		else if (!right)
			die(works[i].name);
		if (!right)
			break;
	}
	alarm(0);
	return bad;
}

static int submit_message(struct stage *stage)
{
	struct cancelio_iovec iov = iovec_of(stage->buffer, BYTES);
	struct cancelio_msg msg = message_of(&iov, 1);

	return submit_one(stage->fd, op_recvmsg(stage->conn, &msg));
}

/* More than ever pended: memory for those comes by the page. */
static int submit_more(struct stage *stage)
{
	struct cancelio_op ops[MORE];
	int i, ret, error = 0;

	for (i = 0; i < MORE; i++)
		ops[i] = with_flags(recv_op(stage), CANCELIO_OP_HOLD);
	ret = cio_submit(stage->fd, ops, MORE, NULL, &error);
	return ret >= 0 && ret < MORE ? error : ret;
}

static int attach_another(struct stage *stage)
{
	int ends[2], ret;

	if (tcp_pair(AF_INET, ends))
		die("there are no more sockets");
	ret = cio_attach(stage->fd, ends[0], NULL);
	close(ends[0]);
	close(ends[1]);
	return ret;
}

static int cancel_conn(struct stage *stage)
{
	return cio_cancel(stage->fd, CANCELIO_CANCEL_CONN, stage->conn, CANCELIO_READ);
}

/* What does allocate is refused. */
static const struct {
	const char *name;
	int (*try)(struct stage *stage);
} refused[] = {
	{ "ATTACH", attach_another },
	{ "SUBMIT of a message", submit_message },
	{ "SUBMIT of more than before", submit_more },
	{ "CANCEL of a connection", cancel_conn },
	{ }
};

static int try_refused(struct stage *stage)
{
	int before, made, ret, i, bad = 0;

	for (i = 0; refused[i].name; i++) {
		before = count_failed();
		ret = refused[i].try(stage);
		made = count_failed() - before;
		bad += ret != -ENOMEM || !made;
		printf("steady: %s engine: %s: %s, %d allocations\n", stage->engine,
		       refused[i].name, ret == -ENOMEM ? "refused" : "NOT REFUSED", made);
	}
	return bad;
}

int main(void)
{
	struct stage stage;
	__u32 engine;
	int bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (engine = CANCELIO_ENGINE_POLL; engine <= CANCELIO_ENGINE_THREAD; engine++) {
		stage_make(&stage, engine);
		printf("steady: %s engine: working with memory\n", stage.engine);
		play_all(&stage, false);
		fail_all();
		bad += play_all(&stage, true);
		bad += try_refused(&stage);
		fail_none();
		stage_end(&stage);
	}
	printf("steady: %d wrong\n", bad);
	return bad ? 1 : 0;
}
