// SPDX-License-Identifier: GPL-2.0
#include "ring.h"

#include "memory.h"
#include "race.h"

#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

/* Copied out in pieces, so that the lock is never held for long. */
#define COPY_PIECE 64U

static void ring_free_pages(struct cio_ring *ring)
{
	while (ring->nr_pages)
		__free_page(ring->pages[--ring->nr_pages]);
	kvfree(ring->pages);
	ring->pages = NULL;
}

/* Single pages, so that they are charged and can be mapped into the program. */
static int ring_alloc_pages(struct cio_ring *ring, unsigned int nr)
{
	ring->pages = kvcalloc(nr, sizeof(*ring->pages), CIO_GFP);
	if (!ring->pages)
		return -ENOMEM;
	while (ring->nr_pages < nr) {
		struct page *page = alloc_page(CIO_GFP | __GFP_ZERO);

		if (!page) {
			ring_free_pages(ring);
			return -ENOMEM;
		}
		ring->pages[ring->nr_pages++] = page;
		cond_resched();
	}
	return 0;
}

/* @entries is a power of two. */
int cio_ring_init(struct cio_ring *ring, u32 entries)
{
	int ret;

	ret = ring_alloc_pages(ring, cio_ring_bytes(entries) >> PAGE_SHIFT);
	if (ret)
		return ret;
	ring->hdr = vmap(ring->pages, ring->nr_pages, VM_MAP, PAGE_KERNEL);
	if (!ring->hdr) {
		ring_free_pages(ring);
		return -ENOMEM;
	}
	ring->entries = (void *)(ring->hdr + 1);
	ring->mask = entries - 1;
	ring->hdr->entries = entries;
	ring->hdr->completions_offset = sizeof(*ring->hdr);
	ring->hdr->completion_size = sizeof(*ring->entries);
	return 0;
}

/* No mapping is left: each holds the context's file. */
void cio_ring_free(struct cio_ring *ring)
{
	if (!ring->hdr)
		return;
	vunmap(ring->hdr);
	ring->hdr = NULL;
	ring_free_pages(ring);
}

int cio_ring_map(struct cio_ring *ring, struct vm_area_struct *vma)
{
	int ret;

	if (vma->vm_pgoff || vma_pages(vma) > ring->nr_pages ||
	    !(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND, VM_MAYEXEC);

	ret = vm_map_pages_zero(vma, ring->pages, ring->nr_pages);
	if (ret)
		return ret;
	/* From here on the program reaps, and nobody else (C70). */
	mutex_lock(&ring->reap);
	WRITE_ONCE(ring->mapped, true);
	mutex_unlock(&ring->reap);
	return 0;
}

/* Entries between the program's @head and @tail; none when head is nonsense. */
static u32 ring_used(const struct cio_ring *ring, u32 head, u32 tail)
{
	u32 used = tail - head;

	return used <= ring->mask + 1 ? used : ring->mask + 1;
}

/* Promise an entry, when one is free; from a thread. */
bool cio_ring_reserve(struct cio_ring *ring)
{
	bool free;
	u32 used;

	spin_lock_irq(&ring->lock);
	used = ring_used(ring, READ_ONCE(ring->hdr->head), ring->tail);
	/* A head moved backwards can make the sum exceed the ring: none then. */
	free = used + ring->reserved <= ring->mask;
	ring->reserved += free;
	spin_unlock_irq(&ring->lock);
	return free;
}

/* Of an operation that was not accepted after all. */
void cio_ring_unreserve(struct cio_ring *ring)
{
	spin_lock_irq(&ring->lock);
	ring->reserved--;
	spin_unlock_irq(&ring->lock);
}

/*
 * Write a completion into its reserved entry, under the conn's lock; the caller
 * wakes, unlocked.
 */
void cio_ring_post(struct cio_ring *ring,
		   const struct cancelio_completion *completion)
{
	u32 tail;

	spin_lock(&ring->lock);
	tail = ring->tail;
	ring->entries[tail & ring->mask] = *completion;
	ring->reserved--;
	/* Pairs with ring_copy_piece(): the entry before the index. */
	smp_store_release(&ring->tail, tail + 1);
	cio_pause(CIO_AT_POSTING);
	/* Pairs with the program's acquire, likewise. */
	smp_store_release(&ring->hdr->tail, tail + 1);
	spin_unlock(&ring->lock);
}

/*
 * What a program is told of, it finds in its memory.  Our tail shows a completion before
 * the program's does: whoever posts one has the lock until both do.
 */
static void ring_await_post(struct cio_ring *ring)
{
	unsigned long flags;

	if (!READ_ONCE(ring->mapped))
		return;
	spin_lock_irqsave(&ring->lock, flags);
	spin_unlock_irqrestore(&ring->lock, flags);
}

/* How many completions are there to be reaped; from any context. */
u32 cio_ring_count(struct cio_ring *ring)
{
	/* First: another thread may reap, and then head would be beyond the tail. */
	u32 head = smp_load_acquire(&ring->hdr->head);
	u32 used = ring_used(ring, head, READ_ONCE(ring->tail));

	if (used)
		ring_await_post(ring);
	return used;
}

/*
 * Copy up to @nr completions to user memory that was just faulted in, and take
 * them out of the ring.  Returns how many, 0 when there are fewer than @min,
 * -EFAULT when the memory went away again, -EBUSY when the ring is mapped.
 */
static int ring_copy_piece(struct cio_ring *ring,
			   struct cancelio_completion __user *to, u32 min,
			   u32 nr)
{
	unsigned long left = 0;
	u32 head, tail, i;

	lockdep_assert_held(&ring->reap);
	if (ring->mapped)
		return -EBUSY;
	head = ring->hdr->head;
	/* Pairs with cio_ring_post(). */
	tail = smp_load_acquire(&ring->tail);
	if (tail - head < min)
		return 0;
	nr = min(nr, tail - head);
	pagefault_disable();
	for (i = 0; i < nr && !left; i++)
		left = __copy_to_user_inatomic(to + i, ring->entries +
					       ((head + i) & ring->mask),
					       sizeof(*to));
	pagefault_enable();
	if (left && !--i)
		return -EFAULT;
	/* The entries may be written again once the head has moved past them. */
	smp_store_release(&ring->hdr->head, head + i);
	return i;
}

/*
 * Copy completions out of a ring that is not mapped, each to one caller (C70):
 * at least @min at first, or none; up to @max.  The user memory is faulted in
 * without the lock, so that a program that holds back a page waits alone.
 */
int cio_ring_copy(struct cio_ring *ring, void __user *to, u32 min, u32 max)
{
	struct cancelio_completion __user *out = to;
	u32 done = 0;
	int ret = 0;

	while (done < max) {
		u32 nr = min(max - done, max(COPY_PIECE, min));

		nr = min(nr, max3(cio_ring_count(ring), done ? 1 : min, 1U));
		if (!access_ok(out + done, nr * sizeof(*out)) ||
		    fault_in_writeable((char __user *)(out + done),
				       nr * sizeof(*out))) {
			ret = -EFAULT;
			break;
		}
		mutex_lock(&ring->reap);
		ret = ring_copy_piece(ring, out + done, done ? 0 : min, nr);
		mutex_unlock(&ring->reap);
		if (ret == -EFAULT && !signal_pending(current))
			continue;
		if (ret <= 0)
			break;
		done += ret;
	}
	return done ?: ret;
}
