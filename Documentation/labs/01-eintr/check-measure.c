// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel does, seen from outside.  A child makes the call; once /proc says that it
 * sleeps in it, the event is sent; then it has either returned, or sleeps again, and then
 * /proc says in which call, and how often it has gone to sleep.  No time is measured, so a
 * slow machine gives the same table.
 *
 * The code that a call returns inside the kernel is seen by a tracer, who is asked before
 * the kernel turns it into something else.  Tracing changes what signals do (a tracer also
 * hears of ignored ones), so that this is a child of its own.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"
#include "proc.h"

/* What a child leaves for its parent. */
static struct {
	atomic_int handled;
	atomic_int failed_with;
} *seen;

static void give_up(const char *what)
{
	printf("not measured: %s\n", what);
	exit(2);
}

static void handle(int signal)
{
	(void)signal;
	seen->handled++;
}

static void prepare(enum event event)
{
	struct sigaction action = { .sa_handler = handle };

	if (event == RESTART)
		action.sa_flags = SA_RESTART;
	else if (event == IGNORED)
		action.sa_handler = SIG_IGN;
	if (event <= IGNORED)
		sigaction(SIGUSR1, &action, NULL);
}

static pid_t start(const struct call_to_measure *call, enum event event)
{
	pid_t pid;

	seen->handled = 0;
	seen->failed_with = 0;
	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prepare(event);
	seen->failed_with = call->make() < 0 ? errno : -1;
	_exit(0);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void await_sleep(const struct call_to_measure *call, pid_t pid)
{
	while (asleep_in(pid) != call->number) {
		if (waitpid(pid, NULL, WNOHANG))
			give_up(call->name);
		usleep(1000);
	}
}

static void send_event(pid_t pid, enum event event)
{
	if (event == STOPPED) {
		kill(pid, SIGSTOP);
		waitpid(pid, NULL, WUNTRACED);
		kill(pid, SIGCONT);
	} else {
		kill(pid, event == CHILD ? SIGCHLD : SIGUSR1);
	}
}

/* When kill(2) has returned, whoever was woken by it is not asleep any more. */
static enum fate fate_after(const struct call_to_measure *call, pid_t pid, long slept, bool handler)
{
	long number;

	for (;;) {
		if (waitpid(pid, NULL, WNOHANG))
			return seen->failed_with == EINTR ? FAILS : ASK;
		number = asleep_in(pid);
		if (number >= 0 && (!handler || seen->handled))
			break;
		usleep(1000);
	}
	if (times_slept(pid) == slept)
		number = -1;
	end(pid);
	return number < 0 ? SLEEPS : number == call->number ? AGAIN : GOES_ON;
}

static enum fate measure_fate(const struct call_to_measure *call, enum event event)
{
	pid_t pid = start(call, event);
	long slept;

	await_sleep(call, pid);
	slept = times_slept(pid);
	send_event(pid, event);
	return fate_after(call, pid, slept, event == HANDLER || event == RESTART);
}

/* Lets a traced child run to the end of the call that sleeps, and wakes it there. */
static int trace_code(const struct call_to_measure *call, pid_t pid)
{
	struct __ptrace_syscall_info info;
	bool woken = false;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL))
			give_up("ptrace");
		while (!waitpid(pid, NULL, WNOHANG)) {
			if (!woken && asleep_in(pid) == call->number) {
				woken = true;
				kill(pid, SIGUSR1);
			}
			usleep(1000);
		}
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
			give_up("ptrace");
		if (woken && info.op == PTRACE_SYSCALL_INFO_EXIT)
			return -info.exit.rval;
	}
}

static int measure_code(const struct call_to_measure *call)
{
	pid_t pid;
	int code;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		call->make();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	code = trace_code(call, pid);
	end(pid);
	return code;
}

static void measure_place(const struct call_to_measure *call, char *text, size_t size)
{
	pid_t pid = start(call, CHILD);

	await_sleep(call, pid);
	read_proc(pid, "wchan", text, size);
	end(pid);
}

void measure(const struct call_to_measure *call, struct measurement *m)
{
	if (!seen)
		seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	measure_place(call, m->slept_in, sizeof(m->slept_in));
	m->code = measure_code(call);
	for (int event = 0; event < EVENTS; event++)
		m->fate[event] = measure_fate(call, event);
}
