// SPDX-License-Identifier: GPL-2.0
/*
 * Rows of many pending receives with deadlines: to move the deadline of one connection, to
 * cancel one, all of one connection; and the memory that they take.
 */
#include <stdio.h>

#include "bench.h"

#define BLOCKS	15
/* Where each takes very long fewer will do: no more begin after so many ns. */
#define PATIENCE (100 * MS)
#define FEWEST	3
/* Operations of a block, at the most; they lie among the others evenly. */
#define BLOCK	50
/* Deadlines come after so many ns, spread over as many. */
#define SPREAD	(10000 * SECOND)
#define MEMORY_OPS 32768

static unsigned int block_of(const struct set *set)
{
	return set->alone < BLOCK ? set->alone : BLOCK;
}

static unsigned int place_of(const struct set *set, unsigned int i)
{
	return i * (set->alone / block_of(set));
}

static void report_sized(const char *row, const char *size, const struct peer *peer, double ns)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/%s", row, size);
	report(name, peer, ns);
}

static bool goes_on(unsigned int block, __s64 since)
{
	return block < FEWEST || (block < BLOCKS && now() - since < PATIENCE);
}

static double moved(const struct peer *peer, const struct set *set, __s64 base, __s64 step)
{
	unsigned int n = block_of(set), block, i;
	__s64 since = now();

	for (block = 0; goes_on(block, since); block++) {
		__s64 begin = now();

		profile_begin();
		for (i = 0; i < n; i++) {
			unsigned int place = place_of(set, i);

			peer->move(place, due(place, base, SPREAD) + (block + 1) * step);
		}
		profile_end();
		block_note(now() - begin);
	}
	return block_median() / n;
}

/* Cancels of a block, and outside of the measurement the same operations anew. */
static double canceled(const struct peer *peer, const struct set *set, __s64 base,
		       void (*cancel)(unsigned int i))
{
	unsigned int n = block_of(set), block, i;
	__s64 since = now();

	for (block = 0; goes_on(block, since); block++) {
		__s64 begin = now();

		profile_begin();
		for (i = 0; i < n; i++)
			cancel(place_of(set, i));
		profile_end();
		block_note(now() - begin);
		peer->forget(n);
		for (i = 0; i < n; i++)
			peer->pend(place_of(set, i), 1, base, SPREAD);
	}
	return block_median() / n;
}

void scale_measure(const struct peer *peer, const struct set *set, const char *size)
{
	__s64 base = now() + SPREAD;

	if (peer->move && peer->deadlines) {
		/* Later first: what is then moved earlier still has its first time. */
		report_sized("move-later", size, peer, moved(peer, set, base, SECOND));
		report_sized("move-earlier", size, peer,
			     moved(peer, set, base - SPREAD / 2, -SECOND));
	}
	if (peer->cancel)
		report_sized("cancel", size, peer, canceled(peer, set, base, peer->cancel));
	if (peer->cancel_all)
		report_sized("cancel-conn", size, peer,
			     canceled(peer, set, base, peer->cancel_all));
}

static void scale_size(const struct peer *peer, unsigned int n, const char *size)
{
	struct set set = sockets_ends(n);

	set.by_socket = true;
	if (!peer->open(peer, &set)) {
		report_absent("move-later", peer, "not on this kernel");
		return;
	}
	peer->pend(0, set.ops, now() + SPREAD, SPREAD);
	scale_measure(peer, &set, size);
	peer->close();
}

static void scale_small(const struct peer *peer)
{
	if (!peer->pend || !(peer->move || peer->cancel))
		return;
	scale_size(peer, 10, "10");
	scale_size(peer, 1000, "1000");
}

static void scale_large(const struct peer *peer)
{
	if (peer->pend && (peer->move || peer->cancel))
		scale_size(peer, 30000, "30000");
}

/* With a ring for all of them, the sockets aside, which were there before. */
static void memory(const struct peer *peer)
{
	struct set set = sockets_ends(MEMORY_OPS);
	__s64 before;

	if (!peer->pend || !peer->deadlines)
		return;
	/* What others had is given back by and by. */
	settle();
	before = memory_used();
	if (!peer->open(peer, &set))
		return;
	peer->pend(0, set.ops, now() + FAR_AWAY, 0);
	report("memory", peer, (double)(memory_used() - before) / MEMORY_OPS);
	peer->close();
}

const struct row scale_rows[] = {
	{ "scale", true, scale_small },
	{ "scale-30000", false, scale_large },
	{ "memory", false, memory },
	{ }
};
