// SPDX-License-Identifier: GPL-2.0
/* A round as text, for a terminal or a file, and as JSON. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report.h"
#include "tool.h"

#define BAR 40

const char *const sort_names[] = { "pending", "conns", "ops", "missed", "pid", NULL };

static enum sort_key sort_key;

static double weight(const struct context *context)
{
	switch (sort_key) {
	case SORT_CONNS:
		return context->conns;
	case SORT_OPS:
		return context->ops;
	case SORT_MISSED:
		return context->missed;
	case SORT_PID:
		return 0;
	default:
		return context->pending;
	}
}

static int compare(const void *left, const void *right)
{
	const struct context *a = left, *b = right;
	double x = weight(a), y = weight(b);

	if (x != y)
		return x < y ? 1 : -1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->fd < b->fd ? -1 : a->fd > b->fd;
}

void round_sort(struct round *round, enum sort_key key)
{
	sort_key = key;
	if (round->count)
		qsort(round->contexts, round->count, sizeof(*round->contexts), compare);
}

/* The times that an entry of a histogram counts are below this, ns; 0: the last one's. */
static u64 bound_of(unsigned int entry)
{
	return entry < CANCELIO_BUCKETS - 1 ? 1ULL << entry : 0;
}

/* As <131us: below which time, or >1.1s: the last entry's, beyond which. */
static const char *entry_text(char *text, size_t size, unsigned int entry)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	u64 bound = bound_of(entry);
	double time = bound ?: bound_of(entry - 1);
	unsigned int unit = 0;

	for (; time >= 1000 && unit < 3; unit++)
		time /= 1000;
	snprintf(text, size, "%c%.*f%s", bound ? '<' : '>', time < 10 && unit ? 1 : 0, time,
		 units[unit]);
	return text;
}

static u64 sum_of(const u64 *late)
{
	unsigned int entry;
	u64 sum = 0;

	for (entry = 0; entry < CANCELIO_BUCKETS; entry++)
		sum += late[entry];
	return sum;
}

/* The entry that has the time which so many of a hundred did not exceed. */
static const char *percentile(char *text, size_t size, const u64 *late, unsigned int percent)
{
	u64 all = sum_of(late), seen = 0;
	unsigned int entry;

	if (!all)
		return "-";
	for (entry = 0; entry < CANCELIO_BUCKETS - 1; entry++) {
		seen += late[entry];
		if (seen * 100 >= all * percent)
			break;
	}
	return entry_text(text, size, entry);
}

static void add_up(const struct round *round, struct context *all)
{
	unsigned int entry;
	size_t i;

	*all = (struct context){};
	for (i = 0; i < round->count; i++) {
		const struct context *one = &round->contexts[i];

		all->conns += one->conns;
		all->pending += one->pending;
		all->measured |= one->measured;
		all->ops += one->ops;
		all->missed += one->missed;
		for (entry = 0; entry < CANCELIO_BUCKETS; entry++)
			all->counts.late[entry] += one->counts.late[entry];
	}
}

static const char *rate(char *text, size_t size, bool measured, double rate)
{
	if (!measured)
		return "-";
	snprintf(text, size, rate < 100 ? "%.1f" : "%.0f", rate);
	return text;
}

static void print_summary(FILE *to, const struct round *round, const struct context *all)
{
	char ops[32], missed[32], clock[16];
	time_t now = time(NULL);

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	fprintf(to, "%s  contexts %zu, connections %llu, pending %llu, ended/s %s, missed/s %s\n",
		clock, round->count, all->conns, all->pending,
		rate(ops, sizeof(ops), all->measured, all->ops),
		rate(missed, sizeof(missed), all->measured, all->missed));
}

static void print_context(FILE *to, const struct context *context)
{
	char ops[32], missed[32], half[16], most[16];

	fprintf(to, "%7llu %-8.8s %-15s %4llu %-6s %-5s %6llu %7llu %6llu %7llu %8s %8s %7s %7s\n",
		context->pid, user_name(context->uid), context->process, context->fd,
		context->engine[0] ? context->engine : "-", context->state, context->conns,
		context->pending, context->completions, context->workers,
		rate(ops, sizeof(ops), context->measured, context->ops),
		rate(missed, sizeof(missed), context->measured, context->missed),
		percentile(half, sizeof(half), context->counts.late, 50),
		percentile(most, sizeof(most), context->counts.late, 99));
}

static void print_contexts(FILE *to, const struct round *round, const struct view *view)
{
	size_t i;

	fprintf(to, "%7s %-8s %-15s %4s %-6s %-5s %6s %7s %6s %7s %8s %8s %7s %7s\n", "PID",
		"USER", "PROCESS", "FD", "ENGINE", "STATE", "CONNS", "PENDING", "UNREAD",
		"WORKERS", "ENDED/S", "MISSED/S", "LATE50", "LATE99");
	for (i = view->first; i < round->count && i - view->first < view->rows; i++)
		print_context(to, &round->contexts[i]);
}

/* The first and last entry that counts something; false: none does. */
static bool extent(const u64 *late, unsigned int *first, unsigned int *last)
{
	for (*first = 0; *first < CANCELIO_BUCKETS && !late[*first]; ++*first)
		;
	for (*last = CANCELIO_BUCKETS - 1; *last && !late[*last]; --*last)
		;
	return *first < CANCELIO_BUCKETS;
}

