// SPDX-License-Identifier: GPL-2.0
/* What /proc/PID/fdinfo tells of a context. */
#include "engine_fixture.h"
#include "tcp_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY	1500
#define LISTED	1024

static char *text;

/* The whole file, as of now; empty where it cannot be read. */
static const char *fdinfo_of(pid_t pid, int fd)
{
	static const size_t size = 1 << 20;
	char path[64];
	size_t len = 0;
	FILE *in;

	if (!text)
		text = malloc(size);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	in = fopen(path, "re");
	if (in) {
		len = fread(text, 1, size - 1, in);
		fclose(in);
	}
	text[len] = 0;
	return text;
}

static const char *fdinfo(int fd)
{
	return fdinfo_of(getpid(), fd);
}

/* Whether a line is there, from its beginning on, to its end. */
static bool has_line(const char *info, const char *line)
{
	size_t len = strlen(line);

	while (strncmp(info, line, len) || info[len] != '\n') {
		info = strchr(info, '\n');
		if (!info)
			return false;
		info++;
	}
	return true;
}

static bool has_value(const char *info, const char *key, long long value)
{
	char line[128];

	snprintf(line, sizeof(line), "%s:\t%lld", key, value);
	return has_line(info, line);
}

static int count_lines(const char *info, const char *key)
{
	char begin[64];
	int count = 0;

	snprintf(begin, sizeof(begin), "\n%s:\t", key);
	for (info = strstr(info, begin); info; info = strstr(info + 1, begin))
		count++;
	return count;
}

static bool has_conn(const char *info, __u64 conn, const char *rest)
{
	char line[256];

	snprintf(line, sizeof(line), "conn:\tid=%llu %s", conn, rest);
	return has_line(info, line);
}

static bool has_op(const char *info, __u64 id, __u64 conn, const char *rest)
{
	char line[256];

	snprintf(line, sizeof(line), "op:\tid=%llu conn=%llu %s", id, conn, rest);
	return has_line(info, line);
}

TEST_F(engine, C61_fdinfo_tells_the_state_of_a_context)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = variant->engine, .entries = 100,
	};
	const char *info;
	int fd = cio_open();

	ASSERT_LE(0, fd);
	info = fdinfo(fd);
	EXPECT_TRUE(has_line(info, "state:\tnew"));
	EXPECT_EQ(0, count_lines(info, "engine"));
	ASSERT_EQ(0, cio_setup(fd, &setup));
	info = fdinfo(fd);
	EXPECT_TRUE(has_line(info, "state:\tlive"));
	EXPECT_TRUE(has_line(info, variant->engine == CANCELIO_ENGINE_POLL ?
			     "engine:\tpoll" : "engine:\tthread"));
	EXPECT_TRUE(has_value(info, "entries", 128));
	EXPECT_TRUE(has_value(info, "completions", 0));
	EXPECT_TRUE(has_value(info, "workers", 1));
	EXPECT_TRUE(has_value(info, "conns", 0));
	EXPECT_TRUE(has_value(info, "pending", 0));
	ASSERT_EQ(0, cio_shutdown(fd));
	EXPECT_TRUE(has_line(fdinfo(fd), "state:\tdead"));
	close(fd);
}

TEST_F(tcp, C61_fdinfo_tells_of_conns_and_their_deadlines)
{
	__s64 time = after(LONG_ENOUGH);
	char line[64];

	EXPECT_TRUE(has_value(fdinfo(self->fd), "conns", 1));
	EXPECT_TRUE(has_conn(text, self->conn, "read=never write=never error=0"));
	ASSERT_EQ(0, cio_deadline(self->fd, self->conn, CANCELIO_READ | CANCELIO_WRITE, time,
				  -5));
	snprintf(line, sizeof(line), "read=%lld write=-5 error=0", (long long)time);
	EXPECT_TRUE(has_conn(fdinfo(self->fd), self->conn, line));
	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	EXPECT_EQ(0, count_lines(fdinfo(self->fd), "conn"));
	EXPECT_TRUE(has_value(text, "conns", 0));
}

TEST_F(tcp, C61_fdinfo_tells_the_fatal_error_of_a_conn)
{
	struct cancelio_completion result;
	char byte;

	ASSERT_EQ(0, close_with_reset(self->peer));
	ASSERT_EQ(0, run(self->fd, op_recv(self->conn, &byte, 1), &result));
	EXPECT_ERROR(result, -ECONNRESET);
	EXPECT_TRUE(has_conn(fdinfo(self->fd), self->conn,
			     "read=never write=never error=-104"));
	self->peer = -1;
}

