// SPDX-License-Identifier: GPL-2.0
/*
 * First the state, then the look.  A note that comes after the look finds a thread that is
 * not TASK_RUNNING, and makes it so: schedule() then returns at once.
 *
 * set_current_state() has a full barrier behind the store, and wake_up_process() one before
 * its look at the state.  So either the thread sees the note, or the other one sees the state.
 */
#include "hole.h"

#include <linux/sched.h>

void lab_wait_for_note(struct lab_note *note)
{
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(note->posted))
			break;
		lab_about_to_sleep();
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}
