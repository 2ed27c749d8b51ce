// SPDX-License-Identifier: GPL-2.0
/* Workers that are short of memory, descriptors or threads, and come to these limits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soak.h"

#define ROOT		"/sys/fs/cgroup"
#define KIB		1024LL
/* What a worker's group has left over when all its connections are there. */
#define LEFT		(3072 * KIB)
/* And what it has while its limit is tried. */
#define SQUEEZED	(512 * KIB)
/* Beyond the connections. */
#define SPARE_FILES	24
#define SOCKETS		32
#define THREADS		6

static void group_path(char *path, size_t size, int worker, const char *file)
{
	snprintf(path, size, ROOT "/soak-%d/%s", worker, file);
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* In the supervisor, once: a group for each worker that is short of memory. */
void limits_prepare(void)
{
	char path[64];
	int i;

	if (access(ROOT "/cgroup.procs", W_OK) &&
	    mount("cgroup2", ROOT, "cgroup2", 0, NULL))
		violation("no control groups: %s", strerror(errno));
	if (!put(ROOT "/cgroup.subtree_control", "+memory"))
		violation("no control of memory: %s", strerror(errno));
	for (i = 0; i < WORKERS; i++) {
		group_path(path, sizeof(path), i, "");
		if (kinds[i].limit == OF_MEMORY && mkdir(path, 0755))
			violation("no control group: %s", strerror(errno));
	}
}

/* A number behind a word in a worker's memory.events. */
static __u64 event_count(int worker, const char *word)
{
	char path[64], key[32];
	__u64 value = 0;
	FILE *in;

	group_path(path, sizeof(path), worker, "memory.events");
	in = fopen(path, "re");
	if (!in)
		return 0;
	while (fscanf(in, "%31s %llu", key, &value) == 2)
		if (!strcmp(key, word))
			break;
	fclose(in);
	return value;
}

/* In the supervisor: how often groups came to their limits, and were killed for it. */
void limits_read_events(void)
{
	__u64 hits = 0, kills = 0;
	int i;

	for (i = 0; i < WORKERS; i++) {
		if (kinds[i].limit != OF_MEMORY)
			continue;
		hits += event_count(i, "max");
		kills += event_count(i, "oom_kill");
	}
	shared->counts[MEMORY_MAX] = hits;
	shared->counts[OOM_KILLS] = kills;
}

static void limit_set(const struct worker *worker, long long bytes)
{
	char text[32] = "max";

	if (bytes)
		snprintf(text, sizeof(text), "%lld", bytes);
	if (pwrite(worker->memory_max, text, strlen(text), 0) != (ssize_t)strlen(text))
		violation("the group's limit cannot be set: %s", strerror(errno));
}

static long long memory_used(const struct worker *worker)
{
	char text[32] = "";

	if (pread(worker->memory_current, text, sizeof(text) - 1, 0) <= 0)
		violation("the group's memory is not told: %s", strerror(errno));
	return atoll(text);
}

static void join_group(struct worker *worker)
{
	char path[64], pid[16];

	group_path(path, sizeof(path), worker->number, "memory.max");
	worker->memory_max = open(path, O_WRONLY | O_CLOEXEC);
	group_path(path, sizeof(path), worker->number, "memory.current");
	worker->memory_current = open(path, O_RDONLY | O_CLOEXEC);
	limit_set(worker, 0);
	group_path(path, sizeof(path), worker->number, "cgroup.procs");
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!put(path, pid))
		violation("the group cannot be joined: %s", strerror(errno));
}

static void limit_resource(int resource, rlim_t value)
{
	struct rlimit limit;

	getrlimit(resource, &limit);
	limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
	if (setrlimit(resource, &limit))
		violation("a limit cannot be set: %s", strerror(errno));
}

void limits_join(struct worker *worker)
{
	if (worker->kind->limit == OF_MEMORY)
		join_group(worker);
	else if (worker->kind->limit == OF_FILES)
		limit_resource(RLIMIT_NOFILE, worker->kind->conns + SPARE_FILES);
}

/* Once its connections are there. */
void limits_tighten(struct worker *worker)
{
	if (worker->kind->limit == OF_MEMORY)
		limit_set(worker, memory_used(worker) + LEFT);
}

void limits_loosen(struct worker *worker)
{
	if (worker->kind->limit == OF_MEMORY)
		limit_set(worker, 0);
}

static int setup_of(__u32 engine, __u32 entries, int fd)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = engine, .entries = entries,
	};

	return cio_setup(fd, &setup);
}

