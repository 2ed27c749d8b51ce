// SPDX-License-Identifier: GPL-2.0
/* The owner's control groups: its workers' time and its memory count there (C52). */
#include "variants.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT		"/sys/fs/cgroup"
#define MIB		(1LL << 20)
#define SOCKETS		4096

/*
 * Two groups, into which the test's own process goes.  It leaves them again at the
 * end, and the workers end with their contexts.
 */
FIXTURE(cgroup) {
	char here[PATH_MAX / 2];
	char there[PATH_MAX / 2];
};

FIXTURE_VARIANT(cgroup) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(cgroup, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(cgroup, thread) THREAD_IPV4;

/* Writes a line to a file of a group. */
static int put(const char *group, const char *file, const char *format, ...)
{
	char path[PATH_MAX], line[64];
	va_list args;
	int fd, len, ret = 0;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, line, len) != len)
		ret = -errno;
	close(fd);
	return ret;
}

/* A number from a file of a group: the whole, or that behind a word; -1: none. */
static long long get(const char *group, const char *file, const char *word)
{
	char path[PATH_MAX], key[64] = "";
	long long value = -1;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	in = fopen(path, "re");
	if (!in)
		return -1;
	while ((!word || fscanf(in, "%63s", key) == 1) && fscanf(in, "%lld", &value) == 1)
		if (!word || !strcmp(key, word))
			break;
	if (word && strcmp(key, word))
		value = -1;
	fclose(in);
	return value;
}

static bool is_worker_of(int pid, pid_t owner)
{
	char path[64], name[64] = "", wanted[64];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	snprintf(wanted, sizeof(wanted), "cancelio/%d-", owner);
	in = fopen(path, "re");
	if (!in)
		return false;
	if (fscanf(in, "%63s", name) != 1)
		name[0] = 0;
	fclose(in);
	return !strncmp(name, wanted, strlen(wanted));
}

/* How many of this process's workers are in a group. */
static int workers_in(const char *group)
{
	char path[PATH_MAX];
	int pid, workers = 0;
	FILE *in;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	in = fopen(path, "re");
	if (!in)
		return -1;
	while (fscanf(in, "%d", &pid) == 1)
		workers += is_worker_of(pid, getpid());
	fclose(in);
	return workers;
}

/* A worker joins, and leaves, in its own time; returns how many there were at last. */
static int await_workers(const char *group, int wanted)
{
	__s64 end = after(LONG_ENOUGH);
	int workers;

	while ((workers = workers_in(group)) != wanted && now() < end)
		sleep_until(after(MS));
	return workers;
}

static int move_to(const char *group)
{
	return put(group, "cgroup.procs", "%d", getpid());
}

/* Where cgroup v2 is, or can be mounted. */
static bool has_cgroups(void)
{
	return !access(ROOT "/cgroup.procs", W_OK) ||
	       !mount("cgroup2", ROOT, "cgroup2", 0, NULL);
}

FIXTURE_SETUP(cgroup)
{
	if (!has_cgroups())
		SKIP(return, "no control groups to be had");
	snprintf(self->here, sizeof(self->here), ROOT "/cancelio-%d-here", getpid());
	snprintf(self->there, sizeof(self->there), ROOT "/cancelio-%d-there", getpid());
	ASSERT_EQ(0, mkdir(self->here, 0755));
	ASSERT_EQ(0, mkdir(self->there, 0755));
	ASSERT_EQ(0, move_to(self->here));
}

static bool remove_group(const char *group)
{
	__s64 end = after(LONG_ENOUGH);
	int ret;

	while ((ret = rmdir(group)) < 0 && errno == EBUSY && now() < end)
		sleep_until(after(MS));
	return !ret;
}

FIXTURE_TEARDOWN(cgroup)
{
	EXPECT_EQ(0, move_to(ROOT));
	EXPECT_TRUE(remove_group(self->here));
	EXPECT_TRUE(remove_group(self->there));
}

