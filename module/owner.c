// SPDX-License-Identifier: GPL-2.0
/*
 * The end of an owner.  A context ends with its file, but a file can outlive
 * its program: across exec(2), in a child, in flight over a socket, mapped into
 * memory that a worker in a page fault keeps.  Two things tell of the end (C34):
 *
 * - its address space goes: at exit and exec, unless somebody else uses it;
 * - its thread group goes: the wait queue behind a pidfd is woken.
 */
#include "owner.h"

#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

/* The last user of the memory is gone; called where it may sleep. */
static void owner_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct cio_owner *owner = container_of(notifier, struct cio_owner,
					       notifier);
	struct cio_owned *owned;

	mutex_lock(&owner->lock);
	list_for_each_entry(owned, &owner->owned, node)
		owned->end(owned);
	mutex_unlock(&owner->lock);
}

static struct mmu_notifier *owner_alloc(struct mm_struct *mm)
{
	struct cio_owner *owner = kzalloc(sizeof(*owner), GFP_KERNEL_ACCOUNT);

	if (!owner)
		return ERR_PTR(-ENOMEM);
	mutex_init(&owner->lock);
	INIT_LIST_HEAD(&owner->owned);
	return &owner->notifier;
}

static void owner_free(struct mmu_notifier *notifier)
{
	kfree(container_of(notifier, struct cio_owner, notifier));
}

static const struct mmu_notifier_ops owner_ops = {
	.release = owner_release,
	.alloc_notifier = owner_alloc,
	.free_notifier = owner_free,
};

/* The current process's, shared by all its contexts. */
struct cio_owner *cio_owner_get(void)
{
	struct mmu_notifier *notifier = mmu_notifier_get(&owner_ops,
							 current->mm);

	if (IS_ERR(notifier))
		return ERR_CAST(notifier);
	return container_of(notifier, struct cio_owner, notifier);
}

void cio_owner_put(struct cio_owner *owner)
{
	mmu_notifier_put(&owner->notifier);
}

/* Whether the last thread of the group has exited. */
static bool owner_group_is_gone(const struct cio_owned *owned)
{
	struct task_struct *leader;
	bool gone;

	rcu_read_lock();
	leader = pid_task(owned->group, PIDTYPE_TGID);
	gone = !leader || (READ_ONCE(leader->exit_state) &&
			   thread_group_empty(leader));
	rcu_read_unlock();
	return gone;
}

static void owner_work(struct work_struct *work)
{
	struct cio_owned *owned = container_of(work, struct cio_owned, work);

	if (owner_group_is_gone(owned))
		owned->end(owned);
}

/* Called under the queue's lock, and the kernel's for tasks. */
static int owner_event(struct wait_queue_entry *wait, unsigned int mode,
		       int sync, void *key)
{
	queue_work(system_unbound_wq,
		   &container_of(wait, struct cio_owned, wait)->work);
	return 0;
}

/* @owned is the current process's. */
void cio_owner_add(struct cio_owner *owner, struct cio_owned *owned,
		   void (*end)(struct cio_owned *owned))
{
	owned->end = end;
	owned->group = get_pid(task_tgid(current));
	INIT_WORK(&owned->work, owner_work);
	init_waitqueue_func_entry(&owned->wait, owner_event);
	add_wait_queue(&owned->group->wait_pidfd, &owned->wait);
	mutex_lock(&owner->lock);
	list_add(&owned->node, &owner->owned);
	mutex_unlock(&owner->lock);
}

/* After this nobody calls its end any more, nor is in a call. */
void cio_owner_del(struct cio_owner *owner, struct cio_owned *owned)
{
	remove_wait_queue(&owned->group->wait_pidfd, &owned->wait);
	cancel_work_sync(&owned->work);
	mutex_lock(&owner->lock);
	list_del(&owned->node);
	mutex_unlock(&owner->lock);
}
