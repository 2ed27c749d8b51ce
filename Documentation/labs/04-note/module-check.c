// SPDX-License-Identifier: GPL-2.0
/*
 * Gives the thread operations, and lets notes come at the moments that are known to do harm:
 * during one, between two, after the last; from a program; and the thread's own end.
 */
#include "note.h"

#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/* A thread that works so long for one operation does not sleep for it, ns. */
#define BUSY	(200 * NSEC_PER_MSEC)

static DECLARE_WAIT_QUEUE_HEAD(queue);
static DEFINE_SPINLOCK(lock);

/* One at a time.  Protected by lock, but for what the thread looks at without it. */
static struct {
	struct lab_op op;
	bool given;
	bool taken;
	bool ended;
	bool ended_twice;
	int result;
	unsigned int number;
} now;

static struct task_struct *thread;
/* What the thread had worked when it got its operation. */
static u64 worked;
static struct completion stopped;
static bool stopping;

struct lab_op *lab_next(void)
{
	struct lab_op *op = NULL;

	wait_event_idle(queue, READ_ONCE(now.given) || kthread_should_stop());
	spin_lock(&lock);
	if (now.given) {
		now.given = false;
		now.taken = true;
		op = &now.op;
	}
	spin_unlock(&lock);
	if (op)
		lab_step("has operation %u", now.number);
	return op;
}

void lab_end(struct lab_op *op, int result)
{
	spin_lock(&lock);
	lab_step("operation %u ends: %d", now.number, result);
	now.ended_twice = now.ended;
	now.result = result;
	now.ended = true;
	now.taken = false;
	spin_unlock(&lock);
}

static bool ended(void)
{
	return READ_ONCE(now.ended);
}

/* Asleep for its operation: in lab_next() it sleeps in another state. */
static bool asleep(void)
{
	return lab_asleep(thread, TASK_INTERRUPTIBLE);
}

static bool busy(void)
{
	return READ_ONCE(thread->se.sum_exec_runtime) - worked > BUSY;
}

static void give(void)
{
	unsigned int number = now.number + 1;

	spin_lock(&lock);
	memset(&now, 0, sizeof(now));
	now.number = number;
	worked = READ_ONCE(thread->se.sum_exec_runtime);
	WRITE_ONCE(now.given, true);
	spin_unlock(&lock);
	wake_up(&queue);
}

static void cancel(void)
{
	spin_lock(&lock);
	lab_step("cancels operation %u, and sends SIGHUP", now.number);
	if (!now.ended) {
		WRITE_ONCE(now.op.canceled, true);
		send_sig(SIGHUP, thread, 1);
	}
	spin_unlock(&lock);
}

static void bring_data(void)
{
	spin_lock(&lock);
	WRITE_ONCE(now.op.data, true);
	spin_unlock(&lock);
	wake_up_process(thread);
}

/* Give one that nobody ends: the thread has to sleep. */
static bool give_and_see_asleep(const char *why)
{
	give();
	if (!lab_await(ended() || asleep() || busy()))
		return lab_wrong("operation %u was given, and your thread was not seen asleep",
				 now.number);
	if (ended())
		return lab_wrong("operation %u ended with %d, and nobody had ended it%s", now.number,
				 now.result, why);
	if (!asleep())
		return lab_wrong("operation %u: your thread does not come to rest: a signal pends, with which no sleep is interruptible%s",
				 now.number, why);
	return true;
}

static bool sees_end(int result)
{
	if (!lab_await(ended()))
		return lab_wrong("operation %u does not end", now.number);
	if (now.result != result)
		return lab_wrong("operation %u ended with %d, and not with %d", now.number, now.result,
				 result);
	return true;
}

static bool note_from_program(void)
{
	unsigned long slept;

	if (!give_and_see_asleep(""))
		return false;
	slept = READ_ONCE(thread->nvcsw);
	/* As kill(2) would: it is sent for the current process, and not by the kernel. */
	lab_step("as a program: sends SIGHUP");
	send_sig(SIGHUP, thread, 0);
	if (signal_pending(thread) || !lab_await(ended() || asleep() || busy()) || ended() ||
	    !asleep() || READ_ONCE(thread->nvcsw) != slept)
		return lab_wrong("a SIGHUP from a program woke your thread: allow_signal() is for everybody, allow_kernel_signal() for the kernel alone");
	return true;
}

static bool note_during_op(void)
{
	cancel();
	if (!lab_await(ended() || asleep() || busy()))
		return lab_wrong("operation %u was canceled, and your thread was not seen again",
				 now.number);
	if (!ended() && asleep())
		return lab_wrong("the note came, and your thread sleeps on: a kernel thread ignores a signal that it has not allowed");
	return sees_end(-ECANCELED);
}

static bool next_after_note(void)
{
	if (!give_and_see_asleep(": the signal of the first one still pends"))
		return false;
	bring_data();
	return sees_end(0);
}

static bool note_for_nobody(void)
{
	if (!lab_await(lab_asleep(thread, TASK_IDLE)))
		return lab_wrong("your thread did not ask for its next operation");
	lab_step("sends SIGHUP, and no operation is there");
	send_sig(SIGHUP, thread, 1);
	if (!give_and_see_asleep(": a note that was meant for nobody ended it"))
		return false;
	cancel();
	return sees_end(-ECANCELED);
}

static int stop_thread(void *unused)
{
	kthread_stop(thread);
	complete(&stopped);
	return 0;
}

static void begin_stop(void)
{
	stopping = true;
	lab_step("calls kthread_stop()");
	kthread_run(stop_thread, NULL, "stopper");
}

static bool stop_during_op(void)
{
	unsigned long slept;

	if (!give_and_see_asleep(""))
		return false;
	slept = READ_ONCE(thread->nvcsw);
	worked = READ_ONCE(thread->se.sum_exec_runtime);
	begin_stop();
	lab_await(completion_done(&stopped) || busy() ||
		  (asleep() && READ_ONCE(thread->nvcsw) != slept));
	if (!completion_done(&stopped))
		return lab_wrong("kthread_stop() waits for your thread, which %s: look at kthread_should_stop() in the wait",
				 busy() ? "finds a signal pending again and again, one that is no note and cannot be flushed" :
				 "sleeps on");
	if (!ended())
		return lab_wrong("your thread ended, and operation %u did not", now.number);
	return sees_end(-ESHUTDOWN);
}

/* However far it came, the thread must be gone before the module is. */
static bool clean_up(bool fine)
{
	bring_data();
	if (!stopping)
		begin_stop();
	if (!lab_await((wake_up_process(thread), completion_done(&stopped)))) {
		__module_get(THIS_MODULE);
		fine = lab_wrong("your thread does not end any more");
	}
	put_task_struct(thread);
	return fine;
}

bool lab_check(void)
{
	bool fine;

	memset(&now, 0, sizeof(now));
	init_completion(&stopped);
	stopping = false;
	lab_course_begin();
	thread = kthread_create(lab_thread, NULL, "thread");
	if (IS_ERR(thread))
		return lab_wrong("the machine has no memory for a thread");
	get_task_struct(thread);
	wake_up_process(thread);
	fine = note_from_program() && note_during_op() && next_after_note() && note_for_nobody() &&
		stop_during_op();
	if (fine && now.ended_twice)
		fine = lab_wrong("operation %u ended twice", now.number);
	fine = clean_up(fine);
	lab_course_show();
	return fine;
}
