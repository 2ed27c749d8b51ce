/* SPDX-License-Identifier: GPL-2.0 */
/* The completion ring: reserved, posted, counted, reaped. */
#ifndef CIO_RING_H
#define CIO_RING_H

#include <linux/cancelio.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

/**
 * struct cio_ring - a context's completion ring
 * @hdr: the header, in memory that the program may have mapped: everything but
 *	head is written here and never read
 * @entries: the completions, behind the header
 * @pages: the memory of both
 * @nr_pages: how many
 * @mask: number of entries less one
 * @mapped: the program has mapped it and owns head; only ever set, under @reap
 * @reap: taken to move head in the kernel
 * @lock: protects @tail and @reserved; innermost, taken with interrupts off
 * @tail: next entry to write
 * @reserved: entries promised to accepted operations and not yet written
 *
 * The invariant that makes overflow impossible (C8): reserved + tail - head is
 * at most the number of entries.  Reserving keeps it, posting moves one from
 * reserved to tail, and head only ever makes room.  A program that stores a
 * wrong head can break it for its own completions alone: an index is masked
 * before it is used.
 */
struct cio_ring {
	struct cancelio_ring *hdr;
	struct cancelio_completion *entries;
	struct page **pages;
	unsigned int nr_pages;
	u32 mask;
	bool mapped;
	struct mutex reap;	/* head */

	spinlock_t lock;	/* tail, reserved */
	u32 tail;
	u32 reserved;
};

int cio_ring_init(struct cio_ring *ring, u32 entries);
void cio_ring_free(struct cio_ring *ring);
int cio_ring_map(struct cio_ring *ring, struct vm_area_struct *vma);

bool cio_ring_reserve(struct cio_ring *ring);
void cio_ring_unreserve(struct cio_ring *ring);
void cio_ring_post(struct cio_ring *ring,
		   const struct cancelio_completion *completion);

u32 cio_ring_count(struct cio_ring *ring);
int cio_ring_copy(struct cio_ring *ring, void __user *to, u32 min, u32 max);

/* Of a ring with so many entries, whole pages. */
static inline u64 cio_ring_bytes(u32 entries)
{
	return PAGE_ALIGN(sizeof(struct cancelio_ring) +
			  (u64)entries * sizeof(struct cancelio_completion));
}

#endif /* CIO_RING_H */
