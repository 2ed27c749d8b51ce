// SPDX-License-Identifier: GPL-2.0
/* Figures: a line now and then, and all of them at the end. */
#include <string.h>

#include "soak.h"

static const char *const names[COUNTS] = {
	[MADE] = "connections made",
	[EXACT] = "connections compared to their end",
	[ABORTED] = "connections given up by the worker",
	[RESETS] = "connections reset by the peer",
	[KILLED] = "connections of killed workers",
	[DONE] = "operations done",
	[ERRORS] = "operations ended by an error",
	[DEADLINES] = "operations ended by a deadline",
	[CANCELS] = "operations canceled",
	[CLOSES] = "operations closed",
	[UP] = "bytes from workers",
	[DOWN] = "bytes to workers",
	[CALLS] = "operations waited for one by one",
	[INTERRUPTED] = "calls interrupted by a signal",
	[MOVES] = "deadlines moved",
	[REATTACHED] = "connections attached again",
	[KILLS] = "workers killed",
	[OOM_KILLS] = "workers killed for memory",
	[MEMORY_MAX] = "group limits hit",
	[NOMEM_SETUP] = "ENOMEM of SETUP",
	[NOMEM_ATTACH] = "ENOMEM of ATTACH",
	[NOMEM_SUBMIT] = "ENOMEM of SUBMIT and CALL",
	[EMFILE_ATTACH] = "EMFILE of ATTACH",
	[EMFILE_SOCKET] = "EMFILE of socket",
	[AGAIN_RING] = "EAGAIN of SUBMIT",
	[AGAIN_THREADS] = "EAGAIN of SETUP",
};

static __u64 operations(void)
{
	return count_of(DONE) + count_of(ERRORS) + count_of(DEADLINES) + count_of(CANCELS) +
		count_of(CLOSES);
}

static long long seconds(void)
{
	return (now() - shared->begin) / SECOND;
}

static int alive(void)
{
	int i, alive = 0;

	for (i = 0; i < WORKERS * SLOTS; i++) {
		const struct record *record = &shared->records[i];

		alive += flag_get(&record->used) && !flag_get(&record->left) &&
			!flag_get(&record->orphan);
	}
	return alive;
}

static __u64 mebibytes(void)
{
	return (count_of(UP) + count_of(DOWN)) >> 20;
}

static void print_limits(void)
{
	printf("         limits: memory %llu, ENOMEM %llu of SETUP, %llu of ATTACH, ",
	       count_of(MEMORY_MAX), count_of(NOMEM_SETUP), count_of(NOMEM_ATTACH));
	printf("%llu of SUBMIT, %llu killed; EMFILE %llu of ATTACH, %llu of socket; ",
	       count_of(NOMEM_SUBMIT), count_of(OOM_KILLS), count_of(EMFILE_ATTACH),
	       count_of(EMFILE_SOCKET));
	printf("EAGAIN %llu of SUBMIT, %llu of SETUP\n", count_of(AGAIN_RING),
	       count_of(AGAIN_THREADS));
}

void report_now(void)
{
	int conns = alive();

	printf("%5lld s  connections: %d now, %llu made, %llu compared, %llu MiB; %llu kills\n",
	       seconds(), conns, count_of(MADE), count_of(EXACT), mebibytes(), count_of(KILLS));
	printf("         operations: %llu done, %llu error, %llu deadline, ", count_of(DONE),
	       count_of(ERRORS), count_of(DEADLINES));
	printf("%llu canceled, %llu closed; latest deadline %lld ms\n", count_of(CANCELS),
	       count_of(CLOSES), shared->late / MS);
	print_limits();
	fflush(stdout);
	if (conns > shared->most)
		shared->most = conns;
}

/* A limit that nobody came to was no limit. */
static bool is_missing(enum count which)
{
	return !count_of(which) && which != RESETS && which != OOM_KILLS && which != NOMEM_ATTACH;
}

/* The last line, also of a run that a violation has ended. */
void report_stop(void)
{
	printf("soak: %lld s, %llu connections, up to %d at once, ", seconds(), count_of(MADE),
	       shared->most);
	printf("%llu operations, %llu MiB, %llu kills, %d violations\n", operations(),
	       mebibytes(), count_of(KILLS), shared->violations);
	fflush(stdout);
}

void report_end(FILE *figures)
{
	int i;

	fprintf(figures, "seconds: %lld\n", seconds());
	fprintf(figures, "connections at once: %d\n", shared->most);
	for (i = 0; i < COUNTS; i++) {
		fprintf(figures, "%s: %llu\n", names[i], count_of(i));
		if (shared->most && is_missing(i))
			printf("soak: there were no %s\n", names[i]);
	}
	fprintf(figures, "operations: %llu\n", operations());
	fprintf(figures, "latest deadline us: %lld\n", shared->late / 1000);
	fprintf(figures, "slowest end of a killed worker's context us: %lld\n",
		shared->gone / 1000);
	fprintf(figures, "violations: %d\n", shared->violations);
	report_stop();
}
