// SPDX-License-Identifier: GPL-2.0
/*
 * bench PROGRAM...: what each server costs, and how exactly it keeps its promises.  Where the
 * clock counts instructions so do the figures.  Prints a line for each figure, its fields
 * separated by tabs:
 *
 *   figure NAME SERVER NUMBER
 *
 * The client sends on all connections, and takes the last answer first: else the scheduler,
 * which lets it run after one answer or after many, would account for more of the differences
 * than the servers do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

#define MESSAGE		64
#define WARM_UP		4
#define BLOCKS		21
/* A block has so many messages. */
#define MESSAGES	64
#define MANY		1000
/* Connections whose deadlines are measured, and how far they are apart. */
#define DEADLINES	20
#define APART		(7 * MS + 311111)
/* Longer than sockets stay when both ends are closed: where nothing runs it takes no time. */
#define SETTLE		(70 * SECOND)
#define DEADLINE_MS	1000
/* Clients that do not read, and a receive buffer that is soon full, bytes. */
#define CLOGGED		10
#define SMALL		16384
#define TRACING		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/"

static const char *const both_deadlines[] = { "--idle", "1000", "--write", "1000", NULL };
static const char *program, *name;
static int fds[MANY];

static void give_up(const char *what)
{
	printf("fatal\t%s\t%s\t%s\n", name, what, errno ? strerror(errno) : "");
	exit(1);
}

static void report(const char *figure, double number)
{
	printf("figure\t%s\t%s\t%.2f\n", figure, name, number);
}

static struct server begin_server(const char *const *options)
{
	struct server server;

	if (!server_start(&server, program, options))
		give_up("does not start");
	return server;
}

static void connect_all(const struct server *server, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		fds[i] = client_connect(server, 0);
		if (fds[i] < 0 || !client_echo(fds[i], i, MESSAGE))
			give_up("does not answer");
	}
}

static void close_all(unsigned int count)
{
	while (count--)
		close(fds[count]);
}

static void end_server(struct server *server)
{
	char text[1024];

	server_stop(server);
	if (server_wait(server, text, sizeof(text)))
		give_up("does not end well");
}

static void round_trip(unsigned int connections)
{
	char message[MESSAGE] = "";
	unsigned int i;

	for (i = 0; i < connections; i++)
		if (send(fds[i], message, MESSAGE, 0) != MESSAGE)
			give_up("send");
	for (i = connections; i--; )
		if (recv(fds[i], message, MESSAGE, MSG_WAITALL) != MESSAGE)
			give_up("recv");
}

static void block(unsigned int connections)
{
	unsigned int i;

	for (i = 0; i < MESSAGES / connections; i++)
		round_trip(connections);
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* The middle one of many blocks, per message. */
static double cost(unsigned int connections)
{
	long long blocks[BLOCKS], begin;
	int i;

	for (i = -WARM_UP; i < BLOCKS; i++) {
		begin = now();
		block(connections);
		if (i >= 0)
			blocks[i] = now() - begin;
	}
	qsort(blocks, BLOCKS, sizeof(blocks[0]), compare);
	return (double)blocks[BLOCKS / 2] / MESSAGES;
}

static void write_to(const char *file, const char *text)
{
	FILE *out = fopen(file, "w");

	if (!out || fputs(text, out) < 0 || fclose(out))
		give_up(file);
}

/* The kernel's own count of system calls of all threads of this name. */
static unsigned long calls_until_now(void)
{
	FILE *in = fopen(TRACING "hist", "r");
	unsigned long hits = 0;
	char line[256];

	if (!in)
		give_up(TRACING "hist");
	while (fgets(line, sizeof(line), in))
		sscanf(line, " Hits: %lu", &hits);
	fclose(in);
	return hits;
}

static double calls(unsigned int connections)
{
	unsigned long before;
	char trigger[128];
	double sum;
	int i;

	snprintf(trigger, sizeof(trigger), "hist:keys=id if comm == \"%s\"\n", name);
	write_to(TRACING "trigger", trigger);
	before = calls_until_now();
	for (i = 0; i < BLOCKS; i++)
		block(connections);
	sum = calls_until_now() - before;
	/* To open it for writing has taken the trigger away. */
	write_to(TRACING "trigger", "");
	return sum / (BLOCKS * MESSAGES);
}

static void measure_echo(unsigned int connections)
{
	struct server server = begin_server((const char *const []){ NULL });
	char figure[32];

	connect_all(&server, connections);
	snprintf(figure, sizeof(figure), "echo-%u", connections);
	report(figure, cost(connections));
	snprintf(figure, sizeof(figure), "calls-%u", connections);
	report(figure, calls(connections));
	end_server(&server);
	close_all(connections);
}

/* The sum of all numbers behind @key at the beginning of a line. */
static long long sum_of(const char *file, const char *key)
{
	FILE *in = fopen(file, "r");
	size_t len = strlen(key);
	long long sum = 0;
	char line[256];

	if (!in)
		give_up(file);
	while (fgets(line, sizeof(line), in)) {
		const char *text = line + strspn(line, " ");

		if (!strncmp(text, key, len))
			sum += strtoll(text + len, NULL, 10);
	}
	fclose(in);
	return sum;
}

/* What others had is given back by and by, but for what the kernel keeps for the next. */
static void settle(void)
{
	glob_t all;
	size_t i;

	sleep_until(now() + SETTLE);
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &all))
		give_up("/sys/kernel/slab");
	for (i = 0; i < all.gl_pathc; i++)
		write_to(all.gl_pathv[i], "1\n");
	globfree(&all);
}

