// SPDX-License-Identifier: GPL-2.0
/*
 * pairs [-n ROUNDS] [-p EVENT,EVENT] [-e CONFIG] [-s SIDE] [-S SEED] [-o OFFSET]: play so
 * many rounds (1000000) of all pairs, engines and sides, or of those named.  Prints a line
 * for each pair, and stops with 1 at the first violation.
 *
 * pairs -x FIRST -c COUNT [-f FAILURES] [-q]: play as many seeds of make explore, until so
 * many (1) have failed; quiet: with pause points that do nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pairs.h"

#define CONFIGS	3

const struct config configs[CONFIGS] = {
	{ "poll", CANCELIO_ENGINE_POLL, 0 },
	{ "worker", CANCELIO_ENGINE_POLL, CANCELIO_OP_WORKER },
	{ "thread", CANCELIO_ENGINE_THREAD, 0 },
};

struct stage *stage;
__s64 fixed_offset;
bool is_owner;
__s64 longest = 20 * SECOND;

static __u64 seed = 1;
static __u64 cell_seed;

/* What a round costs, roughly, where no dearer event is in it. */
static const int costs[EVENTS] = {
	[DEADLINE] = 2, [MUNMAP] = 6, [WORKER_EXIT] = 8, [SUBMIT] = 2, [PEER_CLOSE] = 6,
	[MOVE] = 2, [CANCEL_ID] = 2, [CANCEL_ALL] = 2, [DETACH] = 2, [SHUTDOWN] = 3,
	[COMPLETE] = 2, [KILL] = 60,
};

/* A write that completes moves its whole chunk. */
#define WRITE_COST	12
/* Each has its workers to make. */
#define WORKERS_COST	40

const char *side_name(__u32 side)
{
	return side == CANCELIO_READ ? "read" : "write";
}

