/* SPDX-License-Identifier: GPL-2.0 */
/* The terminal, for cancelio top. */
#ifndef CANCELIO_TOOL_SCREEN_H
#define CANCELIO_TOOL_SCREEN_H

#include <stdbool.h>

#include "report.h"

/* Take the terminal over; false where it is not one that can be drawn on. */
bool screen_open(void);
void screen_close(void);
/* Draw the round, and act on keys until the time, ns of CLOCK_MONOTONIC; false: the end. */
bool screen_show(struct round *round, enum sort_key *key, long long until);

#endif
