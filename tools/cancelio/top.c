// SPDX-License-Identifier: GPL-2.0
/* cancelio top: round after round, all contexts that can be seen. */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "report.h"
#include "screen.h"
#include "tool.h"

#define SECOND		1000000000LL
#define MAX_ROUNDS	1000000000.0

static struct {
	double delay;
	unsigned long rounds;
	enum sort_key sort;
	bool batch;
	bool json;
} chosen = { .delay = 2 };

static const struct argp_option options[] = {
	{ "delay", 'd', "SECONDS", 0, "from one round to the next, 0.1 to 3600 (2)", 0 },
	{ "rounds", 'n', "NUMBER", 0, "end after so many (none: go on)", 0 },
	{ "sort", 's', "KEY", 0, "pending (the default), conns, ops, missed or pid", 0 },
	{ "batch", 'b', NULL, 0, "print one round after the other, also to a terminal", 0 },
	OPTION_JSON,
	{}
};

static enum sort_key sort_of(struct argp_state *state, const char *name)
{
	enum sort_key key;

	for (key = 0; key < SORT_KEYS; key++)
		if (!strcmp(name, sort_names[key]))
			return key;
	argp_error(state, "it cannot sort by '%s': it is pending, conns, ops, missed or pid", name);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'd':
		chosen.delay = number_of(state, arg, 0.1, 3600);
		return 0;
	case 'n':
		chosen.rounds = count_of(state, arg, MAX_ROUNDS);
		return 0;
	case 's':
		chosen.sort = sort_of(state, arg);
		return 0;
	case 'j':
		chosen.json = true;
		chosen.batch = true;
		return 0;
	case 'b':
		chosen.batch = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "it takes no argument");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void sleep_until(long long time)
{
	struct timespec until = { .tv_sec = time / SECOND, .tv_nsec = time % SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Print a round, and wait for the time of the next one; false: it was the last. */
static bool print(struct round *round, unsigned long number, long long before, long long until)
{
	static const struct view all = { .rows = -1, .bars = -1 };

	round_sort(round, chosen.sort);
	if (chosen.json) {
		report_json(round, number, before);
	} else {
		if (number > 1)
			putchar('\n');
		report_text(stdout, round, &all);
	}
	if (fflush(stdout) || number == chosen.rounds)
		return false;
	sleep_until(until);
	return true;
}

static bool show(struct round *round, unsigned long number, long long before, long long until)
{
	if (chosen.batch)
		return print(round, number, before, until);
	return screen_show(round, &chosen.sort, until) && number != chosen.rounds;
}

/* The module can come and go meanwhile: its device's number is asked for each time. */
static void run(void)
{
	struct round before = {}, round;
	unsigned long number = 1;
	bool more;

	do {
		round_scan(&round, module_device());
		round_rates(&round, &before);
		more = show(&round, number++, before.time,
			    round.time + (long long)(chosen.delay * SECOND));
		round_free(&before);
		before = round;
	} while (more);
	round_free(&before);
}

int top_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Shows the contexts of all processes that can be seen: on a terminal as they\n"
		"change, else round after round.  q ends it.", NULL, NULL, NULL
	};
	struct trouble trouble;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (!module_is_loaded()) {
		trouble_not_loaded(&trouble);
		trouble_print(argv[0], &trouble);
		return EXIT_SHORT;
	}
	chosen.batch |= !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	if (!chosen.batch && !screen_open()) {
		fprintf(stderr, "%s: this terminal (TERM=%s) cannot be drawn on\n"
			"%s: set TERM to what it is, or print rounds by --batch\n", argv[0],
			getenv("TERM") ?: "", argv[0]);
		return EXIT_SHORT;
	}
	run();
	if (!chosen.batch)
		screen_close();
	return EXIT_FINE;
}
