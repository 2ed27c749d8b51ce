// SPDX-License-Identifier: GPL-2.0
/*
 * What was taken is given back: operations by connections and refusals, connections by
 * batches, all memory by contexts that have ended (C8, C32, C34).
 */
#define _GNU_SOURCE
#include "engine_fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES		256
#define ROUNDS		200
/* Operations come by the page. */
#define PAGEFUL		((int)(PAGE_BYTES / 64))

/* Holds as many operations as may be, from ids[0] on; returns how many. */
static int hold_all(int fd, __u64 conn, __u64 *ids)
{
	static struct cancelio_op ops[CANCELIO_MAX_BATCH];
	int taken, total = 0, i;
	static char byte;

	for (i = 0; i < CANCELIO_MAX_BATCH; i++)
		ops[i] = with_flags(op_recv(conn, &byte, 1), CANCELIO_OP_HOLD);
	do {
		taken = cio_submit(fd, ops, CANCELIO_MAX_BATCH, ids + total, NULL);
		total += taken > 0 ? taken : 0;
	} while (taken == CANCELIO_MAX_BATCH);
	return total;
}

/* A connection comes, does something, and goes. */
static int pass_by(int fd, int sock)
{
	struct cancelio_completion result;
	__u64 conn;
	char byte;
	int ret = cio_attach(fd, sock, &conn);

	if (ret)
		return ret;
	ret = run(fd, with_flags(op_recv(conn, &byte, 1), CANCELIO_OP_NOWAIT), &result);
	return cio_detach(fd, conn) ?: ret;
}

/*
 * At the limit an operation that is not given back is missed at once, and the limit has
 * moved when it can be passed afterwards.
 */
TEST_F(engine, C8_connections_and_refusals_leave_the_limit_of_operations_alone)
{
	static __u64 ids[CANCELIO_MAX_HELD + 2 * CANCELIO_MAX_BATCH];
	struct cancelio_completion result;
	struct cancelio_msg bad = { .iov_count = ~0U };
	int fd = cio_context(variant->engine, 8), ends[2], other[2], i, more;
	__u64 conn;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	ASSERT_EQ(0, udp_pair(variant->family, other));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	ASSERT_LE(CANCELIO_MAX_HELD, hold_all(fd, conn, ids));
	ASSERT_LT(0, cio_cancel(fd, CANCELIO_CANCEL_ALL, 0, 0));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, cio_wait_op(fd, ids[i], after(LONG_ENOUGH), &result));
		ASSERT_EQ(0, pass_by(fd, other[0]));
		ASSERT_EQ(-EINVAL, submit_one(fd, op_recvmsg(conn, &bad)));
	}
	more = hold_all(fd, conn, ids);
	EXPECT_LE(ROUNDS, more);
	EXPECT_GE(ROUNDS + PAGEFUL, more);
	close(fd);
}

TEST_F(engine, C32_detach_returns_after_a_batch_over_several_connections)
{
	int fd = cio_context(variant->engine, 0), ends[2][2], i;
	struct cancelio_completion result[4];
	struct cancelio_op ops[4];
	__u64 conns[2];

	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, tcp_pair(variant->family, ends[i]));
		ASSERT_EQ(0, cio_attach(fd, ends[i][0], &conns[i]));
	}
	for (i = 0; i < 4; i++)
		ops[i] = op_send(conns[i % 2], "x", 1);
	ASSERT_EQ(4, cio_submit(fd, ops, 4, NULL, NULL));
	ASSERT_EQ(4, cio_wait(fd, 4, result, 4, after(LONG_ENOUGH)));
	/* A reference that is left would make it wait for ever. */
	alarm(5);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, cio_detach(fd, conns[i]));
	alarm(0);
	close(fd);
}

#define CGROUPS		"/sys/fs/cgroup"
#define CONTEXTS	60
#define CONNS		16

/* Memory of the group, bytes. */
static long long memory_of(const char *group)
{
	char path[PATH_MAX];
	long long bytes = -1;
	FILE *in;

	snprintf(path, sizeof(path), "%s/memory.current", group);
	in = fopen(path, "re");
	if (!in)
		return -1;
	if (fscanf(in, "%lld", &bytes) != 1)
		bytes = -1;
	fclose(in);
	return bytes;
}