TEST_F(cgroup, C52_worker_joins_the_group_of_its_owner)
{
	int fd = cio_context(variant->engine, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(1, await_workers(self->here, 1));
	EXPECT_EQ(0, workers_in(ROOT));
	close(fd);
	EXPECT_EQ(0, await_workers(self->here, 0));
}

/* Reads that a worker does, so many that they take time. */
static bool work(int fd, __u64 conn, int peer)
{
	static char bytes[16384];
	struct cancelio_completion result;
	int i;

	common_op_flags = CANCELIO_OP_WORKER;
	for (i = 0; i < 500; i++)
		if (send(peer, bytes, sizeof(bytes), 0) != sizeof(bytes) ||
		    run(fd, op_recv(conn, bytes, sizeof(bytes)), &result) || result.error)
			return false;
	return true;
}

/* The owner has moved on: what is counted where it was is its worker's. */
TEST_F(cgroup, C52_time_of_a_worker_is_counted_in_the_group)
{
	int fd = cio_context(variant->engine, 0), ends[2];
	long long before;
	__u64 conn;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, udp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	ASSERT_EQ(1, await_workers(self->here, 1));
	ASSERT_EQ(0, move_to(self->there));
	before = get(self->here, "cpu.stat", "usage_usec");
	ASSERT_LE(0, before);
	ASSERT_TRUE(work(fd, conn, ends[1]));
	EXPECT_LT(before + 500, get(self->here, "cpu.stat", "usage_usec"));
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* A worker that comes later joins where the owner is then. */
TEST_F(cgroup, C52_later_worker_joins_where_its_owner_is_then)
{
	int first = cio_context(variant->engine, 0), second;

	ASSERT_LE(0, first);
	ASSERT_EQ(1, await_workers(self->here, 1));
	ASSERT_EQ(0, move_to(self->there));
	second = cio_context(variant->engine, 0);
	ASSERT_LE(0, second);
	EXPECT_EQ(1, await_workers(self->there, 1));
	EXPECT_EQ(1, workers_in(self->here));
	close(first);
	close(second);
}

/* Where the owner was, where it goes to, and what its last thread is to do there. */
struct survivor {
	const char *here;
	const char *there;
	__u32 engine;
};

static bool leader_is_dead(void)
{
	char path[64], state = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	in = fopen(path, "re");
	if (!in)
		return false;
	if (fscanf(in, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(in);
	return state == 'Z';
}

/* The group of the first thread, which is dead, is no more when the workers are made. */
static void *outlive_the_leader(void *argument)
{
	struct survivor *survivor = argument;
	static char bytes[3];
	int fd, i, ends[2];
	__u64 conn;

	while (!leader_is_dead())
		sleep_until(after(MS));
	if (move_to(survivor->there) || !remove_group(survivor->here))
		_exit(1);
	fd = cio_context(survivor->engine, 0);
	if (fd < 0 || await_workers(survivor->there, 1) != 1)
		_exit(2);
	/* More of them on the thread engine, each made by another. */
	for (i = 0; i < 3; i++)
		if (tcp_pair(AF_INET, ends) || cio_attach(fd, ends[0], &conn) ||
		    submit_one(fd, op_recv(conn, &bytes[i], 1)) != 1)
			_exit(3);
	if (survivor->engine == CANCELIO_ENGINE_THREAD &&
	    await_workers(survivor->there, 4) != 4)
		_exit(4);
	_exit(workers_in(ROOT) ? 5 : 0);
}

TEST_F(cgroup, C52_worker_joins_its_owner_though_the_leaders_group_is_gone)
{
	struct survivor survivor = {
		.here = self->here, .there = self->there, .engine = variant->engine,
	};
	pthread_t thread;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, outlive_the_leader, &survivor))
			_exit(6);
		/* This thread, not the process. */
		syscall(SYS_exit, 0);
	}
	ASSERT_EQ(0, move_to(self->there));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	ASSERT_EQ(0, mkdir(self->here, 0755));
}

/* Whether memory is counted here. */
static bool has_memory(const char *group)
{
	return !put(ROOT, "cgroup.subtree_control", "+memory") &&
	       get(group, "memory.current", NULL) > 0;
}

TEST_F(cgroup, C52_ring_is_charged_to_the_group)
{
	__u32 entries = 1 << 18;
	long long before, bytes = cio_ring_bytes(entries);
	int fd;

	if (!has_memory(self->here))
		SKIP(return, "memory is not counted on this kernel");
	before = get(self->here, "memory.current", NULL);
	fd = cio_context(variant->engine, entries);
	ASSERT_LE(0, fd);
	EXPECT_LE(before + bytes, get(self->here, "memory.current", NULL));
	EXPECT_GE(before + 2 * bytes, get(self->here, "memory.current", NULL));
	ASSERT_EQ(1, await_workers(self->here, 1));
	close(fd);
	/* Its memory is given back with the last worker. */
	ASSERT_EQ(0, await_workers(self->here, 0));
	EXPECT_GT(before + bytes, get(self->here, "memory.current", NULL));
}

TEST_F(cgroup, C52_ring_that_does_not_fit_the_group_is_ENOMEM_and_kills_nobody)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = variant->engine, .entries = CANCELIO_MAX_ENTRIES,
	};
	int fd = cio_open();

	ASSERT_LE(0, fd);
	if (!has_memory(self->here))
		SKIP(return, "memory is not counted on this kernel");
	ASSERT_EQ(0, put(self->here, "memory.max", "%lld",
			 get(self->here, "memory.current", NULL) + 8 * MIB));
	EXPECT_EQ(-ENOMEM, cio_setup(fd, &setup));
	EXPECT_EQ(0, get(self->here, "memory.events", "oom_kill"));
	setup.entries = 256;
	EXPECT_EQ(0, cio_setup(fd, &setup));
	EXPECT_EQ(0, put(self->here, "memory.max", "max"));
	close(fd);
}

/* Attaches until it is refused; the limit is off before anything else needs memory. */
static int attach_all(int fd, const int *socks, const char *group)
{
	char path[PATH_MAX];
	int limit, i, ret = 0;

	snprintf(path, sizeof(path), "%s/memory.max", group);
	limit = open(path, O_WRONLY | O_CLOEXEC);
	if (limit < 0 || put(group, "memory.max", "%lld",
			     get(group, "memory.current", NULL) + MIB / 2))
		return -errno;
	for (i = 0; i < SOCKETS && !ret; i++)
		ret = cio_attach(fd, socks[i], NULL);
	if (write(limit, "max", 3) != 3)
		ret = -EIO;
	close(limit);
	return ret;
}

TEST_F(cgroup, C52_attach_that_does_not_fit_the_group_is_ENOMEM_and_kills_nobody)
{
	int fd = cio_context(variant->engine, 0), i;
	static int socks[SOCKETS];
	struct rlimit limit = { .rlim_cur = SOCKETS + 64, .rlim_max = SOCKETS + 64 };

	ASSERT_LE(0, fd);
	if (!has_memory(self->here))
		SKIP(return, "memory is not counted on this kernel");
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < SOCKETS; i++) {
		socks[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ASSERT_LE(0, socks[i]);
	}
	EXPECT_EQ(-ENOMEM, attach_all(fd, socks, self->here));
	EXPECT_EQ(0, get(self->here, "memory.events", "oom_kill"));
	for (i = 0; i < SOCKETS; i++)
		close(socks[i]);
	close(fd);
}

TEST_HARNESS_MAIN
