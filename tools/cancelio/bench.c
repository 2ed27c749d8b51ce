// SPDX-License-Identifier: GPL-2.0
/*
 * cancelio bench: what a receive costs by the wall clock, in each of several ways.  All ways
 * take turns, a block of operations each, so that what else goes on meets all of them.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "device.h"
#include "tool.h"

#define WAYS		6
#define BLOCK		32
#define MAX_BLOCKS	20000
/* Turns that count for nothing: caches and sockets warm up. */
#define WARM_UP		3
/* So few blocks have no middle. */
#define MIN_BLOCKS	5

enum work { READY, ARMED, CANCEL, WORKS };

static const char *const work_names[] = { "ready", "armed", "cancel" };

/**
 * struct cell - a work done in one way
 * @blocks: what each block took per operation, ns
 * @count: how many
 */
struct cell {
	double *blocks;
	unsigned int count;
};

static struct {
	double seconds;
	bool json;
} chosen = { .seconds = 6 };

static struct link links[WAYS];
static struct cell cells[WAYS][WORKS];
/* What it takes to look at the clock twice, which is in every figure. */
static struct cell clock_cell;

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int send_message(int fd)
{
	static const char message[MESSAGE];
	ssize_t sent = send(fd, message, MESSAGE, MSG_NOSIGNAL);

	if (sent < 0)
		return -errno;
	return sent == MESSAGE ? 0 : -EPROTO;
}

/* By plain calls, and not measured: so TCP sends no acknowledgments of its own. */
static int reply(struct link *link)
{
	char message[ROOM];
	int ret = send_message(link->near);

	if (ret)
		return ret;
	return recv(link->far, message, ROOM, 0) == MESSAGE ? 0 : -EPROTO;
}

static int receive_ready(const struct way *way, struct link *link, long long *time)
{
	int ret = send_message(link->far);
	long long begin = now();

	if (!ret)
		ret = way->receive(link);
	*time += now() - begin;
	return ret ?: reply(link);
}

static int receive_armed(const struct way *way, struct link *link, long long *time)
{
	long long begin = now();
	int ret = way->arm ? way->arm(link) : 0;

	if (!ret)
		ret = send_message(link->far);
	if (!ret)
		ret = way->collect(link);
	*time += now() - begin;
	return ret ?: reply(link);
}

static int cancel_armed(const struct way *way, struct link *link, long long *time)
{
	long long begin = now();
	int ret = way->cancel(link);

	*time += now() - begin;
	return ret;
}

static bool can(const struct way *way, enum work work)
{
	return work != CANCEL || way->cancel;
}

static void note(struct cell *cell, long long time)
{
	if (cell->count < MAX_BLOCKS)
		cell->blocks[cell->count++] = (double)time / BLOCK;
}

static int run_block(unsigned int way, enum work work, bool counts)
{
	static int (*const once[])(const struct way *, struct link *, long long *) = {
		receive_ready, receive_armed, cancel_armed
	};
	long long time = 0;
	int i, ret = 0;

	for (i = 0; i < BLOCK && !ret; i++)
		ret = once[work](&ways[way], &links[way], &time);
	if (counts)
		note(&cells[way][work], time);
	return ret;
}

static void run_clock(bool counts)
{
	long long time = 0, begin;
	int i;

	for (i = 0; i < BLOCK; i++) {
		begin = now();
		time += now() - begin;
	}
	if (counts)
		note(&clock_cell, time);
}

static int failed(const char *what, int error)
{
	fprintf(stderr, "cancelio bench: %s: %s\n", what, strerror(-error));
	return error;
}

/* A block of each, one after the other. */
static int take_turns(bool counts)
{
	unsigned int way;
	enum work work;
	int ret;

	run_clock(counts);
	for (way = 0; way < WAYS; way++)
		for (work = 0; work < WORKS; work++) {
			ret = can(&ways[way], work) ? run_block(way, work, counts) : 0;
			if (ret)
				return failed(ways[way].name, ret);
		}
	return 0;
}

static int measure(void)
{
	long long end;
	unsigned int turn;
	int ret = 0;

	for (turn = 0; turn < WARM_UP && !ret; turn++)
		ret = take_turns(false);
	end = now() + (long long)(chosen.seconds * 1e9);
	while (!ret && (now() < end || clock_cell.count < MIN_BLOCKS))
		ret = take_turns(true);
	return ret;
}

static bool get_room(struct cell *cell)
{
	cell->blocks = malloc(MAX_BLOCKS * sizeof(double));
	return cell->blocks;
}

