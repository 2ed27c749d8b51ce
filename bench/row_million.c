// SPDX-License-Identifier: GPL-2.0
/*
 * A million receives with deadlines on a quarter of a million sockets, beside a thousand on a
 * quarter of a thousand: what each socket and each operation costs to set up and to end.
 */
#include <stdio.h>

#include "bench.h"
#include "peers.h"

#define ROUNDS	5
#define SPREAD	(10000 * SECOND)

static void report_sized(const char *row, const char *size, const struct peer *peer, double ns)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/%s", row, size);
	report(name, peer, ns);
}

/* @alive: measure what moved deadlines and cancels cost among all these, too. */
static void life(const struct peer *peer, const struct set *set, const char *size, bool alive)
{
	__s64 begin = now(), opened, armed;

	if (!peer->open(peer, set))
		give_up("not on this kernel", 0);
	opened = now();
	peer->pend(0, set->ops, now() + SPREAD, SPREAD);
	armed = now();
	report_sized("million-attach", size, peer, (double)(opened - begin) / set->count);
	report_sized("million-arm", size, peer, (double)(armed - opened) / set->ops);
	if (alive)
		scale_measure(peer, set, size);
	begin = now();
	peer->close();
	report_sized("million-end", size, peer, (double)(now() - begin) / set->ops);
}

/* The last of the small ones counts: the first warm up. */
static void million(const struct peer *peer)
{
	struct set small, large;
	int i;

	if (peer != &peer_cancelio)
		return;
	small = sockets_datagram(250, 1000);
	small.by_socket = true;
	for (i = 0; i < ROUNDS; i++)
		life(peer, &small, "1000", false);
	large = sockets_datagram(250000, 1000000);
	large.by_socket = true;
	life(peer, &large, "1000000", true);
}

const struct row million_rows[] = {
	{ "million", false, million },
	{ }
};
