// SPDX-License-Identifier: GPL-2.0
/*
 * sweep [SCENE]: make the n-th allocation or copy of a call fail, for n from 1 until
 * the call gets through without one, in each scene and on each engine.  Needs a kernel
 * with fault injection.  A call that was made to fail says -ENOMEM or -EFAULT and has
 * done nothing, or has done all; after it nothing is left over, and the context works.
 */
#define _GNU_SOURCE
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../selftests/watch.h"

#define FAULTS "/sys/kernel/debug/"
/* A call with more than this is taken for endless. */
#define MOST 600
/* Threads of the module that one call makes work, at the most. */
#define MOST_VICTIMS 16
/* Seconds for one scene on one engine. */
#define PATIENCE 300

static bool put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* All allocations may fail, also those that may wait. */
static bool allow_all(void)
{
	return put(FAULTS "failslab/ignore-gfp-wait", "N") &&
	       put(FAULTS "fail_page_alloc/ignore-gfp-wait", "N") &&
	       put(FAULTS "fail_page_alloc/ignore-gfp-highmem", "N") &&
	       put(FAULTS "fail_page_alloc/min-order", "0") &&
	       access(FAULTS "fail_usercopy", F_OK) == 0;
}

static int open_nth(pid_t task)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fail-nth", task);
	return open(name, O_RDWR | O_CLOEXEC);
}

static void arm(int nth, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(nth, text, len, 0) != len) {
		perror("sweep: fail-nth");
		exit(1);
	}
}

/*
 * Whether the fault came.  Where the look at it fails, the look was the n-th; and so
 * may be the end of the waiting for it.
 */