size_t report_bars(const struct round *round)
{
	unsigned int first, last;
	struct context all;

	add_up(round, &all);
	return extent(all.counts.late, &first, &last) ? last - first + 1 : 0;
}

static void print_histogram(FILE *to, const u64 *late, size_t bars)
{
	static const char stars[BAR + 2] = " ****************************************";
	unsigned int first, last, entry;
	char time[16];
	u64 most = 0;

	if (!bars || !extent(late, &first, &last))
		return;
	for (entry = first; entry <= last; entry++)
		most = late[entry] > most ? late[entry] : most;
	fputs("deadlines that ended something, by how late, of all contexts\n", to);
	/* Where not all fits, the latest are what is looked for. */
	entry = last - first < bars ? first : last + 1 - bars;
	for (; entry <= last; entry++)
		fprintf(to, "%7s %10llu%.*s\n", entry_text(time, sizeof(time), entry), late[entry],
			(int)((late[entry] * BAR + most - 1) / most + !!late[entry]), stars);
}

/* What cannot be seen, and where the module tells less than it could. */
static void print_missing(FILE *to, const struct round *round)
{
	unsigned int processes = 0;
	size_t i, uncounted = 0;

	for (i = 0; i < round->nr_hidden; i++)
		processes += round->hidden[i].processes;
	if (processes)
		fprintf(to, "not looked into, for this user may not: %u processes:", processes);
	for (i = 0; i < round->nr_hidden; i++)
		fprintf(to, " %s %u", user_name(round->hidden[i].uid), round->hidden[i].processes);
	if (processes)
		fputs("; root sees all\n", to);
	for (i = 0; i < round->count; i++)
		uncounted += round->contexts[i].engine[0] && !round->contexts[i].counted;
	if (uncounted)
		fprintf(to, "%zu contexts without rates and lateness: this module tells none\n",
			uncounted);
}

void report_text(FILE *to, const struct round *round, const struct view *view)
{
	struct context all;

	add_up(round, &all);
	print_summary(to, round, &all);
	if (round->count)
		print_contexts(to, round, view);
	print_histogram(to, all.counts.late, view->bars);
	print_missing(to, round);
}

static struct json_object *json_late(const u64 *late)
{
	struct json_object *list = json_object_new_array();
	unsigned int entry;

	for (entry = 0; entry < CANCELIO_BUCKETS; entry++) {
		struct json_object *one;

		if (!late[entry])
			continue;
		one = json_object_new_object();
		json_object_object_add(one, "below_ns", bound_of(entry) ?
				       json_object_new_uint64(bound_of(entry)) : NULL);
		add_number(one, "count", late[entry]);
		json_object_array_add(list, one);
	}
	return list;
}

static struct json_object *json_counts(const struct counts *counts)
{
	static const char *const reasons[] = {
		"done", "error", "deadline", "canceled", "closed"
	};
	struct json_object *to = json_object_new_object();
	size_t i;

	add_number(to, "submitted", counts->submitted);
	add_number(to, "at_once", counts->at_once);
	for (i = 0; i <= CANCELIO_CLOSED; i++)
		add_number(to, reasons[i], counts->ended[i]);
	add_number(to, "met", counts->met);
	add_number(to, "raced", counts->raced);
	json_object_object_add(to, "late", json_late(counts->late));
	return to;
}

static struct json_object *json_rates(const struct context *context)
{
	struct json_object *to = json_object_new_object();

	add_double(to, "ended", context->ops);
	add_double(to, "missed", context->missed);
	return to;
}

static struct json_object *json_context(const struct context *context)
{
	struct json_object *to = json_object_new_object();

	add_number(to, "pid", context->pid);
	add_number(to, "fd", context->fd);
	add_text(to, "user", user_name(context->uid));
	add_text(to, "process", context->process);
	add_number(to, "context", context->number);
	add_number(to, "owner", context->owner);
	add_text(to, "state", context->state);
	add_text(to, "engine", context->engine[0] ? context->engine : NULL);
	add_number(to, "connections", context->conns);
	add_number(to, "pending", context->pending);
	add_number(to, "completions", context->completions);
	add_number(to, "entries", context->entries);
	add_number(to, "workers", context->workers);
	json_object_object_add(to, "counts", context->counted ?
			       json_counts(&context->counts) : NULL);
	json_object_object_add(to, "rates", context->measured ? json_rates(context) : NULL);
	return to;
}

static struct json_object *json_hidden(const struct round *round)
{
	struct json_object *to = json_object_new_object();
	size_t i;

	for (i = 0; i < round->nr_hidden; i++)
		add_number(to, user_name(round->hidden[i].uid), round->hidden[i].processes);
	return to;
}

void report_json(const struct round *round, unsigned long number, long long before)
{
	struct json_object *to = json_object_new_object();
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < round->count; i++)
		json_object_array_add(list, json_context(&round->contexts[i]));
	add_number(to, "round", number);
	add_double(to, "time", round->time / 1e9);
	if (before)
		add_double(to, "seconds", (round->time - before) / 1e9);
	else
		add_text(to, "seconds", NULL);
	json_object_object_add(to, "contexts", list);
	json_object_object_add(to, "hidden", json_hidden(round));
	print_json(to, false);
}
