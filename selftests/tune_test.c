// SPDX-License-Identifier: GPL-2.0
/*
 * How the threads of a context are scheduled, and who may ask for it (C14, C16, C52, C60).
 */
#include "crew.h"
#include "engine_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY		65534
#define TRIES		20
#define MANY_TRIES	100
/* Of processor time, us. */
#define A_MINUTE	60000000
/*
 * ns; shorter than the 100 ms after which RCU asks a thread in the kernel for its
 * processor, which ends a spin as well.
 */
#define SPIN		(80U * 1000000)
#define CPUSETS		"/sys/fs/cgroup/tune"
#define REALTIME	"/sys/kernel/realtime"

static struct cancelio_setup setup_of(__u32 engine)
{
	return (struct cancelio_setup){ .size = sizeof(struct cancelio_setup), .engine = engine };
}

static struct cancelio_setup with_policy(__u32 engine, __u32 policy, __u32 priority, __s32 nice)
{
	struct cancelio_setup setup = setup_of(engine);

	setup.flags = CANCELIO_SETUP_POLICY;
	setup.policy = policy;
	setup.priority = priority;
	setup.nice = nice;
	return setup;
}

/* Sets a context up and closes it again; returns what SETUP returned. */
static int try_setup(struct cancelio_setup setup)
{
	int fd = cio_open();
	int ret = fd < 0 ? fd : cio_setup(fd, &setup);

	if (fd >= 0)
		close(fd);
	return ret;
}

/* All threads of the engine, at least one. */
static int workers_of(__u32 engine, pid_t *pids, int max)
{
	if (await_threads(name_of(engine), 0, 1, max) < 1)
		return 0;
	return kernel_threads(name_of(engine), 0, pids, max);
}

/* How many of them are scheduled so. */
static int crew_scheduled(const struct crew *crew, int policy, int priority, int nice)
{
	struct sched_param param;
	int i, count = 0;

	for (i = 0; i <= HELD; i++)
		count += sched_getscheduler(crew->pids[i]) == policy &&
			!sched_getparam(crew->pids[i], &param) &&
			param.sched_priority == priority &&
			getpriority(PRIO_PROCESS, crew->pids[i]) == nice;
	return count;
}

TEST_F(engine, C52_every_worker_is_scheduled_as_asked_for)
{
	static const struct {
		int policy, priority, nice;
	} all[] = {
		{ SCHED_FIFO, 7, 0 }, { SCHED_RR, 3, 0 }, { SCHED_OTHER, 0, -5 },
		{ SCHED_BATCH, 0, 4 }, { SCHED_IDLE, 0, 2 },
	};
	struct crew crew;
	unsigned int i;

	if (!can_hold())
		SKIP(return, "no userfaultfd(2)");
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		ASSERT_TRUE(crew_start(&crew, with_policy(variant->engine, all[i].policy,
							  all[i].priority, all[i].nice)));
		EXPECT_EQ(HELD + 1, crew_scheduled(&crew, all[i].policy, all[i].priority,
						   all[i].nice)) {
			TH_LOG("policy %d", all[i].policy);
		}
		EXPECT_TRUE(crew_end(&crew));
	}
}

/* A program that was told to stand back does not get ahead by its workers. */
TEST_F(engine, C52_workers_have_the_nice_value_of_who_sets_up)
{
	int usual = variant->engine == CANCELIO_ENGINE_POLL ? SCHED_BATCH : SCHED_OTHER;
	struct sched_param param = {};
	struct crew crew;

	if (!can_hold())
		SKIP(return, "no userfaultfd(2)");
	ASSERT_EQ(0, setpriority(PRIO_PROCESS, 0, 11));
	ASSERT_TRUE(crew_start(&crew, setup_of(variant->engine)));
	EXPECT_EQ(HELD + 1, crew_scheduled(&crew, usual, 0, 11));
	EXPECT_TRUE(crew_end(&crew));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_IDLE, &param));
	ASSERT_TRUE(crew_start(&crew, setup_of(variant->engine)));
	EXPECT_EQ(HELD + 1, crew_scheduled(&crew, SCHED_IDLE, 0, 11));
	EXPECT_TRUE(crew_end(&crew));
	/* Its real-time priority they do not get unasked. */
	param.sched_priority = 1;
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &param));
	ASSERT_TRUE(crew_start(&crew, setup_of(variant->engine)));
	EXPECT_EQ(HELD + 1, crew_scheduled(&crew, usual, 0, 11));
	EXPECT_TRUE(crew_end(&crew));
}