/* Waits until a read that a worker tries waits; returns the thread that sleeps for it. */
static int await_waiting(int fd, __u64 id, __u64 conn, bool sleeps)
{
	const char *rest = sleeps ?
		"opcode=recv side=read state=blocked bytes=0 deadline=never thread=" :
		"opcode=recv side=read state=queued bytes=0 deadline=never\n";
	__s64 end = after(LONG_ENOUGH);
	char line[256], *found;

	snprintf(line, sizeof(line), "op:\tid=%llu conn=%llu %s", id, conn, rest);
	while (!(found = strstr(fdinfo(fd), line)))
		if (now() > end)
			return -ETIME;
	return sleeps ? atoi(found + strlen(line)) : 0;
}

static bool is_worker(int pid)
{
	char path[64], name[64] = "", wanted[64];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	snprintf(wanted, sizeof(wanted), "cancelio/%d-thread", getpid());
	in = fopen(path, "re");
	if (!in)
		return false;
	if (fscanf(in, "%63s", name) != 1)
		name[0] = 0;
	fclose(in);
	return !strcmp(name, wanted);
}

TEST_F(tcp, C61_fdinfo_tells_of_pending_operations)
{
	bool sleeps = variant->engine == CANCELIO_ENGINE_THREAD;
	__s64 time = after(LONG_ENOUGH);
	struct cancelio_op ops[3];
	int thread;
	char bytes[3], line[128];
	__u64 ids[3];

	ops[0] = op_recv(self->conn, &bytes[0], 1);
	ops[1] = with_deadline(op_recv(self->conn, &bytes[1], 1), time);
	ops[2] = op_ready(self->conn, POLLIN);
	ASSERT_EQ(3, cio_submit(self->fd, ops, 3, ids, NULL));
	thread = await_waiting(self->fd, ids[0], self->conn, sleeps);
	EXPECT_LE(0, thread);
	if (sleeps)
		EXPECT_TRUE(is_worker(thread));
	fdinfo(self->fd);
	snprintf(line, sizeof(line), "opcode=recv side=read state=queued bytes=0 deadline=%lld",
		 (long long)time);
	EXPECT_TRUE(has_op(text, ids[1], self->conn, line));
	EXPECT_TRUE(has_op(text, ids[2], self->conn,
			   "opcode=wait_ready side=read state=queued bytes=0 deadline=never"));
	EXPECT_TRUE(has_value(text, "pending", 3));
	EXPECT_EQ(3, count_lines(text, "op"));
	ASSERT_EQ(3, cio_cancel(self->fd, CANCELIO_CANCEL_ALL, 0, 0));
	EXPECT_TRUE(has_value(fdinfo(self->fd), "pending", 0));
	EXPECT_TRUE(has_value(text, "completions", 3));
	EXPECT_EQ(0, count_lines(text, "op"));
}

/* How often a thread went to sleep so far; -1: it is not there. */
static long sleeps_of(int pid)
{
	char path[64], line[128];
	long count = -1;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	in = fopen(path, "re");
	if (!in)
		return -1;
	while (fgets(line, sizeof(line), in))
		if (!strncmp(line, "voluntary_ctxt_switches:", 24))
			count = atol(line + 24);
	fclose(in);
	return count;
}

/* Nobody but the context itself can make room for one more, and it will not. */
TEST_F(tcp, C52_last_thread_of_a_context_does_not_look_for_another_one)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = variant->engine, .max_workers = 1,
	};
	struct cancelio_op op;
	int fd = cio_open(), thread;
	long sleeps;
	__u64 conn, id;
	char byte;

	ASSERT_LE(0, fd);
	if (variant->engine != CANCELIO_ENGINE_THREAD)
		SKIP(return, "no thread sleeps for an operation");
	ASSERT_EQ(0, cio_setup(fd, &setup));
	ASSERT_EQ(0, cio_attach(fd, self->sock, &conn));
	op = op_recv(conn, &byte, 1);
	ASSERT_EQ(1, cio_submit(fd, &op, 1, &id, NULL));
	thread = await_waiting(fd, id, conn, true);
	ASSERT_LT(0, thread);
	sleep_until(after(SECOND / 4));
	sleeps = sleeps_of(thread);
	ASSERT_LT(0, sleeps);
	sleep_until(after(SECOND / 2));
	EXPECT_EQ(sleeps, sleeps_of(thread));
	close(fd);
}

