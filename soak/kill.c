// SPDX-License-Identifier: GPL-2.0
/*
 * A process with 100,000 pending operations is killed.  How long it takes until nothing of
 * it is left, and how late another process's deadlines are meanwhile, against how late
 * they were before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

#define PENDING		100000
#define CONNS		100
/* Of a side, and more than half of those a connection is to have: some writes are done. */
#define OPS_OF_SIDE	540
#define BATCH_OPS	270
#define ENTRIES		(1U << 17)
#define WRITE_LEN	8192
/* What it may take, and how much later the deadlines of others may be. */
#define GONE		(5 * SECOND)
#define LATER		(100 * MS)
/* How long the others are watched before the kill, and still after it. */
#define BEFORE		(4 * SECOND)
#define AFTER		(1 * SECOND)

/* A host that stalls for a moment does so in one of them: that in the middle counts. */
#define TAKES		3

#define ENGINES		2
#define WATCHED		8

enum phase { WARM_UP, WATCH_BEFORE, WATCH_KILL, LEAVE, PHASES };

/**
 * struct scene - what its processes share
 * @pending: how many operations the victim had at last
 * @late: of the bystander's deadlines, as the completions tell
 * @told: when it learned of them
 * @slept: how late a plain sleep was
 * @count: of its deadlines
 */
struct scene {
	enum phase phase;
	int pending;
	__s64 late[PHASES];
	__s64 told[PHASES];
	__s64 slept[PHASES];
	int count[PHASES];
};

static struct scene *scene;
static int peers[CONNS];
static int socks[CONNS];

static enum phase phase_now(void)
{
	return __atomic_load_n(&scene->phase, __ATOMIC_ACQUIRE);
}

static void phase_set(enum phase phase)
{
	__atomic_store_n(&scene->phase, phase, __ATOMIC_RELEASE);
}

static void open_context(__u32 engine, __u32 entries, int *fd)
{
	*fd = cio_context(engine, entries);
	if (*fd < 0)
		violation("no context: %s", strerror(-*fd));
}

/* Half of them have a deadline, which is far. */
static void submit_ops(int fd, __u64 conn, bool send)
{
	static struct cancelio_op ops[BATCH_OPS];
	static char bytes[WRITE_LEN];
	int i, ret, error, done = 0;

	for (i = 0; i < BATCH_OPS; i++) {
		ops[i] = send ? op_send(conn, bytes, WRITE_LEN) : op_recv(conn, bytes, 1);
		if (i % 2)
			ops[i] = with_timeout(ops[i], (3600 + i) * SECOND);
	}
	for (; done < OPS_OF_SIDE; done += BATCH_OPS) {
		ret = cio_submit(fd, ops, BATCH_OPS, NULL, &error);
		if (ret != BATCH_OPS)
			violation("of %d operations %d are taken, %d", BATCH_OPS, ret, error);
	}
}

/* As the context says itself. */
static int count_pending(int fd)
{
	char path[64], line[256];
	int pending = -1;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	in = fopen(path, "re");
	while (in && pending < 0 && fgets(line, sizeof(line), in))
		sscanf(line, "pending: %d", &pending);
	if (in)
		fclose(in);
	return pending;
}

