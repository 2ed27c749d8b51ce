/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small structures from and to the program's memory, word by word: on x86 a copy of a
 * hundred bytes by the common functions costs more than all else that an ioctl does.
 */
#ifndef CIO_USER_H
#define CIO_USER_H

#include <linux/uaccess.h>

/* @size is a multiple of 8. */
static __always_inline int cio_words_from_user(void *to, const void __user *from,
					       size_t size)
{
	const u64 __user *source = from;
	u64 *words = to;
	size_t i;

	if (!user_access_begin(source, size))
		return -EFAULT;
#pragma GCC unroll 16
	for (i = 0; i < size / sizeof(*words); i++)
		unsafe_get_user(words[i], source + i, fault);
	user_access_end();
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

static __always_inline int cio_words_to_user(void __user *to, const void *from,
					     size_t size)
{
	u64 __user *target = to;
	const u64 *words = from;
	size_t i;

	if (!user_access_begin(target, size))
		return -EFAULT;
#pragma GCC unroll 16
	for (i = 0; i < size / sizeof(*words); i++)
		unsafe_put_user(words[i], target + i, fault);
	user_access_end();
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

#endif /* CIO_USER_H */
