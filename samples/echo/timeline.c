// SPDX-License-Identifier: GPL-2.0
/*
 * The timeline: one line per event on standard output, and the summary.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "echo.h"

void timeline_begin(struct server *server)
{
	server->start = cancelio_now();
	printf("%10s  %4s  %-15s  %10s  %-8s  %-12s  %8s\n", "time ms", "conn",
	       "what", "bytes", "reason", "error", "late us");
}

static void note_late(struct server *server, long long late)
{
	long long latest = server->counts.latest_ns;

	while (late > latest &&
	       !atomic_compare_exchange_weak(&server->counts.latest_ns, &latest,
					     late))
		continue;
}

/* Prints one line: @how is how the operation ended, @note is free text. */
void timeline_event(struct server *server, unsigned int id, const char *what,
		    const struct cancelio_completion *how, const char *note)
{
	double now = (double)(cancelio_now() - server->start) / MS;
	char late[24] = "-";

	if (how->reason == CANCELIO_DEADLINE) {
		snprintf(late, sizeof(late), "%lld", how->late / 1000);
		note_late(server, how->late);
	}
	printf("%10.3f  %4u  %-15s  %10u  %-8s  %-12s  %8s%s%s\n", now, id, what,
	       how->bytes, cancelio_reason_name(how->reason),
	       how->error ? strerrorname_np(-how->error) : "-", late,
	       *note ? "  " : "", note);
}

int timeline_summary(struct server *server)
{
	const struct counts *counts = &server->counts;

	printf("summary: %u connections, %llu bytes read, %llu bytes written\n",
	       counts->connections, counts->bytes_read, counts->bytes_written);
	printf("summary: %u read deadlines, %u write deadlines, at most %lld us late\n",
	       counts->read_deadlines, counts->write_deadlines,
	       counts->latest_ns / 1000);
	printf("summary: %u canceled, %u resets, %u expectations not met\n",
	       counts->canceled, counts->resets, counts->failed_expectations);
	return counts->failed_expectations ? 1 : 0;
}

/* Says what cancelio promised and did not keep. */
void expect(struct server *server, bool is_so, unsigned int id,
	    const char *what)
{
	if (is_so)
		return;
	printf("NOT as promised, connection %u: %s\n", id, what);
	server->counts.failed_expectations++;
}
