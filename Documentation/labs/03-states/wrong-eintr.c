// SPDX-License-Identifier: GPL-2.0
/*
 * A read that a signal ended returns what the program is to see; but that is not for the
 * driver to say.
 *
 * Says: a handler with SA_RESTART has run, and the read failed with EINTR
 */
#include "states.h"

#include <linux/errno.h>
#include <linux/wait.h>

int lab_sleep(enum lab_kind kind)
{
	switch (kind) {
	case LAB_INTERRUPTIBLE:
		if (wait_event_interruptible(lab_queue, lab_gate_is_open()))
			return -EINTR;
		return 0;
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
