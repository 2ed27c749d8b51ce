// SPDX-License-Identifier: GPL-2.0
/*
 * Rows of deadlines that pass: of very many operations at one moment; and of one, while the
 * program makes no system call.
 */
#include "bench.h"

#define MANY	30000
#define ROUNDS	3
/* Enough to arm all of them. */
#define AHEAD	(3 * SECOND)
/* A wheel has a slot for each 2^20 ns: this is the beginning of one. */
#define WHEEL_TICK (1LL << 20)
/* How long the program spins. */
#define PATIENCE (100 * MS)

/* From the deadline until the last completion is taken; what the processor idles counts too. */
static void expire_many(const struct peer *peer)
{
	struct set set = sockets_ends(MANY);
	unsigned int round;

	if (!peer->expire || !peer->deadlines)
		return;
	if (!peer->open(peer, &set)) {
		report_absent("expiry-30000", peer, "not on this kernel");
		return;
	}
	for (round = 0; round < ROUNDS; round++) {
		__s64 deadline = (now() + AHEAD) & ~(WHEEL_TICK - 1);

		peer->pend(0, MANY, deadline, 0);
		if (now() > deadline)
			give_up("deadlines passed too early", 0);
		profile_begin();
		peer->expire(MANY);
		profile_end();
		block_note(now() - deadline);
	}
	peer->close();
	report("expiry-30000", peer, block_median());
}

/* How late a program that only looks at memory sees the deadline; it may never. */
static void spin(const struct peer *peer)
{
	struct set set = sockets_pairs(1);
	__s64 deadline, time;
	bool seen;

	if (!peer->peek || peer->deadlines != BY_KERNEL)
		return;
	if (!peer->open(peer, &set)) {
		report_absent("spin", peer, "not on this kernel");
		return;
	}
	deadline = now() + 5 * MS;
	peer->pend(0, 1, deadline, 0);
	do {
		seen = peer->peek();
		time = now();
	} while (!seen && time < deadline + PATIENCE);
	if (seen && time < deadline)
		give_up("a deadline is early", 0);
	if (seen)
		report("spin", peer, time - deadline);
	else
		report_absent("spin", peer, "not kept");
	peer->close();
}

/*
 * The longest time that the program is held up while so many deadlines pass.  It does
 * nothing but look at the clock.
 */
static void hold_up_size(const struct peer *peer, unsigned int n, const char *row)
{
	struct set set = sockets_ends(n);
	__s64 deadline, time, last, longest = 0;

	if (!peer->open(peer, &set))
		return;
	deadline = now() + AHEAD;
	peer->pend(0, n, deadline, 0);
	sleep_until(deadline - MS);
	last = now();
	do {
		time = now();
		if (time - last > longest)
			longest = time - last;
		last = time;
	} while (time < deadline + SECOND);
	peer->close();
	report(row, peer, longest);
}

static void hold_up(const struct peer *peer)
{
	if (!peer->peek || peer->deadlines != BY_KERNEL)
		return;
	hold_up_size(peer, 1000, "hold-up/1000");
	hold_up_size(peer, MANY, "hold-up/30000");
}

const struct row expiry_rows[] = {
	{ "spin", true, spin },
	{ "expiry-30000", false, expire_many },
	{ "hold-up", false, hold_up },
	{ }
};
