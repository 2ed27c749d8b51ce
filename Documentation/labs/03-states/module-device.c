// SPDX-License-Identifier: GPL-2.0
#include "states.h"

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

DECLARE_WAIT_QUEUE_HEAD(lab_queue);

static bool gate_open;

bool lab_gate_is_open(void)
{
	return READ_ONCE(gate_open);
}

static ssize_t lab_read(struct file *file, char __user *buffer, size_t size, loff_t *pos)
{
	int ret;

	if (*pos < 0 || *pos >= LAB_KINDS || !size)
		return -EINVAL;
	ret = lab_sleep(*pos);
	if (ret)
		return ret;
	return put_user('1', buffer) ? -EFAULT : 1;
}

static ssize_t lab_write(struct file *file, const char __user *buffer, size_t size, loff_t *pos)
{
	char first;

	if (!size || get_user(first, buffer))
		return -EFAULT;
	WRITE_ONCE(gate_open, first == '1');
	wake_up_all(&lab_queue);
	return size;
}

static const struct file_operations lab_fops = {
	.owner = THIS_MODULE,
	.read = lab_read,
	.write = lab_write,
};

static struct miscdevice lab_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lab",
	.fops = &lab_fops,
};

module_misc_device(lab_device);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A gate, and four ways to sleep before it");
