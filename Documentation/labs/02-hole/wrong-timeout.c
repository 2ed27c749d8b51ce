// SPDX-License-Identifier: GPL-2.0
/*
 * The note is still lost, and found again by whoever looks often enough.
 *
 * Says: it slept all the same, until a timeout of its own
 */
#include "hole.h"

#include <linux/sched.h>

void lab_wait_for_note(struct lab_note *note)
{
	while (!READ_ONCE(note->posted)) {
		lab_about_to_sleep();
		set_current_state(TASK_INTERRUPTIBLE);
		schedule_timeout(HZ / 10);
	}
}
