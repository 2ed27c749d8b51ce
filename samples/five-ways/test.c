// SPDX-License-Identifier: GPL-2.0
/*
 * test PROGRAM...: the one test that all five servers pass.  Each case starts a server of its
 * own, does something to it, stops it, and compares the account that the server gives of its
 * connections with what became of them here.  Exits with 1 when something was not so.
 *
 * Nothing ends before its time, and all ends.  How late that is says little on a busy host:
 * bench.c measures it where no host matters.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

/* Whoever takes nothing for so long takes nothing. */
#define CLOGGED_MS	300
/* A receive buffer that is soon full, bytes. */
#define SMALL		16384
/* Taken ten times a second a whole answer takes longer than a second, bytes. */
#define TRICKLE		900
#define MANY		1000
/* Clients, one after the other, of which less than a kB each is left. */
#define PASSING		500
/* Servers that are tested at the same time. */
#define AT_ONCE		4
#define ACCOUNT		\
	"connections %u, closed %u, idle %u, stuck %u, reset %u, stopped %u, refused %u, failed 0\n"
#define DEVICE		"/dev/cancelio"
#define NOBODY		65534

/* How connections ended, in the order in which a server counts them. */
struct account {
	unsigned int closed, idle, stuck, reset, stopped, refused;
};

static const char *program;
/* Of all processes of the test. */
static struct total {
	atomic_uint passed, failed;
} *total;

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One of ../event-loop, whose accept and idle time are simpler. */
static bool is_in_loop(void)
{
	return !strncmp(name_of(program), "in-", 3);
}

/* Says whether @is_so, and counts it. */
static void check(bool is_so, const char *format, ...)
{
	va_list arguments;

	printf("%-4s%s: ", is_so ? "ok" : "NOT", name_of(program));
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	atomic_fetch_add(is_so ? &total->passed : &total->failed, 1);
}

static struct server start(const char *const *options)
{
	struct server server;

	if (server_start(&server, program, options))
		return server;
	check(false, "starts");
	exit(1);
}

#define START(...) start((const char *const []){ __VA_ARGS__, NULL })

/* It has ended well, with this account as the last that it said. */
static void has_counted(int code, const char *text, struct account a)
{
	unsigned int sum = a.closed + a.idle + a.stuck + a.reset + a.stopped + a.refused;
	char wanted[256];

	snprintf(wanted, sizeof(wanted), ACCOUNT, sum, a.closed, a.idle, a.stuck, a.reset,
		 a.stopped, a.refused);
	check(!code && !strcmp(text, wanted), "  counted: %.*s", (int)strlen(wanted) - 1, wanted);
	if (code || strcmp(text, wanted))
		printf("# its exit code is %d, and it says: %s", code, text);
}

/* It ends well, which it was told to, and says nothing but this account. */
static void ends_with(struct server *server, struct account a)
{
	char text[4096];
	int code = server_wait(server, text, sizeof(text));

	has_counted(code, text, a);
}

/* The same, and says @message before; returns how often. */
static unsigned int ends_saying(struct server *server, const char *message, struct account a)
{
	char text[4096], *account;
	int code = server_wait(server, text, sizeof(text));
	unsigned int n = 0;
	char *at = text;

	account = strstr(text, "connections ");
	has_counted(code, account ? account : text, a);
	while ((at = strstr(at, message))) {
		at += strlen(message);
		n++;
	}
	return n;
}

/* The same, when it has forgotten all but @open connections, and is told to stop. */
static void settles_with(struct server *server, unsigned int open, struct account a)
{
	check(server_has_connections(server, open), "  its descriptors are as many as before");
	server_stop(server);
	ends_with(server, a);
}

static void close_all(const int *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		close(fds[i]);
}

/* So many clients, each of which was answered. */
static bool connect_all(const struct server *server, int *fds, unsigned int count)
{
	unsigned int i, good = 0;

	for (i = 0; i < count; i++)
		fds[i] = client_connect(server, 0);
	for (i = 0; i < count; i++)
		good += client_echo(fds[i], i, 100);
	return good == count;
}

static void test_streams(void)
{
	struct server server = START("--idle", "600000");
	struct stream all[104] = { };
	unsigned int i;

	for (i = 0; i < 104; i++)
		all[i] = (struct stream){
			.fd = client_connect(&server, 0), .number = i,
			.total = i < 100 ? 1 + i * i : 1 << 20,
		};
	check(streams_run(all, 104) == 104,
	      "100 streams up to 10 kB and 4 of 1 MB at once come back, byte for byte");
	for (i = 0; i < 104; i++)
		close(all[i].fd);
	settles_with(&server, 0, (struct account){ .closed = 104 });
}