/* The rest of the test is an ordinary user's, who may have @rtprio and @nice. */
static int become_nobody(rlim_t rtprio, rlim_t nice)
{
	struct rlimit limit = { rtprio, rtprio };

	if (setrlimit(RLIMIT_RTPRIO, &limit))
		return -errno;
	limit = (struct rlimit){ nice, nice };
	if (setrlimit(RLIMIT_NICE, &limit) || setgid(NOBODY) || setuid(NOBODY))
		return -errno;
	return 0;
}

/* The same on an open context, for the device is not everybody's. */
static int set_up(int fd, struct cancelio_setup setup)
{
	return cio_setup(fd, &setup);
}

TEST_F(engine, C52_policy_beyond_the_limits_is_EPERM)
{
	__u32 e = variant->engine;
	int fd = cio_open(), other = cio_open();

	ASSERT_LE(0, fd);
	ASSERT_LE(0, other);
	/* RLIMIT_NICE is 20 less the nice value. */
	ASSERT_EQ(0, become_nobody(5, 18));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(e, SCHED_FIFO, 6, 0)));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(e, SCHED_RR, 99, 0)));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(e, SCHED_OTHER, 0, -1)));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(e, SCHED_BATCH, 0, -20)));
	EXPECT_EQ(0, set_up(fd, with_policy(e, SCHED_RR, 5, 0)));
	ASSERT_EQ(0, setpriority(PRIO_PROCESS, 0, 10));
	EXPECT_EQ(-EPERM, set_up(other, with_policy(e, SCHED_OTHER, 0, 1)));
	EXPECT_EQ(0, set_up(other, with_policy(e, SCHED_OTHER, 0, 2)));
	close(other);
	close(fd);
}

TEST_F(engine, C52_idle_program_has_no_ordinary_workers)
{
	struct sched_param none = {};
	int fd = cio_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_IDLE, &none));
	ASSERT_EQ(0, become_nobody(0, 0));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(variant->engine, SCHED_OTHER, 0, 0)));
	EXPECT_EQ(0, set_up(fd, with_policy(variant->engine, SCHED_IDLE, 0, 0)));
	close(fd);
}

static int limit_realtime(rlim_t now, rlim_t at_most)
{
	struct rlimit limit = { now, at_most };

	return setrlimit(RLIMIT_RTTIME, &limit);
}

/*
 * A limit that the kernel does not keep for its own threads.  It concerns who can neither
 * lift it nor has CAP_SYS_NICE, also a thread that is a real-time one itself.
 */
TEST_F(engine, C52_limit_of_realtime_without_sleep_is_no_workers_way_out)
{
	struct sched_param own = { .sched_priority = 9 };
	__u32 e = variant->engine;
	int i, fds[3];

	for (i = 0; i < 3; i++) {
		fds[i] = cio_open();
		ASSERT_LE(0, fds[i]);
	}
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &own));
	ASSERT_EQ(0, limit_realtime(A_MINUTE, A_MINUTE));
	EXPECT_EQ(0, set_up(fds[0], with_policy(e, SCHED_FIFO, 10, 0)));
	ASSERT_EQ(0, limit_realtime(A_MINUTE, RLIM_INFINITY));
	ASSERT_EQ(0, become_nobody(5, 0));
	EXPECT_EQ(0, set_up(fds[1], with_policy(e, SCHED_RR, 5, 0)));
	ASSERT_EQ(0, limit_realtime(A_MINUTE, A_MINUTE));
	EXPECT_EQ(-EPERM, set_up(fds[2], with_policy(e, SCHED_RR, 5, 0)));
	EXPECT_EQ(-EPERM, set_up(fds[2], with_policy(e, SCHED_FIFO, 9, 0)));
	EXPECT_EQ(0, set_up(fds[2], with_policy(e, SCHED_OTHER, 0, 0)));
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* A nice value that children do not get. */
TEST_F(engine, C52_nice_value_that_children_lose_is_not_the_workers)
{
	int fd = cio_open(), other = cio_open();
	struct sched_param none = {};
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, setpriority(PRIO_PROCESS, 0, -10));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none));
	ASSERT_EQ(0, become_nobody(0, 0));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(variant->engine, SCHED_OTHER, 0, -10)));
	ASSERT_EQ(0, set_up(fd, setup_of(variant->engine)));
	ASSERT_EQ(1, workers_of(variant->engine, &pid, 1));
	EXPECT_EQ(0, getpriority(PRIO_PROCESS, pid));
	close(other);
	close(fd);
}

