/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernel versions, by feature name.  Included before
 * everything else; no other file asks for a version.
 */
#ifndef CIO_COMPAT_H
#define CIO_COMPAT_H

#include <linux/cgroup.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>

#ifndef CONFIG_MMU_NOTIFIER
#error "cancelio needs a kernel with CONFIG_MMU_NOTIFIER"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* For what is written before it is read: kernels may clear the whole stack. */
#define cio_uninitialized __attribute__((__uninitialized__))

/* Whether two tasks are in the same control groups, at this moment. */
static inline bool cio_same_cgroups(struct task_struct *one,
				    struct task_struct *other)
{
	bool same = true;

#ifdef CONFIG_CGROUPS
	rcu_read_lock();
	same = task_css_set(one) == task_css_set(other);
	rcu_read_unlock();
#endif
	return same;
}

/* Add one to an eventfd. */
static inline void cio_eventfd_signal(struct eventfd_ctx *eventfd)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(eventfd, 1);
#else
	eventfd_signal(eventfd);
#endif
}

#endif /* CIO_COMPAT_H */