static void test_half_close(void)
{
	struct server server = START("--idle", "600000");
	struct stream all[8] = { };
	unsigned int i;

	for (i = 0; i < 8; i++)
		all[i] = (struct stream){
			.fd = client_connect(&server, SMALL), .number = i,
			.total = i ? 100000 * i : 1, .half = true,
		};
	check(streams_run(all, 8) == 8, "who says it has said all gets all, and then the end");
	settles_with(&server, 0, (struct account){ .closed = 8 });
	for (i = 0; i < 8; i++)
		close(all[i].fd);
}

static void test_many(void)
{
	struct server server = START("--idle", "600000");
	unsigned int i, good = 0;
	static int fds[MANY];

	check(connect_all(&server, fds, MANY), "%d clients at once are answered", MANY);
	check(server_has_connections(&server, MANY), "  all of them are open");
	for (i = MANY; i--; )
		good += client_echo(fds[i], i, 3000);
	check(good == MANY, "  and once more, in another order");
	close_all(fds, MANY);
	settles_with(&server, 0, (struct account){ .closed = MANY });
}

/* Says something in good time, again and again; false where that was too late, which is ours. */
static bool keep_awake(int fd, unsigned int idle_ms, bool *answered, long long *last)
{
	unsigned int i;

	*answered = true;
	for (i = 0; i < 5 && *answered; i++) {
		long long before = *last;

		sleep_until(before + idle_ms * MS * 4 / 10);
		*last = now();
		if (*last - before > idle_ms * MS * 9 / 10)
			return false;
		*answered = client_echo(fd, i, 1);
	}
	return true;
}

static void test_idle(void)
{
	struct server server = START("--idle", "1000", "--write", "1000");
	struct account account = { .idle = 1 };
	bool answered, ended;
	long long last;
	int silent, fd;

	for (;;) {
		last = now();
		fd = client_connect(&server, 0);
		if (keep_awake(fd, 1000, &answered, &last))
			break;
		client_sees_end(fd);
		close(fd);
		account.idle++;
	}
	check(answered, "1000 ms are not over for who says something every 400, five times");
	ended = client_sees_end(fd);
	check(now() - last >= SECOND, "  and are not for who falls silent, before they are");
	check(ended, "  and then the connection ends");
	close(fd);

	last = now();
	silent = client_connect(&server, 0);
	ended = client_sees_end(silent);
	check(ended && now() - last >= SECOND, "so it is for who never says anything");
	close(silent);
	account.idle++;
	settles_with(&server, 0, account);
}

static void test_stuck(void)
{
	struct server server = START("--idle", "600000", "--write", "1000");
	int fd = client_connect(&server, SMALL), other = client_connect(&server, 0);
	long long first = now(), last;

	client_clog(fd, CLOGGED_MS);
	check(client_echo(other, 1, 1000), "who does not read does not hold up who does");
	/* What breaks the connection ends the wait for room. */
	last = now();
	client_clog(fd, PATIENCE / MS);
	check(now() - first >= SECOND, "who does not read for less than 1000 ms is waited for");
	check(now() - last < PATIENCE, "  and who does not for longer is not");
	check(!client_sees_end(fd), "  and is told by a reset, for the stream is not whole");
	close(fd);
	close(other);
	settles_with(&server, 0, (struct account){ .closed = 1, .stuck = 1 });
}

/* Room comes again and again, and is no reason to wait longer. */
static void test_trickle(void)
{
	struct server server = START("--idle", "600000", "--write", "1000");
	int fd = client_connect(&server, SMALLEST);
	long long begin = now();

	while (client_trickle(fd, TRICKLE) && now() - begin < PATIENCE)
		sleep_until(now() + 100 * MS);
	check(now() - begin >= SECOND, "who takes a little now and then is waited for");
	check(now() - begin < PATIENCE, "  but not for longer than 1000 ms for one answer");
	close(fd);
	settles_with(&server, 0, (struct account){ .stuck = 1 });
}

/* Little by little; returns the longest time for which nothing was read. */
static long long read_slowly(struct stream *stream)
{
	long long before = now(), longest = 0, present;
	bool more;

	do {
		stream_send(stream);
		sleep_until(now() + 16 * MS);
		more = stream_receive(stream);
		present = now();
		longest = present - before > longest ? present - before : longest;
		before = present;
	} while (more);
	return longest;
}

