// SPDX-License-Identifier: GPL-2.0
/*
 * Pause points of a debug build.
 *
 * /sys/kernel/debug/cancelio/race takes one command per write:
 *
 *   reset                            forget everything, let all go on
 *   hold POINT [by WHO] [nth N] [times N] [until POINT [or POINT]...]
 *   release POINT                    end the holds at POINT, met or not
 *   note TEXT                        put TEXT into the course
 *   perturb NUMBER                   linger at points as the number decides, 0: at none
 *
 * Who comes to a held point stands there until somebody else comes to one of
 * the points after "until", or the hold is released, or LIMIT has passed: then
 * it was held out.  A hold is for one arrival, the next one or the nth, unless
 * times says more.  WHO is a thread by its name, "worker" for threads of the
 * module, "timer", or "softirq" where the network reports an event.
 *
 * Perturbed, half of all arrivals that are not held spin for 1 to 4096 turns.  The number
 * and the order of arrivals decide how long: where two processors take turns by the
 * instruction (vm/run --icount), the number decides who goes first.
 *
 * Read, race has arrivals by point and the holds with what became of them;
 * course has who came where, in order.
 */
#include "race.h"

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define MAX_HOLDS	16
#define MAX_STEPS	1024
#define WHO_LEN		TASK_COMM_LEN
#define TEXT_LEN	64
#define LIMIT		(2 * NSEC_PER_SEC)
/* Turns of one who lingers: up to 2 to the power of one less, and not for longer. */
#define LINGERS		13
#define LONGEST		NSEC_PER_MSEC

static const char *const race_points[CIO_POINTS] = {
	[CIO_AT_SUBMIT_CHECKED]	= "submit-checked",
	[CIO_AT_TRY]		= "try",
	[CIO_AT_TRIED]		= "tried",
	[CIO_AT_QUEUED]		= "queued",
	[CIO_AT_ARMED]		= "armed",
	[CIO_AT_SUBMITTED]	= "submitted",
	[CIO_AT_ABOUT_TO_SLEEP]	= "about-to-sleep",
	[CIO_AT_AWAKE]		= "awake",
	[CIO_AT_WAIT_LOOKS]	= "wait-looks",
	[CIO_AT_EVENT]		= "event",
	[CIO_AT_LYING_DOWN]	= "lying-down",
	[CIO_AT_IDLE]		= "idle",
	[CIO_AT_TAKEN]		= "taken",
	[CIO_AT_TIMER_SET]	= "timer-set",
	[CIO_AT_TIMER_FIRED]	= "timer-fired",
	[CIO_AT_TIMER_CLAIMED]	= "timer-claimed",
	[CIO_AT_DEADLINE_SET]	= "deadline-set",
	[CIO_AT_CANCEL_FOUND]	= "cancel-found",
	[CIO_AT_CANCEL_ASKED]	= "cancel-asked",
	[CIO_AT_NOTED]		= "noted",
	[CIO_AT_SWEPT]		= "swept",
	[CIO_AT_DETACHING]	= "detaching",
	[CIO_AT_CLOSED]		= "closed",
	[CIO_AT_INTERRUPTING]	= "interrupting",
	[CIO_AT_INTERRUPTED]	= "interrupted",
	[CIO_AT_COMPLETING]	= "completing",
	[CIO_AT_POSTING]	= "posting",
	[CIO_AT_PUBLISHED]	= "published",
};

/**
 * struct race_hold - a rule
 * @at: the point
 * @who: for whom, empty for anybody
 * @skip: arrivals to let pass first
 * @times: arrivals that are still to be held
 * @until: bits of the points that end it
 * @seen: arrivals at those when the rule was made
 * @released: ended by a command
 * @reached: arrivals that were held
 * @standing: of these, who still stands
 * @held_out: somebody went on because the time was up
 */
struct race_hold {
	int at;
	char who[WHO_LEN];
	u32 skip;
	u32 times;
	u64 until;
	u32 seen;
	bool released;
	u32 reached;
	u32 standing;
	bool held_out;
};

/**
 * struct race_step - one step of the course
 * @time: when
 * @who: whose
 * @text: what
 */
struct race_step {
	ktime_t time;
	char who[WHO_LEN];
	char text[TEXT_LEN];
};

/*
 * Innermost of all locks, taken with interrupts off; raw, for points stand in
 * places that may not sleep on PREEMPT_RT either.
 */
static DEFINE_RAW_SPINLOCK(race_lock);

/* Protected by the lock; a reset begins a new epoch, which ends all holds. */
static struct {
	u32 epoch;
	ktime_t start;
	u32 arrived[CIO_POINTS];
	struct race_hold holds[MAX_HOLDS];
	u32 nr_holds;
	struct race_step steps[MAX_STEPS];
	u32 nr_steps;
	/* The sequence of who lingers; 0: none does. */
	u64 perturb;
} race;

static struct dentry *race_dir;

