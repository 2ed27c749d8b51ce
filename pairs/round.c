// SPDX-License-Identifier: GPL-2.0
/* One round after another: aligned, and steered to where both events come first as often. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pairs.h"

#define FIRST_STEP	16000
#define LEAST_STEP	100
#define MOST_STEP	50000
#define MOST_CENTER	MS
/* A write is some time on its way to its end. */
#define MOST_OF_WRITE	(8 * MS)
/* From the preparation's begin where a deadline has to be set in it, or from its end. */
#define FIRST_LEAD	60000
#define LEAST_LEAD	10000
#define MOST_LEAD	MS
#define SHORT_LEAD	3000

void bind_to(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		violation("no processor %d: %s", processor, strerror(errno));
}

static void futex(unsigned int *word, int what, unsigned int value, __s64 patience)
{
	struct timespec time = {
		.tv_sec = patience / SECOND, .tv_nsec = patience % SECOND,
	};

	syscall(SYS_futex, word, what, value, what == FUTEX_WAIT ? &time : NULL, NULL, 0);
}

/* In a loop that waits for threads of the module. */
void let_others(void)
{
	if (explored)
		usleep(100);
	else
		sched_yield();
}

/* Tells the other one, which may sleep. */
void publish(unsigned int *word, unsigned int value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	futex(word, FUTEX_WAKE, 1, 0);
}

/* Spins for a little while, for both have a processor; false when it does not come. */
bool await_word(unsigned int *word, unsigned int value, __s64 patience)
{
	__s64 end = after(SPIN);
	unsigned int seen;

	while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value && now() < end)
		yield_turn();
	end = after(patience);
	while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value && now() < end)
		futex(word, FUTEX_WAIT, seen, 100 * MS);
	return seen == value;
}

void spin_until(__s64 time)
{
	while (now() < time)
		yield_turn();
}

/* The next of a sequence that the seed decides. */
static __u64 random_next(void)
{
	stage->seed ^= stage->seed << 13;
	stage->seed ^= stage->seed >> 7;
	stage->seed ^= stage->seed << 17;
	return stage->seed;
}

void aim_reset(void)
{
	stage->aim = (struct aim){ .step = FIRST_STEP, .lead = FIRST_LEAD };
}

static bool is_by_threads(void)
{
	return stage->config->op_flags || stage->config->engine == CANCELIO_ENGINE_THREAD;
}

/*
 * Around the moment of coincidence, more often near to it: up to 256 ns to 16 us, and
 * 64 us where a thread is some time on its way.
 */
void aim_next(void)
{
	__u64 random = random_next();
	__s64 spread = 256LL << random % (is_by_threads() ? 9 : 7);

	stage->offset = stage->aim.center + (__s64)(random / 512 % (2 * spread)) - spread;
	if (fixed_offset)
		stage->offset = fixed_offset - 1;
}

static __s64 clamp(__s64 value, __s64 least, __s64 most)
{
	return value < least ? least : value > most ? most : value;
}

/* Against who came first; faster while it is the same one again and again. */
void aim_learn(int winner)
{
	struct aim *aim = &stage->aim;
	bool long_way = stage->side == CANCELIO_WRITE && pair_has(COMPLETE);
	__s64 most = long_way ? MOST_OF_WRITE : MOST_CENTER;
	int way = winner ? 1 : -1;

	aim->step = clamp(way == aim->last ? aim->step * 5 / 4 : aim->step * 2 / 3,
			  LEAST_STEP, MOST_STEP);
	aim->center = clamp(aim->center + way * aim->step, -most, most);
	aim->last = way;
}

static void set_times(__s64 lead)
{
	__s64 time = after(lead);

	stage->actors[0].time = time + (stage->offset < 0 ? -stage->offset : 0);
	stage->actors[1].time = time + (stage->offset > 0 ? stage->offset : 0);
}

/* The moment is soon, but most often not before what comes before it is done. */
static void learn_lead(void)
{
	struct aim *aim = &stage->aim;
	__s64 first = stage->actors[stage->offset < 0].time;

	aim->lead += now() > first - 2000 ? aim->lead / 8 : -aim->lead / 32;
	aim->lead = clamp(aim->lead, LEAST_LEAD, MOST_LEAD);
}