static int open_all(void)
{
	unsigned int way;
	enum work work;
	int ret;

	for (way = 0; way < WAYS; way++) {
		ret = link_open(&links[way]);
		if (ret)
			return failed("a connection over 127.0.0.1", ret);
		ret = ways[way].open(&ways[way], &links[way]);
		if (ret)
			return failed(ways[way].name, ret);
		for (work = 0; work < WORKS; work++)
			if (!get_room(&cells[way][work]))
				return failed("memory", -ENOMEM);
	}
	return get_room(&clock_cell) ? 0 : failed("memory", -ENOMEM);
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Of sorted blocks, the one that so many of a hundred do not exceed. */
static double at(const struct cell *cell, unsigned int percent)
{
	return cell->blocks[(cell->count - 1) * percent / 100];
}

static double figure(const struct cell *cell, unsigned int percent)
{
	return at(cell, percent) - at(&clock_cell, 50);
}

static void sort_all(void)
{
	unsigned int way;
	enum work work;

	qsort(clock_cell.blocks, clock_cell.count, sizeof(double), compare);
	for (way = 0; way < WAYS; way++)
		for (work = 0; work < WORKS; work++)
			if (cells[way][work].count)
				qsort(cells[way][work].blocks, cells[way][work].count,
				      sizeof(double), compare);
}

/* How wide the middle half of the blocks is, of the figure itself: the widest of all. */
static double widest(void)
{
	double width, most = 0;
	unsigned int way;
	enum work work;

	for (way = 0; way < WAYS; way++)
		for (work = 0; work < WORKS; work++) {
			const struct cell *cell = &cells[way][work];

			if (!cell->count)
				continue;
			width = (at(cell, 75) - at(cell, 25)) / at(cell, 50);
			most = width > most ? width : most;
		}
	return most;
}

static void print_cell(const struct cell *cell)
{
	if (cell->count)
		printf("%11.0f %7.0f %7.0f", figure(cell, 50), figure(cell, 25), figure(cell, 75));
	else
		printf("%11s %7s %7s", "-", "-", "-");
}

static void print_text(void)
{
	struct utsname kernel;
	unsigned int way;
	enum work work;

	uname(&kernel);
	printf("ns per operation, on Linux %s\n\n%-16s", kernel.release, "");
	for (work = 0; work < WORKS; work++)
		printf("%11s %7s %7s", work_names[work], "from", "to");
	putchar('\n');
	for (way = 0; way < WAYS; way++) {
		printf("%-16s", ways[way].name);
		for (work = 0; work < WORKS; work++)
			print_cell(&cells[way][work]);
		putchar('\n');
	}
	printf("\nready   a message of %d bytes is there: receive it in %d s; recv at any time\n"
	       "armed   begin to receive, send the message, wait until it was received; the ways that\n"
	       "        cannot begin receive when it was sent.  Sending is in the figure\n"
	       "cancel  begin to receive, cancel that, see that it has ended; others cannot\n\n"
	       "A figure is the median of %u blocks of %d operations; from and to is where the middle\n"
	       "half of the blocks lies.  One thread, connections over TCP of 127.0.0.1, %.0f ns\n"
	       "taken off for the clock.  Wall clocks are noisy: these halves are up to %.0f %% wide, a difference that\n"
	       "is smaller tells nothing, and figures of two runs or machines compare badly.\n",
	       MESSAGE, DEADLINE, clock_cell.count, BLOCK, at(&clock_cell, 50), 100 * widest());
}

static struct json_object *json_cell(const struct cell *cell)
{
	struct json_object *to = json_object_new_object();

	add_double(to, "ns", figure(cell, 50));
	add_double(to, "low", figure(cell, 25));
	add_double(to, "high", figure(cell, 75));
	add_number(to, "blocks", cell->count);
	return to;
}

static struct json_object *json_way(unsigned int way)
{
	struct json_object *to = json_object_new_object();
	enum work work;

	for (work = 0; work < WORKS; work++)
		json_object_object_add(to, work_names[work], cells[way][work].count ?
				       json_cell(&cells[way][work]) : NULL);
	return to;
}

static void report_json(void)
{
	struct json_object *to = json_object_new_object();
	struct json_object *list = json_object_new_object();
	struct utsname kernel;
	unsigned int way;

	uname(&kernel);
	add_text(to, "kernel", kernel.release);
	add_number(to, "message_bytes", MESSAGE);
	add_number(to, "operations_per_block", BLOCK);
	add_double(to, "clock_ns", at(&clock_cell, 50));
	add_double(to, "widest_percent", 100 * widest());
	for (way = 0; way < WAYS; way++)
		json_object_object_add(list, ways[way].key, json_way(way));
	json_object_object_add(to, "ways", list);
	print_json(to, true);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 't':
		chosen.seconds = number_of(state, arg, 0.1, 600);
		return 0;
	case 'j':
		chosen.json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "it takes no argument");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "time", 't', "SECONDS", 0, "measure for so long, 0.1 to 600 (6)", 0 },
	OPTION_JSON,
	{}
};

static int compare_ways(void)
{
	unsigned int way;
	int ret = open_all();

	if (!ret && isatty(STDERR_FILENO))
		fprintf(stderr, "measuring for %g s\n", chosen.seconds);
	if (!ret)
		ret = measure();
	for (way = 0; way < WAYS; way++)
		link_close(&links[way]);
	return ret;
}

int bench_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Measures what it costs to receive a message with a deadline, by cancelio and by\n"
		"what else there is, on connections of its own.", NULL, NULL, NULL
	};
	struct device device;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	device_look(&device);
	if (!device.usable) {
		trouble_print(argv[0], &device.trouble);
		return EXIT_SHORT;
	}
	if (compare_ways())
		return EXIT_SHORT;
	sort_all();
	if (chosen.json)
		report_json();
	else
		print_text();
	return EXIT_FINE;
}