/* Each answer is taken in time, all of them together are not: where that is not so, it is ours. */
static void test_slow(void)
{
	struct server server = START("--idle", "600000", "--write", "2000");
	struct account account = { .closed = 1 };
	long long first, pause;
	struct stream stream;

	for (;;) {
		first = now();
		stream = (struct stream){
			.fd = client_connect(&server, SMALL), .number = 3, .total = 4 << 20,
			.half = true,
		};
		pause = read_slowly(&stream);
		if (stream_is_whole(&stream) || pause < SECOND)
			break;
		close(stream.fd);
		account.stuck++;
	}
	check(stream_is_whole(&stream) && now() - first > 2 * SECOND,
	      "who reads slowly gets all, though that takes longer than 2000 ms");
	settles_with(&server, 0, account);
	close(stream.fd);
}

static void test_stop_idle(void)
{
	struct server server = START("--idle", "600000");
	unsigned int i, ends = 0;
	int fds[50];

	check(connect_all(&server, fds, 50), "50 clients are answered, and then say nothing");
	server_stop(&server);
	for (i = 0; i < 50; i++)
		ends += client_sees_end(fds[i]);
	check(ends == 50, "  all of them see the end when the server is stopped");
	ends_with(&server, (struct account){ .stopped = 50 });
	close_all(fds, 50);
}

static void test_stop_stuck(void)
{
	struct server server = START("--idle", "600000", "--write", "600000");
	int fds[10], clogged[2], i;

	check(connect_all(&server, fds, 10), "10 clients are answered, and two more do not read");
	for (i = 0; i < 2; i++) {
		clogged[i] = client_connect(&server, SMALL);
		client_clog(clogged[i], CLOGGED_MS);
	}
	server_stop(&server);
	ends_with(&server, (struct account){ .stopped = 12 });
	close_all(fds, 10);
	close_all(clogged, 2);
}

static void test_reset(void)
{
	struct server server = START("--idle", "600000", "--write", "600000");
	int silent = client_connect(&server, 0), clogged = client_connect(&server, SMALL);

	check(client_echo(silent, 1, 100), "a client is answered");
	client_clog(clogged, CLOGGED_MS);
	client_reset(silent);
	check(server_has_connections(&server, 1), "  its reset ends its connection");
	client_reset(clogged);
	settles_with(&server, 0, (struct account){ .reset = 2 });
}

/* A connection counts for a moment longer than it has a descriptor; returns how often it did. */
static unsigned int connect_in_the_end(const struct server *server, int *fd)
{
	long long begin = now();
	unsigned int refused = 0;

	for (;;) {
		*fd = client_connect(server, 0);
		if (client_echo(*fd, 1, 100) || now() - begin > PATIENCE)
			return refused;
		close(*fd);
		refused++;
	}
}

static void test_one_too_many(void)
{
	struct account account = { .closed = 4, .stopped = 4, .refused = 1 };
	struct server server = START("--connections", "4");
	long long begin = now();
	unsigned int i;
	int fds[4], fifth;

	check(connect_all(&server, fds, 4), "as many clients are answered as are allowed");
	fifth = client_connect(&server, 0);
	check(client_sees_end(fifth), "  and one more is not");
	close(fifth);
	close_all(fds, 4);
	check(server_has_connections(&server, 0), "  when these are gone");
	for (i = 0; i < 4; i++)
		account.refused += connect_in_the_end(&server, &fds[i]);
	check(now() - begin < PATIENCE, "  others are");
	server_stop(&server);
	ends_with(&server, account);
	close_all(fds, 4);
}

/* Who is short of descriptors says so, and waits until there are some. */
static void test_short_of_descriptors(void)
{
	struct server server = START("--idle", "600000");
	struct rlimit before, few;
	unsigned int i, good, said;
	long long begin = now();
	int fds[4];

	prlimit(server.pid, RLIMIT_NOFILE, NULL, &before);
	few = before;
	few.rlim_cur = server.fds + 2;
	prlimit(server.pid, RLIMIT_NOFILE, &few, NULL);
	for (i = 0; i < 4; i++)
		fds[i] = client_connect(&server, 0);
	good = client_echo(fds[0], 0, 100) + client_echo(fds[1], 1, 100);
	check(good == 2, "while there are descriptors for two clients, two are answered");
	sleep_until(now() + SECOND / 2);
	prlimit(server.pid, RLIMIT_NOFILE, &before, NULL);
	good = client_echo(fds[2], 2, 100) + client_echo(fds[3], 3, 100);
	check(good == 2, "  and when there are more, so are those who came meanwhile");
	server_stop(&server);
	said = ends_saying(&server, "accept: again in 100 ms: Too many open files\n",
			   (struct account){ .stopped = 4 });
	check(said && said <= (now() - begin) / (100 * MS) + 1,
	      "  and meanwhile it tried, at most ten times a second: %u", said);
	close_all(fds, 4);
}