static void race_name_current(char *who)
{
	const char *name = current->comm;

	if (in_hardirq() || !strncmp(name, "ktimers/", 8))
		name = "timer";
	else if (in_serving_softirq())
		name = "softirq";
	else if ((current->flags & PF_KTHREAD) && !strncmp(name, "cancelio/", 9))
		name = "worker";
	strscpy(who, name, WHO_LEN);
}

static void race_log(const char *who, const char *what, const char *text)
{
	struct race_step *step;

	lockdep_assert_held(&race_lock);
	if (race.nr_steps == MAX_STEPS)
		return;
	step = &race.steps[race.nr_steps++];
	step->time = ktime_get();
	strscpy(step->who, who, WHO_LEN);
	snprintf(step->text, TEXT_LEN, "%s%s", what, text);
}

/* The rule for whoever comes to @at now, or NULL. */
static struct race_hold *race_match(enum cio_race_point at, const char *who)
{
	struct race_hold *hold;
	u32 i;

	lockdep_assert_held(&race_lock);
	for (i = 0; i < race.nr_holds; i++) {
		hold = &race.holds[i];
		if (hold->at != at || hold->released || !hold->times ||
		    (hold->who[0] && strcmp(hold->who, who)))
			continue;
		if (hold->skip) {
			hold->skip--;
			continue;
		}
		hold->times--;
		return hold;
	}
	return NULL;
}

/* Arrivals at a set of points. */
static u32 race_arrivals(u64 points)
{
	u32 i, sum = 0;

	lockdep_assert_held(&race_lock);
	for (i = 0; i < CIO_POINTS; i++)
		if (points & BIT_ULL(i))
			sum += race.arrived[i];
	return sum;
}

/* Whether the caller may go on; in a new epoch its rule is another one. */
static bool race_over(struct race_hold *hold, u32 epoch, ktime_t end,
		      const char *who)
{
	bool met, late = ktime_get() >= end;
	unsigned long flags;

	raw_spin_lock_irqsave(&race_lock, flags);
	if (race.epoch != epoch) {
		raw_spin_unlock_irqrestore(&race_lock, flags);
		return true;
	}
	met = hold->released || race_arrivals(hold->until) != hold->seen;
	if (met || late) {
		hold->standing--;
		hold->held_out |= !met;
		race_log(who, met ? "goes on from " : "is held out at ",
			 race_points[hold->at]);
	}
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return met || late;
}

/*
 * Let some time pass without a change to the caller's state: one that is about
 * to sleep has set it, and a wake-up that it gets here must count.
 */
static void race_linger(void)
{
	if (preemptible() && !rcu_preempt_depth() && task_is_running(current)) {
		usleep_range(100, 200);
		return;
	}
	udelay(1);
	if (preemptible())
		cond_resched();
}

/*
 * How many turns the caller is to linger.  A short while lets the other processor come
 * to its next point, a long one to its end.
 */
static u32 race_turns(void)
{
	u64 x = race.perturb;

	lockdep_assert_held(&race_lock);
	if (!x)
		return 0;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	race.perturb = x;
	x >>= 32;
	return x % 2 ? BIT(x / 2 % LINGERS) : 0;
}

/* A turn is as long as the other processor makes it. */
static void race_spin(u32 turns)
{
	ktime_t end = ktime_add_ns(ktime_get(), LONGEST);

	while (turns-- && ktime_get() < end)
		cpu_relax();
}

/*
 * Come to a point; in any context.  To linger is to spin, without the lock and not
 * long: it takes nothing, changes no state, and is as legal in an interrupt or under a
 * raw lock as it is in a thread.
 */
void cio_pause(enum cio_race_point at)
{
	ktime_t end = ktime_add_ns(ktime_get(), LIMIT);
	struct race_hold *hold;
	char who[WHO_LEN];
	unsigned long flags;
	u32 epoch, turns = 0;

	race_name_current(who);
	raw_spin_lock_irqsave(&race_lock, flags);
	epoch = race.epoch;
	race.arrived[at]++;
	hold = race_match(at, who);
	if (hold) {
		hold->reached++;
		hold->standing++;
	} else {
		turns = race_turns();
	}
	race_log(who, hold ? "stands at " : "", race_points[at]);
	raw_spin_unlock_irqrestore(&race_lock, flags);
	if (turns)
		race_spin(turns);
	if (!hold)
		return;
	while (!race_over(hold, epoch, end, who))
		race_linger();
}

static int race_find(const char *name)
{
	return name ? match_string(race_points, CIO_POINTS, name) : -EINVAL;
}

/* The points after "until", joined by "or"; sets *@words behind them. */
static int race_parse_until(char **words, u64 *until)
{
	char *word;
	int at;

	do {
		at = race_find(strsep(words, " "));
		if (at < 0)
			return at;
		*until |= BIT_ULL(at);
		word = strsep(words, " ");
	} while (word && !strcmp(word, "or"));
	return word ? -EINVAL : 0;
}

