// SPDX-License-Identifier: GPL-2.0
/*
 * The state is set before the look, but only once: who woke for nothing does not sleep again.
 *
 * Says: after a wake-up without a note your thread does not sleep any more
 */
#include "hole.h"

#include <linux/sched.h>

void lab_wait_for_note(struct lab_note *note)
{
	set_current_state(TASK_INTERRUPTIBLE);
	while (!READ_ONCE(note->posted)) {
		lab_about_to_sleep();
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}