/* Its own priority a thread may hand on, as to a thread of its own. */
TEST_F(engine, C52_realtime_thread_may_have_such_workers_without_a_limit)
{
	struct sched_param own = { .sched_priority = 9 };
	int fd = cio_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &own));
	ASSERT_EQ(0, become_nobody(0, 0));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(variant->engine, SCHED_FIFO, 10, 0)));
	EXPECT_EQ(-EPERM, set_up(fd, with_policy(variant->engine, SCHED_RR, 9, 0)));
	EXPECT_EQ(0, set_up(fd, with_policy(variant->engine, SCHED_FIFO, 9, 0)));
	close(fd);
}

TEST_F(engine, C61_setup_with_a_bad_policy_is_EINVAL)
{
	__u32 e = variant->engine;
	struct cancelio_setup setup;

	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, SCHED_FIFO, 0, 0)));
	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, SCHED_RR, 100, 0)));
	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, SCHED_FIFO, 1, 1)));
	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, SCHED_OTHER, 1, 0)));
	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, SCHED_OTHER, 0, 20)));
	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, SCHED_BATCH, 0, -21)));
	/* SCHED_DEADLINE, and one that there is not. */
	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, 6, 0, 0)));
	EXPECT_EQ(-EINVAL, try_setup(with_policy(e, 99, 0, 0)));
	setup = with_policy(e, SCHED_FIFO, 1, 0);
	setup.flags = 0;
	EXPECT_EQ(-EINVAL, try_setup(setup));
	setup = setup_of(e);
	setup.nice = 1;
	EXPECT_EQ(-EINVAL, try_setup(setup));
	setup = with_policy(e, SCHED_OTHER, 0, 0);
	setup.flags |= CANCELIO_SETUP_HARD_EXPIRY;
	EXPECT_EQ(-EINVAL, try_setup(setup));
	setup = setup_of(e);
	setup.flags = CANCELIO_SETUP_HARD_EXPIRY;
	EXPECT_EQ(-EINVAL, try_setup(setup));
	setup = setup_of(e);
	setup.spin = CANCELIO_MAX_SPIN + 1;
	EXPECT_EQ(-EINVAL, try_setup(setup));
	setup = setup_of(e);
	setup.reserved2 = 1;
	EXPECT_EQ(-EINVAL, try_setup(setup));
}

static struct cancelio_setup with_cpus(__u32 engine, const __u64 *cpus, __u32 size)
{
	struct cancelio_setup setup = setup_of(engine);

	setup.cpus = (__u64)(uintptr_t)cpus;
	setup.cpus_size = size;
	return setup;
}

TEST_F(engine, C61_setup_with_bad_processors_is_EINVAL_or_EFAULT)
{
	static const __u64 none[2], far[2] = { 0, 1ULL << 63 }, first = 1;
	__u32 e = variant->engine;

	EXPECT_EQ(-EINVAL, try_setup(with_cpus(e, none, 16)));
	EXPECT_EQ(-EINVAL, try_setup(with_cpus(e, far, 16)));
	EXPECT_EQ(-EINVAL, try_setup(with_cpus(e, &first, 0)));
	EXPECT_EQ(-EINVAL, try_setup(with_cpus(e, &first, 4)));
	EXPECT_EQ(-EINVAL, try_setup(with_cpus(e, &first, CANCELIO_MAX_CPUS_SIZE + 8)));
	EXPECT_EQ(-EINVAL, try_setup(with_cpus(e, NULL, 8)));
	EXPECT_EQ(-EFAULT, try_setup(with_cpus(e, forbidden_page(), 8)));
	EXPECT_EQ(0, try_setup(with_cpus(e, &first, 8)));
}

