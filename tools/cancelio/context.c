// SPDX-License-Identifier: GPL-2.0
/*
 * One context, of the text of Documentation/fdinfo.rst, and how fast it works, by what it had
 * counted before.  Keys and words that are not known are passed over, for there can be more.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

#define NUMBER(key, member) { key, offsetof(struct context, member) }

/* Keys whose value is one number. */
static const struct {
	const char *key;
	size_t at;
} numbers[] = {
	NUMBER("context", number),
	NUMBER("owner", owner),
	NUMBER("entries", entries),
	NUMBER("completions", completions),
	NUMBER("workers", workers),
	NUMBER("conns", conns),
	NUMBER("pending", pending),
	NUMBER("submitted", counts.submitted),
	NUMBER("at_once", counts.at_once),
	NUMBER("met", counts.met),
	NUMBER("raced", counts.raced),
	{}
};

static const char *const reasons[] = {
	[CANCELIO_DONE] = "done=",
	[CANCELIO_ERROR] = "error=",
	[CANCELIO_DEADLINE] = "deadline=",
	[CANCELIO_CANCELED] = "canceled=",
	[CANCELIO_CLOSED] = "closed=",
};

static void take_reasons(struct context *context, char *value)
{
	char *word, *rest = value;
	size_t i, len;

	while ((word = strsep(&rest, " ")))
		for (i = 0; i <= CANCELIO_CLOSED; i++) {
			len = strlen(reasons[i]);
			if (!strncmp(word, reasons[i], len))
				context->counts.ended[i] = strtoull(word + len, NULL, 10);
		}
}

/* Words as 17=3: entry 17 counts 3. */
static void take_late(struct context *context, char *value)
{
	char *word, *rest = value;
	unsigned int entry;
	u64 count;

	while ((word = strsep(&rest, " ")))
		if (sscanf(word, "%u=%llu", &entry, &count) == 2 && entry < CANCELIO_BUCKETS)
			context->counts.late[entry] = count;
}

static void take_number(struct context *context, const char *key, const char *value)
{
	size_t i;

	for (i = 0; numbers[i].key; i++)
		if (!strcmp(key, numbers[i].key))
			*(u64 *)((char *)context + numbers[i].at) = strtoull(value, NULL, 10);
	if (!strcmp(key, "submitted"))
		context->counted = true;
}

static void take(struct context *context, const char *key, char *value)
{
	if (!strcmp(key, "state"))
		snprintf(context->state, sizeof(context->state), "%s", value);
	else if (!strcmp(key, "engine"))
		snprintf(context->engine, sizeof(context->engine), "%s", value);
	else if (!strcmp(key, "ended"))
		take_reasons(context, value);
	else if (!strcmp(key, "late"))
		take_late(context, value);
	else
		take_number(context, key, value);
}

bool context_parse(struct context *context, FILE *text)
{
	char *line = NULL, *value;
	size_t size = 0;

	while (getline(&line, &size, text) > 0) {
		line[strcspn(line, "\n")] = 0;
		value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = 0;
		take(context, line, value + strspn(value, " \t"));
	}
	free(line);
	return context->state[0];
}

static u64 ended(const struct counts *counts)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i <= CANCELIO_CLOSED; i++)
		sum += counts->ended[i];
	return sum;
}

/* Without the module's number a descriptor can have become another context's. */
static bool is_same(const struct context *a, const struct context *b)
{
	if (a->number || b->number)
		return a->number == b->number;
	return a->pid == b->pid && a->fd == b->fd &&
		a->counts.submitted >= b->counts.submitted;
}

static const struct context *find(const struct round *round, const struct context *context)
{
	size_t i;

	for (i = 0; i < round->count; i++)
		if (is_same(context, &round->contexts[i]))
			return &round->contexts[i];
	return NULL;
}

void round_rates(struct round *round, const struct round *before)
{
	double seconds = (round->time - before->time) / 1e9;
	size_t i;

	for (i = 0; i < round->count; i++) {
		struct context *now = &round->contexts[i];
		const struct context *then = find(before, now);

		now->measured = then && now->counted && then->counted;
		if (!now->measured)
			continue;
		now->ops = (ended(&now->counts) - ended(&then->counts)) / seconds;
		now->missed = (now->counts.ended[CANCELIO_DEADLINE] -
			       then->counts.ended[CANCELIO_DEADLINE]) / seconds;
	}
}

void round_free(struct round *round)
{
	free(round->contexts);
	free(round->hidden);
	*round = (struct round){};
}