/* Makes a group that counts memory, and moves there. */
static bool enter_group(const char *group)
{
	char path[PATH_MAX];

	if (access(CGROUPS "/cgroup.procs", W_OK) &&
	    mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		return false;
	if (write_file(CGROUPS "/cgroup.subtree_control", "+memory") || mkdir(group, 0755))
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return !write_file(path, "0") && memory_of(group) >= 0;
}

static bool leave_group(const char *group)
{
	__s64 end = after(LONG_ENOUGH);

	if (write_file(CGROUPS "/cgroup.procs", "0"))
		return false;
	while (rmdir(group) && errno == EBUSY && now() < end)
		sleep_until(after(MS));
	return access(group, F_OK) < 0;
}

/* Operations with all that they can have, refused ones among them. */
static bool use(int fd, __u64 conn)
{
	static char byte;
	struct cancelio_iovec iov[64];
	struct cancelio_msg message = message_of(iov, 64);
	int i;

	for (i = 0; i < 64; i++)
		iov[i] = iovec_of(&byte, 1);
	for (i = 0; i < ENTRIES; i++) {
		struct cancelio_op op = with_timeout(op_recv(conn, &byte, 1), 1000 * SECOND);

		if (i % 8) {
			if (submit_one(fd, op) != 1)
				return false;
			continue;
		}
		iov[63].len = 1;
		if (submit_one(fd, op_recvmsg(conn, &message)) != 1)
			return false;
		iov[63].len = ~0ULL;
		if (submit_one(fd, op_recvmsg(conn, &message)) != -EINVAL)
			return false;
	}
	return true;
}

/* A context with connections, pending operations and a mapped ring, and its end. */
static bool come_and_go(__u32 engine, int family)
{
	int fd = cio_context(engine, ENTRIES), ends[2], i;
	struct cancelio_ring *ring = cio_map(fd, ENTRIES);
	__u64 conn = 0;

	if (fd < 0 || !ring)
		return false;
	for (i = 0; i < CONNS; i++) {
		if (udp_pair(family, ends) || cio_attach(fd, ends[0], &conn))
			return false;
		close(ends[0]);
		close(ends[1]);
	}
	if (!use(fd, conn))
		return false;
	munmap(ring, cio_ring_bytes(ENTRIES));
	close(fd);
	return true;
}

/*
 * All that a context has is charged to the owner's group, so that the group shows what is
 * not given back, also whole pages, which no detector of leaks knows.
 */
TEST_F(engine, C34_memory_of_ended_contexts_is_given_back)
{
	char group[PATH_MAX / 2];
	long long before, least, left, stock;
	__s64 end;
	int i;

	snprintf(group, sizeof(group), CGROUPS "/cancelio-%d-back", getpid());
	if (!enter_group(group))
		SKIP(return, "memory is not counted on this kernel");
	/* Each processor keeps up to 64 pages charged, for whatever the group needs next. */
	stock = 64 * PAGE_BYTES * sysconf(_SC_NPROCESSORS_ONLN);
	/* What stays for all that comes is there after the first. */
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(come_and_go(variant->engine, variant->family));
	before = memory_of(group);
	for (i = 0; i < CONTEXTS; i++)
		ASSERT_TRUE(come_and_go(variant->engine, variant->family));
	/* Some of it a worker gives back, and some a grace period: while it goes on. */
	end = after(LONG_ENOUGH);
	least = memory_of(group);
	for (left = least; left > before + stock && now() < end; left = memory_of(group)) {
		if (left < least) {
			least = left;
			end = after(LONG_ENOUGH);
		}
		sleep_until(after(10 * MS));
	}
	EXPECT_GE(before + stock, memory_of(group));
	EXPECT_TRUE(leave_group(group));
}

/* The owner, and another process in its memory, which stays. */
struct pair {
	__u32 engine;
	int sock;
	int stay[2];
};

static int stay(void *argument)
{
	struct pair *pair = argument;
	char byte;

	/* The other process's copies of the descriptors are its own. */
	close(pair->stay[1]);
	return read(pair->stay[0], &byte, 1) == 1;
}

/* Never returns. */
static void own(struct pair *pair)
{
	static long double stack[4096];
	static char byte;
	int fd = cio_context(pair->engine, 0);
	__u64 conn;

	if (fd < 0 || cio_attach(fd, pair->sock, &conn) ||
	    submit_one(fd, op_recv(conn, &byte, 1)) != 1)
		_exit(1);
	close(pair->sock);
	if (clone(stay, stack + ARRAY_SIZE(stack), CLONE_VM, pair) < 0)
		_exit(2);
	_exit(0);
}

TEST_F(engine, C34_owners_exit_ends_the_context_though_another_process_has_its_memory)
{
	struct pair pair = { .engine = variant->engine };
	int ends[2], status = -1;
	pid_t pid;

	ASSERT_EQ(0, pipe2(pair.stay, O_CLOEXEC));
	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	pair.sock = ends[0];
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(ends[1]);
		own(&pair);
	}
	close(ends[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* The heir has the descriptor of the context, and none of the socket's. */
	EXPECT_NE(0, wait_events(ends[1], POLLIN | POLLHUP));
	EXPECT_EQ(1, write(pair.stay[1], "x", 1));
	close(ends[1]);
}

TEST_HARNESS_MAIN