/* The one processor of a thread, or -1. */
static int only_cpu(pid_t pid)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(pid, sizeof(set), &set) || CPU_COUNT(&set) != 1)
		return -1;
	for (cpu = 0; !CPU_ISSET(cpu, &set); cpu++)
		;
	return cpu;
}

/* The only one of an engine, once it is where it is to be. */
static int await_cpu(__u32 engine, int wanted)
{
	__s64 end = after(LONG_ENOUGH);
	int cpu = -1;
	pid_t pid;

	while (cpu != wanted && now() < end)
		if (workers_of(engine, &pid, 1) == 1)
			cpu = only_cpu(pid);
	return cpu;
}

/* How many have this one processor. */
static int crew_on_cpu(const struct crew *crew, int cpu)
{
	int i, count = 0;

	for (i = 0; i <= HELD; i++)
		count += only_cpu(crew->pids[i]) == cpu;
	return count;
}

TEST_F(engine, C52_workers_are_on_the_processors_asked_for)
{
	static const __u64 second[2] = { 2, 0 };
	struct crew crew;

	if (!can_hold())
		SKIP(return, "no userfaultfd(2)");
	ASSERT_TRUE(crew_start(&crew, with_cpus(variant->engine, second, sizeof(second))));
	EXPECT_EQ(HELD + 1, crew_on_cpu(&crew, 1));
	EXPECT_TRUE(crew_end(&crew));
}

/* A group of these processors, with this process in it. */
static int join_cpuset(const char *cpus)
{
	mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	if (mkdir(CPUSETS, 0755) && errno != EEXIST)
		return -errno;
	return write_file(CPUSETS "/cpuset.cpus", cpus) ?: write_file(CPUSETS "/cgroup.procs", "0");
}

static void leave_cpuset(void)
{
	write_file("/sys/fs/cgroup/cgroup.procs", "0");
	rmdir(CPUSETS);
}

TEST_F(engine, C52_cpuset_counts_more_than_what_is_asked_for)
{
	static const __u64 second = 2, both = 3;
	struct cancelio_setup setup = with_cpus(variant->engine, &both, 8);
	int fd = cio_open();

	ASSERT_LE(0, fd);
	if (join_cpuset("0"))
		SKIP(return, "no cpusets");
	EXPECT_EQ(-EINVAL, try_setup(with_cpus(variant->engine, &second, 8)));
	ASSERT_EQ(0, cio_setup(fd, &setup));
	EXPECT_EQ(0, await_cpu(variant->engine, 0));
	close(fd);
	EXPECT_TRUE(await_no_thread());
	leave_cpuset();
}

/* Those that are there go where it allows, and no later one is made elsewhere. */
TEST_F(engine, C52_cpuset_that_shrinks_counts_more_than_what_was_asked_for)
{
	static const __u64 asked[] = { 3, 2 };
	struct crew crew;
	unsigned int i;

	if (!can_hold())
		SKIP(return, "no userfaultfd(2)");
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		if (join_cpuset("0-1"))
			SKIP(return, "no cpusets");
		ASSERT_TRUE(crew_begin(&crew, with_cpus(variant->engine, &asked[i], 8)));
		ASSERT_EQ(0, write_file(CPUSETS "/cpuset.cpus", "0"));
		ASSERT_TRUE(crew_complete(&crew, variant->engine));
		EXPECT_EQ(HELD + 1, crew_on_cpu(&crew, 0));
		EXPECT_TRUE(crew_end(&crew));
		leave_cpuset();
	}
}

/* Its processor comes back in its own time. */
static bool end_partition(void)
{
	__s64 end = after(LONG_ENOUGH);
	cpu_set_t all, now_allowed;

	write_file(CPUSETS "/cpuset.cpus.partition", "member");
	rmdir(CPUSETS);
	CPU_ZERO(&all);
	CPU_SET(0, &all);
	CPU_SET(1, &all);
	do {
		sched_setaffinity(0, sizeof(all), &all);
		sched_getaffinity(0, sizeof(now_allowed), &now_allowed);
	} while (!CPU_ISSET(1, &now_allowed) && now() < end);
	return CPU_ISSET(1, &now_allowed);
}

