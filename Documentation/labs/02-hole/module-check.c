// SPDX-License-Identifier: GPL-2.0
/*
 * Posts the note at four moments: before the wait begins, while the thread sleeps, after a
 * wake-up that was none, and between the last look and the sleep.
 *
 * Whether a thread went to sleep is counted by the scheduler, in nvcsw: it grows when a thread
 * leaves its processor in another state than TASK_RUNNING, and only then.
 */
#include "hole.h"

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

/* So often does nobody come to the point who sleeps there. */
#define TOO_OFTEN	1000
/* Arrivals that the course shows. */
#define SHOWN		4

/* One wait. */
static struct {
	struct lab_note note;
	struct task_struct *thread;
	struct completion returned;
	/* The thread's sleeps until the wait began, @begun, and those of the wait, at its end. */
	unsigned long before;
	unsigned long slept;
	bool begun;
	/* How it returned. */
	unsigned int state;
	/* Arrivals at the point, and whether who comes there has to stand. */
	atomic_t arrived;
	bool hold;
	/* It is woken only so that it ends. */
	bool rescued;
} trial;

static bool returned(void)
{
	return completion_done(&trial.returned);
}

/* Sleeps of the wait so far.  The thread's own end is one more, and does not count. */
static unsigned long sleeps(void)
{
	unsigned long now;

	/* Pairs with the release in wait_for_note(). */
	if (!smp_load_acquire(&trial.begun))
		return 0;
	now = READ_ONCE(trial.thread->nvcsw);
	/* It completes before it ends: who is not seen to have returned was not at its end. */
	smp_rmb();
	return returned() ? trial.slept : now - trial.before;
}

/* No sleep here: the thread's state is its own. */
void lab_about_to_sleep(void)
{
	if (current != READ_ONCE(trial.thread))
		return;
	if (atomic_inc_return(&trial.arrived) <= SHOWN)
		lab_step("about to sleep, in state %s", get_current_state() == TASK_RUNNING ?
			 "TASK_RUNNING" : "TASK_INTERRUPTIBLE");
	while (READ_ONCE(trial.hold))
		cpu_relax();
}

static int wait_for_note(void *unused)
{
	trial.before = current->nvcsw;
	/* Pairs with the acquire in sleeps(). */
	smp_store_release(&trial.begun, true);
	lab_wait_for_note(&trial.note);
	trial.state = get_current_state();
	trial.slept = current->nvcsw - trial.before;
	__set_current_state(TASK_RUNNING);
	if (!READ_ONCE(trial.rescued))
		lab_step("returns");
	complete(&trial.returned);
	return 0;
}

static bool begin(bool posted, bool hold)
{
	trial.note.posted = posted;
	trial.hold = hold;
	trial.begun = false;
	trial.rescued = false;
	atomic_set(&trial.arrived, 0);
	init_completion(&trial.returned);
	lab_course_begin();
	trial.thread = kthread_create(wait_for_note, NULL, "waiter");
	if (IS_ERR(trial.thread))
		return lab_wrong("the machine has no memory for a thread");
	get_task_struct(trial.thread);
	wake_up_process(trial.thread);
	return true;
}

static void post(void)
{
	WRITE_ONCE(trial.note.posted, true);
	lab_step("posts the note, and wakes the waiter");
	wake_up_process(trial.thread);
}

/* Wakes it until it comes back.  One that never does keeps the module. */
static bool end(bool fine)
{
	WRITE_ONCE(trial.rescued, !fine);
	WRITE_ONCE(trial.note.posted, true);
	WRITE_ONCE(trial.hold, false);
	if (!lab_await((wake_up_process(trial.thread), returned()))) {
		__module_get(THIS_MODULE);
		return lab_wrong("your thread does not return, though the note is posted");
	}
	if (fine && trial.state != TASK_RUNNING)
		fine = lab_wrong("your thread returned, and is still declared asleep: its next lock may put it to sleep for ever");
	put_task_struct(trial.thread);
	return fine;
}

static bool posted_before(void)
{
	if (!begin(true, false))
		return false;
	if (!lab_await(returned() || sleeps()))
		return end(lab_wrong("the note was there before the wait, and your thread neither returned nor slept"));
	if (sleeps())
		return end(lab_wrong("the note was there before the wait, and your thread slept all the same: look before you sleep"));
	return end(true);
}

static bool posted_asleep(void)
{
	if (!begin(false, false))
		return false;
	if (!lab_await(returned() || sleeps()))
		return end(lab_wrong("there was no note, and your thread did not sleep"));
	if (returned())
		return end(lab_wrong("there was no note, and your thread returned"));
	if (!atomic_read(&trial.arrived))
		return end(lab_wrong("your thread slept without a call of lab_about_to_sleep()"));
	post();
	if (!lab_await(returned()))
		return end(lab_wrong("the note was posted while your thread slept, and it did not return"));
	return end(true);
}

static bool posted_after_stray(void)
{
	unsigned long before;

	if (!begin(false, false))
		return false;
	if (!lab_await(sleeps()))
		return end(lab_wrong("there was no note, and your thread did not sleep"));
	before = sleeps();
	wake_up_process(trial.thread);
	if (!lab_await(returned() || sleeps() > before || atomic_read(&trial.arrived) > TOO_OFTEN))
		return end(lab_wrong("after a wake-up without a note your thread was not seen again"));
	if (returned())
		return end(lab_wrong("your thread was woken without a note, and returned"));
	if (atomic_read(&trial.arrived) > TOO_OFTEN)
		return end(lab_wrong("after a wake-up without a note your thread does not sleep any more: waking set its state to TASK_RUNNING"));
	post();
	if (!lab_await(returned()))
		return end(lab_wrong("the note came after a wake-up without one, and your thread did not return"));
	return end(true);
}

/* Whether one that sleeps with the note posted wakes again, of its own. */
static bool wakes_later(void)
{
	unsigned long later = jiffies + 5 * HZ;

	lab_step("sees the waiter asleep, with the note posted");
	while (!returned() && time_before(jiffies, later))
		usleep_range(1000, 2000);
	return returned();
}

static bool posted_in_the_hole(void)
{
	unsigned long before;

	if (!begin(false, true))
		return false;
	if (!lab_await(atomic_read(&trial.arrived)))
		return end(lab_wrong("your thread did not come to lab_about_to_sleep()"));
	before = sleeps();
	post();
	WRITE_ONCE(trial.hold, false);
	if (!lab_await(returned() || sleeps() > before))
		return end(lab_wrong("the note came between look and sleep, and your thread neither returned nor slept"));
	if (sleeps() == before)
		return end(true);
	if (wakes_later())
		return end(lab_wrong("the note came between look and sleep: it slept all the same, until a timeout of its own; that hides the loss, it does not prevent it"));
	return end(lab_wrong("the note came between look and sleep: it is lost, and nothing wakes your thread any more"));
}

bool lab_check(void)
{
	bool fine = posted_before() && posted_asleep() && posted_after_stray() &&
		posted_in_the_hole();

	lab_course_show();
	return fine;
}
