/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the labs with a module share.  Whoever reads /dev/lab runs the lab's check, and gets
 * its report: the course of what happened, and last the verdict.
 */
#ifndef LAB_H
#define LAB_H

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/types.h>

/* The lab's own: tries the answer.  False when it has said what is wrong. */
bool lab_check(void);

/* A line of the report. */
__printf(1, 2) void lab_say(const char *format, ...);

/* What is wrong, for the verdict, which is the report's last line: false, to be returned. */
__printf(1, 2) bool lab_wrong(const char *format, ...);

/* A line of the course: when, who, what.  From any context. */
__printf(1, 2) void lab_step(const char *format, ...);

/* Forget the course so far, or show it. */
void lab_course_begin(void);
void lab_course_show(void);

/* Whether it has declared this state, and has left its processor. */
static inline bool lab_asleep(struct task_struct *task, unsigned int state)
{
	return READ_ONCE(task->__state) == state && !READ_ONCE(task->on_rq);
}

/* Longer than anything here takes, where the machine is slow too. */
#define LAB_LONG	(60 * HZ)

/* Look until it is so, or until LAB_LONG has passed: whether it is. */
#define lab_await(condition) ({					\
	unsigned long _end = jiffies + LAB_LONG;		\
	bool _is;						\
								\
	while (!(_is = (condition)) && time_before(jiffies, _end)) \
		usleep_range(300, 600);				\
	_is;							\
})

#endif