/* A partition has processor 1 to itself; nobody else gets workers there. */
TEST_F(engine, C52_processor_of_a_partition_is_not_for_others)
{
	static const __u64 second = 2, both = 3;
	struct cancelio_setup setup = with_cpus(variant->engine, &both, 8);
	char state[64] = "";
	int fd, partition;

	mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	mkdir(CPUSETS, 0755);
	write_file(CPUSETS "/cpuset.cpus", "1");
	write_file(CPUSETS "/cpuset.cpus.partition", "root");
	partition = open(CPUSETS "/cpuset.cpus.partition", O_RDONLY | O_CLOEXEC);
	if (partition < 0 || read(partition, state, sizeof(state) - 1) < 0 ||
	    strcmp(state, "root\n"))
		SKIP(return, "no partitions of cpusets");
	close(partition);
	EXPECT_EQ(-EINVAL, try_setup(with_cpus(variant->engine, &second, 8)));
	fd = cio_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, cio_setup(fd, &setup));
	EXPECT_EQ(0, await_cpu(variant->engine, 0));
	close(fd);
	EXPECT_TRUE(await_no_thread());
	EXPECT_TRUE(end_partition());
}

/* Whether the calling thread is on this processor alone from now on, at that priority. */
static bool stay_on(int cpu, int priority)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return !sched_setaffinity(0, sizeof(one), &one) &&
		!pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

/* A receive by CALL, in a thread that has a processor to itself and spins for so long. */
struct spinner {
	__u32 ns;
	int fd;
	int ends[2];
	pthread_t thread;
	struct cancelio_op op;
	struct cancelio_completion result;
	int ret;
	__s64 began;
	__s64 took;
	long slept;
	long preempted;
	bool waited;
};

/*
 * It waited, did not sleep, and did not spin on when there was something to do.  That
 * another thread was to have its processor would have ended its spin as well.
 */
static bool only_spun(const struct spinner *spinner)
{
	return spinner->waited && spinner->took < spinner->ns && !spinner->slept &&
		!spinner->preempted;
}

static void *call_spinning(void *argument)
{
	struct spinner *spinner = argument;
	struct rusage before, then;

	spinner->ret = !stay_on(1, 1) || getrusage(RUSAGE_THREAD, &before);
	if (spinner->ret)
		return NULL;
	spinner->began = now();
	spinner->ret = run(spinner->fd, spinner->op, &spinner->result);
	spinner->took = now() - spinner->began;
	getrusage(RUSAGE_THREAD, &then);
	spinner->slept = then.ru_nvcsw - before.ru_nvcsw;
	spinner->preempted = then.ru_nivcsw - before.ru_nivcsw;
	return NULL;
}

/* Starts one whose operation has this timeout, and waits until it is submitted. */
static bool spin_begin(struct spinner *spinner, struct cancelio_setup setup, int busy_poll,
		       __s64 timeout)
{
	struct cancelio_stats stats = {};
	__s64 end = after(LONG_ENOUGH);
	static char byte;
	__u64 conn;

	spinner->fd = cio_open();
	if (spinner->fd < 0 || cio_setup(spinner->fd, &setup) ||
	    tcp_pair(AF_INET, spinner->ends) || cio_attach(spinner->fd, spinner->ends[0], &conn) ||
	    (busy_poll && setsockopt(spinner->ends[0], SOL_SOCKET, SO_BUSY_POLL, &busy_poll,
				     sizeof(busy_poll))))
		return false;
	spinner->op = with_timeout(op_recv(conn, &byte, 1), timeout);
	if (pthread_create(&spinner->thread, NULL, call_spinning, spinner))
		return false;
	while (!stats.submitted && now() < end)
		if (cio_stats(spinner->fd, 0, &stats))
			return false;
	return stats.submitted;
}

static void spin_end(struct spinner *spinner)
{
	struct cancelio_stats stats;

	pthread_join(spinner->thread, NULL);
	spinner->waited = !cio_stats(spinner->fd, 0, &stats) && stats.submitted && !stats.at_once;
	close(spinner->fd);
	close(spinner->ends[0]);
	close(spinner->ends[1]);
}

/* Runs it until data comes, after so long; the context spins for as long as it says. */
static bool spin_for_data(struct spinner *spinner, __u32 engine, __s64 delay)
{
	struct cancelio_setup setup = setup_of(engine);

	setup.spin = spinner->ns;
	if (!spin_begin(spinner, setup, 0, LONG_ENOUGH))
		return false;
	sleep_until(after(delay));
	send(spinner->ends[1], "x", 1, 0);
	spin_end(spinner);
	return true;
}