static bool disarm(int nth)
{
	char text[16] = "";
	bool came = pread(nth, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	if (pwrite(nth, "0", 1, 0) != 1 && pwrite(nth, "0", 1, 0) != 1) {
		perror("sweep: fail-nth");
		exit(1);
	}
	return came;
}

bool is_fault(int error)
{
	return error == -ENOMEM || error == -EFAULT;
}

static int stage_sockets(struct stage *stage)
{
	int ends[2];
	int ret = stage->is_unix ? unix_pair(SOCK_STREAM, ends) : tcp_pair(AF_INET, ends);

	if (ret)
		return ret;
	stage->sock = ends[0];
	stage->peer = ends[1];
	return 0;
}

static int stage_make(struct stage *stage, const struct scene *scene, __u32 engine)
{
	int ret;

	memset(stage, 0, sizeof(*stage));
	stage->engine = engine;
	stage->is_unix = scene->is_unix;
	stage->fd = -1;
	stage->extra = -1;
	stage->uffd = -1;
	ret = stage_sockets(stage);
	if (ret)
		return ret;
	if (!scene->no_context) {
		stage->fd = cio_context(engine, ENTRIES);
		if (stage->fd < 0)
			return stage->fd;
		ret = cio_attach(stage->fd, stage->sock, &stage->conn);
	}
	if (!ret && scene->prepare)
		ret = scene->prepare(stage);
	return ret;
}

static void stage_end(struct stage *stage)
{
	if (stage->fd >= 0)
		close(stage->fd);
	if (stage->extra >= 0)
		close(stage->extra);
	if (stage->uffd >= 0)
		close(stage->uffd);
	close(stage->sock);
	close(stage->peer);
}

/*
 * Nothing is left over: no operation pends, no completion waits, and each entry of the
 * ring can be promised once more.
 */
static const char *sound(struct stage *stage)
{
	struct cancelio_completion results[ENTRIES];
	struct cancelio_op ops[ENTRIES + 1];
	struct cancelio_op wait = op_recv(stage->conn, stage->buffer, 1);
	char fdinfo[64];
	__u64 conn;
	int ends[2], i;

	snprintf(fdinfo, sizeof(fdinfo), "pending:\t0");
	if (!await_fdinfo(getpid(), stage->fd, fdinfo))
		return "an operation still pends";
	if (cio_wait(stage->fd, 0, results, ENTRIES, CANCELIO_NEVER))
		return "a completion that nobody explains";
	if (tcp_pair(AF_INET, ends) || cio_attach(stage->fd, ends[0], &conn))
		return "another socket cannot be attached";
	wait.conn = conn;
	for (i = 0; i <= ENTRIES; i++)
		ops[i] = wait;
	if (cio_submit(stage->fd, ops, ENTRIES + 1, NULL, NULL) != ENTRIES)
		return "the ring does not have all its entries";
	if (cio_cancel(stage->fd, CANCELIO_CANCEL_ALL, 0, 0) != ENTRIES ||
	    cio_wait(stage->fd, ENTRIES, results, ENTRIES, after(LONG_ENOUGH)) != ENTRIES)
		return "what waits cannot be canceled";
	if (cio_detach(stage->fd, conn))
		return "the socket cannot be detached";
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

/* Who gets the fault: the caller, or each thread of the module, one of which does the work. */
struct victims {
	int nth[MOST_VICTIMS];
	int count;
};

static void victims_find(struct victims *victims, const struct scene *scene, __u32 engine)
{
	pid_t pids[MOST_VICTIMS] = { getpid() };
	int i;

	victims->count = 1;
	if (scene->by_worker)
		victims->count = kernel_threads(engine == CANCELIO_ENGINE_POLL ? "poll" : "thread",
						0, pids, MOST_VICTIMS);
	if (victims->count < 1 || victims->count > MOST_VICTIMS) {
		fprintf(stderr, "sweep: %s: %d threads\n", scene->name, victims->count);
		exit(1);
	}
	for (i = 0; i < victims->count; i++)
		victims->nth[i] = open_nth(pids[i]);
}

static void victims_arm(struct victims *victims, int n)
{
	int i;

	for (i = 0; i < victims->count; i++)
		arm(victims->nth[i], n);
}

static bool victims_disarm(struct victims *victims)
{
	bool came = false;
	int i;

	for (i = 0; i < victims->count; i++) {
		came |= disarm(victims->nth[i]);
		close(victims->nth[i]);
	}
	return came;
}

static const char *judge(const struct scene *scene, struct stage *stage, bool came, int ret)
{
	const char *wrong = NULL;

	if (!came && ret < 0)
		return "fails without a fault";
	if (ret < 0 && !is_fault(ret))
		return "another error than -ENOMEM or -EFAULT";
	if (scene->check)
		wrong = scene->check(stage, ret);
	if (!wrong && stage->fd >= 0 && !scene->no_context)
		wrong = sound(stage);
	return wrong;
}

/* One call with the n-th fault; false when that did not come any more. */
static bool play_nth(const struct scene *scene, __u32 engine, int n, const char **wrong)
{
	struct victims victims;
	struct stage stage;
	bool came;
	int ret;

	ret = stage_make(&stage, scene, engine);
	if (ret) {
		fprintf(stderr, "sweep: %s: cannot be prepared: %s\n", scene->name, strerror(-ret));
		exit(1);
	}
	victims_find(&victims, scene, engine);
	victims_arm(&victims, n);
	ret = scene->act(&stage);
	came = victims_disarm(&victims);
	*wrong = judge(scene, &stage, came, ret);
	if (*wrong)
		printf("sweep: %s, engine %u, fault %d: %s (returned %d)\n", scene->name, engine, n,
		       *wrong, ret);
	stage_end(&stage);
	return came;
}

/*
 * Returns how many went wrong.  Twice: what the kernel's caches hold makes some calls
 * allocate more, or less, than the last time.
 */
static int play(const struct scene *scene, __u32 engine)
{
	int round, n, faults = 0, bad = 0;
	const char *wrong = NULL;
	bool came = false;

	alarm(PATIENCE);
	for (round = 0; round < 2; round++) {
		n = 0;
		do {
			/* Workers of the last one go away by themselves. */
			if (scene->by_worker && !await_no_thread())
				exit(1);
			came = play_nth(scene, engine, ++n, &wrong);
			faults += came;
			if (wrong)
				bad++;
		} while (came && n < MOST);
		if (came) {
			printf("sweep: %s: no end of faults\n", scene->name);
			bad++;
		}
	}
	alarm(0);
	printf("sweep: %s on the %s engine: %d faults, %d wrong\n", scene->name,
	       engine == CANCELIO_ENGINE_POLL ? "poll" : "thread", faults, bad);
	return bad;
}

int main(int argc, char **argv)
{
	const struct scene *scene;
	int bad = 0, played = 0;
	__u32 engine;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!allow_all()) {
		fprintf(stderr, "sweep: this kernel has no fault injection\n");
		return 1;
	}
	for (scene = scenes; scene->name; scene++) {
		for (engine = CANCELIO_ENGINE_POLL; engine <= CANCELIO_ENGINE_THREAD; engine++) {
			if ((argc > 1 && strcmp(argv[1], scene->name)) ||
			    (scene->no_thread && engine == CANCELIO_ENGINE_THREAD))
				continue;
			bad += play(scene, engine);
			played++;
		}
	}
	printf("sweep: %d scenes, %d wrong\n", played, bad);
	return bad || !played;
}