static noreturn void be_victim(__u32 engine, int told)
{
	__u64 conn;
	int fd, i;

	snprintf(self, sizeof(self), "victim");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	before_violation = NULL;
	open_context(engine, ENTRIES, &fd);
	for (i = 0; i < CONNS; i++) {
		if (cio_attach(fd, socks[i], &conn))
			violation("a socket cannot be attached");
		submit_ops(fd, conn, false);
		submit_ops(fd, conn, true);
	}
	scene->pending = count_pending(fd);
	if (write(told, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* The machine's own lateness: nothing of ours is in that. */
static void *sleep_often(void *unused)
{
	(void)unused;
	while (phase_now() != LEAVE) {
		__s64 due = after(5 * MS);

		sleep_until(due);
		raise_to(&scene->slept[phase_now()], now() - due);
	}
	return NULL;
}

static void watch_deadlines(int fd, const __u64 *conns, __u64 *random)
{
	struct cancelio_completion ends[WATCHED];
	struct cancelio_op ops[WATCHED];
	enum phase phase;
	static char byte;
	int i, ret;

	for (i = 0; i < WATCHED; i++)
		ops[i] = with_timeout(op_recv(conns[i], &byte, 1),
				      (1 + random_below(random, 8)) * MS);
	if (cio_submit(fd, ops, WATCHED, NULL, NULL) != WATCHED)
		violation("operations of the bystander are refused");
	for (i = 0; i < WATCHED; i += ret) {
		ret = cio_wait(fd, 1, ends, WATCHED, after(LONG_ENOUGH));
		if (ret <= 0)
			violation("a deadline does not come: %d", ret);
		phase = phase_now();
		for (int j = 0; j < ret; j++) {
			if (ends[j].reason != CANCELIO_DEADLINE)
				violation("a deadline's reason is %u", ends[j].reason);
			raise_to(&scene->late[phase], ends[j].late);
			raise_to(&scene->told[phase], now() - ends[j].ended + ends[j].late);
			scene->count[phase]++;
		}
	}
}

static noreturn void be_bystander(void)
{
	static const __u32 engines[ENGINES] = {
		CANCELIO_ENGINE_POLL, CANCELIO_ENGINE_THREAD,
	};
	__u64 conns[ENGINES][WATCHED], random = shared->seed;
	int fds[ENGINES], ends[2], i, j;
	pthread_t thread;

	snprintf(self, sizeof(self), "bystander");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	before_violation = NULL;
	for (i = 0; i < ENGINES; i++) {
		open_context(engines[i], 64, &fds[i]);
		for (j = 0; j < WATCHED; j++)
			if (tcp_pair(j % 2 ? AF_INET6 : AF_INET, ends) ||
			    cio_attach(fds[i], ends[0], &conns[i][j]))
				violation("no connection");
	}
	if (pthread_create(&thread, NULL, sleep_often, NULL))
		violation("no thread");
	while (phase_now() != LEAVE)
		for (i = 0; i < ENGINES; i++)
			watch_deadlines(fds[i], conns[i], &random);
	_exit(0);
}

/* They are reset when they are closed: a peer sees that at once. */
static void connect_all(void)
{
	struct linger linger = { .l_onoff = 1 };
	int bytes = 8192, i, ends[2];

	for (i = 0; i < CONNS; i++) {
		if (tcp_pair(i % 2 ? AF_INET6 : AF_INET, ends))
			violation("no connection: %s", strerror(errno));
		socks[i] = ends[0];
		peers[i] = ends[1];
		setsockopt(socks[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		setsockopt(socks[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		setsockopt(peers[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	}
}

static pid_t start_victim(__u32 engine)
{
	int told[2], i;
	pid_t pid;
	char byte;

	if (pipe(told))
		violation("no pipe");
	pid = fork();
	if (!pid) {
		close(told[0]);
		be_victim(engine, told[1]);
	}
	close(told[1]);
	for (i = 0; i < CONNS; i++)
		close(socks[i]);
	if (pid < 0 || read(told[0], &byte, 1) != 1)
		violation("there is no process to be killed");
	close(told[0]);
	if (scene->pending < PENDING)
		violation("%d operations are pending, and not %d", scene->pending, PENDING);
	return pid;
}

/* How many of the victim's sockets are not closed. */
static int peers_left(void)
{
	struct pollfd fds[CONNS];
	int i, ended;

	for (i = 0; i < CONNS; i++)
		fds[i] = (struct pollfd){ .fd = peers[i], .events = POLLRDHUP };
	ended = poll(fds, CONNS, 0);
	return CONNS - (ended < 0 ? 0 : ended);
}

/* Until the process, its context's threads and its sockets are gone; ns. */
static __s64 time_kill(pid_t pid, __s64 *process)
{
	__s64 begin = now();
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		violation("it is not killed: %x", status);
	*process = now() - begin;
	while (peers_left() || !context_is_gone(pid)) {
		if (now() > begin + 4 * GONE)
			violation("after %lld s %d of its sockets and %s of its threads are left",
				  4 * GONE / SECOND, peers_left(),
				  context_is_gone(pid) ? "none" : "some");
		sleep_until(after(5 * MS));
	}
	return now() - begin;
}

static void print_scene(const char *name, __s64 process, __s64 gone, FILE *figures)
{
	const struct scene *s = scene;
	int before = WATCH_BEFORE, at = WATCH_KILL;

	printf("soak: kill (%s): %d operations, gone after %lld ms (the process %lld ms)\n",
	       name, s->pending, gone / MS, process / MS);
	printf("soak: kill (%s): deadlines of another process, us late: ", name);
	printf("%lld before (of %d), %lld in that time (of %d)\n", s->late[before] / 1000,
	       s->count[before], s->late[at] / 1000, s->count[at]);
	printf("soak: kill (%s): it was told of them, us late: %lld and %lld; ", name,
	       s->told[before] / 1000, s->told[at] / 1000);
	printf("plain sleeps: %lld and %lld\n", s->slept[before] / 1000, s->slept[at] / 1000);
	fflush(stdout);
	fprintf(figures, "kill %s operations: %d\n", name, s->pending);
	fprintf(figures, "kill %s gone us: %lld\n", name, gone / 1000);
	fprintf(figures, "kill %s late before us: %lld\n", name, s->late[before] / 1000);
	fprintf(figures, "kill %s late meanwhile us: %lld\n", name, s->late[at] / 1000);
	fprintf(figures, "kill %s told before us: %lld\n", name, s->told[before] / 1000);
	fprintf(figures, "kill %s told meanwhile us: %lld\n", name, s->told[at] / 1000);
	fprintf(figures, "kill %s sleep before us: %lld\n", name, s->slept[before] / 1000);
	fprintf(figures, "kill %s sleep meanwhile us: %lld\n", name, s->slept[at] / 1000);
}

/* Returns how much later the deadlines were than before. */
static __s64 kill_scene(const char *name, __u32 engine, FILE *figures)
{
	pid_t bystander, victim;
	__s64 process, gone;
	int i, status;

	memset(scene, 0, sizeof(*scene));
	fflush(stdout);
	bystander = fork();
	if (!bystander)
		be_bystander();
	connect_all();
	victim = start_victim(engine);
	phase_set(WATCH_BEFORE);
	sleep_until(after(BEFORE));
	phase_set(WATCH_KILL);
	gone = time_kill(victim, &process);
	sleep_until(after(AFTER));
	phase_set(LEAVE);
	if (waitpid(bystander, &status, 0) != bystander || status)
		violation("the bystander ends with %x", status);
	for (i = 0; i < CONNS; i++)
		close(peers[i]);
	print_scene(name, process, gone, figures);
	if (gone > GONE)
		violation("%d operations were gone after %lld ms", scene->pending, gone / MS);
	await_unused();
	return scene->late[WATCH_KILL] - scene->late[WATCH_BEFORE];
}

static int compare(const void *a, const void *b)
{
	__s64 one = *(const __s64 *)a, other = *(const __s64 *)b;

	return (one > other) - (one < other);
}

static void play_takes(const char *engine_name, __u32 engine, FILE *figures)
{
	__s64 later[TAKES];
	char name[32];
	int i;

	for (i = 0; i < TAKES; i++) {
		snprintf(name, sizeof(name), "%s %d", engine_name, i + 1);
		later[i] = kill_scene(name, engine, figures);
	}
	qsort(later, TAKES, sizeof(later[0]), compare);
	if (later[TAKES / 2] > LATER)
		violation("a kill (%s) makes another process's deadlines %lld ms later",
			  engine_name, later[TAKES / 2] / MS);
}

void kill_scenes(FILE *figures)
{
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (scene == MAP_FAILED)
		violation("no memory");
	play_takes("poll", CANCELIO_ENGINE_POLL, figures);
	play_takes("thread", CANCELIO_ENGINE_THREAD, figures);
}