/*
 * The thread spins until its data comes, and does not sleep; where the machine itself
 * stands still for so long, or comes to it late, it is asked again.
 */
TEST_F(engine, C14_thread_spins_before_it_sleeps)
{
	static const __u32 too_short[] = { 0, MS };
	struct spinner spinner = { .ns = SPIN };
	unsigned int i, j;

	for (i = 0; i < MANY_TRIES && !only_spun(&spinner); i++) {
		ASSERT_TRUE(spin_for_data(&spinner, variant->engine, MS));
		ASSERT_EQ(0, spinner.ret);
		EXPECT_DONE(spinner.result, 1);
	}
	EXPECT_TRUE(only_spun(&spinner));
	for (j = 0; j < ARRAY_SIZE(too_short); j++) {
		spinner.ns = too_short[j];
		spinner.slept = 0;
		for (i = 0; i < TRIES && !spinner.slept; i++)
			ASSERT_TRUE(spin_for_data(&spinner, variant->engine, A_WHILE));
		EXPECT_LE(1, spinner.slept);
	}
}

/*
 * Also on PREEMPT_RT, where the thread that keeps deadlines gets no processor beside a
 * real-time thread that spins.
 */
TEST_F(engine, C16_spinning_thread_does_not_hold_up_its_own_deadline)
{
	struct cancelio_setup setup = setup_of(variant->engine);
	struct spinner spinner = {};
	int i, held_up = 0;

	setup.spin = CANCELIO_MAX_SPIN;
	for (i = 0; i < TRIES / 2; i++) {
		ASSERT_TRUE(spin_begin(&spinner, setup, 0, 5 * MS));
		spin_end(&spinner);
		ASSERT_EQ(0, spinner.ret);
		EXPECT_EXPIRED(spinner.result);
		held_up += spinner.result.late > CANCELIO_MAX_SPIN / 2;
	}
	/* Once the machine may have stood still. */
	EXPECT_GE(1, held_up);
}

TEST_F(engine, C43_socket_that_polls_its_device_makes_its_reader_spin)
{
	struct cancelio_setup setup = setup_of(variant->engine);
	struct spinner spinner = { .ns = SPIN };
	int i;

	for (i = 0; i < MANY_TRIES && !only_spun(&spinner); i++) {
		if (!spin_begin(&spinner, setup, SPIN / 1000, LONG_ENOUGH))
			SKIP(return, "no SO_BUSY_POLL");
		sleep_until(after(MS));
		send(spinner.ends[1], "x", 1, 0);
		spin_end(&spinner);
		ASSERT_EQ(0, spinner.ret);
		EXPECT_DONE(spinner.result, 1);
	}
	EXPECT_TRUE(only_spun(&spinner));
}

static void do_nothing(int number)
{
}

TEST_F(engine, C30_signal_ends_a_spin)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct cancelio_setup setup = setup_of(variant->engine);
	struct spinner spinner = { .ns = SPIN };
	int i;

	setup.spin = SPIN;
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	for (i = 0; i < MANY_TRIES && !only_spun(&spinner); i++) {
		ASSERT_TRUE(spin_begin(&spinner, setup, 0, LONG_ENOUGH));
		sleep_until(after(MS));
		pthread_kill(spinner.thread, SIGUSR1);
		spin_end(&spinner);
		EXPECT_EQ(-EINTR, spinner.ret);
	}
	EXPECT_TRUE(only_spun(&spinner));
}

/* Says when it ran, on the spinner's processor and ahead of it; called by a byte. */
struct witness {
	int call[2];
	__s64 ran;
};

static void *testify(void *argument)
{
	struct witness *witness = argument;
	char byte;

	if (stay_on(1, 2) && read(witness->call[0], &byte, 1) == 1)
		witness->ran = now();
	return NULL;
}

