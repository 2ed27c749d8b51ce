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
#define HANG		(60 * SECOND)
/* Within which what a killed worker had is gone. */
#define GONE		(5 * SECOND)

/**
 * struct place - where a worker runs
 * @pid: 0 while there is none
 * @killed: when it was killed, or 0
 * @beats: how often it went round when that was last looked at
 * @alive: when that had changed
 */
struct place {
	pid_t pid;
	__s64 killed;
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

static void await_gone(int pid, __s64 since)
{
	while (!context_is_gone(pid)) {
		if (now() > since + GONE)
			violation("a killed worker's context is not gone after %lld s",
				  GONE / SECOND);
		sleep_until(after(TICK));
	}
}

/* The peers find what it has sent, and the end. */
static void await_judged(int number)
{
	__s64 limit = after(PATIENCE);

	while (!are_judged(number)) {
		if (now() > limit)
			violation("worker %d is dead, and its connections are not", number);
		sleep_until(after(TICK));
	}
	forget_records(number);
}

static void bury(int number, pid_t pid)
{
	__s64 since = places[number].killed ?: now();

	places[number].pid = 0;
	make_orphans(number);
	await_gone(pid, since);
	await_judged(number);
}

/* Returns the number of a worker that has ended, or -1. */
static int reap_one(void)
{
	int status, number;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return -1;
	number = number_of(pid);
	if (WIFEXITED(status) && !WEXITSTATUS(status) && flag_get(&shared->ending)) {
		places[number].pid = 0;
		return number;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		give_up();
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL ||
	    (!places[number].killed && kinds[number].limit != OF_MEMORY))
		violation("worker %d ends with %x", number, status);
	bury(number, pid);
	return number;
}

static void kill_one(void)
{
	int number = random_below(&state, WORKERS);
	struct place *place = &places[number];

	if (!place->pid || place->killed)
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

		if (beats != place->beats || !place->pid) {
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

	sleep_until(after(TICK));
	look_for_hang();
	if (__atomic_load_n(&shared->violations, __ATOMIC_RELAXED))
		give_up();
	if (now() >= next_report) {
		limits_read_events();
		report_now();
		next_report = after(REPORT);
	}
}

static void play(__s64 end)
{
	__s64 next_kill = after(4 * SECOND);
	int number;

	while (now() < end) {
		tick();
		while ((number = reap_one()) >= 0)
			start(number);
		if (now() < next_kill)
			continue;
		kill_one();
		next_kill = after((1 + random_below(&state, 5)) * SECOND);
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
	__s64 end = after(seconds * SECOND);
	int i;

	__atomic_store_n(&shared->ending, false, __ATOMIC_RELEASE);
	for (i = 0; i < WORKERS; i++)
		start(i);
	play(end);
	flag_set(&shared->ending);
	while (workers_left()) {
		tick();
		reap_one();
	}
	await_quiet();
	limits_read_events();
	memory_sample();
}
