// SPDX-License-Identifier: GPL-2.0
/*
 * An array, and not one of the kernel's trees: each operation names its connection, and
 * a look-up is a bound, a load and a test.
 */
#include "table.h"

#include "memory.h"

#include <linux/overflow.h>
#include <linux/slab.h>

/* Slots that fill @bytes with their header: allocators round up to a power of two. */
#define SLOTS_IN(bytes) \
	(((bytes) - sizeof(struct cio_slots)) / sizeof(unsigned long))
#define FIRST_BYTES 128U

static struct cio_slots *table_slots(const struct cio_table *table)
{
	/* The caller has the context's lock, or nobody else has the context. */
	return rcu_dereference_protected(table->slots, true);
}

/* Readers see the old slots, or the new ones with what is in them. */
static int table_grow(struct cio_table *table)
{
	struct cio_slots *old = table_slots(table), *slots;
	u32 i, before = old ? old->size : 0;
	u32 size = SLOTS_IN(old ? 2 * struct_size(old, entries, before) :
				  FIRST_BYTES);

	slots = kvmalloc(struct_size(slots, entries, size), CIO_GFP);
	if (!slots)
		return -ENOMEM;
	slots->size = size;
	for (i = 0; i < before; i++)
		slots->entries[i] = old->entries[i];
	for (; i < size; i++)
		slots->entries[i] = (unsigned long)(i + 1) << 1 | 1;
	rcu_assign_pointer(table->slots, slots);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

/* Take a free slot below @limit: its number, -ENOMEM or -EMFILE. */
int cio_table_take(struct cio_table *table, u32 limit)
{
	struct cio_slots *slots = table_slots(table);
	u32 slot = table->free;
	int ret;

	if (slot >= limit)
		return -EMFILE;
	if (!slots || slot == slots->size) {
		ret = table_grow(table);
		if (ret)
			return ret;
		slots = table_slots(table);
	}
	table->free = slots->entries[slot] >> 1;
	WRITE_ONCE(slots->entries[slot], 0);
	return slot;
}

/* From now on @conn is found in the slot. */
void cio_table_set(struct cio_table *table, u32 slot, struct cio_conn *conn)
{
	/* What it is made of comes first: pairs with cio_table_find(). */
	smp_store_release(&table_slots(table)->entries[slot],
			  (unsigned long)conn);
}

void cio_table_give_back(struct cio_table *table, u32 slot)
{
	WRITE_ONCE(table_slots(table)->entries[slot],
		   (unsigned long)table->free << 1 | 1);
	table->free = slot;
}

/* Whether @conn is in its slot still. */
bool cio_table_holds(const struct cio_table *table, u32 slot,
		     const struct cio_conn *conn)
{
	return table_slots(table)->entries[slot] == (unsigned long)conn;
}

/* Every conn's slot is below this, at this moment; from anywhere. */
u32 cio_table_size(const struct cio_table *table)
{
	const struct cio_slots *slots;
	u32 size;

	rcu_read_lock();
	slots = rcu_dereference(table->slots);
	size = slots ? slots->size : 0;
	rcu_read_unlock();
	return size;
}

/* Nobody looks any more. */
void cio_table_free(struct cio_table *table)
{
	kvfree(table_slots(table));
}
