// SPDX-License-Identifier: GPL-2.0
/*
 * The end of an owner.  A context ends with its file, but a file can outlive
 * its program: across exec(2), in a child, in flight over a socket.  What cannot
 * outlive the program is its address space, so that its end is what ends the
 * contexts (C34).  It comes before the program's descriptors are closed.
 */
#include "owner.h"

#include <linux/sched.h>
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

void cio_owner_add(struct cio_owner *owner, struct cio_owned *owned)
{
	mutex_lock(&owner->lock);
	list_add(&owned->node, &owner->owned);
	mutex_unlock(&owner->lock);
}

void cio_owner_del(struct cio_owner *owner, struct cio_owned *owned)
{
	mutex_lock(&owner->lock);
	list_del(&owned->node);
	mutex_unlock(&owner->lock);
}