static int race_parse_option(struct race_hold *hold, const char *option,
			     char **words)
{
	const char *value;

	if (!strcmp(option, "until"))
		return race_parse_until(words, &hold->until);
	value = strsep(words, " ");
	if (!value)
		return -EINVAL;
	if (!strcmp(option, "by"))
		return strscpy(hold->who, value, WHO_LEN) < 0 ? -EINVAL : 0;
	if (!strcmp(option, "nth"))
		return kstrtou32(value, 10, &hold->skip) ?:
		       (hold->skip-- ? 0 : -EINVAL);
	if (!strcmp(option, "times"))
		return kstrtou32(value, 10, &hold->times);
	return -EINVAL;
}

static int race_add_hold(char *words)
{
	struct race_hold hold = { .times = 1 };
	unsigned long flags;
	char *option;
	int ret;

	hold.at = race_find(strsep(&words, " "));
	if (hold.at < 0)
		return hold.at;
	while ((option = strsep(&words, " "))) {
		ret = race_parse_option(&hold, option, &words);
		if (ret)
			return ret;
	}
	ret = -ENOSPC;
	raw_spin_lock_irqsave(&race_lock, flags);
	if (race.nr_holds < MAX_HOLDS) {
		hold.seen = race_arrivals(hold.until);
		race.holds[race.nr_holds++] = hold;
		ret = 0;
	}
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return ret;
}

static int race_release(const char *name)
{
	int at = race_find(name);
	unsigned long flags;
	u32 i;

	if (at < 0)
		return at;
	raw_spin_lock_irqsave(&race_lock, flags);
	for (i = 0; i < race.nr_holds; i++)
		if (race.holds[i].at == at)
			race.holds[i].released = true;
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return 0;
}

static int race_note(const char *text)
{
	unsigned long flags;
	char who[WHO_LEN];

	race_name_current(who);
	raw_spin_lock_irqsave(&race_lock, flags);
	race_log(who, "", text ?: "");
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return 0;
}

static int race_perturb(const char *number)
{
	unsigned long flags;
	u64 value;
	int ret;

	ret = number ? kstrtou64(number, 10, &value) : -EINVAL;
	if (ret)
		return ret;
	raw_spin_lock_irqsave(&race_lock, flags);
	/* An odd factor: no other number gives 0. */
	race.perturb = value * GOLDEN_RATIO_64;
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return 0;
}

static int race_reset(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&race_lock, flags);
	race.epoch++;
	race.start = ktime_get();
	memset(race.arrived, 0, sizeof(race.arrived));
	race.nr_holds = 0;
	race.nr_steps = 0;
	race.perturb = 0;
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return 0;
}

static int race_command(char *words)
{
	const char *verb = strsep(&words, " ");

	if (!strcmp(verb, "reset"))
		return words ? -EINVAL : race_reset();
	if (!strcmp(verb, "hold"))
		return race_add_hold(words);
	if (!strcmp(verb, "release"))
		return race_release(words);
	if (!strcmp(verb, "note"))
		return race_note(words);
	if (!strcmp(verb, "perturb"))
		return race_perturb(words);
	return -EINVAL;
}

static ssize_t race_write(struct file *file, const char __user *from,
			  size_t len, loff_t *offset)
{
	char text[256];
	int ret;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = '\0';
	ret = race_command(strim(text));
	return ret ?: len;
}

static int race_show(struct seq_file *out, void *unused)
{
	unsigned long flags;
	u32 i;

	raw_spin_lock_irqsave(&race_lock, flags);
	for (i = 0; i < CIO_POINTS; i++)
		seq_printf(out, "point %s %u\n", race_points[i],
			   race.arrived[i]);
	for (i = 0; i < race.nr_holds; i++) {
		struct race_hold *hold = &race.holds[i];

		seq_printf(out, "hold %s %u %u %u\n", race_points[hold->at],
			   hold->reached, hold->standing, hold->held_out);
	}
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return 0;
}

static int race_open(struct inode *inode, struct file *file)
{
	return single_open(file, race_show, NULL);
}

static const struct file_operations race_fops = {
	.owner = THIS_MODULE,
	.open = race_open,
	.read = seq_read,
	.write = race_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/* One line per step: microseconds since the reset, who, what. */
static int course_show(struct seq_file *out, void *unused)
{
	unsigned long flags;
	u32 i;

	raw_spin_lock_irqsave(&race_lock, flags);
	for (i = 0; i < race.nr_steps; i++) {
		struct race_step *step = &race.steps[i];

		seq_printf(out, "%8lld us  %-8s %s\n",
			   ktime_us_delta(step->time, race.start), step->who,
			   step->text);
	}
	raw_spin_unlock_irqrestore(&race_lock, flags);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(course);

void cio_race_init(void)
{
	race_dir = debugfs_create_dir("cancelio", NULL);
	debugfs_create_file("race", 0600, race_dir, NULL, &race_fops);
	debugfs_create_file("course", 0400, race_dir, NULL, &course_fops);
}

void cio_race_exit(void)
{
	debugfs_remove_recursive(race_dir);
}
