// SPDX-License-Identifier: GPL-2.0
/*
 * Your table.  A row is a call that sleeps; eintr.h says what the words mean.
 *
 * In a row, first comes what the call returns inside the kernel when a signal wakes it:
 * EINTR, ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND or ERESTART_RESTARTBLOCK.  Then what
 * becomes of it: FAILS, AGAIN, GOES_ON or SLEEPS.
 *
 * YOUR PART: replace each ASK.
 */
#include "eintr.h"

const struct prediction predictions[CALLS] = {
	/*			code	HANDLER	RESTART	IGNORED	STOPPED	CHILD */
	[READ_PIPE]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[READ_SOCKET]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[RECV_TIMEO]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[ACCEPT]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[CONNECT]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[POLL]		    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[PPOLL]		    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[EPOLL_WAIT]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[NANOSLEEP]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[CLOCK_NANOSLEEP]   = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[FUTEX_WAIT_EVER]   = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[FUTEX_WAIT_TIME]   = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
	[FUTEX_LOCK]	    = { ASK,  { ASK,	ASK,	ASK,	ASK,	ASK } },
};