/* Before the spin would have ended by itself; once more where the machine stood still. */
TEST_F(engine, C14_spinning_thread_lets_others_run)
{
	struct cancelio_setup setup = setup_of(variant->engine);
	struct spinner spinner = {};
	struct witness witness = {};
	bool in_time = false;
	pthread_t thread;
	int i;

	setup.spin = CANCELIO_MAX_SPIN;
	ASSERT_EQ(0, pipe(witness.call));
	for (i = 0; i < TRIES / 4 && !in_time; i++) {
		ASSERT_TRUE(spin_begin(&spinner, setup, 0, LONG_ENOUGH));
		ASSERT_EQ(0, pthread_create(&thread, NULL, testify, &witness));
		ASSERT_EQ(1, write(witness.call[1], "x", 1));
		pthread_join(thread, NULL);
		send(spinner.ends[1], "x", 1, 0);
		spin_end(&spinner);
		EXPECT_DONE(spinner.result, 1);
		in_time = witness.ran > spinner.began &&
			witness.ran < spinner.began + CANCELIO_MAX_SPIN;
	}
	EXPECT_TRUE(in_time);
	close(witness.call[0]);
	close(witness.call[1]);
}

/* Keeps its processor until a completion is there or its time is over. */
struct hog {
	struct cancelio_ring *ring;
	int cpu;
	int *began;
	bool saw;
};

static void *keep_processor(void *argument)
{
	struct hog *hog = argument;
	__s64 end;

	if (!stay_on(hog->cpu, 40))
		return NULL;
	__atomic_fetch_add(hog->began, 1, __ATOMIC_ACQ_REL);
	end = after(SECOND / 2);
	while (!hog->saw && now() < end)
		hog->saw = ring_count(hog->ring);
	return NULL;
}

/*
 * Two threads have both processors, ahead of the kernel's own threads: on PREEMPT_RT
 * nobody but a thread of higher priority keeps a deadline.
 */
TEST_F(engine, C16_hard_expiry_keeps_deadlines_ahead_of_realtime_threads)
{
	struct cancelio_setup setup = with_policy(variant->engine, SCHED_FIFO, 50, 0);
	struct cancelio_ring *ring;
	struct hog hogs[2] = {};
	int ends[2], fd, i, began = 0;
	pthread_t threads[2];
	__u64 conn;
	char byte;

	setup.flags |= CANCELIO_SETUP_HARD_EXPIRY;
	setup.entries = 8;
	fd = cio_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_setup(fd, &setup));
	ring = cio_map(fd, 8);
	ASSERT_NE(NULL, ring);
	ASSERT_EQ(0, tcp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	ASSERT_EQ(1, submit_one(fd, with_timeout(op_recv(conn, &byte, 1), 200 * MS)));
	for (i = 0; i < 2; i++) {
		hogs[i] = (struct hog){ .ring = ring, .cpu = i, .began = &began };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, keep_processor, &hogs[i]));
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(2, began);
	EXPECT_TRUE(hogs[0].saw);
	EXPECT_TRUE(hogs[1].saw);
	munmap(ring, cio_ring_bytes(8));
	close(fd);
	close(ends[0]);
	close(ends[1]);
	EXPECT_TRUE(await_no_thread());
}

/* Deadlines of a context that has such a thread, and its end. */
TEST_F(engine, C34_thread_that_keeps_deadlines_ends_with_its_context)
{
	struct cancelio_setup setup = with_policy(variant->engine, SCHED_RR, 2, 0);
	int realtime = !access(REALTIME, F_OK);
	struct cancelio_completion result;
	int ends[2], fd, i;
	__u64 conn;
	char byte;
	pid_t pid;

	setup.flags |= CANCELIO_SETUP_HARD_EXPIRY;
	fd = cio_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_setup(fd, &setup));
	EXPECT_EQ(realtime, kernel_threads("timer", 0, &pid, 1));
	ASSERT_EQ(0, tcp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(fd, ends[0], &conn));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, run(fd, with_timeout(op_recv(conn, &byte, 1), MS / 10), &result));
		EXPECT_EXPIRED(result);
		ASSERT_EQ(0, cio_deadline(fd, conn, CANCELIO_READ, after(MS / 10), 0));
		ASSERT_EQ(0, run(fd, op_recv(conn, &byte, 1), &result));
		EXPECT_EXPIRED(result);
		ASSERT_EQ(0, cio_deadline(fd, conn, CANCELIO_READ, CANCELIO_NEVER, 0));
	}
	close(fd);
	EXPECT_TRUE(await_no_thread());
	close(ends[0]);
	close(ends[1]);
}

TEST_HARNESS_MAIN
