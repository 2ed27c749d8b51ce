/* SPDX-License-Identifier: GPL-2.0 */
/* One program, in a process of its own. */
#ifndef CANCELIO_FUZZ_RUN_H
#define CANCELIO_FUZZ_RUN_H

#include "model.h"

/* The memory of each step's buffer; the last page is for edge_of(). */
#define ROOM		0x50000
#define PAGE		4096

/* Called in the program's process, before anything, and in each of its threads. */
struct hooks {
	void (*process)(void);
	void (*thread)(int thread);
};

/* Runs the program, and never returns. */
noreturn void run_program(const struct program *program, const struct hooks *hooks);
/* One step that submits nothing. */
void run_step(int step);
/* Submits the operation of a step, or with the next one. */
void submit_step(int step);
void submit_flush(int thread);

__u8 *room_of(int step);
/* Where it ends: from here on it is there for nobody. */
__u8 *edge_of(int step);
/* A page that may be neither read nor written. */
void *bad_page(void);
/* A number that is not used again, for what was just opened. */
int fresh_fd(int fd);
/* Lets the page faults of a buffer wait for a while; false where that cannot be had. */
bool hold_room(int step);
/* Takes what is there; a ring that was scribbled over says nothing. */
void collect(struct context *context);
/* Every operation. */
bool concerns_all(const struct op *op);
/* All those that a cancel or close concerned have ended. */
void check_ended(struct context *context, const char *why, bool (*concerns)(const struct op *));

extern pthread_t threads[THREADS];

#endif
