// SPDX-License-Identifier: GPL-2.0
/*
 * Four ways to sleep until the gate is open; see states.h.
 *
 * linux/wait.h has a macro for each, called wait_event and something; those that a signal can
 * end return 0 or an error.
 */
#include "states.h"

#include <linux/wait.h>

int lab_sleep(enum lab_kind kind)
{
	/* YOUR PART: each kind in its own way; this is one of them. */
	switch (kind) {
	case LAB_INTERRUPTIBLE:
	case LAB_KILLABLE:
	case LAB_UNINTERRUPTIBLE:
	case LAB_IDLE:
	default:
		wait_event(lab_queue, lab_gate_is_open());
		return 0;
	}
}