/* Reads behind each other, until there is no memory for one more. */
static void submit_until_full(int fd, __u64 conn)
{
	static struct cancelio_op ops[64];
	static __u8 byte;
	int i, ret, error;

	for (i = 0; i < 64; i++)
		ops[i] = with_flags(op_recv(conn, &byte, 1), CANCELIO_OP_HOLD);
	do {
		ret = cio_submit(fd, ops, 64, NULL, &error);
	} while (ret == 64);
	if (ret > 0)
		ret = error;
	if (ret == -ENOMEM)
		count_add(NOMEM_SUBMIT, 1);
	else
		violation("without memory a read is refused for %s", strerror(-ret));
}

/* The first is attached already. */
static void attach_until_full(int fd, const int *socks)
{
	int i, ret = 0;

	for (i = 1; i < SOCKETS && !ret; i++)
		ret = cio_attach(fd, socks[i], NULL);
	if (ret == -ENOMEM)
		count_add(NOMEM_ATTACH, 1);
	else if (ret)
		violation("without memory an attach is refused for %s", strerror(-ret));
}

/* A second and a third context of the process take what is left, and more. */
static void hit_memory(struct worker *worker)
{
	int small = cio_open(), large = cio_open(), socks[SOCKETS], i, ret;
	__u64 conn;

	for (i = 0; i < SOCKETS; i++)
		socks[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (small < 0 || large < 0 || setup_of(worker->kind->engine, 64, small) ||
	    cio_attach(small, socks[0], &conn))
		violation("no second context");
	limit_set(worker, memory_used(worker) + SQUEEZED);
	ret = setup_of(worker->kind->engine, CANCELIO_MAX_ENTRIES, large);
	if (ret != -ENOMEM)
		violation("a ring beyond the group's limit: %d", ret);
	count_add(NOMEM_SETUP, 1);
	submit_until_full(small, conn);
	attach_until_full(small, socks);
	limit_set(worker, 0);
	close(small);
	close(large);
	for (i = 0; i < SOCKETS; i++)
		close(socks[i]);
	limit_set(worker, memory_used(worker) + LEFT);
}

/* The main thread's own; the callers' come and go. */
static int attached(const struct worker *worker)
{
	int i, attached = 0;

	for (i = 0; i < worker->kind->conns - CALLERS * CALLER_CONNS; i++)
		attached += !!worker->conns[i].id;
	return attached;
}

static int attach_new(const struct worker *worker, __u64 *conn)
{
	int ret, sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return 1;
	ret = cio_attach(worker->fd, sock, conn);
	close(sock);
	return ret;
}

/*
 * Attached sockets count whether the program has a descriptor of them or not, and those
 * that were detached do not, from some moment on.
 */
static void hit_attached(struct worker *worker)
{
	int least = SPARE_FILES + worker->kind->conns - CALLERS * CALLER_CONNS - attached(worker);
	__s64 limit = after(PATIENCE / 4);
	int i, count = 0, ret = 0;
	__u64 conns[512];

	while (count < 512 && ret <= 0) {
		ret = attach_new(worker, &conns[count]);
		count += !ret;
		if (ret == -EMFILE && count >= least)
			break;
		if (ret == -EMFILE && now() < limit)
			sleep_until(after(20 * MS));
		else if (ret < 0)
			violation("only %d sockets of %d can be attached: %s", count, least,
				  strerror(-ret));
	}
	if (ret == -EMFILE)
		count_add(EMFILE_ATTACH, 1);
	else if (ret <= 0)
		violation("sockets beyond the limit: %d attached", count);
	for (i = 0; i < count; i++)
		if (cio_detach(worker->fd, conns[i]))
			violation("one of them cannot be detached");
}

static void hit_files(void)
{
	int fds[512], count = 0, sock;

	while (count < 512 && (fds[count] = dup(STDOUT_FILENO)) >= 0)
		count++;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 && errno == EMFILE)
		count_add(EMFILE_SOCKET, 1);
	if (sock >= 0)
		close(sock);
	while (count)
		close(fds[--count]);
}

/* As few as its RLIMIT_NPROC says, at the time of SETUP. */
static void hit_threads(struct worker *worker)
{
	int fds[THREADS + 1], i, ret = 0;

	limit_resource(RLIMIT_NPROC, THREADS);
	for (i = 0; i <= THREADS && !ret; i++) {
		fds[i] = cio_open();
		if (fds[i] < 0)
			break;
		ret = setup_of(worker->kind->engine, 16, fds[i]);
	}
	limit_resource(RLIMIT_NPROC, RLIM_INFINITY);
	if (ret == -EAGAIN)
		count_add(AGAIN_THREADS, 1);
	else if (i > THREADS)
		violation("threads beyond the limit: %d contexts, %d", i, ret);
	while (i--)
		close(fds[i]);
}

void limits_hit(struct worker *worker)
{
	if (worker->kind->limit == OF_MEMORY) {
		hit_memory(worker);
	} else if (worker->kind->limit == OF_FILES) {
		hit_attached(worker);
		hit_files();
		hit_threads(worker);
	}
}
