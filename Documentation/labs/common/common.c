// SPDX-License-Identifier: GPL-2.0
#include "lab.h"

#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#define REPORT_SIZE	(16 << 10)
#define VERDICT_SIZE	256
#define MAX_STEPS	48
#define TEXT_LEN	80

struct lab_line {
	ktime_t time;
	char who[TASK_COMM_LEN];
	char text[TEXT_LEN];
};

static DEFINE_MUTEX(report_lock);
/* Protected by report_lock, which the reader of /dev/lab holds while it checks. */
static char report[REPORT_SIZE];
static size_t report_len;
static char verdict[VERDICT_SIZE];

/* Raw, and taken with interrupts off: steps are made in interrupts too. */
static DEFINE_RAW_SPINLOCK(course_lock);
/* Protected by course_lock. */
static struct lab_line course[MAX_STEPS];
static unsigned int steps;

void lab_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_len += vscnprintf(report + report_len, REPORT_SIZE - report_len, format, args);
	report_len += scnprintf(report + report_len, REPORT_SIZE - report_len, "\n");
	va_end(args);
}

/* The first one is what counts: what follows may be of its making. */
bool lab_wrong(const char *format, ...)
{
	va_list args;

	if (verdict[0])
		return false;
	va_start(args, format);
	vscnprintf(verdict, VERDICT_SIZE, format, args);
	va_end(args);
	return false;
}

void lab_step(const char *format, ...)
{
	struct lab_line *line;
	unsigned long flags;
	va_list args;

	raw_spin_lock_irqsave(&course_lock, flags);
	if (steps < MAX_STEPS) {
		line = &course[steps++];
		line->time = ktime_get();
		strscpy(line->who, in_hardirq() ? "timer" : current->comm, sizeof(line->who));
		va_start(args, format);
		vsnprintf(line->text, TEXT_LEN, format, args);
		va_end(args);
	}
	raw_spin_unlock_irqrestore(&course_lock, flags);
}

void lab_course_begin(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&course_lock, flags);
	steps = 0;
	raw_spin_unlock_irqrestore(&course_lock, flags);
}

void lab_course_show(void)
{
	unsigned int i, count = READ_ONCE(steps);

	for (i = 0; i < count; i++)
		lab_say("%8lld us  %-10s %s", ktime_us_delta(course[i].time, course[0].time),
			course[i].who, course[i].text);
}

static ssize_t lab_read(struct file *file, char __user *buffer, size_t size, loff_t *pos)
{
	ssize_t ret;

	mutex_lock(&report_lock);
	if (!*pos) {
		report_len = 0;
		verdict[0] = 0;
		if (lab_check())
			lab_say("passed");
		else
			lab_say("not passed: %s", verdict[0] ? verdict : "no reason");
	}
	ret = simple_read_from_buffer(buffer, size, pos, report, report_len);
	mutex_unlock(&report_lock);
	return ret;
}

static const struct file_operations lab_fops = {
	.owner = THIS_MODULE,
	.read = lab_read,
};

static struct miscdevice lab_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lab",
	.fops = &lab_fops,
};

module_misc_device(lab_device);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A lab: see its page in the manual");
