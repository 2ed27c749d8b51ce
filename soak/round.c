// SPDX-License-Identifier: GPL-2.0
/*
 * A round: workers are started, killed now and then and replaced, and brought to their
 * end; then nothing is left, and memory is looked at.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

#define TICK		(50 * MS)
#define REPORT		(10 * SECOND)
/* A worker that does not go round its loop for so long hangs. */
#define HANG		(2 * PATIENCE)

/**
 * struct place - where a worker runs
 * @pid: 0 while there is none
 * @killed: when it was killed, or 0
 * @dead: when it was found dead, or 0; @pid is kept until nothing is left of it
 * @gone: its context is not there any more
 * @beats: how often it went round when that was last looked at
 * @alive: when that had changed
 */
struct place {
	pid_t pid;
	__s64 killed;
	__s64 dead;
	bool gone;
	__u32 beats;
	__s64 alive;
};

static struct place places[WORKERS];
static pid_t peers[PEERS];
static __u64 state;

void peers_start(void)
{
	int i;

	state = shared->seed;
	peers_listen();
	fflush(stdout);
	for (i = 0; i < PEERS; i++) {
		peers[i] = fork();
		if (peers[i] < 0)
			violation("no process: %s", strerror(errno));
		if (!peers[i])
			peer_run(i);
	}
}

void peers_stop(void)
{
	int i, status;

	flag_set(&shared->quit);
	for (i = 0; i < PEERS; i++)
		if (waitpid(peers[i], &status, 0) != peers[i] || status)
			violation("peer %d ends with %x", i, status);
}

static void stop(pid_t pid)
{
	if (pid) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* Before the supervisor leaves with a violation. */
void all_stop(void)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		stop(places[i].pid);
	for (i = 0; i < PEERS; i++)
		stop(peers[i]);
}

/* One of the others has found a violation, and said so. */
static noreturn void give_up(void)
{
	all_stop();
	report_stop();
	exit(1);
}

static void start(int number)
{
	struct place *place = &places[number];
	__u64 seed = random_next(&state);

	fflush(stdout);
	*place = (struct place){ .alive = now() };
	place->pid = fork();
	if (place->pid < 0)
		violation("no process: %s", strerror(errno));
	if (!place->pid)
		worker_run(number, seed);
}

static int number_of(pid_t pid)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (places[i].pid == pid)
			return i;
	violation("process %d has ended, which is nobody's", pid);
}

/* A connection that was never introduced has no end to be compared with. */
static bool are_judged(int number)
{
	bool judged = true;
	int i;

	for (i = number * SLOTS; i < (number + 1) * SLOTS; i++) {
		const struct record *record = &shared->records[i];

		judged &= !flag_get(&record->used) || !flag_get(&record->seen) ||
			flag_get(&record->judged);
	}
	return judged;
}

static void forget_records(int number)
{
	int i;

	for (i = number * SLOTS; i < (number + 1) * SLOTS; i++)
		__atomic_store_n(&shared->records[i].used, false, __ATOMIC_RELEASE);
}

static void make_orphans(int number)
{
	int i;

	for (i = number * SLOTS; i < (number + 1) * SLOTS; i++)
		if (shared->records[i].used && !flag_get(&shared->records[i].left))
			flag_set(&shared->records[i].orphan);
}

/* The peers find what it has sent, and the end; its context goes. */
static bool is_buried(int number)
{
	struct place *place = &places[number];

	if (now() > place->dead + PATIENCE)
		violation("worker %d is dead, and its %s not", number,
			  place->gone ? "connections are" : "context is");
	if (!place->gone && context_is_gone(place->pid)) {
		place->gone = true;
		raise_to(&shared->gone, now() - (place->killed ?: place->dead));
	}
	if (!place->gone || !are_judged(number))
		return false;
	forget_records(number);
	place->pid = 0;
	return true;
}

/* Where a worker was killed, another one takes its place. */
static void replace_dead(void)
{
	static __s64 next;
	int i;

	if (now() < next)
		return;
	for (i = 0; i < WORKERS; i++)
		if (places[i].dead && is_buried(i) && !flag_get(&shared->ending))
			start(i);
	next = after(500 * MS);
}

static void reap_one(pid_t pid, int status)
{
	int number = number_of(pid);
	struct place *place = &places[number];

	if (WIFEXITED(status) && !WEXITSTATUS(status) && flag_get(&shared->ending)) {
		place->pid = 0;
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		give_up();
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL ||
	    (!place->killed && kinds[number].limit != OF_MEMORY))
		violation("worker %d ends with %x", number, status);
	place->dead = now();
	make_orphans(number);
}

static void kill_one(void)
{
	int number = random_below(&state, WORKERS);
	struct place *place = &places[number];

	if (!place->pid || place->killed || place->dead)
		return;
	place->killed = now();
	kill(place->pid, SIGKILL);
	count_add(KILLS, 1);
}

static void look_for_hang(void)
{
	int i;

	for (i = 0; i < WORKERS; i++) {
		struct place *place = &places[i];
		__u32 beats = __atomic_load_n(&shared->beats[i], __ATOMIC_RELAXED);

		if (beats != place->beats || !place->pid || place->dead) {
			place->beats = beats;
			place->alive = now();
		} else if (now() > place->alive + HANG) {
			violation("worker %d (%s) does not come back from a call", i,
				  kinds[i].name);
		}
	}
}

static void tick(void)
{
	static __s64 next_report;
	int status;
	pid_t pid;

	sleep_until(after(TICK));
	look_for_hang();
	if (__atomic_load_n(&shared->violations, __ATOMIC_RELAXED))
		give_up();
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reap_one(pid, status);
	replace_dead();
	if (now() >= next_report) {
		limits_read_events();
		report_now();
		next_report = after(REPORT);
	}
}

static bool all_are_open(void)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (!flag_get(&shared->open[i]))
			return false;
	return true;
}

static void play(int seconds)
{
	__s64 next_kill, end, limit = after(PATIENCE);

	while (!all_are_open() && now() < limit)
		tick();
	report_now();
	end = after(seconds * SECOND);
	next_kill = after(SECOND);
	while (now() < end) {
		tick();
		if (now() < next_kill)
			continue;
		kill_one();
		next_kill = after((3 + random_below(&state, 6)) * SECOND);
	}
}

static int workers_left(void)
{
	int i, left = 0;

	for (i = 0; i < WORKERS; i++)
		left += !!places[i].pid;
	return left;
}

/* Every worker has compared its own; now the peers have, and nothing holds the module. */
static void await_quiet(void)
{
	__s64 limit = after(PATIENCE);
	int i;

	for (i = 0; i < WORKERS; i++)
		while (records_used(i)) {
			if (now() > limit)
				violation("%d connections of worker %d are not judged",
					  records_used(i), i);
			sleep_until(after(TICK));
		}
	await_unused();
}

void round_play(int seconds)
{
	int i;

	__atomic_store_n(&shared->ending, false, __ATOMIC_RELEASE);
	memset(shared->open, 0, sizeof(shared->open));
	for (i = 0; i < WORKERS; i++)
		start(i);
	play(seconds);
	flag_set(&shared->ending);
	while (workers_left())
		tick();
	await_quiet();
	limits_read_events();
	memory_sample();
}
