/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which code of the module a program runs, by KCOV: in its threads, and in the module's
 * workers for it.  Without KCOV nothing is seen, and nothing fails.
 */
#ifndef CANCELIO_FUZZ_COVER_H
#define CANCELIO_FUZZ_COVER_H

#include <linux/types.h>
#include <stdbool.h>

#define COVER_BITS (1U << 18)

/* A set of places or of steps from place to place. */
struct cover {
	__u64 bits[COVER_BITS / 64];
	__u32 count;
};

/* What one program ran. */
struct covered {
	struct cover places, edges;
};

/* Returns whether there is KCOV. */
bool cover_init(void);
/* Hooks of the program's process. */
void cover_process(void);
void cover_thread(int thread);
/* Before and after a program. */
void cover_clear(void);
void cover_read(struct covered *covered);

/* How many of @more are not in @all; @add puts them there. */
__u32 cover_new(const struct cover *more, struct cover *all, bool add);
/* Whether all of @part are in @all. */
bool cover_has(const struct cover *all, const struct cover *part);
/* Takes what is in @known out of @cover. */
void cover_subtract(struct cover *cover, const struct cover *known);
void cover_intersect(struct cover *cover, const struct cover *other);

#endif
