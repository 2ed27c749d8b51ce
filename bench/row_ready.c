// SPDX-License-Identifier: GPL-2.0
/*
 * Rows of few connections: a message is there and is received; it comes later; what waits
 * is canceled.
 */
#include "bench.h"

#define BATCH	32
/* Blocks of so many operations: a timer's tick meets few of them. */
#define BLOCK	32
#define WARM_UP	50
#define BLOCKS	451

struct work {
	const char *row;
	void (*once)(const struct peer *peer, const struct set *set);
	unsigned int repeats;
	unsigned int ops;
};

static void measure(const struct work *work, const struct peer *peer, unsigned int sockets)
{
	struct set set = sockets_pairs(sockets);
	unsigned int block, i;

	if (!peer->open(peer, &set)) {
		report_absent(work->row, peer, "not on this kernel");
		return;
	}
	for (block = 0; block < WARM_UP + BLOCKS; block++) {
		__s64 begin = now();

		if (block == WARM_UP)
			profile_begin();
		for (i = 0; i < work->repeats; i++)
			work->once(peer, &set);
		if (block >= WARM_UP)
			block_note(now() - begin);
	}
	profile_end();
	peer->close();
	report(work->row, peer, block_mean() / (work->repeats * work->ops));
}

static void ready_once(const struct peer *peer, const struct set *set)
{
	send_to(set, 0);
	peer->recv_one(0);
	reply_to(set, 0);
}

static void ready_one(const struct peer *peer)
{
	const struct work work = { "ready", ready_once, BLOCK, 1 };

	if (peer->recv_one)
		measure(&work, peer, 1);
}

static void reply_to_all(const struct set *set)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		reply_to(set, i);
}

static void ready_batch_once(const struct peer *peer, const struct set *set)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		send_to(set, i);
	peer->recv_many(BATCH);
	reply_to_all(set);
}

static void ready_batch(const struct peer *peer)
{
	const struct work work = { "ready-32", ready_batch_once, 1, BATCH };

	if (peer->recv_many)
		measure(&work, peer, BATCH);
}

static void armed_batch_once(const struct peer *peer, const struct set *set)
{
	unsigned int i;

	peer->arm(BATCH);
	for (i = 0; i < BATCH; i++)
		send_to(set, i);
	peer->collect(BATCH);
	reply_to_all(set);
}

static void armed_batch(const struct peer *peer)
{
	const struct work work = { "armed-32", armed_batch_once, 1, BATCH };

	if (peer->collect)
		measure(&work, peer, BATCH);
	else
		report_absent(work.row, peer, "waits for one");
}

static void arm_cancel_once(const struct peer *peer, const struct set *set)
{
	(void)set;
	peer->arm_cancel(0);
}

static void arm_cancel_timed_once(const struct peer *peer, const struct set *set)
{
	(void)set;
	peer->arm_cancel_timed(0);
}

static void arm_cancel(const struct peer *peer)
{
	const struct work work = { "arm-cancel", arm_cancel_once, BLOCK, 1 };

	if (peer->arm_cancel)
		measure(&work, peer, 1);
}

static void arm_cancel_timed(const struct peer *peer)
{
	const struct work work = { "arm-cancel-timed", arm_cancel_timed_once, BLOCK, 1 };

	if (peer->arm_cancel_timed && peer->deadlines)
		measure(&work, peer, 1);
}

const struct row ready_rows[] = {
	{ "ready", true, ready_one },
	{ "ready-32", true, ready_batch },
	{ "armed-32", true, armed_batch },
	{ "arm-cancel", true, arm_cancel },
	{ "arm-cancel-timed", true, arm_cancel_timed },
	{ }
};