TEST_F(tcp, C61_fdinfo_tells_the_bytes_of_a_send_in_progress)
{
	char *data = pattern_new(MUCH), *found;
	struct cancelio_op op;
	unsigned int bytes = 0;
	__u64 id;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	op = op_send(self->conn, data, MUCH);
	ASSERT_EQ(1, cio_submit(self->fd, &op, 1, &id, NULL));
	while (!bytes) {
		found = strstr(fdinfo(self->fd), "opcode=send side=write ");
		ASSERT_NE(NULL, found);
		found = strstr(found, "bytes=");
		ASSERT_NE(NULL, found);
		bytes = atoi(found + strlen("bytes="));
	}
	EXPECT_GT(MUCH, bytes);
	ASSERT_EQ(1, cio_cancel(self->fd, CANCELIO_CANCEL_ID, id, 0));
	free(data);
}

TEST_F(tcp, C61_fdinfo_lists_a_bounded_number_of_operations)
{
	static struct cancelio_op ops[MANY];
	int fd = cio_context(variant->engine, 2048), i;
	__u64 conn;
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_attach(fd, self->sock, &conn));
	for (i = 0; i < MANY; i++)
		ops[i] = op_recv(conn, &byte, 1);
	ASSERT_EQ(MANY, cio_submit(fd, ops, MANY, NULL, NULL));
	EXPECT_TRUE(has_value(fdinfo(fd), "pending", MANY));
	EXPECT_EQ(LISTED, count_lines(text, "op"));
	EXPECT_TRUE(has_value(text, "more_ops", MANY - LISTED));
	EXPECT_EQ(0, count_lines(text, "more_conns"));
	close(fd);
}

TEST_F(engine, C61_fdinfo_lists_a_bounded_number_of_conns)
{
	struct rlimit limit = { .rlim_cur = MANY + 64, .rlim_max = MANY + 64 };
	int fd, sock, i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	fd = cio_context(variant->engine, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < MANY; i++) {
		sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ASSERT_LE(0, sock);
		ASSERT_EQ(0, cio_attach(fd, sock, NULL));
		close(sock);
	}
	EXPECT_TRUE(has_value(fdinfo(fd), "conns", MANY));
	EXPECT_EQ(LISTED, count_lines(text, "conn"));
	EXPECT_TRUE(has_value(text, "more_conns", MANY - LISTED));
	close(fd);
}

/* The line of a histogram, as the sum of two tells it. */
static const char *histogram_line(const char *key, const __u64 *one, const __u64 *other)
{
	static char line[1024];
	int len = snprintf(line, sizeof(line), "%s:\t", key), i;
	const char *space = "";

	for (i = 0; i < CANCELIO_BUCKETS; i++) {
		if (!(one[i] + other[i]))
			continue;
		len += snprintf(line + len, sizeof(line) - len, "%s%d=%llu", space, i,
				one[i] + other[i]);
		space = " ";
	}
	return line;
}

TEST_F(tcp, C61_fdinfo_tells_all_that_was_counted_also_before_a_reset)
{
	struct cancelio_completion result;
	struct cancelio_stats first, second;
	struct cancelio_op op;
	char byte;

	op = with_timeout(op_recv(self->conn, &byte, 1), 5 * MS);
	ASSERT_EQ(1, send(self->peer, "x", 1, 0));
	ASSERT_EQ(0, run(self->fd, with_timeout(op, LONG_ENOUGH), &result));
	EXPECT_DONE(result, 1);
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, cio_stats(self->fd, CANCELIO_STATS_RESET, &first));
	ASSERT_EQ(0, run(self->fd, op, &result));
	EXPECT_EXPIRED(result);
	ASSERT_EQ(0, cio_stats(self->fd, 0, &second));
	EXPECT_TRUE(has_value(fdinfo(self->fd), "submitted", 3));
	EXPECT_TRUE(has_value(text, "at_once", first.at_once + second.at_once));
	EXPECT_TRUE(has_line(text, "ended:\tdone=1 error=0 deadline=2 canceled=0 closed=0"));
	EXPECT_TRUE(has_value(text, "met", 1));
	EXPECT_TRUE(has_value(text, "raced", 0));
	EXPECT_TRUE(has_line(text, histogram_line("start", first.start, second.start)));
	EXPECT_TRUE(has_line(text, histogram_line("late", first.late, second.late)));
	EXPECT_TRUE(has_line(text, histogram_line("wake", first.wake, second.wake)));
	EXPECT_TRUE(has_line(text, histogram_line("cancel", first.cancel, second.cancel)));
}

