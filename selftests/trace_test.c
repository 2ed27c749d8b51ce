// SPDX-License-Identifier: GPL-2.0
/*
 * What only the kernel's tracepoints show: timers that are left alone, and who runs an
 * operation (C13, C17, C40).
 */
#include "engine_fixture.h"
#include "watch.h"

#include <poll.h>
#include <sys/socket.h>

#define PENDING	300
#define MOVES	200

/* hrtimer_start names the function that the timer calls. */
#define TIMER		"timer/hrtimer_start"
#define OUR_TIMER	"function=timers_fire"

struct line {
	int fd;
	int sock;
	int peer;
	__u64 conn;
	char bytes[PENDING];
};

static bool line_open(struct line *line, __u32 engine)
{
	int ends[2];

	line->fd = cio_context(engine, 512);
	if (line->fd < 0 || tcp_pair(AF_INET, ends))
		return false;
	line->sock = ends[0];
	line->peer = ends[1];
	return !cio_attach(line->fd, line->sock, &line->conn);
}

static void line_close(struct line *line)
{
	close(line->fd);
	close(line->sock);
	close(line->peer);
}

static bool line_read(struct line *line, int count)
{
	struct cancelio_op ops[PENDING];
	int i;

	for (i = 0; i < count; i++)
		ops[i] = op_recv(line->conn, line->bytes + i, 1);
	return cio_submit(line->fd, ops, count, NULL, NULL) == count;
}

static bool move_read(struct line *line, __s64 time)
{
	return !cio_deadline(line->fd, line->conn, CANCELIO_READ, time, 0);
}

/* How often a timer of ours has been set since trace_on(). */
static int timers_set(void)
{
	char *text = trace_text();
	int count = text ? trace_count(text, "hrtimer_start:", OUR_TIMER) : -1;

	free(text);
	return count;
}

TEST_F(engine, C17_moving_a_deadline_later_touches_no_timer)
{
	__s64 begin = after(1000 * SECOND);
	struct line line;
	int i;

	ASSERT_TRUE(line_open(&line, variant->engine));
	if (!trace_on(TIMER)) {
		line_close(&line);
		SKIP(return, "no tracefs, or no event " TIMER);
	}
	ASSERT_TRUE(line_read(&line, PENDING));
	/* The first one is set, and an earlier one. */
	ASSERT_TRUE(move_read(&line, begin));
	EXPECT_EQ(1, timers_set());
	ASSERT_TRUE(move_read(&line, begin - SECOND));
	EXPECT_EQ(2, timers_set());
	for (i = 0; i < MOVES; i++)
		ASSERT_TRUE(move_read(&line, begin + i * SECOND));
	ASSERT_TRUE(move_read(&line, CANCELIO_NEVER));
	ASSERT_TRUE(move_read(&line, begin));
	EXPECT_EQ(2, timers_set());
	trace_off(TIMER);
	line_close(&line);
}

/* One timer for them all, whatever their number. */
TEST_F(engine, C17_later_deadlines_of_operations_set_no_timer)
{
	struct line line;
	int i;

	ASSERT_TRUE(line_open(&line, variant->engine));
	if (!trace_on(TIMER)) {
		line_close(&line);
		SKIP(return, "no tracefs, or no event " TIMER);
	}
	for (i = 0; i < 100; i++)
		ASSERT_EQ(1, submit_one(line.fd, with_timeout(op_recv(line.conn, line.bytes, 1),
							      (1000 + i) * SECOND)));
	EXPECT_EQ(1, timers_set());
	trace_off(TIMER);
	EXPECT_EQ(100, cio_cancel(line.fd, CANCELIO_CANCEL_ALL, 0, 0));
	line_close(&line);
}

/* A timer that comes for a deadline that was moved ends nothing, and says so. */
TEST_F(engine, C13_timer_of_a_deadline_that_was_moved_finds_nothing_to_do)
{
	__s64 time = after(300 * MS);
	struct line line;
	char *text;

	ASSERT_TRUE(line_open(&line, variant->engine));
	if (!trace_on("cancelio/cio_deadline_stale")) {
		line_close(&line);
		SKIP(return, "no tracefs");
	}
	ASSERT_TRUE(line_read(&line, 3));
	ASSERT_TRUE(move_read(&line, time));
	ASSERT_TRUE(move_read(&line, time + LONG_ENOUGH));
	sleep_until(time + A_WHILE);
	text = trace_text();
	ASSERT_NE(NULL, text);
	/* Where the move came too late for the timer, all three have expired. */
	if (cio_wait(line.fd, 0, NULL, 0, 0) == 0)
		EXPECT_EQ(1, trace_count(text, "cio_deadline_stale:", "read"));
	trace_off("cancelio/cio_deadline_stale");
	free(text);
	line_close(&line);
}

TEST_F(engine, C40_operation_with_the_WORKER_flag_is_run_by_a_kernel_thread)
{
	const char *name = variant->engine == CANCELIO_ENGINE_THREAD ? "thread" : "poll";
	struct cancelio_completion result;
	struct cancelio_op op;
	struct line line;
	pid_t pids[16];
	int count, i;
	char *text;
	__s64 pid;

	ASSERT_TRUE(line_open(&line, variant->engine));
	if (!trace_on("cancelio/cio_run")) {
		line_close(&line);
		SKIP(return, "no tracefs");
	}
	op = with_flags(op_recv(line.conn, line.bytes, 1), CANCELIO_OP_WORKER);
	ASSERT_EQ(1, write(line.peer, "w", 1));
	/* Though this thread waits for it, and could. */
	ASSERT_EQ(0, run(line.fd, op, &result));
	EXPECT_DONE(result, 1);
	text = trace_text();
	ASSERT_NE(NULL, text);
	trace_off("cancelio/cio_run");
	pid = trace_number(text, "cio_run:", "pid=");
	EXPECT_LT(0, pid);
	count = kernel_threads(name, 0, pids, 16);
	for (i = 0; i < count && i < 16; i++)
		if (pids[i] == pid)
			break;
	EXPECT_GT(count, i);
	free(text);
	line_close(&line);
}

TEST_HARNESS_MAIN
