/* SPDX-License-Identifier: GPL-2.0 */
/* The calls to measure, check-calls.c, and what is measured, check-measure.c. */
#ifndef LAB_EINTR_CHECK_H
#define LAB_EINTR_CHECK_H

#include "eintr.h"

/* @make prepares all that the call needs, and calls it: there it sleeps for ever. */
struct call_to_measure {
	const char *name;
	long number;
	long (*make)(void);
};

extern const struct call_to_measure calls[CALLS];

/* What the kernel did with one call: @slept_in is the function of the kernel it slept in. */
struct measurement {
	int code;
	char slept_in[32];
	enum fate fate[EVENTS];
};

/* Ends the program when it cannot be measured at all. */
void measure(const struct call_to_measure *call, struct measurement *m);

#endif
