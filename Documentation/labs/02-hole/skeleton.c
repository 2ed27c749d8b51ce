// SPDX-License-Identifier: GPL-2.0
/*
 * A thread waits for a note.
 *
 * As long as the note is not there, it declares itself asleep and calls schedule(), which
 * takes a thread whose state is not TASK_RUNNING off its processor.  wake_up_process() sets
 * the state back to TASK_RUNNING; to a thread that has that state already it does nothing.
 */
#include "hole.h"

#include <linux/sched.h>

void lab_wait_for_note(struct lab_note *note)
{
	/* YOUR PART: a note that comes between the look and the sleep is lost.  Why? */
	while (!READ_ONCE(note->posted)) {
		lab_about_to_sleep();
		set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
}
