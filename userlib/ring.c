// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The mapped completion ring.
 *
 * The kernel writes an entry, then stores the tail (release).  The program loads
 * the tail (acquire), copies entries, then stores the head (release): only then
 * may the kernel write them again.  The head is the program's own, and is read
 * here without ordering, for one thread at a time reaps.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static bool ring_is_sound(const struct cancelio_ring *ring, size_t bytes)
{
	if (bytes < sizeof(*ring))
		return false;
	if (!ring->entries || ring->entries & (ring->entries - 1))
		return false;
	if (!ring->completion_size || ring->completion_size % sizeof(__u64))
		return false;
	if (ring->completions_offset > bytes)
		return false;
	return (bytes - ring->completions_offset) / ring->completion_size >=
	       ring->entries;
}

static int ring_map(struct cancelio *context)
{
	struct cancelio_ring *ring;

	ring = mmap(NULL, context->ring_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED, context->fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	if (!ring_is_sound(ring, context->ring_bytes)) {
		munmap(ring, context->ring_bytes);
		return -EPROTO;
	}
	context->completions =
		(const unsigned char *)ring + ring->completions_offset;
	context->entries = ring->entries;
	context->completion_size = ring->completion_size;
	/* Release: who sees the ring sees the three fields above. */
	__atomic_store_n(&context->ring, ring, __ATOMIC_RELEASE);
	return 0;
}

static struct cancelio_ring *ring_of(struct cancelio *context)
{
	/* Acquire: pairs with the release in ring_map(). */
	return __atomic_load_n(&context->ring, __ATOMIC_ACQUIRE);
}

int cancelio_map_ring(struct cancelio *context)
{
	int error = 0;

	pthread_mutex_lock(&context->map_lock);
	if (!ring_of(context))
		error = ring_map(context);
	pthread_mutex_unlock(&context->map_lock);
	return error;
}

void ring_unmap(struct cancelio *context)
{
	struct cancelio_ring *ring = ring_of(context);

	/* A child inherits no mapping; something else may be at that address. */
	if (ring && context->owner == getpid())
		munmap(ring, context->ring_bytes);
}

static unsigned int ring_count(const struct cancelio *context,
			       const struct cancelio_ring *ring, __u32 head)
{
	/* Acquire: the entries up to the tail are written. */
	__u32 count = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) - head;

	return count < context->entries ? count : context->entries;
}

static void copy_entry(const struct cancelio *context, __u32 index,
		       struct cancelio_completion *completion)
{
	size_t slot = index & (context->entries - 1);
	size_t size = context->completion_size;

	if (size > sizeof(*completion))
		size = sizeof(*completion);
	else
		memset(completion, 0, sizeof(*completion));
	memcpy(completion, context->completions + slot * context->completion_size,
	       size);
}

/* Most often the kernel knows the same fields. */
static void copy_entries(const struct cancelio *context, __u32 head,
			 struct cancelio_completion *completions, unsigned int count)
{
	const struct cancelio_completion *entries = (const void *)context->completions;
	unsigned int i, mask = context->entries - 1;

	if (context->completion_size != sizeof(*completions))
		for (i = 0; i < count; i++)
			copy_entry(context, head + i, &completions[i]);
	else
		for (i = 0; i < count; i++)
			completions[i] = entries[(head + i) & mask];
}

int cancelio_peek(struct cancelio *context,
		  struct cancelio_completion *completions, unsigned int max)
{
	const struct cancelio_ring *ring = ring_of(context);
	unsigned int count;
	__u32 head;

	if (!ring)
		return -ENXIO;
	head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	count = ring_count(context, ring, head);
	if (count > max)
		count = max;
	copy_entries(context, head, completions, count);
	return count;
}

int cancelio_advance(struct cancelio *context, unsigned int count)
{
	struct cancelio_ring *ring = ring_of(context);
	__u32 head;

	if (!ring)
		return -ENXIO;
	head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	if (count > ring_count(context, ring, head))
		return -EINVAL;
	/* Release: the copies are made before the kernel may write again. */
	__atomic_store_n(&ring->head, head + count, __ATOMIC_RELEASE);
	return 0;
}
