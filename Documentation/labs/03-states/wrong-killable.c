// SPDX-License-Identifier: GPL-2.0
/*
 * Interruptible is killable as well, but not the other way round.
 *
 * Says: killable: SIGUSR1, which has a handler, ended the sleep
 */
#include "states.h"

#include <linux/wait.h>

int lab_sleep(enum lab_kind kind)
{
	switch (kind) {
	case LAB_INTERRUPTIBLE:
		return wait_event_interruptible(lab_queue, lab_gate_is_open());
	case LAB_KILLABLE:
		return wait_event_interruptible(lab_queue, lab_gate_is_open());
	case LAB_UNINTERRUPTIBLE:
		wait_event(lab_queue, lab_gate_is_open());
		return 0;
	case LAB_IDLE:
	default:
		wait_event_idle(lab_queue, lab_gate_is_open());
		return 0;
	}
}
