/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of one operation on its side, on the poll engine, as in module/op.h
 * and module/side.c, with the names used there.
 *
 * One thread submits it by CALL and sleeps until it has ended; a worker runs its
 * side when that is ready; the socket may get data; there is a deadline, of the
 * side or the operation's own; a second thread may move that of the side so that
 * it never passes, and a third may cancel.  What runs under the conn's lock is
 * written between lock and unlock; what is one machine instruction, or needs no
 * order in itself, is one step.
 *
 * Checked in every order of steps: the operation completes exactly once; whoever
 * waits is woken (else there is a state without a next step); nobody touches the
 * operation after it was given away; no attempt is in its memory once a cancel
 * has returned; it ends by deadline only while that has passed.
 *
 * Each FAULT_ takes one of the guards out; model/check shows that each is found.
 */
#define never_passes	(deadline == LATER)

mtype = { NEW, QUEUED, RUNNING, ENDING, FREE };
mtype = { NONE, DONE, DEADLINE, CANCELED };
mtype = { SOON, LATER };
mtype = { AWAKE, ASLEEP };

/* What there is in this run: chosen at the start. */
bool data_comes, deadline_moves, cancel_comes, deadline_is_own;

/* The operation. */
mtype state = NEW;
bool cancel_bit;
byte completions;
mtype reason = NONE;

/* The side and its conn. */
bool conn_lock;
bool again, is_ready;
mtype deadline = SOON;

/* The timers: under a lock of their own, each use of which is one step here. */
bool timer_queued, passed;

/* The socket, and the program's memory. */
bool data, in_memory;

/* The submitting thread. */
mtype task = AWAKE;
bool done;

inline lock()
{
	atomic { !conn_lock -> conn_lock = true }
}

inline unlock()
{
	conn_lock = false
}

/* A transition: model/states holds all of them against module/op.h. */
inline move(from, to)
{
	d_step { assert(state == from); state = to }
}

inline wake()
{
	task = AWAKE
}

/* cio_end_op(): the caller has won the operation, and has the lock. */
inline end_op(why)
{
	assert(state == ENDING);
	assert(why != DEADLINE || !never_passes);
	completions++;
	assert(completions == 1);
	reason = why;
	move(ENDING, FREE);
#ifdef FAULT_WAKE_BEFORE_PUBLISH
	wake();
	done = true
#else
	done = true;
	wake()
#endif
}

/* cio_timer_ensure(). */
inline timer_ensure()
{
	atomic {
		if
		:: deadline == SOON -> timer_queued = true
		:: else
		fi
	}
}

/* cio_ready(): to the worker, or to the thread that waits for it. */
inline make_ready()
{
	if
	:: state == QUEUED && !is_ready -> is_ready = true; wake()
	:: else
	fi
}

/* side_queue(): from here on anybody may win it. */
inline queue_op()
{
#ifdef FAULT_TIMER_BEFORE_QUEUED
	timer_ensure();
	move(RUNNING, QUEUED)
#else
	move(RUNNING, QUEUED);
	timer_ensure()
#endif
}

/* side_attempt() and side_settle(): the lock is held before and after. */
inline attempt()
{
	do
	:: again = false;
	   unlock();
	   in_memory = true;
	   atomic { got = data; data = false };
	   in_memory = false;
	   lock();
	   assert(state == RUNNING);
	   if
	   :: got -> move(RUNNING, ENDING); end_op(DONE); break
	   :: !got && cancel_bit -> move(RUNNING, ENDING); end_op(CANCELED); break
	   :: !got && !cancel_bit && passed && deadline == SOON ->
		move(RUNNING, ENDING); end_op(DEADLINE); break
#ifndef FAULT_NO_AGAIN
	   :: !got && again
#endif
	   :: else -> queue_op(); break
	   fi
	od
}