/* Free memory stands in the zones, and with each processor. */
static long long memory_free(void)
{
	settle();
	return (sum_of("/proc/zoneinfo", "nr_free_pages ") + sum_of("/proc/zoneinfo", "count:")) *
	       sysconf(_SC_PAGESIZE);
}

/* Of the whole machine, both ends of a connection included, which are the same for all. */
static void measure_memory_and_stop(void)
{
	static const char *const options[] = { "--idle", "600000", NULL };
	struct server server = begin_server(options);
	long long before;

	connect_all(&server, 1);
	close_all(1);
	server_has_connections(&server, 0);
	before = memory_free();
	connect_all(&server, MANY);
	report("memory", (double)(before - memory_free()) / MANY);

	before = now();
	end_server(&server);
	report("stop", (double)(now() - before));
	close_all(MANY);
}

/* Some clients each say something, and when is noted. */
static void begin_waits(const struct server *server, int buffer, size_t len, long long *said)
{
	static char message[LARGEST];
	int i;

	for (i = 0; i < DEADLINES; i++) {
		fds[i] = client_connect(server, buffer);
		sleep_until(now() + APART);
		said[i] = now();
		if (send(fds[i], message, len, 0) != (ssize_t)len)
			give_up("send");
	}
}

static void take_answers(size_t len)
{
	static char answer[LARGEST];
	int i;

	for (i = 0; i < DEADLINES; i++)
		if (recv(fds[i], answer, len, MSG_WAITALL) != (ssize_t)len)
			give_up("does not answer");
}

/*
 * How long after its deadline the first and the last of them ends, as its client sees it; where
 * the answer was not taken by a reset.
 */
static void see_ends(const char *what, const long long *said, bool was_taken)
{
	long long late, latest = 0, earliest = SECOND;
	char figure[32];
	int i;

	for (i = 0; i < DEADLINES; i++) {
		struct pollfd polled = { .fd = fds[i], .events = POLLRDHUP };

		if (poll(&polled, 1, PATIENCE / MS) != 1)
			give_up("does not end a connection");
		late = now() - said[i] - DEADLINE_MS * MS;
		latest = late > latest ? late : latest;
		earliest = late < earliest ? late : earliest;
		if (client_sees_end(fds[i]) != was_taken)
			give_up("ends a connection in another way");
	}
	snprintf(figure, sizeof(figure), "%searliest", what);
	report(figure, (double)earliest);
	snprintf(figure, sizeof(figure), "%slatest", what);
	report(figure, (double)latest);
}

/* From a message that was answered at once. */
static void measure_deadline(void)
{
	struct server server = begin_server(both_deadlines);
	long long said[DEADLINES];

	begin_waits(&server, 0, MESSAGE, said);
	take_answers(MESSAGE);
	see_ends("", said, true);
	end_server(&server);
	close_all(DEADLINES);
}

/* From a message whose answer was taken late: the time counts from the message. */
static void measure_deadline_after_wait(void)
{
	struct server server = begin_server(both_deadlines);
	long long said[DEADLINES];

	begin_waits(&server, SMALLEST, LARGEST, said);
	sleep_until(said[0] + DEADLINE_MS * MS / 2);
	take_answers(LARGEST);
	see_ends("slow-", said, true);
	end_server(&server);
	close_all(DEADLINES);
}

/* From a message whose answer is not taken. */
static void measure_write_deadline(void)
{
	struct server server = begin_server(both_deadlines);
	long long said[DEADLINES];

	begin_waits(&server, SMALLEST, LARGEST, said);
	see_ends("stuck-", said, false);
	end_server(&server);
	close_all(DEADLINES);
}

/* In another process, so that the other figures are of an ordinary network. */
static void measure_waits(void)
{
	int status;

	if (!fork()) {
		if (!network_of_small_buffers())
			give_up("network");
		measure_deadline_after_wait();
		measure_write_deadline();
		exit(0);
	}
	if (wait(&status) < 0 || status)
		exit(1);
}

static void measure_stop_of_writes(void)
{
	struct server server = begin_server((const char *const []){ NULL });
	long long begin;
	int i;

	for (i = 0; i < CLOGGED; i++) {
		fds[i] = client_connect(&server, SMALL);
		client_clog(fds[i], 100);
	}
	begin = now();
	end_server(&server);
	report("stop-stuck", (double)(now() - begin));
	close_all(CLOGGED);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int i;

	if (argc < 2) {
		fprintf(stderr, "bench PROGRAM...: the servers to be measured are wanted\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	/* A fresh machine has things to do for a while. */
	settle();
	for (i = 1; i < argc; i++) {
		program = argv[i];
		name = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
		measure_echo(1);
		measure_echo(64);
		measure_deadline();
		measure_waits();
		measure_stop_of_writes();
		measure_memory_and_stop();
	}
	return 0;
}