/* As a user who may have but one process here, the server, and three threads in all. */
static void without_threads(void)
{
	struct rlimit few = { 4, 4 };
	struct server server;
	unsigned int said;
	int fds[3];

	if (setuid(NOBODY) || setrlimit(RLIMIT_NPROC, &few)) {
		check(false, "becomes nobody");
		return;
	}
	server = START("--idle", "600000");
	check(connect_all(&server, fds, 2),
	      "while there are threads for two clients, two are answered");
	fds[2] = client_connect(&server, 0);
	check(client_sees_end(fds[2]), "  and one more is not");
	check(client_echo(fds[0], 7, 100), "  and the two still are");
	server_stop(&server);
	said = ends_saying(&server, "a thread is not to be had (`ulimit -u`, pids.max)",
			   (struct account){ .stopped = 2, .refused = 1 });
	check(said == 1, "  and it says why");
	close_all(fds, 3);
}

static bool wait_for_one(void)
{
	int status;

	if (wait(&status) < 0)
		return false;
	if (status)
		check(false, "one of the tests ends before its time");
	return true;
}

static void test_short_of_threads(void)
{
	if (!fork()) {
		without_threads();
		exit(0);
	}
	wait_for_one();
}

/* What @pid has for itself, kB. */
static unsigned int memory_of(pid_t pid)
{
	unsigned int kb = 0;
	char path[64], line[256];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in))
		sscanf(line, "VmData: %u", &kb);
	if (in)
		fclose(in);
	return kb;
}

/* What a server keeps for the next ones, it has after some at once. */
static void test_memory(void)
{
	struct server server = START("--idle", "600000");
	unsigned int before, after, i, good = 0;
	int fds[50], fd;

	check(connect_all(&server, fds, 50), "50 clients are answered, and go");
	close_all(fds, 50);
	check(server_has_connections(&server, 0), "  and are gone");
	before = memory_of(server.pid);
	for (i = 0; i < PASSING; i++) {
		fd = client_connect(&server, 0);
		good += client_echo(fd, i, 100);
		close(fd);
	}
	check(good == PASSING && server_has_connections(&server, 0),
	      "  and so are %d, one after the other", PASSING);
	after = memory_of(server.pid);
	check(before && after < before + PASSING, "  and leave less than a kB each: %u kB, %u kB",
	      before, after);
	settles_with(&server, 0, (struct account){ .closed = 50 + PASSING });
}

/* Connections end in all ways, and once more: nothing is left of them. */
static void test_nothing_left(void)
{
	struct server server = START("--idle", "1000", "--write", "1000");
	unsigned int round, i, good = 0;
	int silent[10], fd;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 10; i++)
			silent[i] = client_connect(&server, 0);
		for (i = 0; i < 20; i++) {
			fd = client_connect(&server, 0);
			good += client_echo(fd, i, 100);
			if (i % 2)
				client_reset(fd);
			else
				close(fd);
		}
		fd = client_connect(&server, SMALL);
		client_clog(fd, PATIENCE / MS);
		check(server_has_connections(&server, 0), "no end leaves a descriptor, %u",
		      round + 1);
		close_all(silent, 10);
		close(fd);
	}
	check(good == 60, "  and who says something in time is answered");
	settles_with(&server, 0, (struct account){
		.closed = 30, .idle = 30, .stuck = 3, .reset = 30
	});
}

/* It does not begin, and its exit code and message are these. */
static void expect_refusal(int code, const char *message, const char *const *options)
{
	char text[4096] = "";
	struct server server;
	int got;

	server_run(&server, program, options);
	got = server_wait(&server, text, sizeof(text));
	check(got == code && strstr(text, message), "exits with %d, and says: %s", code, message);
	if (got != code || !strstr(text, message))
		printf("# its exit code is %d, and it says: %s", got, text);
}

#define SAYS(code, message, ...) \
	expect_refusal(code, message, (const char *const []){ __VA_ARGS__, NULL })

