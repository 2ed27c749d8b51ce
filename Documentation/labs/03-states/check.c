// SPDX-License-Identifier: GPL-2.0
/*
 * Readers before the gate, one for each kind of sleep and each signal: where they sleep, what
 * ps shows, and what ends them.  Then many of them, and what the load says of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdnoreturn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proc.h"
#include "states.h"

/* Readers of one kind for the load, and by how much that has to rise. */
#define CROWD		10
#define RISE		0.8
/* Seconds: the kernel looks at the load every 5, and must have looked twice. */
#define TWO_LOOKS	11
/* Seconds: far longer than two looks. */
#define LONG		60

enum event { HANDLER, RESTART, TERM, KILL, EVENTS };

enum fate { SLEEPS, FAILS, AGAIN, DIES, OTHER };

static const char *const fate_names[] = { "sleeps", "EINTR", "again", "dies", "?" };

/* What each kind means. */
static const struct kind {
	const char *name;
	char letter;
	enum fate fate[EVENTS];
} kinds[LAB_KINDS] = {
	[LAB_INTERRUPTIBLE] = { "interruptible", 'S', { FAILS, AGAIN, DIES, DIES } },
	[LAB_KILLABLE] = { "killable", 'D', { SLEEPS, SLEEPS, DIES, DIES } },
	[LAB_UNINTERRUPTIBLE] = { "uninterruptible", 'D', { SLEEPS, SLEEPS, SLEEPS, SLEEPS } },
	[LAB_IDLE] = { "idle", 'I', { SLEEPS, SLEEPS, SLEEPS, SLEEPS } },
};

static const char *const event_names[EVENTS] = {
	[HANDLER] = "SIGUSR1, which has a handler,",
	[RESTART] = "SIGUSR1, with SA_RESTART,",
	[TERM] = "SIGTERM, which kills,",
	[KILL] = "SIGKILL",
};

static int gate;

static struct {
	atomic_int handled;
	atomic_int failed_with;
} *seen;

/* Says what is wrong, lets everybody go, and ends. */
static noreturn void wrong(const char *format, ...)
{
	va_list args;

	printf("not passed: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (write(gate, "1", 1) < 0)
		perror("/dev/lab");
	while (wait(NULL) > 0)
		continue;
	exit(1);
}

static void set_gate(const char *to)
{
	if (write(gate, to, 1) != 1)
		wrong("the gate of /dev/lab does not move");
}

static void handle(int signal)
{
	(void)signal;
	seen->handled++;
}

static pid_t start_reader(enum lab_kind kind, enum event event)
{
	struct sigaction action = { .sa_handler = handle };
	pid_t pid;
	char byte;

	seen->handled = 0;
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	action.sa_flags = event == RESTART ? SA_RESTART : 0;
	sigaction(SIGUSR1, &action, NULL);
	seen->failed_with = pread(gate, &byte, 1, kind) < 0 ? errno : 0;
	_exit(0);
}

static void await_sleep(enum lab_kind kind, pid_t pid)
{
	while (asleep_in(pid) != SYS_pread64) {
		if (waitpid(pid, NULL, WNOHANG))
			wrong("%s: the read returned, though the gate is shut", kinds[kind].name);
		usleep(1000);
	}
}

/* When kill(2) has returned, whoever was woken by it is not asleep any more. */
static enum fate fate_after(pid_t pid, long slept)
{
	int status;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (WIFSIGNALED(status))
				return DIES;
			return seen->failed_with == EINTR ? FAILS : OTHER;
		}
		if (asleep_in(pid) == SYS_pread64) {
			if (times_slept(pid) == slept)
				return SLEEPS;
			if (seen->handled)
				return AGAIN;
		}
		usleep(1000);
	}
}

static enum fate measure(enum lab_kind kind, enum event event)
{
	pid_t pid = start_reader(kind, event);
	enum fate fate;
	long slept;