/* CALL: cio_side_start(), then cio_wait_call(). */
proctype submitter()
{
	bool got;

	lock();
	move(NEW, RUNNING);
	attempt();
	unlock();
	do
#ifdef FAULT_CHECK_BEFORE_STATE
	:: if
	   :: done -> break
	   :: else
	   fi;
	   task = ASLEEP;
#else
	:: task = ASLEEP;
	   if
	   :: done -> break
	   :: else
	   fi;
#endif
	   task == AWAKE
	od
}

/* cio_side_run(), by a worker. */
proctype worker()
{
	bool got;

	do
	:: is_ready ->
		lock();
		is_ready = false;
		atomic {
			if
			:: state == QUEUED -> move(QUEUED, RUNNING)
			:: else -> goto next
			fi
		}
		attempt();
next:		unlock()
	:: completions -> break
	od
}

/* cio_side_event(). */
inline event()
{
	lock();
	if
	:: state == RUNNING -> again = true
	:: else -> make_ready()
	fi;
	unlock()
}

/* An event that means nothing to this side, then the peer's data where it comes. */
proctype socket()
{
	event();
	if
	:: data_comes -> data = true; event()
	:: else
	fi
}

/*
 * The operation's own timer: with the timers' lock still held it wins the
 * operation or not, and only then takes the conn's lock.
 */
proctype op_timer()
{
	do
	:: passed && timer_queued ->
		atomic {
			timer_queued = false;
			if
#ifdef FAULT_NO_CAS
			:: state == RUNNING -> state = ENDING
#endif
			:: state == QUEUED -> move(QUEUED, ENDING)
			:: else -> goto next
			fi
		}
		lock();
		end_op(DEADLINE);
		unlock();
next:		skip
	:: completions -> break
	od
}

/*
 * The side's timer: taken out of its queue under the timers' lock, then the side
 * is swept under the conn's, by the clock as it is then.
 */
proctype side_timer()
{
	do
	:: passed && timer_queued ->
		timer_queued = false;
		lock();
		if
#ifdef FAULT_NO_CLOCK
		:: true ->
#else
		:: deadline == SOON ->
#endif
			atomic {
				if
				:: state == QUEUED -> move(QUEUED, ENDING)
				:: else -> goto next
				fi
			}
			end_op(DEADLINE)
		:: else
		fi;
next:		unlock()
	:: completions -> break
	od
}

proctype clock()
{
	passed = true
}

/* SET_DEADLINE to a time that never comes. */
proctype mover()
{
	lock();
	deadline = LATER;
	unlock()
}

/* CANCEL by conn: what waits ends here, what runs gets a note and is waited for. */
proctype canceller()
{
	bool noted, won;

	lock();
	atomic {
		if
		:: state == QUEUED -> move(QUEUED, ENDING); won = true
		:: state == RUNNING -> cancel_bit = true; noted = true
		:: else
		fi
	}
	if
	:: won -> end_op(CANCELED)
	:: else
	fi;
	unlock();
	if
#ifndef FAULT_CANCEL_DOES_NOT_WAIT
	:: noted -> completions
#endif
	:: else
	fi;
	assert(!noted || !in_memory)
}

/* Something ends the operation in every run: data, or the deadline. */
init
{
	atomic {
		if
		:: data_comes = true
		:: data_comes = false
		fi;
		if
		:: deadline_is_own = true
		:: deadline_is_own = false
		fi;
		if
		:: data_comes && !deadline_is_own -> deadline_moves = true
		:: deadline_moves = false
		fi;
		if
		:: cancel_comes = true
		:: cancel_comes = false
		fi;
		run submitter();
		run worker();
		if
		:: deadline_is_own -> run op_timer()
		:: else -> run side_timer()
		fi;
		run clock();
		run socket();
		if
		:: deadline_moves -> run mover()
		:: else
		fi;
		if
		:: cancel_comes -> run canceller()
		:: else
		fi
	}
	(_nr_pr == 1);
	assert(completions == 1)
}
