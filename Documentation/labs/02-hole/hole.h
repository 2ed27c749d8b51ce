/* SPDX-License-Identifier: GPL-2.0 */
/* A note, and the one thread that waits for it. */
#ifndef LAB_HOLE_H
#define LAB_HOLE_H

#include "lab.h"

/*
 * Who posts it sets @posted, and then wakes the thread:
 *
 *	WRITE_ONCE(note->posted, true);
 *	wake_up_process(thread);
 */
struct lab_note {
	bool posted;
};

/* Yours: sleep until the note is posted, and return then. */
void lab_wait_for_note(struct lab_note *note);

/*
 * To be called right before schedule().  It stands for all that can delay a thread there: an
 * interrupt, a page fault, another thread's turn.  The check makes it last until the note
 * is posted.
 */
void lab_about_to_sleep(void);

#endif
