// SPDX-License-Identifier: GPL-2.0
/*
 * The end of an owner.  A context ends with its file, but a file can outlive
 * its program: across exec(2), in a child, in flight over a socket, mapped into
 * memory that a worker in a page fault keeps.  Two things tell of the end (C34):
 *
 * - its address space goes: at exit and exec, unless somebody else uses it;
 * - its thread group goes: the wait queue behind a pidfd is woken.
 *
 * Neither tells of an exec(2) while one of our threads is in the program's memory,
 * perhaps in a page fault that nobody answers any more: that keeps the address
 * space.  So as long as one is, we look now and then.
 */
#include "owner.h"

#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

/* Between two looks, jiffies. */
#define LOOK_PAUSE (HZ / 4)

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

/* Whether the group runs in another address space: it has executed a program. */
static bool owner_has_executed(const struct cio_owned *owned)
{
	struct task_struct *leader, *thread;
	struct mm_struct *mm = NULL;

	rcu_read_lock();
	leader = pid_task(owned->group, PIDTYPE_TGID);
	if (leader)
		for_each_thread(leader, thread) {
			/* Compared only.  One that exits has none. */
			mm = READ_ONCE(thread->mm);
			if (mm)
				break;
		}
	rcu_read_unlock();
	return mm && mm != cio_owner_mm(owned->owner);
}

static void owner_look(struct work_struct *work)
{
	struct cio_owned *owned = container_of(to_delayed_work(work),
					       struct cio_owned, look);

	if (owner_has_executed(owned))
		owned->end(owned);
	else if (atomic_read(&owned->inside))
		queue_delayed_work(system_unbound_wq, &owned->look, LOOK_PAUSE);
}

/* A kernel thread takes the owner's address space; false when that is gone. */
bool cio_owner_enter(struct cio_owned *owned)
{
	struct mm_struct *mm = cio_owner_mm(owned->owner);

	if (!mmget_not_zero(mm))
		return false;
	atomic_inc(&owned->inside);
	/* Pairs with the work's look at the count, once it is not pending. */
	smp_mb__after_atomic();
	if (!delayed_work_pending(&owned->look))
		queue_delayed_work(system_unbound_wq, &owned->look, LOOK_PAUSE);
	kthread_use_mm(mm);
	return true;
}

void cio_owner_leave(struct cio_owned *owned)
{
	struct mm_struct *mm = cio_owner_mm(owned->owner);

	kthread_unuse_mm(mm);
	atomic_dec(&owned->inside);
	/* The last user's teardown is long: not here. */
	mmput_async(mm);
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
	owned->owner = owner;
	INIT_DELAYED_WORK(&owned->look, owner_look);
	owned->group = get_pid(task_tgid(current));
	INIT_WORK(&owned->work, owner_work);
	init_waitqueue_func_entry(&owned->wait, owner_event);
	add_wait_queue(&owned->group->wait_pidfd, &owned->wait);
	mutex_lock(&owner->lock);
	list_add(&owned->node, &owner->owned);
	mutex_unlock(&owner->lock);
}

/*
 * After this its end is called no more for the owner's own end; cio_owner_stop()
 * is still to come.
 */
void cio_owner_del(struct cio_owner *owner, struct cio_owned *owned)
{
	remove_wait_queue(&owned->group->wait_pidfd, &owned->wait);
	cancel_work_sync(&owned->work);
	mutex_lock(&owner->lock);
	list_del(&owned->node);
	mutex_unlock(&owner->lock);
}

/* Nobody enters any more.  After this nothing calls its end, nor is in a call. */
void cio_owner_stop(struct cio_owned *owned)
{
	cancel_delayed_work_sync(&owned->look);
}
