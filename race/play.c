// SPDX-License-Identifier: GPL-2.0
/*
 * Playing a script.  Each actor has a processor to itself, and the workers have one:
 * an interrupt that is made to stand, with all others off, keeps its processor from
 * doing anything else.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "script.h"

static const struct script *played;
static pthread_barrier_t barrier;
/* Place in the scene: 0 for main, actors from 1 on. */
static __thread int place;

static void write_verdict(const char *format, va_list arguments)
{
	const struct line *line = __atomic_load_n(&scene->at[place], __ATOMIC_RELAXED);
	int len = 0;

	/* The first one counts; who comes second waits for the end. */
	if (__atomic_exchange_n(&scene->failed, 1, __ATOMIC_SEQ_CST))
		for (;;)
			pause();
	if (line)
		len = snprintf(scene->verdict, sizeof(scene->verdict), "line %d: %s: ",
			       line->number, line->text);
	vsnprintf(scene->verdict + len, sizeof(scene->verdict) - len, format, arguments);
	__atomic_store_n(&scene->failed, 2, __ATOMIC_SEQ_CST);
}

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_verdict(format, arguments);
	va_end(arguments);
	_exit(points_held_out() ? NOT_SET : FAILED);
}

void fail_scene(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_verdict(format, arguments);
	va_end(arguments);
	_exit(NOT_SET);
}

/* There may be fewer processors than places.  Returns which one it is. */
static int stand_on(int processor)
{
	cpu_set_t set;

	processor %= (int)sysconf(_SC_NPROCESSORS_ONLN);
	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
	return processor;
}

/* A worker may stand too.  One may be given only what the caller may have itself. */
static void open_context(void)
{
	__u64 processors = 1ULL << stand_on(MAX_ACTORS + 1);

	results_open(script_workers(played), processors);
	stand_on(0);
}

static void run_line(const struct line *line)
{
	__atomic_store_n(&scene->at[place], line, __ATOMIC_RELAXED);
	points_command("note %s", line->text);
	verb_run((char **)line->words);
	__atomic_store_n(&scene->at[place], NULL, __ATOMIC_RELAXED);
}

static void *run_actor(void *argument)
{
	char name[2] = "A";
	int i;

	place = (long)argument;
	name[0] += place - 1;
	prctl(PR_SET_NAME, name);
	stand_on(place);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < played->count; i++)
		if (played->lines[i].actor == name[0])
			run_line(&played->lines[i]);
	return NULL;
}

/* The module's threads of an earlier script may pass points until they are gone. */
static void await_idle_module(void)
{
	__s64 end = after(PATIENCE);
	int users = 1;

	while (users && now() < end) {
		FILE *file = fopen("/sys/module/cancelio/refcnt", "r");

		if (!file || fscanf(file, "%d", &users) != 1)
			users = 0;
		if (file)
			fclose(file);
		if (users)
			usleep(1000);
	}
}

/* Nobody's lines: before the first actor's, or after all actors' */
static void run_own_lines(bool before)
{
	bool met = false;
	int i;

	for (i = 0; i < played->count; i++) {
		const struct line *line = &played->lines[i];

		met = met || line->actor;
		if (!line->actor && met == !before && strcmp(line->words[0], "engine"))
			run_line(line);
	}
}

static void start_actors(pthread_t *threads)
{
	long i;

	pthread_barrier_init(&barrier, NULL, MAX_ACTORS + 1);
	for (i = 1; i <= MAX_ACTORS; i++)
		if (pthread_create(&threads[i], NULL, run_actor, (void *)i))
			fail("no threads");
}

void play(const struct script *script)
{
	pthread_t threads[MAX_ACTORS + 1];
	int i;

	played = script;
	stand_on(0);
	await_idle_module();
	/* Before anybody can stand: making a thread takes all processors. */
	start_actors(threads);
	points_command("reset");
	open_context();
	__atomic_store_n(&scene->begun, 1, __ATOMIC_SEQ_CST);
	run_own_lines(true);
	pthread_barrier_wait(&barrier);
	for (i = 1; i <= MAX_ACTORS; i++)
		pthread_join(threads[i], NULL);
	run_own_lines(false);
	results_check_count();
	points_check_holds();
	exit(0);
}
