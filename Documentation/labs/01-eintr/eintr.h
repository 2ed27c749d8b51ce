/* SPDX-License-Identifier: GPL-2.0 */
/* The words of the table: what is predicted here, and what check.c measures. */
#ifndef LAB_EINTR_H
#define LAB_EINTR_H

#include <errno.h>

/*
 * What a call that sleeps returns inside the kernel when a signal has woken it.  EINTR is
 * the one that programs know; the others never reach a program.
 */
#define ERESTARTSYS		512
#define ERESTARTNOINTR		513
#define ERESTARTNOHAND		514
#define ERESTART_RESTARTBLOCK	516

/* What becomes of the call then. */
enum fate {
	ASK,		/* nothing said yet */
	FAILS,		/* it returns -1, and errno is EINTR */
	AGAIN,		/* the same call begins anew, and sleeps again */
	GOES_ON,	/* restart_syscall(2) is called instead, and sleeps for what is left */
	SLEEPS,		/* it does not wake at all */
};

/* What happens to the process while it sleeps in the call. */
enum event {
	HANDLER,	/* SIGUSR1 comes, with a handler installed without flags */
	RESTART,	/* the same, installed with SA_RESTART */
	IGNORED,	/* the same, and SIGUSR1 is set to SIG_IGN */
	STOPPED,	/* SIGSTOP comes, and then SIGCONT */
	CHILD,		/* SIGCHLD comes, and nobody ever asked for it (SIG_DFL) */
	EVENTS
};

enum call {
	READ_PIPE,
	READ_SOCKET,
	RECV_TIMEO,	/* recv, and the socket has SO_RCVTIMEO */
	ACCEPT,
	CONNECT,	/* blocks, for the listener's queue is full */
	POLL,
	PPOLL,
	EPOLL_WAIT,
	NANOSLEEP,	/* relative */
	CLOCK_NANOSLEEP,	/* TIMER_ABSTIME: until a point in time */
	FUTEX_WAIT_EVER,	/* without a timeout */
	FUTEX_WAIT_TIME,	/* with one */
	FUTEX_LOCK,	/* FUTEX_LOCK_PI on a lock that somebody holds */
	CALLS
};

struct prediction {
	int code;
	enum fate fate[EVENTS];
};

extern const struct prediction predictions[CALLS];

#endif
