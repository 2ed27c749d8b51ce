// SPDX-License-Identifier: GPL-2.0
/*
 * The table as the kernel fills it.  A row follows from its first word: see handle_signal() and
 * arch_do_signal_or_restart() in arch/x86/kernel/signal.c, which look at nothing else.
 */
#include "eintr.h"

const struct prediction predictions[CALLS] = {
	[READ_PIPE] = {
		ERESTARTSYS, { FAILS, AGAIN, SLEEPS, AGAIN, SLEEPS },
	},
	[READ_SOCKET] = {
		ERESTARTSYS, { FAILS, AGAIN, SLEEPS, AGAIN, SLEEPS },
	},
	[RECV_TIMEO] = {
		EINTR, { FAILS, FAILS, SLEEPS, FAILS, SLEEPS },
	},
	[ACCEPT] = {
		ERESTARTSYS, { FAILS, AGAIN, SLEEPS, AGAIN, SLEEPS },
	},
	[CONNECT] = {
		ERESTARTSYS, { FAILS, AGAIN, SLEEPS, AGAIN, SLEEPS },
	},
	[POLL] = {
		ERESTART_RESTARTBLOCK, { FAILS, FAILS, SLEEPS, GOES_ON, SLEEPS },
	},
	[PPOLL] = {
		ERESTARTNOHAND, { FAILS, FAILS, SLEEPS, AGAIN, SLEEPS },
	},
	[EPOLL_WAIT] = {
		EINTR, { FAILS, FAILS, SLEEPS, FAILS, SLEEPS },
	},
	[NANOSLEEP] = {
		ERESTART_RESTARTBLOCK, { FAILS, FAILS, SLEEPS, GOES_ON, SLEEPS },
	},
	[CLOCK_NANOSLEEP] = {
		ERESTARTNOHAND, { FAILS, FAILS, SLEEPS, AGAIN, SLEEPS },
	},
	[FUTEX_WAIT_EVER] = {
		ERESTARTSYS, { FAILS, AGAIN, SLEEPS, AGAIN, SLEEPS },
	},
	[FUTEX_WAIT_TIME] = {
		ERESTART_RESTARTBLOCK, { FAILS, FAILS, SLEEPS, GOES_ON, SLEEPS },
	},
	[FUTEX_LOCK] = {
		ERESTARTNOINTR, { AGAIN, AGAIN, SLEEPS, AGAIN, SLEEPS },
	},
};
