/* SPDX-License-Identifier: GPL-2.0 */
/* What cancelio top shows of a round. */
#ifndef CANCELIO_TOOL_REPORT_H
#define CANCELIO_TOOL_REPORT_H

#include <stdio.h>

#include "context.h"

/* What contexts are sorted by, the most of it first; the process's number upwards. */
enum sort_key {
	SORT_PENDING,
	SORT_CONNS,
	SORT_OPS,
	SORT_MISSED,
	SORT_PID,
	SORT_KEYS,
};

extern const char *const sort_names[];

/**
 * struct view - what part of a round is shown
 * @first: the first context
 * @rows: so many contexts at the most
 * @bars: so many lines of the histogram at the most
 */
struct view {
	size_t first;
	size_t rows;
	size_t bars;
};

void round_sort(struct round *round, enum sort_key key);
/* How many lines the histogram has; 0 where no deadline has passed. */
size_t report_bars(const struct round *round);
void report_text(FILE *to, const struct round *round, const struct view *view);
/* The same on one line, as JSON; @before is when the round before was, 0 for none. */
void report_json(const struct round *round, unsigned long number, long long before);

#endif
