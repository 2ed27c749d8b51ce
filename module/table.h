/* SPDX-License-Identifier: GPL-2.0 */
/* The connections of a context by slot, found without a lock. */
#ifndef CIO_TABLE_H
#define CIO_TABLE_H

#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct cio_conn;

/**
 * struct cio_slots - an array of slots; replaced by a larger one, and freed after a
 *	grace period
 * @rcu: for that
 * @size: how many
 * @entries: of each the conn, or 0 while it is being made, or where it is free the
 *	number of the next free one, doubled, with the lowest bit set
 */
struct cio_slots {
	struct rcu_head rcu;
	u32 size;
	unsigned long entries[];
};

/**
 * struct cio_table - the slots of a context; changed under the context's lock
 * @slots: NULL as long as there are none
 * @free: the first free one, or the size
 */
struct cio_table {
	struct cio_slots __rcu *slots;
	u32 free;
};

int cio_table_take(struct cio_table *table, u32 limit);
void cio_table_set(struct cio_table *table, u32 slot, struct cio_conn *conn);
void cio_table_give_back(struct cio_table *table, u32 slot);
bool cio_table_holds(const struct cio_table *table, u32 slot,
		     const struct cio_conn *conn);
u32 cio_table_size(const struct cio_table *table);
void cio_table_free(struct cio_table *table);

/*
 * The conn in a slot, or NULL; under RCU.  One that was taken out since may still be
 * found in slots that were replaced since: the caller has to get a reference.
 */
static inline struct cio_conn *cio_table_find(const struct cio_table *table,
					      u32 slot)
{
	const struct cio_slots *slots = rcu_dereference(table->slots);
	unsigned long entry;

	if (!slots || slot >= slots->size)
		return NULL;
	entry = READ_ONCE(slots->entries[array_index_nospec(slot, slots->size)]);
	return entry & 1 ? NULL : (struct cio_conn *)entry;
}

#endif /* CIO_TABLE_H */