	await_sleep(kind, pid);
	slept = times_slept(pid);
	kill(pid, event == TERM ? SIGTERM : event == KILL ? SIGKILL : SIGUSR1);
	fate = fate_after(pid, slept);
	if (fate == SLEEPS || fate == AGAIN) {
		set_gate("1");
		waitpid(pid, NULL, 0);
		set_gate("0");
	}
	return fate;
}

static void judge(enum lab_kind kind, char letter, const enum fate *fates)
{
	const struct kind *k = &kinds[kind];

	for (int event = 0; event < EVENTS; event++) {
		enum fate fate = fates[event], must = k->fate[event];

		if (fate == must)
			continue;
		if (must == AGAIN && fate == FAILS)
			wrong("%s: a handler with SA_RESTART has run, and the read failed with EINTR: let the kernel decide, by -ERESTARTSYS",
			      k->name);
		if (must == SLEEPS)
			wrong("%s: %s ended the sleep", k->name, event_names[event]);
		if (fate == SLEEPS)
			wrong("%s: %s did not end the sleep", k->name, event_names[event]);
		wrong("%s: after %s the read ended in another way than by EINTR", k->name,
		      event_names[event]);
	}
	if (letter != k->letter)
		wrong("%s: ps shows %c, and not %c: it sleeps in another state", k->name, letter,
		      k->letter);
}

/* Shows a row of the table, and judges it. */
static void try_kind(enum lab_kind kind)
{
	enum fate fates[EVENTS];
	char place[64], letter;
	pid_t pid = start_reader(kind, HANDLER);

	await_sleep(kind, pid);
	letter = state_of(pid);
	read_proc(pid, "wchan", place, sizeof(place));
	set_gate("1");
	waitpid(pid, NULL, 0);
	set_gate("0");
	printf("%-16s %c   %-12s", kinds[kind].name, letter, place);
	for (int event = 0; event < EVENTS; event++) {
		fates[event] = measure(kind, event);
		printf(event + 1 < EVENTS ? "%-8s " : "%s\n", fate_names[fates[event]]);
	}
	judge(kind, letter, fates);
}

static double load(void)
{
	double now = 0;
	FILE *file = fopen("/proc/loadavg", "r");

	if (!file || fscanf(file, "%lf", &now) != 1)
		wrong("there is no /proc/loadavg");
	fclose(file);
	return now;
}

/* How much the load rises, while CROWD readers of each of two kinds sleep. */
static double crowd(enum lab_kind one, enum lab_kind other, int seconds)
{
	double before = load(), rise = 0;

	for (int i = 0; i < CROWD; i++) {
		await_sleep(one, start_reader(one, HANDLER));
		await_sleep(other, start_reader(other, HANDLER));
	}
	for (int i = 0; i < seconds * 10 && rise < RISE; i++) {
		usleep(100000);
		rise = load() - before;
	}
	set_gate("1");
	while (wait(NULL) > 0)
		continue;
	set_gate("0");
	return rise;
}

int main(void)
{
	double rise;

	gate = open("/dev/lab", O_RDWR);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gate < 0 || seen == MAP_FAILED) {
		printf("not passed: there is no /dev/lab\n");
		return 1;
	}
	printf("%-16s %-3s %-12s%-8s %-8s %-8s %s\n", "sleep", "ps", "wchan", "HANDLER",
	       "RESTART", "SIGTERM", "SIGKILL");
	for (int kind = 0; kind < LAB_KINDS; kind++)
		try_kind(kind);
	rise = crowd(LAB_INTERRUPTIBLE, LAB_IDLE, TWO_LOOKS);
	printf("\nload, with %d in S and %d in I:  %+.2f\n", CROWD, CROWD, rise);
	if (rise >= RISE)
		wrong("the load rises, though nobody sleeps in D");
	rise = crowd(LAB_KILLABLE, LAB_UNINTERRUPTIBLE, LONG);
	printf("load, with %d in D:            %+.2f\n", 2 * CROWD, rise);
	if (rise < RISE)
		wrong("the load does not rise, though %d readers sleep in D", 2 * CROWD);
	printf("passed\n");
	return 0;
}
