// SPDX-License-Identifier: GPL-2.0
/*
 * The two that a signal ends return -ERESTARTSYS, and leave to the kernel's end of the call
 * what the program gets of that: lab 1.  A killed program gets nothing, so that for the second
 * any error would do.
 */
#include "states.h"

#include <linux/wait.h>

int lab_sleep(enum lab_kind kind)
{
	switch (kind) {
	case LAB_INTERRUPTIBLE:
		return wait_event_interruptible(lab_queue, lab_gate_is_open());
	case LAB_KILLABLE:
		return wait_event_killable(lab_queue, lab_gate_is_open());
	case LAB_UNINTERRUPTIBLE:
		wait_event(lab_queue, lab_gate_is_open());
		return 0;
	case LAB_IDLE:
	default:
		wait_event_idle(lab_queue, lab_gate_is_open());
		return 0;
	}
}