void violation(const char *format, ...)
{
	const struct actor *actors = stage->actors;
	char text[sizeof(stage->told)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (is_owner) {
		memcpy(stage->told, text, sizeof(text));
		_exit(1);
	}
	printf("%sVIOLATION: %s\n", explored ? "\n" : "", text);
	printf("  PAIR=%s,%s ENGINE=%s SIDE=%s SEED=%llu OFFSET=%lld: in round %u of these\n",
	       event_names[actors[0].event], event_names[actors[1].event], stage->config->name,
	       side_name(stage->side), explored ?: seed, stage->offset, stage->round);
	printf("  the calls gave %d and %d; the second began %lld ns after the first\n",
	       actors[0].ret, actors[1].ret, actors[1].begin - actors[0].begin);
	if (explored)
		explore_course();
	fflush(stdout);
	_exit(1);
}

/* Says so when a round does not end, in twice the time that anything takes. */
static void *watch(void *unused)
{
	unsigned int round = 0;
	__s64 end = after(2 * longest);

	(void)unused;
	for (;;) {
		sleep(1);
		if (__atomic_load_n(&stage->round, __ATOMIC_RELAXED) != round) {
			round = stage->round;
			end = after(2 * longest);
		} else if (now() > end) {
			violation("the round does not end");
		}
	}
	return NULL;
}

void watch_start(void)
{
	pthread_t watcher;

	if (pthread_create(&watcher, NULL, watch, NULL))
		violation("no thread");
}

void cell_play(const struct cell *cell, unsigned long rounds, struct tally *tally)
{
	struct aim aim = stage->aim;
	int i;

	cell_seed += 0x9e3779b97f4a7c15ULL;
	memset(stage, 0, sizeof(*stage));
	memset(stage->buffers, GONE, sizeof(stage->buffers));
	for (i = 0; i < 3; i++)
		bytes_fill(stage->chunks[i], CHUNK, i * CHUNK);
	memset(stage->drain, UNTOUCHED, sizeof(stage->drain));
	stage->config = cell->config;
	stage->side = cell->side;
	stage->seed = cell_seed ^ seed;
	for (i = 0; i < 2; i++)
		stage->actors[i].event = cell->events[i];
	common_op_flags = cell->config->op_flags;
	/* Where both meet differs little between those of one pair. */
	stage->aim = aim;
	if (!tally->rounds)
		aim_reset();
	if (explored)
		explore_begin();
	if (pair_has(KILL))
		kill_rounds_play(rounds, tally);
	else
		rounds_play(rounds, tally);
}

static void print_pair(const struct cell *cell, const struct tally *tally)
{
	const char *const *names = event_names;
	char pair[64];

	snprintf(pair, sizeof(pair), "%s, %s", names[cell->events[0]], names[cell->events[1]]);
	printf("%-28s %8lu rounds  %7lu first %7lu second  %6.0f/s", pair, tally->rounds,
	       tally->won[0], tally->won[1], tally->rounds * 1e9 / (tally->time + 1));
	if (tally->exits)
		printf("  %lu exits", tally->exits);
	printf("\n");
	fflush(stdout);
}

/* The tally is that of the pair so far. */
static void print_cell(const struct cell *cell, const struct tally *tally, unsigned long rounds)
{
	static struct tally before;

	printf("  %-6s %-5s  %8lu rounds  %7lu first %7lu second  %6.0f/s\n", cell->config->name,
	       side_name(cell->side), rounds, tally->won[0] - before.won[0],
	       tally->won[1] - before.won[1], rounds * 1e9 / (tally->time - before.time + 1));
	fflush(stdout);
	before = *tally;
}

/* Two of one kind where that means something. */
static bool is_pair(enum event a, enum event b)
{
	return a < b || (a == b && a != MUNMAP && a != WORKER_EXIT && a != PEER_CLOSE &&
			 a != KILL);
}

/* Nobody can drain a connection twice. */
static bool is_cell(const struct cell *cell)
{
	return cell->side == CANCELIO_READ || cell->events[0] != COMPLETE ||
		cell->events[1] != COMPLETE;
}

static bool cell_has(const struct cell *cell, enum event event)
{
	return cell->events[0] == event || cell->events[1] == event;
}

static double weight_of(const struct cell *cell)
{
	int a = costs[cell->events[0]], b = costs[cell->events[1]];
	int cost = a > b ? a : b;

	if (cell->side == CANCELIO_WRITE && cell_has(cell, COMPLETE) && cost < WRITE_COST)
		cost = WRITE_COST;
	if (cell_has(cell, WORKER_EXIT) && cell_has(cell, SHUTDOWN))
		cost = WORKERS_COST;
	return 1.0 / cost;
}

static enum event event_named(const char *name)
{
	int i;

	for (i = 0; i < EVENTS; i++)
		if (!strcmp(event_names[i], name))
			return i;
	fprintf(stderr, "pairs: \"%s\" is none of:", name);
	for (i = 0; i < EVENTS; i++)
		fprintf(stderr, " %s", event_names[i]);
	fprintf(stderr, "\n");
	exit(2);
}

/* What the options leave. */
struct choice {
	int events[2];
	const char *config;
	const char *side;
	unsigned long rounds;
	struct exploration exploration;
};

static bool is_chosen(const struct choice *choice, const struct cell *cell)
{
	const enum event *events = cell->events;

	if (choice->events[0] >= 0 &&
	    !((int)events[0] == choice->events[0] && (int)events[1] == choice->events[1]) &&
	    !((int)events[1] == choice->events[0] && (int)events[0] == choice->events[1]))
		return false;
	return (!choice->config || !strcmp(choice->config, cell->config->name)) &&
		(!choice->side || !strcmp(choice->side, side_name(cell->side)));
}

static void choose_pair(struct choice *choice, char *pair)
{
	char *comma = strchr(pair, ',');

	if (!comma) {
		fprintf(stderr, "pairs: a pair is two events, with a comma between them\n");
		exit(2);
	}
	*comma = '\0';
	choice->events[0] = event_named(pair);
	choice->events[1] = event_named(comma + 1);
}

static void parse(int argc, char **argv, struct choice *choice)
{
	struct exploration *plan = &choice->exploration;
	int option;

	while ((option = getopt(argc, argv, "n:p:e:s:S:o:x:c:f:q")) != -1) {
		if (option == 'n')
			choice->rounds = strtoul(optarg, NULL, 10);
		else if (option == 'p')
			choose_pair(choice, optarg);
		else if (option == 'e')
			choice->config = optarg;
		else if (option == 's')
			choice->side = optarg;
		else if (option == 'S')
			seed = strtoull(optarg, NULL, 10);
		else if (option == 'o')
			fixed_offset = strtoll(optarg, NULL, 10) + 1;
		else if (option == 'x')
			plan->first = strtoull(optarg, NULL, 10);
		else if (option == 'c')
			plan->seeds = strtoull(optarg, NULL, 10);
		else if (option == 'f')
			plan->failures = strtoul(optarg, NULL, 10);
		else if (option == 'q')
			plan->quiet = true;
		else
			exit(2);
	}
}

#define MAX_CELLS (EVENTS * EVENTS * CONFIGS * 2)

static int list_cells(const struct choice *choice, struct cell *cells)
{
	int a, b, i, count = 0;

	for (a = 0; a < EVENTS; a++) {
		for (b = a; b < EVENTS; b++) {
			for (i = 0; i < 2 * CONFIGS && is_pair(a, b); i++) {
				struct cell cell = {
					.events = { a, b }, .config = &configs[i / 2],
					.side = i % 2 ? CANCELIO_WRITE : CANCELIO_READ,
				};

				cell.weight = weight_of(&cell);
				if (is_cell(&cell) && is_chosen(choice, &cell))
					cells[count++] = cell;
			}
		}
	}
	return count;
}

/* All rounds, divided among the cells by what they cost. */
static void play_all(const struct choice *choice, const struct cell *cells, int count)
{
	double sum = 0, part = 0;
	unsigned long played = 0, exits = 0;
	struct tally tally = {};
	__s64 begin = now();
	int i, pairs = 0;

	for (i = 0; i < count; i++)
		sum += cells[i].weight;
	for (i = 0; i < count; i++) {
		unsigned long until;

		part += cells[i].weight;
		until = choice->rounds * (part / sum) + 0.5;
		cell_play(&cells[i], until - played, &tally);
		if (choice->events[0] >= 0)
			print_cell(&cells[i], &tally, until - played);
		played = until;
		if (i + 1 < count && !memcmp(cells[i].events, cells[i + 1].events,
					     sizeof(cells[i].events)))
			continue;
		print_pair(&cells[i], &tally);
		exits += tally.exits;
		tally = (struct tally){};
		pairs++;
	}
	printf("%d pairs, %lu rounds in %lld s, %lu exits of workers, no violation\n", pairs,
	       played, (now() - begin) / SECOND, exits);
}

int main(int argc, char **argv)
{
	struct choice choice = {
		.events = { -1, -1 }, .rounds = 1000000, .exploration.failures = 1,
	};
	static struct cell cells[MAX_CELLS];
	int count;

	parse(argc, argv, &choice);
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	count = list_cells(&choice, cells);
	if (stage == MAP_FAILED || !count) {
		fprintf(stderr, "pairs: there is nothing to play\n");
		return 2;
	}
	if (choice.exploration.first)
		return explore(&choice.exploration, cells, count);
	watch_start();
	play_all(&choice, cells, count);
	return 0;
}
