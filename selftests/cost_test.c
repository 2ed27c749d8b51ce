// SPDX-License-Identifier: GPL-2.0
/*
 * What must not grow with the number of pending operations (C17, C30).  The least time
 * of many blocks of calls is compared; what grew with the number would be a
 * thousand times as much, and ten times are allowed.
 */
#include "engine_fixture.h"

#include <sys/socket.h>

#define FEW	10
#define MANY	100000
#define ENTRIES	131072
#define BLOCKS	40
#define CALLS	25
#define ALLOWED	10

struct load {
	int fd;
	__u64 busy;
	__u64 idle;
	char byte;
};

static bool load_open(struct load *load, __u32 engine)
{
	int sv[2], other[2];

	load->fd = cio_context(engine, ENTRIES);
	return load->fd >= 0 && !tcp_pair(AF_INET, sv) && !tcp_pair(AF_INET, other) &&
		!cio_attach(load->fd, sv[0], &load->busy) &&
		!cio_attach(load->fd, other[0], &load->idle);
}

/* Reads that stay pending, with deadlines of their own in no order. */
static bool load_add(struct load *load, int count)
{
	static struct cancelio_op ops[CANCELIO_MAX_BATCH];
	int i, batch;

	for (; count; count -= batch) {
		batch = count < CANCELIO_MAX_BATCH ? count : CANCELIO_MAX_BATCH;
		for (i = 0; i < batch; i++)
			ops[i] = with_timeout(op_recv(load->busy, &load->byte, 1),
					      (1000 + i * 7919 % 1000) * SECOND);
		if (cio_submit(load->fd, ops, batch, NULL, NULL) != batch)
			return false;
	}
	return true;
}

typedef int (*step)(struct load *load, int i);

static int move_later(struct load *load, int i)
{
	return cio_deadline(load->fd, load->busy, CANCELIO_READ, after((3000 + i) * SECOND), 0);
}

static int move_earlier(struct load *load, int i)
{
	return cio_deadline(load->fd, load->busy, CANCELIO_READ, after((90000 - i) * SECOND), 0);
}

/* One operation comes and goes on the other connection. */
static int cancel_one(struct load *load, int i)
{
	struct cancelio_op op = with_cookie(op_recv(load->idle, &load->byte, 1), 1000 + i);
	__u64 id;
	int ret = cio_submit(load->fd, &op, 1, &id, NULL);

	if (ret == 1)
		ret = cio_cancel(load->fd, CANCELIO_CANCEL_ID, id, 0);
	if (ret == 1)
		ret = cio_wait(load->fd, 1, NULL, 0, CANCELIO_NEVER);
	return ret > 0 ? 0 : -1;
}

/* The least ns that CALLS of them took; 0 when one failed. */
static __s64 least(struct load *load, step step)
{
	__s64 begin, took, best = CANCELIO_NEVER;
	int i, block;

	for (block = 0; block < BLOCKS; block++) {
		begin = now();
		for (i = 0; i < CALLS; i++)
			if (step(load, block * CALLS + i))
				return 0;
		took = now() - begin;
		best = took < best ? took : best;
	}
	return best;
}

TEST_F(engine, C17_moving_a_deadline_costs_the_same_however_much_is_pending)
{
	struct load load;
	__s64 few[2], many[2];
	int i;

	ASSERT_TRUE(load_open(&load, variant->engine));
	ASSERT_TRUE(load_add(&load, FEW));
	few[0] = least(&load, move_later);
	few[1] = least(&load, move_earlier);
	ASSERT_TRUE(load_add(&load, MANY - FEW));
	many[0] = least(&load, move_later);
	many[1] = least(&load, move_earlier);
	for (i = 0; i < 2; i++) {
		TH_LOG("%s, ns for %d: %lld and %lld", i ? "earlier" : "later", CALLS,
		       few[i], many[i]);
		ASSERT_LT(0, few[i]);
		ASSERT_LT(0, many[i]);
		EXPECT_GT(ALLOWED * few[i], many[i]);
	}
	close(load.fd);
}

TEST_F(engine, C30_cancel_of_one_costs_the_same_however_much_is_pending)
{
	struct load load;
	__s64 few, many;

	ASSERT_TRUE(load_open(&load, variant->engine));
	ASSERT_TRUE(load_add(&load, FEW));
	few = least(&load, cancel_one);
	ASSERT_TRUE(load_add(&load, MANY - FEW));
	many = least(&load, cancel_one);
	TH_LOG("ns for %d: %lld and %lld", CALLS, few, many);
	ASSERT_LT(0, few);
	ASSERT_LT(0, many);
	EXPECT_GT(ALLOWED * few, many);
	close(load.fd);
}

TEST_HARNESS_MAIN
