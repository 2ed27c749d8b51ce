// SPDX-License-Identifier: GPL-2.0
#include "op.h"

#include "memory.h"

#include <linux/mm.h>
#include <linux/slab.h>

#define OPS_PER_CHUNK	((u32)(PAGE_SIZE / sizeof(struct cio_op)))

void cio_ops_init(struct cio_ops *ops)
{
	xa_init(&ops->chunks);
	mutex_init(&ops->grow);
	init_llist_head(&ops->free);
	spin_lock_init(&ops->lock);
}

void cio_ops_free(struct cio_ops *ops)
{
	unsigned long index;
	void *chunk;

	xa_for_each(&ops->chunks, index, chunk)
		free_page((unsigned long)chunk);
	xa_destroy(&ops->chunks);
}

static struct cio_op *ops_pop(struct cio_ops *ops)
{
	struct llist_node *node;

	spin_lock(&ops->lock);
	node = llist_del_first(&ops->free);
	spin_unlock(&ops->lock);
	return node ? container_of(node, struct cio_op, free) : NULL;
}

static int ops_grow(struct cio_ops *ops)
{
	u32 first = ops->nr_chunks * OPS_PER_CHUNK, i;
	struct cio_op *chunk;
	int ret;

	lockdep_assert_held(&ops->grow);
	if (first >= (u32)atomic_read(&ops->limit) ||
	    first + OPS_PER_CHUNK > CIO_SLOT_MASK)
		return -EAGAIN;
	chunk = (void *)get_zeroed_page(CIO_GFP);
	if (!chunk)
		return -ENOMEM;
	for (i = 0; i < OPS_PER_CHUNK; i++) {
		chunk[i].slot = first + i;
		/* Generations start at 1, so that no id is 0. */
		atomic64_set(&chunk[i].word, 1ULL << CIO_GEN_SHIFT | CIO_FREE);
	}
	ret = xa_err(xa_store(&ops->chunks, ops->nr_chunks, chunk,
			      CIO_GFP));
	if (ret) {
		free_page((unsigned long)chunk);
		return ret;
	}
	/* Pairs with cio_ops_slots(): the chunk before the number. */
	smp_store_release(&ops->nr_chunks, ops->nr_chunks + 1);
	for (i = OPS_PER_CHUNK; i--; )
		llist_add(&chunk[i].free, &ops->free);
	return 0;
}

/* Returns a NEW operation, or -ENOMEM, or -EAGAIN at the limit; may sleep. */
struct cio_op *cio_op_alloc(struct cio_ops *ops)
{
	struct cio_op *op;
	int ret = 0;

	while (!(op = ops_pop(ops))) {
		mutex_lock(&ops->grow);
		if (llist_empty(&ops->free))
			ret = ops_grow(ops);
		mutex_unlock(&ops->grow);
		if (ret)
			return ERR_PTR(ret);
	}
	cio_op_set_state(op, CIO_NEW);
	return op;
}

/*
 * End the operation's id: from now on its memory is FREE under the next
 * generation.  The caller owns it (NEW, ENDING, TAKING) and has unlinked it.
 */
void cio_op_retire(struct cio_op *op)
{
	u64 gen = cio_word_gen(cio_op_word(op));

	atomic64_set_release(&op->word, (gen + 1) << CIO_GEN_SHIFT | CIO_FREE);
}

/* A slot whose generations are used up is never given out again. */
bool cio_op_reusable(const struct cio_op *op)
{
	return cio_word_gen(cio_op_word(op)) < CIO_GEN_MAX;
}

/* Give back a retired operation; from any context. */
void cio_op_recycle(struct cio_ops *ops, struct cio_op *op)
{
	if (cio_op_reusable(op))
		llist_add(&op->free, &ops->free);
}

/* Every slot is below this, and there; more come, and none goes. */
u32 cio_ops_slots(const struct cio_ops *ops)
{
	/* Pairs with ops_grow(). */
	return smp_load_acquire(&ops->nr_chunks) * OPS_PER_CHUNK;
}

/*
 * The place that @id names, or NULL.  Whether it still holds that operation
 * only its word can tell.
 */
struct cio_op *cio_op_find(struct cio_ops *ops, u64 id)
{
	u32 slot = id & CIO_SLOT_MASK;
	struct cio_op *chunk = xa_load(&ops->chunks, slot / OPS_PER_CHUNK);

	return chunk ? chunk + slot % OPS_PER_CHUNK : NULL;
}