static void set_deadline(__s64 time)
{
	int ret = stage->side == CANCELIO_READ ?
		cio_deadline(stage->fd, stage->conn, CANCELIO_READ, time, 0) :
		cio_deadline(stage->fd, stage->conn, CANCELIO_WRITE, 0, time);

	if (ret)
		violation("the deadline cannot be set: %s", strerror(-ret));
}

static void set_deadlines(void)
{
	if (stage->actors[1].event == DEADLINE)
		set_deadline(stage->actors[1].time);
	else if (stage->actors[0].event == DEADLINE && !deadline_is_own())
		set_deadline(stage->actors[0].time);
	else if (pair_has(SUBMIT) && (move_clears(0) || move_clears(1)))
		set_deadline(0);
}

static void poison_buffers(void)
{
	int i;

	for (i = 0; i < OPS; i++) {
		__u8 *bytes = stage->buffers[(stage->round * OPS + i) % BUFFERS];

		if (!bytes_all(bytes, BUFFER, GONE))
			violation("the buffer of an operation of a former round was written");
		memset(bytes, UNTOUCHED, BUFFER);
		stage->ops[i].bytes = stage->side == CANCELIO_READ || i == DECOY ? bytes :
				      stage->chunks[i];
	}
}

void round_begin(void)
{
	stage->round++;
	if (explored)
		explore_round();
}

/* All that comes before the moment. */
void round_prepare(void)
{
	/* A worker comes to the operation meanwhile, or not. */
	__s64 slack = random_next() % (is_by_threads() ? 100000 : 5000);
	int i;

	memset(stage->ops, 0, sizeof(stage->ops));
	stage->ends = 0;
	stage->over = false;
	stage->seen = false;
	for (i = 0; i < 2; i++)
		stage->actors[i] = (struct actor){ .event = stage->actors[i].event };
	poison_buffers();
	stage->ops[TARGET].held = stage->round % 5 == 4 && !stage->mapped;
	if (pair_has(WORKER_EXIT))
		workers_refill();
	set_times(stage->aim.lead + slack);
	set_deadlines();
	if (!pair_has(SUBMIT) || submit_joins())
		submit_op(TARGET);
	if (pair_has(DEADLINE))
		learn_lead();
	else
		set_times(SHORT_LEAD + slack);
}

/* The follower's thread. */
static void *follow(void *unused)
{
	unsigned int next = stage->acted + 1;

	(void)unused;
	bind_to(1);
	for (;; next++) {
		while (!await_word(&stage->go, next, longest))
			;
		publish(&stage->arrived, next);
		if (stage->quit)
			return NULL;
		while (!await_word(&stage->ready, next, longest))
			;
		act(1);
		publish(&stage->acted, next);
	}
}

/* Not before the follower is there. */
void round_call(void)
{
	publish(&stage->go, stage->go + 1);
	if (!await_word(&stage->arrived, stage->go, longest))
		violation("the follower does not come");
}

static void play_round(struct tally *tally)
{
	int winner;

	round_begin();
	round_call();
	aim_next();
	round_prepare();
	publish(&stage->ready, stage->go);
	act(0);
	winner = round_judge();
	aim_learn(winner);
	tally->won[winner]++;
	tally->rounds++;
	if (pair_has(WORKER_EXIT)) {
		workers_count();
		tally->exits += stage->exits;
	}
	stage_renew();
	if (stage->round % (stage->side == CANCELIO_READ ? 4 : 32) == 0)
		stage_exchange();
}

/* All rounds of a pair on one engine and side. */
void rounds_play(unsigned long rounds, struct tally *tally)
{
	__s64 begin = now();
	pthread_t follower;

	stage->mapped = pair_has(MUNMAP);
	stage->quit = false;
	stage->acted = stage->go;
	bind_to(0);
	stage_connect();
	stage_open();
	if (pthread_create(&follower, NULL, follow, NULL))
		violation("no thread");
	while (rounds--)
		play_round(tally);
	stage_exchange();
	stage->quit = true;
	round_call();
	pthread_join(follower, NULL);
	stage_close();
	stage_disconnect();
	await_references(0);
	tally->time += now() - begin;
}
