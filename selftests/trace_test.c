// SPDX-License-Identifier: GPL-2.0
/*
 * What only the kernel's tracepoints show: timers that are left alone, and who runs an
 * operation (C13, C17, C40).  And what an event says of its context, its socket, a close
 * and a completion (C2, C34, C40, C43, C73).
 */
#include "engine_fixture.h"
#include "watch.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

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

/* Whether one line has the event and the words. */
static bool told(const char *text, const char *event, const char *format, __u64 value)
{
	char words[64];

	snprintf(words, sizeof(words), format, (unsigned long long)value);
	return trace_count(text, event, words) == 1;
}

TEST_F(engine, C43_event_of_an_attach_names_the_socket)
{
	socklen_t size = sizeof(__u64);
	struct line line;
	struct stat stat;
	__u64 cookie;
	char *text;

	if (!trace_on("cancelio/cio_attach"))
		SKIP(return, "no tracefs");
	ASSERT_TRUE(line_open(&line, variant->engine));
	text = trace_text();
	ASSERT_NE(NULL, text);
	trace_off("cancelio/cio_attach");
	ASSERT_EQ(0, getsockopt(line.sock, SOL_SOCKET, SO_COOKIE, &cookie, &size));
	ASSERT_EQ(0, fstat(line.sock, &stat));
	EXPECT_TRUE(told(text, "cio_attach:", " cookie=%llx ", cookie));
	EXPECT_TRUE(told(text, "cio_attach:", " inode=%llu ", stat.st_ino));
	free(text);
	line_close(&line);
}

/* Both have a connection and an operation of the same numbers. */
TEST_F(engine, C2_events_of_two_contexts_have_their_numbers)
{
	struct cancelio_completion result;
	struct line lines[2];
	__s64 number;
	char *text;
	int i;

	if (!trace_on("cancelio"))
		SKIP(return, "no tracefs");
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(line_open(&lines[i], variant->engine));
		ASSERT_TRUE(line_read(&lines[i], 1));
		ASSERT_TRUE(move_read(&lines[i], after(MS)));
		ASSERT_EQ(1, reap(lines[i].fd, &result));
		EXPECT_EQ(CANCELIO_DEADLINE, result.reason);
		EXPECT_EQ(-ENOENT, cio_cancel(lines[i].fd, CANCELIO_CANCEL_ALL, 0, 0));
		ASSERT_EQ(0, cio_shutdown(lines[i].fd));
	}
	text = trace_text();
	ASSERT_NE(NULL, text);
	trace_off("cancelio");
	ASSERT_EQ(lines[0].conn, lines[1].conn);
	EXPECT_EQ(trace_count(text, "cio_", ":"), trace_count(text, "cio_", " ctx="));
	number = trace_number(text, "cio_attach:", "ctx=");
	EXPECT_LT(0, number);
	EXPECT_TRUE(told(text, "cio_attach:", "ctx=%llu", number + 1));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(told(text, "cio_submit:", "ctx=%llu", number + i));
		EXPECT_TRUE(told(text, "cio_complete:", "ctx=%llu", number + i));
		EXPECT_TRUE(told(text, "cio_cancel:", "ctx=%llu", number + i));
		EXPECT_TRUE(told(text, "cio_reap:", "ctx=%llu", number + i));
		EXPECT_TRUE(told(text, "cio_detach:", "ctx=%llu", number + i));
		line_close(&lines[i]);
	}
	free(text);
}

TEST_F(engine, C34_event_of_a_close_has_its_cause)
{
	struct line lines[3];
	char *text;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_TRUE(line_open(&lines[i], variant->engine));
	if (!trace_on("cancelio/cio_detach")) {
		for (i = 0; i < 3; i++)
			line_close(&lines[i]);
		SKIP(return, "no tracefs");
	}
	EXPECT_EQ(0, cio_detach(lines[0].fd, lines[0].conn));
	EXPECT_EQ(0, cio_shutdown(lines[1].fd));
	for (i = 0; i < 3; i++)
		line_close(&lines[i]);
	text = trace_text();
	ASSERT_NE(NULL, text);
	trace_off("cancelio/cio_detach");
	EXPECT_EQ(1, trace_count(text, "cio_detach:", "cause=detach"));
	EXPECT_EQ(1, trace_count(text, "cio_detach:", "cause=shutdown"));
	EXPECT_EQ(1, trace_count(text, "cio_detach:", "cause=end"));
	EXPECT_EQ(3, trace_count(text, "cio_detach:", "cause="));
	free(text);
}

TEST_F(engine, C40_event_of_a_submission_has_the_message_flags)
{
	struct cancelio_completion result;
	struct line line;
	char *text;

	ASSERT_TRUE(line_open(&line, variant->engine));
	if (!trace_on("cancelio/cio_submit")) {
		line_close(&line);
		SKIP(return, "no tracefs");
	}
	ASSERT_EQ(1, write(line.peer, "p", 1));
	ASSERT_EQ(0, run(line.fd, with_msg_flags(op_recv(line.conn, line.bytes, 1), MSG_PEEK),
			 &result));
	EXPECT_DONE(result, 1);
	text = trace_text();
	ASSERT_NE(NULL, text);
	trace_off("cancelio/cio_submit");
	EXPECT_TRUE(told(text, "cio_submit:", " msg_flags=%#llx ", MSG_PEEK));
	free(text);
	line_close(&line);
}

/* By CALL its id; by WAIT the oldest, which have none here. */
TEST_F(engine, C73_event_of_a_reap_names_the_operation)
{
	struct cancelio_completion results[2], result;
	struct line line;
	char *text;

	ASSERT_TRUE(line_open(&line, variant->engine));
	if (!trace_on("cancelio/cio_reap")) {
		line_close(&line);
		SKIP(return, "no tracefs");
	}
	ASSERT_EQ(3, write(line.peer, "abc", 3));
	ASSERT_TRUE(line_read(&line, 2));
	ASSERT_EQ(0, run(line.fd, op_recv(line.conn, line.bytes + 2, 1), &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(2, cio_wait(line.fd, 2, results, 2, after(LONG_ENOUGH)));
	text = trace_text();
	ASSERT_NE(NULL, text);
	trace_off("cancelio/cio_reap");
	EXPECT_TRUE(told(text, "cio_reap:", "count=1 id=%llu ", result.id));
	EXPECT_TRUE(told(text, "cio_reap:", "count=2 id=%llu ", 0));
	EXPECT_EQ(2, trace_count(text, "cio_reap:", "count="));
	free(text);
	line_close(&line);
}

TEST_HARNESS_MAIN
