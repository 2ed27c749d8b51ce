// SPDX-License-Identifier: GPL-2.0
/*
 * Rounds that a number decides: the seed gives the pair, the engine and the side, how far
 * the two events are shifted, and how long whoever comes to a pause point of the module
 * lingers there.  Each seed is played by a process of its own, a few rounds long.  Where
 * instructions are counted, all of it comes again with the seeds before it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pairs.h"

#define ROUNDS		10
/* Of those that cost much more than others. */
#define DEAR_ROUNDS	4
/* Greater than the number of cells, and prime: each comes as often as any other. */
#define STRIDE		100003
/* As far before the moment a deadline is set at first, ns. */
#define SHORTEST_LEAD	60000
#define LEADS		500000
/* How long anything takes at most: by the instruction, and on a busy host. */
#define COUNTED		(2 * SECOND)
#define TIMED		(6 * SECOND)

#define POINTS		"/sys/kernel/debug/cancelio/"

__u64 explored;

static bool quiet;

/* Spreads a small number over all bits. */
static __u64 mix(__u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* The file is not kept open: that is a reference to the module. */
static void command(const char *format, __u64 number)
{
	int fd = open(POINTS "race", O_WRONLY | O_CLOEXEC);
	char text[64];
	int len = snprintf(text, sizeof(text), format, number);

	if (write(fd, text, len) != len)
		violation("no pause points: %s", strerror(errno));
	close(fd);
}

void explore_begin(void)
{
	stage->seed = mix(explored);
	stage->aim.lead = SHORTEST_LEAD + mix(~explored) % LEADS;
}

/* The course begins anew, and another sequence of who lingers. */
void explore_round(void)
{
	command("reset", 0);
	if (!quiet)
		command("perturb %llu", mix(explored * ROUNDS + stage->round) >> 1 | 1);
}

/* Who came where in the round. */
void explore_course(void)
{
	FILE *course = fopen(POINTS "course", "re");
	char line[128];

	while (course && fgets(line, sizeof(line), course))
		fputs(line, stdout);
}

static unsigned long rounds_of(const struct cell *cell)
{
	int i;

	for (i = 0; i < 2; i++)
		if (cell->events[i] == KILL || cell->events[i] == WORKER_EXIT)
			return DEAR_ROUNDS;
	return ROUNDS;
}

static noreturn void play(const struct cell *cell)
{
	struct tally tally = {};

	watch_start();
	cell_play(cell, rounds_of(cell), &tally);
	printf(": %lu first %lu second, ends at %lld ns\n", tally.won[0], tally.won[1], now());
	fflush(stdout);
	_exit(0);
}

/* Its exit code; one that does not end is left. */
static int await_end(pid_t pid, const sigset_t *child)
{
	struct timespec life = { .tv_sec = 10 * longest / SECOND };
	int status = 0;

	if (sigtimedwait(child, NULL, &life) < 0) {
		printf("\nVIOLATION: the process does not end\n");
		return 2;
	}
	waitpid(pid, &status, 0);
	return status ? 1 : 0;
}

static int play_seed(const struct cell *cell, const sigset_t *child)
{
	pid_t pid;
	int code;

	printf("seed %llu: %s, %s, %s %s", explored, event_names[cell->events[0]],
	       event_names[cell->events[1]], cell->config->name, side_name(cell->side));
	fflush(stdout);
	pid = fork();
	if (!pid)
		play(cell);
	code = await_end(pid, child);
	command("reset", 0);
	return code;
}

/* What a failed seed has left goes away, or nothing can be played after it. */
static bool is_clean(void)
{
	__s64 end = after(longest);

	while (stage_references() && now() < end)
		usleep(1000);
	return !stage_references();
}

int explore(const struct exploration *plan, const struct cell *cells, int count)
{
	__u64 failed = 0, rounds = 0, end = plan->first + plan->seeds;
	sigset_t child;

	quiet = plan->quiet;
	longest = quiet ? TIMED : COUNTED;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (explored = plan->first; explored < end; explored++) {
		const struct cell *cell = &cells[explored * STRIDE % count];
		int code = play_seed(cell, &child);

		rounds += rounds_of(cell);
		failed += code != 0;
		if (code > 1 || failed == plan->failures || (code && !is_clean()))
			break;
	}
	printf("explored: %llu seeds, %llu rounds, %llu failed\n",
	       explored - plan->first + (explored < end), rounds, failed);
	return failed != 0;
}
