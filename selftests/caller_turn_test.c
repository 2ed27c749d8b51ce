// SPDX-License-Identifier: GPL-2.0
/*
 * More for the owner's threads to run than one of their turns: none of it is forgotten,
 * and they do not do it past their own time (C45, C70, C73).
 */
#include "unix_fixture.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

/* More than a thread runs in a turn, twice. */
#define CROWD	300
/* So many that they take a thread a long time. */
#define QUEUE	8000
#define ENTRIES	8192

/* A context with many connections on which a send that is held only needs a caller. */
struct crowd {
	int fd;
	int peers[CROWD];
	__u64 ids[CROWD];
};

static bool crowd_join(struct crowd *crowd, int type, int i)
{
	int ends[2], bytes = 1;
	struct cancelio_op op;
	__u64 conn;

	if (unix_pair(type, ends) ||
	    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) ||
	    cio_attach(crowd->fd, ends[0], &conn))
		return false;
	close(ends[0]);
	crowd->peers[i] = ends[1];
	op = with_flags(op_send(conn, "abc", 3), CANCELIO_OP_HOLD);
	return fill_up(crowd->fd, conn) && cio_submit(crowd->fd, &op, 1, &crowd->ids[i], NULL) == 1;
}

/* From now on they need one. */
static bool crowd_start(struct crowd *crowd, int type)
{
	int i;

	crowd->fd = cio_context(CANCELIO_ENGINE_POLL, 0);
	for (i = 0; i < CROWD; i++)
		if (crowd->fd < 0 || !crowd_join(crowd, type, i))
			return false;
	return !is_readable(crowd->fd);
}

static void crowd_needs_callers(struct crowd *crowd)
{
	int i;

	for (i = 0; i < CROWD; i++)
		drain(crowd->peers[i]);
}

/* How many of them were done by callers. */
static int crowd_end(struct crowd *crowd)
{
	struct cancelio_completion result;
	int i, done = 0;

	for (i = 0; i < CROWD; i++) {
		done += !cio_wait_op(crowd->fd, crowd->ids[i], 0, &result) &&
			result.reason == CANCELIO_DONE && result.bytes == 3;
		close(crowd->peers[i]);
	}
	close(crowd->fd);
	return done;
}

/* Each edge is worth one look, which runs a part of them and puts nothing in the ring. */
TEST_F(local, C45_edge_triggered_epoll_forgets_none_of_many_that_need_a_caller)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct crowd crowd;
	int edges = 0;

	ASSERT_TRUE(crowd_start(&crowd, variant->type));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, crowd.fd, &event));
	crowd_needs_callers(&crowd);
	do {
		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, LONG_ENOUGH / MS)) {
			TH_LOG("after %d edges", edges);
		}
		ASSERT_EQ(0, cio_wait(crowd.fd, 0, NULL, 0, 0));
		edges++;
	} while (is_readable(crowd.fd));
	EXPECT_LE(CROWD / 128 + 1, edges);
	EXPECT_EQ(CROWD, crowd_end(&crowd));
	close(epoll);
}

TEST_F(local, C45_eventfd_forgets_none_of_many_that_need_a_caller)
{
	int events = eventfd(0, EFD_CLOEXEC), looks = 0;
	struct crowd crowd;
	__u64 count;

	ASSERT_TRUE(crowd_start(&crowd, variant->type));
	ASSERT_EQ(0, cio_eventfd(crowd.fd, events));
	crowd_needs_callers(&crowd);
	do {
		ASSERT_EQ(POLLIN, wait_events(events, POLLIN)) {
			TH_LOG("after %d looks", looks);
		}
		ASSERT_EQ(sizeof(count), read(events, &count, sizeof(count)));
		ASSERT_EQ(0, cio_wait(crowd.fd, 0, NULL, 0, 0));
		looks++;
	} while (is_readable(crowd.fd));
	EXPECT_LE(CROWD / 128 + 1, looks);
	EXPECT_EQ(CROWD, crowd_end(&crowd));
	close(events);
}

/*
 * A long queue of sends of a byte, which all could go on, and at its end one that is held.
 * Who waits for that one runs the others, turn after turn.
 */
static bool queue_up(int *fd, int sock, int peer, __u64 *id)
{
	static struct cancelio_op ops[CANCELIO_MAX_BATCH];
	int i, count, left, bytes = 1;
	struct cancelio_op last;
	__u64 conn;

	*fd = cio_context(CANCELIO_ENGINE_POLL, ENTRIES);
	if (*fd < 0 || cio_attach(*fd, sock, &conn) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) || !fill_up(*fd, conn))
		return false;
	for (i = 0; i < CANCELIO_MAX_BATCH; i++)
		ops[i] = op_send(conn, "q", 1);
	for (left = QUEUE; left; left -= count) {
		count = left < CANCELIO_MAX_BATCH ? left : CANCELIO_MAX_BATCH;
		if (cio_submit(*fd, ops, count, NULL, NULL) != count)
			return false;
	}
	last = with_flags(op_send(conn, "last", 4), CANCELIO_OP_HOLD);
	bytes = 64 << 20;
	if (cio_submit(*fd, &last, 1, id, NULL) != 1 ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		return false;
	drain(peer);
	return wait_events(*fd, POLLIN) == POLLIN;
}

/* Nothing was lost by threads that came and went.  It may take long, but goes on. */
static bool queue_ends(int fd, __u64 id)
{
	struct cancelio_completion result;
	int ret, sent, before;

	sent = cio_wait(fd, 0, NULL, 0, 0);
	do {
		before = sent;
		ret = cio_wait_op(fd, id, after(LONG_ENOUGH), &result);
		sent = cio_wait(fd, 0, NULL, 0, 0);
	} while (ret == -ETIME && sent > before);
	return !ret && result.reason == CANCELIO_DONE && result.bytes == 4 && sent == QUEUE;
}

TEST_F(local, C73_time_of_a_wait_for_an_operation_holds_while_there_is_more_to_run)
{
	struct cancelio_completion result;
	__s64 time;
	__u64 id;
	int fd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "its queue is short");
	ASSERT_TRUE(queue_up(&fd, self->sock, self->peer, &id));
	time = after(MS);
	EXPECT_EQ(-ETIME, cio_wait_op(fd, id, time, &result));
	EXPECT_LE(time, now());
	EXPECT_TRUE(queue_ends(fd, id));
	close(fd);
}

TEST_F(local, C73_signal_ends_a_wait_for_an_operation_while_there_is_more_to_run)
{
	struct cancelio_completion result;
	__u64 id;
	int fd;

	if (variant->type == SOCK_DGRAM)
		SKIP(return, "its queue is short");
	ASSERT_TRUE(queue_up(&fd, self->sock, self->peer, &id));
	ASSERT_EQ(0, interrupt_often(true));
	EXPECT_EQ(-EINTR, cio_wait_op(fd, id, CANCELIO_NEVER, &result));
	ASSERT_EQ(0, interrupt_often(false));
	EXPECT_TRUE(queue_ends(fd, id));
	close(fd);
}

TEST_HARNESS_MAIN
