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

/* What each socket cost to attach, and each operation to arm and to end, ns. */
struct costs {
	__s64 attach;
	__s64 arm;
	__s64 end;
};

/* The whole of them; @size: measure what costs among all these, too. */
static struct costs life(const struct peer *peer, const struct set *set, const char *size)
{
	__s64 begin = now(), opened, armed, ends;

	if (!peer->open(peer, set))
		give_up("not on this kernel", 0);
	opened = now();
	peer->pend(0, set->ops, now() + SPREAD, SPREAD);
	armed = now();
	if (size)
		scale_measure(peer, set, size);
	ends = now();
	peer->close();
	return (struct costs){ opened - begin, armed - opened, now() - ends };
}

static void report_sized(const char *row, const char *size, const struct peer *peer, double ns)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/%s", row, size);
	report(name, peer, ns);
}

static double middle_of(const struct costs *costs, unsigned int n, size_t field)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		block_note(*(const __s64 *)((const char *)&costs[i] + field));
	return block_median();
}

static void report_costs(const struct peer *peer, const struct set *set, const char *size,
			 const struct costs *costs, unsigned int n)
{
	double attach = middle_of(costs, n, offsetof(struct costs, attach));
	double arm = middle_of(costs, n, offsetof(struct costs, arm));
	double end = middle_of(costs, n, offsetof(struct costs, end));

	report_sized("million-attach", size, peer, attach / set->count);
	report_sized("million-arm", size, peer, arm / set->ops);
	report_sized("million-end", size, peer, end / set->ops);
}

static void million(const struct peer *peer)
{
	struct costs costs[ROUNDS];
	struct set small, large;
	int i;

	if (peer != &peer_cancelio)
		return;
	small = sockets_datagram(250, 1000);
	small.by_socket = true;
	for (i = 0; i < ROUNDS; i++)
		costs[i] = life(peer, &small, NULL);
	report_costs(peer, &small, "1000", costs, ROUNDS);
	large = sockets_datagram(250000, 1000000);
	large.by_socket = true;
	costs[0] = life(peer, &large, "1000000");
	report_costs(peer, &large, "1000000", costs, 1);
}

const struct row million_rows[] = {
	{ "million", false, million },
	{ }
};
