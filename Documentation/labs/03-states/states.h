/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/lab is a gate.  pread(2) at position 0 to 3 sleeps until it is open, in one of four
 * ways; a write of "1" opens it, "0" shuts it.
 */
#ifndef LAB_STATES_H
#define LAB_STATES_H

/* The positions. */
enum lab_kind {
	LAB_INTERRUPTIBLE,	/* every signal ends it that is not ignored */
	LAB_KILLABLE,		/* only a signal that kills does */
	LAB_UNINTERRUPTIBLE,	/* nothing does but the gate */
	LAB_IDLE,		/* the same, and it is no load */
	LAB_KINDS
};

#ifdef __KERNEL__
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

/* Whoever opens the gate wakes this queue then. */
extern struct wait_queue_head lab_queue;

bool lab_gate_is_open(void);

/* Yours.  Sleep until the gate is open: 0; or the error for a read that a signal ended. */
int lab_sleep(enum lab_kind kind);
#endif

#endif