struct inherited {
	pid_t owner;
	int fd;
};

static int read_inherited(void *argument)
{
	struct inherited *inherited = argument;

	return !has_value(fdinfo(inherited->fd), "owner", inherited->owner);
}

static long long number_of(int fd)
{
	const char *found = strstr(fdinfo(fd), "context:\t");

	return found ? atoll(found + strlen("context:\t")) : 0;
}

TEST_F(engine, C61_fdinfo_tells_the_owner_and_a_number_of_its_own)
{
	struct inherited inherited = { .owner = getpid(), .fd = cio_open() };
	int other = cio_open();

	ASSERT_LE(0, inherited.fd);
	ASSERT_LE(0, other);
	EXPECT_TRUE(has_value(fdinfo(inherited.fd), "owner", getpid()));
	EXPECT_EQ(0, in_child(read_inherited, &inherited));
	EXPECT_LT(0, number_of(inherited.fd));
	EXPECT_LT(number_of(inherited.fd), number_of(other));
	close(other);
	close(inherited.fd);
}

struct reader {
	pid_t pid;
	int fd;
	int stop;
};

static void *read_again_and_again(void *argument)
{
	struct reader *reader = argument;
	static char bytes[65536];
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", reader->pid, reader->fd);
	while (!__atomic_load_n(&reader->stop, __ATOMIC_ACQUIRE)) {
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			break;
		while (read(file, bytes, sizeof(bytes)) > 0)
			;
		close(file);
	}
	return NULL;
}

/* Attaches, submits, and ends that in one of several ways. */
static bool live_a_round(int fd, int sock, int round)
{
	struct cancelio_completion results[8];
	struct cancelio_op ops[8];
	static char bytes[8];
	__u64 conn;
	int i;

	if (cio_attach(fd, sock, &conn))
		return false;
	for (i = 0; i < 8; i++) {
		ops[i] = op_recv(conn, &bytes[i], 1);
		if (i % 2)
			ops[i] = with_timeout(ops[i], i * 1000);
	}
	if (cio_submit(fd, ops, 8, NULL, NULL) != 8)
		return false;
	if (round % 2)
		cio_cancel(fd, CANCELIO_CANCEL_CONN, conn, CANCELIO_READ);
	return !cio_detach(fd, conn) && cio_wait(fd, 8, results, 8, after(LONG_ENOUGH)) == 8;
}

static int read_as_stranger(void *argument)
{
	struct reader *reader = argument;
	int i;

	for (i = 0; i < 200; i++)
		if (!strstr(fdinfo_of(reader->pid, reader->fd), "state:\t"))
			return 1;
	return 0;
}

TEST_F(tcp, C61_fdinfo_is_read_while_everything_changes)
{
	struct reader reader = { .pid = getpid(), .fd = self->fd };
	pthread_t thread;
	int round;

	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_again_and_again, &reader));
	for (round = 0; round < 400; round++)
		ASSERT_TRUE(live_a_round(self->fd, self->sock, round));
	__atomic_store_n(&reader.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

struct life {
	int fd;
	int sock;
	int stop;
	int bad;
};

static void *live_on(void *argument)
{
	struct life *life = argument;
	int round = 0;

	while (!__atomic_load_n(&life->stop, __ATOMIC_ACQUIRE))
		if (!live_a_round(life->fd, life->sock, round++))
			life->bad = 1;
	return NULL;
}

/* A stranger may drop the last reference to a conn. */
TEST_F(tcp, C61_fdinfo_is_read_by_another_process_meanwhile)
{
	struct reader reader = { .pid = getpid(), .fd = self->fd };
	struct life life = { .fd = self->fd, .sock = self->sock };
	pthread_t thread;

	ASSERT_EQ(0, cio_detach(self->fd, self->conn));
	ASSERT_EQ(0, pthread_create(&thread, NULL, live_on, &life));
	EXPECT_EQ(0, in_child(read_as_stranger, &reader));
	__atomic_store_n(&life.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, life.bad);
}

TEST_HARNESS_MAIN
