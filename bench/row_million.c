// SPDX-License-Identifier: GPL-2.0
/*
 * A million receives with deadlines on a quarter of a million sockets, beside a thousand on a
 * quarter of a thousand: what each socket and each operation costs to set up and to end.
 */
#include <stdio.h>

#include "bench.h"
#include "peers.h"

#define ROUNDS 5

static double begin_ops(const struct peer *peer, const struct set *set, double *open)
{
	__s64 begin = now(), opened;

	if (!peer->open(peer, set))
		give_up("not on this kernel", 0);
	opened = now();
	peer->pend(0, set->ops, now() + FAR_AWAY, 1000 * SECOND);
	*open = (double)(opened - begin) / set->count;
	return (double)(now() - opened) / set->ops;
}

static void report_sized(const char *row, const char *size, const struct peer *peer, double ns)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/%s", row, size);
	report(name, peer, ns);
}

/* Several times where that is short, and the last one counts: the first warms up. */
static void life(const struct peer *peer, const struct set *set, const char *size,
		 unsigned int rounds)
{
	double open = 0, arm = 0, end = 0;

	while (rounds--) {
		__s64 begin;

		arm = begin_ops(peer, set, &open);
		begin = now();
		peer->close();
		end = (double)(now() - begin) / set->ops;
	}
	report_sized("million-attach", size, peer, open);
	report_sized("million-arm", size, peer, arm);
	report_sized("million-end", size, peer, end);
}

/* What a thread sleeps for each of does not go so far. */
static bool can_have_million(const struct peer *peer)
{
	return peer == &peer_cancelio;
}

static void million(const struct peer *peer)
{
	struct set set;

	if (!can_have_million(peer))
		return;
	set = sockets_ends(250, 1000);
	life(peer, &set, "1000", ROUNDS);
	set = sockets_ends(250000, 1000000);
	life(peer, &set, "1000000", 1);
	set.by_socket = true;
	peer->open(peer, &set);
	scale_measure(peer, &set, "1000000");
	peer->close();
}

const struct row million_rows[] = {
	{ "million", false, million },
	{ }
};