static void test_port_in_use(void)
{
	struct server server = START("--connections", "4");
	char port[8], message[64];

	snprintf(port, sizeof(port), "%u", server.port);
	snprintf(message, sizeof(message), "--port %s: Address already in use", port);
	SAYS(1, message, "--port", port);
	settles_with(&server, 0, (struct account){ });
}

static void test_usage(void)
{
	SAYS(2, "--idle 0: a number from 1 to 3600000 is wanted", "--idle", "0");
	SAYS(2, "--write soon: a number from 1 to 3600000 is wanted", "--write", "soon");
	SAYS(2, "--port 65536: a number from 0 to 65535 is wanted", "--port", "65536");
	SAYS(2, "--connections -1: a number from 1 to 500000 is wanted", "--connections", "-1");
	SAYS(2, "--write 3000: at most --idle, which is 2000, is wanted",
	     "--idle", "2000", "--write", "3000");
	SAYS(2, "unrecognized option '--colour'", "--colour", "red");
	test_port_in_use();
	SAYS(2, "surplus: an option is wanted", "surplus");
	SAYS(2, "--idle         ms from one message to the next: 1 to 3600000 (60000)",
	     "--idle");
	SAYS(2, "--port         of 127.0.0.1, 0: a free one: 0 to 65535 (7007)",
	     "--port", "5", "--colour");
}

static bool is_older_than(unsigned int major, unsigned int minor)
{
	unsigned int is[2] = { 0 };
	struct utsname name;

	uname(&name);
	return sscanf(name.release, "%u.%u", &is[0], &is[1]) == 2 &&
	       (is[0] < major || (is[0] == major && is[1] < minor));
}

/* 6.1 has no such switch. */
static void test_io_uring_missing(void)
{
	int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDWR);
	char before[2];

	if (fd < 0) {
		check(is_older_than(6, 6), "a kernel without that switch is older than 6.6");
		return;
	}
	check(pread(fd, before, 2, 0) == 2 && pwrite(fd, "2\n", 2, 0) == 2,
	      "where io_uring is disabled a server");
	SAYS(1, "io_uring is disabled here (sysctl kernel.io_uring_disabled, or seccomp)", NULL);
	check(pwrite(fd, before, 2, 0) == 2, "and that was all");
	close(fd);
}

static void test_device_missing(void)
{
	check(!rename(DEVICE, DEVICE ".away"), "where the device is missing a server");
	SAYS(1, DEVICE " is missing, load the module: modprobe cancelio", NULL);
	rename(DEVICE ".away", DEVICE);
	check(!seteuid(NOBODY), "where it is not for this user a server");
	SAYS(1, DEVICE " may not be opened by this user, at first only by root", NULL);
	check(!seteuid(0), "and that was all");
}

/* What a server needs beyond the kernel's oldest calls may not be there. */
static void test_missing(void)
{
	if (!strcmp(name_of(program), "uring"))
		test_io_uring_missing();
	else if (strcmp(name_of(program), "threads") && strcmp(name_of(program), "epoll"))
		test_device_missing();
}

static void all_cases(void)
{
	test_usage();
	test_streams();
	test_half_close();
	test_many();
	test_idle();
	test_stuck();
	test_slow();
	test_stop_idle();
	test_stop_stuck();
	test_reset();
	test_one_too_many();
	test_nothing_left();
	test_memory();
	/* A request to accept all that come keeps the limit with which it began. */
	if (!is_in_loop() && strcmp(name_of(program), "uring"))
		test_short_of_descriptors();
	/* The other one with threads needs a device that is not for everybody. */
	if (!strcmp(name_of(program), "threads"))
		test_short_of_threads();
	check(network_of_small_buffers(), "the network is one of small buffers");
	test_trickle();
}

/* Most of the time they wait, so several servers are tested at once. */
static void test_all(char **programs)
{
	unsigned int running = 0;

	for (; *programs; programs++) {
		program = *programs;
		if (!fork()) {
			all_cases();
			exit(0);
		}
		if (++running >= AT_ONCE)
			wait_for_one();
	}
	while (wait_for_one())
		continue;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int i;

	if (argc < 2) {
		fprintf(stderr, "test PROGRAM...: the servers to be tested are wanted\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	total = mmap(NULL, sizeof(*total), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (total == MAP_FAILED)
		return 1;
	test_all(argv + 1);
	for (i = 1; i < argc; i++) {
		program = argv[i];
		test_missing();
	}
	printf("%u passed, %u failed\n", total->passed, total->failed);
	return total->failed > 0;
}
