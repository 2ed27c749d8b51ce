// SPDX-License-Identifier: GPL-2.0
/*
 * The module while contexts are open, and after (C35).  That it can be removed after the
 * last program, the test machine checks at its end.
 */
#include "engine_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define REFCOUNT	"/sys/module/cancelio/refcnt"
#define ENTRIES		64

static int try_removal(void)
{
	return syscall(SYS_delete_module, "cancelio", O_NONBLOCK) ? -errno : 0;
}

/* How many hold the module. */
static int references(void)
{
	char text[16] = {};
	int fd = open(REFCOUNT, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	return atoi(text);
}

/* The same, once what earlier tests left to be ended has ended. */
static int settled_references(void)
{
	__s64 end = after(LONG_ENOUGH);
	int last, count = references();

	do {
		last = count;
		sleep_until(after(A_WHILE));
		count = references();
	} while (count != last && now() < end);
	return count;
}

TEST_F(engine, C35_module_cannot_be_removed_while_a_context_is_open)
{
	struct cancelio_ring *ring;
	int ends[2], fd = cio_context(variant->engine, ENTRIES);
	__u64 conn;
	char byte;

	ASSERT_LE(0, fd);
	if (try_removal() == -EPERM)
		SKIP(return, "modules can be removed by root alone");
	EXPECT_EQ(-EWOULDBLOCK, try_removal());
	ASSERT_EQ(0, tcp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	ASSERT_EQ(1, submit_one(fd, op_recv(conn, &byte, 1)));
	ring = cio_map(fd, ENTRIES);
	ASSERT_NE(NULL, ring);
	ASSERT_EQ(0, cio_shutdown(fd));
	EXPECT_EQ(-EWOULDBLOCK, try_removal());
	/* The mapping is enough. */
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, try_removal());
	EXPECT_EQ(1, ring_count(ring));
}

TEST_F(engine, C35_closed_contexts_leave_no_reference_to_the_module)
{
	int before = settled_references(), ends[2], fd, i;
	__s64 end = after(LONG_ENOUGH);
	char bytes[8];
	__u64 conn;

	ASSERT_LE(0, before);
	for (i = 0; i < 20; i++) {
		fd = cio_context(variant->engine, ENTRIES);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, tcp_pair(AF_INET, ends));
		ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
		ASSERT_EQ(1, submit_one(fd, op_recv(conn, bytes, 1)));
		ASSERT_EQ(1, submit_one(fd, with_flags(op_ready(conn, POLLPRI),
						       CANCELIO_OP_WORKER)));
		EXPECT_LT(before, references());
		close(fd);
		close(ends[0]);
		close(ends[1]);
	}
	while (references() > before && now() < end)
		sleep_until(after(MS));
	EXPECT_EQ(before, references());
}

TEST_HARNESS_MAIN
