// SPDX-License-Identifier: GPL-2.0
/*
 * late [-c other|fifo] [-n SAMPLES] [-w]: how late deadlines are, in the scheduling class that
 * is named and with a timer slack of 1 ns.  The ways to wait take turns, so that what happens
 * to the machine happens to all of them.  Prints lines whose fields are separated by tabs:
 *
 *   late WAY US COUNT	so many ended from US to US + 1 after their deadlines
 *   early WAY NS	one ended before, by so much: of a gated way, which fails
 *
 * -w compares with deadlines later than those that are kept: it has to fail.
 *
 * late [-c other|fifo] COMMAND...: run a command with the same class and slack.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "late.h"

#define MAX_WAYS	16
#define SAMPLES		2000
/* Deadlines are so far away, and spread over so much more. */
#define NEAREST		(MS / 2)
#define SPREAD		(1 * MS)
/* No machine is late by so much each time. */
#define WRONG_BY	(50 * MS)

static struct way *ways[MAX_WAYS];
static unsigned int nr_ways;
static __s64 *samples_of[MAX_WAYS];

static const char *class = "other";
static unsigned int samples = SAMPLES;
static __s64 wrong_by;

char buffers[BUFFERS][ROOM];

void give_up(const char *what, int error)
{
	printf("fatal\t%s\t%s\n", what, error ? strerror(error) : "");
	fflush(stdout);
	_exit(1);
}

void *state_of(size_t size)
{
	void *state = calloc(1, size);

	if (!state)
		give_up("memory", ENOMEM);
	return state;
}

static void parse(int argc, char **argv)
{
	int option;

	/* The options of a command are its own. */
	while ((option = getopt(argc, argv, "+c:n:w")) != -1) {
		if (option == 'c' && (!strcmp(optarg, "other") || !strcmp(optarg, "fifo")))
			class = optarg;
		else if (option == 'n' && atoi(optarg) > 0)
			samples = atoi(optarg);
		else if (option == 'w')
			wrong_by = WRONG_BY;
		else
			exit(2);
	}
}

static void set_modes(void)
{
	struct sched_param param = { .sched_priority = FIFO_PRIORITY };

	if (!strcmp(class, "fifo") && sched_setscheduler(0, SCHED_FIFO, &param))
		give_up("SCHED_FIFO", errno);
	if (prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL))
		give_up("PR_SET_TIMERSLACK", errno);
}

static void add_ways(struct way *some)
{
	for (; some->name; some++) {
		if (some->fifo && strcmp(class, "fifo"))
			continue;
		if (nr_ways == MAX_WAYS)
			give_up("too many ways", 0);
		samples_of[nr_ways] = state_of(samples * sizeof(__s64));
		ways[nr_ways++] = some;
	}
}

static void open_ways(void)
{
	struct set set;
	unsigned int i;

	add_ways(own_ways);
	add_ways(plain_ways);
	add_ways(uring_ways);
	set = sockets_pairs(nr_ways);
	for (i = 0; i < nr_ways; i++)
		ways[i]->state = ways[i]->open(ways[i]->kind, set.near[i]);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		give_up("mlockall", errno);
}

/* One wait; returns whether it ended early where it must not. */
static bool wait_once(struct way *way, __s64 *late)
{
	__s64 deadline = now() + NEAREST + random() % SPREAD;
	__s64 told = way->wait(way->state, deadline);
	__s64 seen = now();

	deadline += wrong_by;
	*late = seen - deadline;
	if (told < seen)
		seen = told;
	if (!way->gated || seen >= deadline)
		return false;
	printf("early\t%s\t%lld\n", way->name, deadline - seen);
	return true;
}

static int compare(const void *a, const void *b)
{
	__s64 x = *(const __s64 *)a, y = *(const __s64 *)b;

	return (x > y) - (x < y);
}

/* Towards the earlier time, also where it is early. */
static __s64 bucket_of(__s64 ns)
{
	return ns >= 0 ? ns / 1000 : -((-ns + 999) / 1000);
}

static void print_way(const struct way *way, __s64 *late)
{
	unsigned int i, count = 0;

	qsort(late, samples, sizeof(*late), compare);
	for (i = 0; i < samples; i++) {
		count++;
		if (i + 1 < samples && bucket_of(late[i + 1]) == bucket_of(late[i]))
			continue;
		printf("late\t%s\t%lld\t%u\n", way->name, bucket_of(late[i]), count);
		count = 0;
	}
}

static void tell_progress(unsigned int done)
{
	unsigned int step = samples / 4;

	if (step && done % step == 0)
		printf("# %u of %u samples of each\n", done, samples);
}

int main(int argc, char **argv)
{
	unsigned int i, k, early = 0;

	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	set_modes();
	if (optind < argc) {
		execvp(argv[optind], argv + optind);
		give_up(argv[optind], errno);
	}
	open_ways();
	for (i = 0; i < samples; i++) {
		for (k = 0; k < nr_ways; k++)
			early += wait_once(ways[k], &samples_of[k][i]);
		tell_progress(i + 1);
	}
	for (k = 0; k < nr_ways; k++)
		print_way(ways[k], samples_of[k]);
	return early ? 1 : 0;
}
