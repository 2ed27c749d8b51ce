// SPDX-License-Identifier: GPL-2.0
/*
 * First every order of two that come for one operation, where the second comes as a whole at
 * one moment of the first: no luck is needed for that, for the first calls lab_moment() there.
 * The second is another end, or the return of the waiter, or an end at a moment of the wait.
 *
 * Then a hammer: two threads, a timer and a waiter, at random times.
 */
#include "winner.h"

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#define BYTES		16
#define POISON		0x5a5a
/* More moments than a call has. */
#define MOMENTS		20
#define ROUNDS		1000
/* The hammer's times, µs. */
#define SPREAD		100
#define FAR		(3600 * NSEC_PER_SEC)

static const char *const names[LAB_ENDS] = {
	[LAB_DONE] = "complete",
	[LAB_CANCELED] = "cancel",
	[LAB_DEADLINE] = "deadline",
};

static struct lab_op op;
static atomic_t winners;

/* Who wakes it has used an operation that was over. */
static struct task_struct *decoy;
static unsigned int decoy_woken;

static int be_decoy(void *unused)
{
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
		WRITE_ONCE(decoy_woken, decoy_woken + 1);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static bool decoy_sleeps(void)
{
	return READ_ONCE(decoy->__state) == TASK_INTERRUPTIBLE;
}

/* How often it was woken so far; once woken it does not sleep before it has counted. */
static unsigned int decoy_count(void)
{
	return lab_await(decoy_sleeps()) ? READ_ONCE(decoy_woken) : 0;
}

static int bytes_of(enum lab_end how)
{
	return how == LAB_DONE ? BYTES : 0;
}

/* What comes at a moment of whom. */
static struct {
	struct task_struct *of;
	int countdown;
	void (*come)(void);
	bool came;
} moment;

void lab_moment(void)
{
	if (READ_ONCE(moment.of) == current) {
		if (!moment.countdown--) {
			WRITE_ONCE(moment.of, NULL);
			moment.came = true;
			moment.come();
		}
	} else {
		udelay(get_random_u32() % 8);
	}
}

static void moment_set(struct task_struct *of, int number, void (*come)(void))
{
	moment.countdown = number;
	moment.come = come;
	moment.came = false;
	WRITE_ONCE(moment.of, of);
}

enum hrtimer_restart lab_op_fire(struct hrtimer *timer)
{
	if (lab_op_end(container_of(timer, struct lab_op, timer), LAB_DEADLINE, 0))
		atomic_inc(&winners);
	return HRTIMER_NORESTART;
}

static void start(struct task_struct *waiter, s64 ns)
{
	op.waiter = waiter;
	atomic_set(&winners, 0);
	lab_op_start(&op, ktime_add_ns(ktime_get(), ns));
}

/* Two ends: the second one whole at a moment of the first one. */
static enum lab_end second;
static bool second_won;

static void come_second(void)
{
	second_won = lab_op_end(&op, second, bytes_of(second));
}

static bool two_ends_at(enum lab_end first, int number)
{
	enum lab_end how, won;
	bool first_won;

	start(decoy, FAR);
	moment_set(current, number, come_second);
	first_won = lab_op_end(&op, first, bytes_of(first));
	WRITE_ONCE(moment.of, NULL);
	if (!moment.came)
		come_second();
	hrtimer_cancel(&op.timer);
	how = atomic_read(&op.word);
	won = first_won ? first : second;
	if (first_won && second_won)
		return lab_wrong("%s came between two steps of %s, and both were told that they had ended it",
				 names[second], names[first]);
	if (!first_won && !second_won)
		return lab_wrong("%s came between two steps of %s, and neither was told that it had ended it",
				 names[second], names[first]);
	if (how != won || op.bytes != bytes_of(won))
		return lab_wrong("%s won against %s, and the operation says %d, with %d bytes instead of %d",
				 names[won], names[first_won ? second : first], how, op.bytes,
				 bytes_of(won));
	return true;
}

static bool two_ends(void)
{
	enum lab_end first;
	int number;

	for (first = LAB_DONE; first < LAB_ENDS; first++) {
		for (second = LAB_DONE; second < LAB_ENDS; second++) {
			for (number = 0; number < MOMENTS && first != second; number++)
				if (!two_ends_at(first, number))
					return false;
		}
	}
	return true;
}

/* The waiter's return, as soon as it can, at a moment of an end; then all is another's. */
static int seen_bytes;
static bool waiter_came;

static void come_waiter(void)
{
	if (atomic_read(&op.word) <= LAB_ENDING) {
		moment_set(current, 0, come_waiter);
		return;
	}
	waiter_came = true;
	lab_op_wait(&op);
	seen_bytes = op.bytes;
	op.bytes = POISON;
	op.waiter = decoy;
}

static bool waiter_returns_at(enum lab_end how, int number)
{
	unsigned int woken = decoy_count();

	waiter_came = false;
	start(current, FAR);
	moment_set(current, number, come_waiter);
	lab_op_end(&op, how, bytes_of(how));
	WRITE_ONCE(moment.of, NULL);
	if (!waiter_came)
		come_waiter();
	hrtimer_cancel(&op.timer);
	if (seen_bytes != bytes_of(how))
		return lab_wrong("%s won, and the waiter returned before the result was there: it saw %d bytes instead of %d",
				 names[how], seen_bytes, bytes_of(how));
	if (op.bytes != POISON)
		return lab_wrong("%s wrote the result after the waiter had returned", names[how]);
	if (decoy_count() != woken)
		return lab_wrong("%s won, the waiter had returned, and was woken again through the operation: read what you need before you give it away",
				 names[how]);
	return true;
}

static bool waiter_returns(void)
{
	int number;

	for (number = 0; number < MOMENTS; number++)
		if (!waiter_returns_at(LAB_DONE, number) || !waiter_returns_at(LAB_DEADLINE, number))
			return false;
	return true;
}

/* An end at a moment of the wait: the waiter must not sleep then. */
static struct completion returned;
static struct task_struct *waiter;
static enum lab_end result;

static int wait_for_op(void *unused)
{
	result = lab_op_wait(&op);
	__set_current_state(TASK_RUNNING);
	complete(&returned);
	return 0;
}

static void come_done(void)
{
	lab_op_end(&op, LAB_DONE, BYTES);
}

static bool waiter_sleeps(void)
{
	return !READ_ONCE(moment.came) && lab_asleep(waiter, TASK_UNINTERRUPTIBLE);
}

static bool end_during_wait_at(int number)
{
	bool fine;

	init_completion(&returned);
	waiter = kthread_create(wait_for_op, NULL, "waiter");
	if (IS_ERR(waiter))
		return lab_wrong("the machine has no memory for a thread");
	get_task_struct(waiter);
	start(waiter, FAR);
	moment_set(waiter, number, come_done);
	wake_up_process(waiter);
	/* It either meets its moment, or sleeps before. */
	lab_await(READ_ONCE(moment.came) || waiter_sleeps());
	if (!READ_ONCE(moment.came)) {
		WRITE_ONCE(moment.of, NULL);
		come_done();
	}
	fine = lab_await(completion_done(&returned));
	if (!fine) {
		lab_wrong("the end came between the waiter's look and its sleep, and the wake-up was lost");
		lab_await((wake_up_process(waiter), completion_done(&returned)));
	} else if (result != LAB_DONE) {
		fine = lab_wrong("the operation was completed, and the wait returned %d", result);
	} else if (hrtimer_active(&op.timer)) {
		fine = lab_wrong("the wait has returned, and its timer is still set: it will come to an operation that is gone");
	}
	hrtimer_cancel(&op.timer);
	put_task_struct(waiter);
	return fine;
}

static bool end_during_wait(void)
{
	int number;

	for (number = 0; number < 4; number++)
		if (!end_during_wait_at(number))
			return false;
	return true;
}

/* The hammer. */
static struct {
	atomic_t round;
	atomic_t through;
	/* Whether anybody but the timer comes this time. */
	bool alone;
	/* How the waiter returned, and how often each way. */
	bool over;
	bool timer_left;
	unsigned int won[LAB_ENDS];
} hammer;

/* A contender, of how it ends operations. */
static int contend(void *data)
{
	enum lab_end how = (long)data;
	int round = 0;

	while (!kthread_should_stop()) {
		if (atomic_read_acquire(&hammer.round) == round) {
			usleep_range(10, 20);
			continue;
		}
		round++;
		udelay(get_random_u32() % SPREAD);
		if (!hammer.alone && lab_op_end(&op, how, bytes_of(how)))
			atomic_inc(&winners);
		atomic_inc(&hammer.through);
	}
	return 0;
}

static int hammer_wait(void *unused)
{
	int round = 0;

	while (!kthread_should_stop()) {
		if (atomic_read_acquire(&hammer.round) == round) {
			usleep_range(10, 20);
			continue;
		}
		round++;
		result = lab_op_wait(&op);
		__set_current_state(TASK_RUNNING);
		hammer.timer_left = hrtimer_active(&op.timer);
		seen_bytes = op.bytes;
		op.bytes = POISON;
		op.waiter = decoy;
		atomic_inc(&hammer.through);
	}
	return 0;
}

static bool hammer_round(struct task_struct *sleeper)
{
	unsigned int woken = decoy_count();
	int won;

	atomic_set(&hammer.through, 0);
	hammer.alone = get_random_u32() % 8 == 0;
	start(sleeper, (get_random_u32() % SPREAD) * NSEC_PER_USEC);
	atomic_inc(&hammer.round);
	if (!lab_await(atomic_read(&hammer.through) == 3)) {
		atomic_set(&op.word, LAB_CANCELED);
		lab_await((wake_up_process(sleeper), atomic_read(&hammer.through) == 3));
		return lab_wrong(hammer.alone ?
				 "only the deadline came, and the waiter did not return: does the timer come?" :
				 "the operation has ended, and the waiter did not return");
	}
	won = atomic_read(&winners);
	if (hammer.timer_left)
		return lab_wrong("the wait has returned, and its timer is still set, or its callback runs");
	if (won != 1)
		return lab_wrong("%d were told that they had ended one operation", won);
	if (result < LAB_DONE || result >= LAB_ENDS || seen_bytes != bytes_of(result))
		return lab_wrong("the waiter was told %d, with %d bytes", result, seen_bytes);
	if (op.bytes != POISON || decoy_count() != woken)
		return lab_wrong("the operation was used after the waiter had returned");
	hammer.won[result]++;
	return true;
}

static bool hammer_all(void)
{
	struct task_struct *threads[3];
	bool fine = true;
	int i;

	memset(&hammer, 0, sizeof(hammer));
	threads[0] = kthread_run(hammer_wait, NULL, "waiter");
	threads[1] = kthread_run(contend, (void *)LAB_DONE, "complete");
	threads[2] = kthread_run(contend, (void *)LAB_CANCELED, "cancel");
	for (i = 0; i < 3; i++)
		if (IS_ERR(threads[i]))
			fine = lab_wrong("the machine has no memory for a thread");
	for (i = 0; i < ROUNDS && fine; i++)
		fine = hammer_round(threads[0]);
	for (i = 0; i < 3; i++)
		if (!IS_ERR(threads[i]))
			kthread_stop(threads[i]);
	hrtimer_cancel(&op.timer);
	if (fine)
		lab_say("%d rounds, one winner each: complete %u, cancel %u, deadline %u", ROUNDS,
			hammer.won[LAB_DONE], hammer.won[LAB_CANCELED], hammer.won[LAB_DEADLINE]);
	return fine;
}

bool lab_check(void)
{
	bool fine;

	decoy_woken = 0;
	decoy = kthread_run(be_decoy, NULL, "decoy");
	if (IS_ERR(decoy))
		return lab_wrong("the machine has no memory for a thread");
	fine = two_ends() && waiter_returns() && end_during_wait() &&
		hammer_all();
	kthread_stop(decoy);
	return fine;
}
