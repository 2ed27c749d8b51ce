/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of two operations on one side, on the thread engine, as in module/op.h,
 * side.c, sleeper.c and engine_thread.c, with the names used there.
 *
 * A is submitted by CALL, whose thread sleeps until it has ended; B any time
 * after, perhaps for a worker only.  A worker that is handed the side keeps it:
 * it tries what is queued, sleeps for the first that waits (BLOCKED), and so on
 * until none is left.  Who wins an operation that is BLOCKED, the deadline or a
 * cancel, leaves the outcome with the sleeper and signals it; the sleeper
 * publishes.  There may be data; the deadline is that of the side, which may be
 * moved so that it never passes, or each operation's own; a thread may cancel A,
 * or both; and a signal may come from nowhere.
 *
 * Checked in every order of steps: each operation completes exactly once; whoever
 * waits is woken (else there is a state without a next step); a deadline decides
 * nothing before it has passed or after it was cleared; no operation ends by a
 * signal or a cancel meant for the other; nobody touches an operation that was
 * given away, a CALL that has returned, or a worker that has left; no signal
 * outlives its operation; what was pending when a cancel came has ended when that
 * returns.
 *
 * Each FAULT_ takes one of the guards out; model/check shows that each is found.
 */
#define A	0
#define B	1
#define NOBODY	2

#define all_done	(completions[A] && completions[B])
#if defined(FAULT_TRUST_SIGNAL)
#define TRUSTED_LEAVES	false
#elif defined(FAULT_TRUST_WITHOUT_DRAIN)
#define TRUSTED_LEAVES	true
#endif
#define expired		(passed && (deadline_is_own || deadline == SOON))

mtype = { NEW, QUEUED, RUNNING, BLOCKED, ENDING, FREE };
mtype = { NONE, DONE, DEADLINE, CANCELED };
mtype = { SOON, LATER };
mtype = { AWAKE, ASLEEP };

/* What there is in this run: chosen at the start. */
byte units;
bool deadline_is_own, for_worker, budget_ends, cancel_is_for_a;

/* The operations. */
mtype state[2] = NEW;
bool cancel_bit[2];
byte completions[2];

/* The side and its conn. */
bool conn_lock;
bool again, is_ready;
byte running = NOBODY;
mtype deadline = SOON;

/* The timers of the operations, or in [A] that of the side; a lock of their own. */
bool timer_queued[2];
bool passed;

/* The socket, and the program's memory. */
byte data;
bool in_memory[2];

/* The worker as a sleeper: the operation it sleeps for, and the outcome. */
byte sleeper = NOBODY;
bool news;
mtype decided = NONE;
mtype task = AWAKE;
bool signal, strayed, worker_left;

/* The thread in CALL. */
mtype call_task = AWAKE;
bool call_done, call_left;

inline lock()
{
	atomic { !conn_lock -> conn_lock = true }
}

inline unlock()
{
	conn_lock = false
}

/* A transition: model/states holds all of them against module/op.h. */
inline move(op, from, to)
{
	d_step { assert(state[op] == from); state[op] = to }
}

/* cio_end_op(): the caller has won the operation, and has the lock. */
inline end_op(op, why)
{
	atomic {
		assert(state[op] == ENDING);
		assert(why != NONE);
		assert(why != CANCELED || op == A || !cancel_is_for_a);
		completions[op]++;
		assert(completions[op] == 1);
#ifndef FAULT_TIMER_STAYS
		timer_queued[op] = timer_queued[op] && !deadline_is_own;
#endif
		move(op, ENDING, FREE)
	}
	if
	:: op == A ->
		call_done = true;
		atomic { assert(!call_left); call_task = AWAKE }
	:: else
	fi
}

inline send_signal()
{
	atomic {
		assert(!worker_left);
		signal = true;
		task = AWAKE
	}
}

/* The caller has won an operation that was BLOCKED, and has the lock. */
inline decide(why)
{
	assert(decided == NONE);
#ifdef FAULT_SIGNAL_OUTSIDE_LOCK
	decided = why;
	unlock();
	send_signal();
	lock()
#else
	decided = why;
	send_signal()
#endif
}

/* The caller has won the operation: from the queue, or from its sleeper. */
inline end_won(op, why)
{
	assert(why != DEADLINE || expired);
	if
#ifndef FAULT_WINNER_PUBLISHES
	:: sleeper == op -> decide(why)
#endif
	:: else -> end_op(op, why)
	fi
}

/* cio_ready(): to the pool, where the worker finds it. */
inline make_ready()
{
	is_ready = is_ready || (running == NOBODY &&
				(state[A] == QUEUED || state[B] == QUEUED))
}

/* cio_timer_ensure(), in side_queue(). */
inline timer_ensure(op)
{
	if
	:: deadline_is_own -> timer_queued[op] = true
	:: !deadline_is_own && deadline == SOON -> timer_queued[A] = true
	:: else
	fi
}

/* side_attempt() and side_settle() of a RUNNING one: the lock is held before and after. */
inline attempt(op)
{
	running = op;
	do
	:: atomic {
		again = false;
		in_memory[op] = true;
		unlock()
	   };
	   atomic {
		got = data > 0;
		data = data - got;
		in_memory[op] = false
	   };
	   atomic {
		lock();
		assert(state[op] == RUNNING && running == op);
		if
		:: got -> why = DONE
		:: !got && cancel_bit[op] -> why = CANCELED
		:: !got && !cancel_bit[op] && expired -> why = DEADLINE
		:: else -> why = NONE
		fi;
		if
		:: why == NONE && again
		:: why == NONE && !again ->
			running = NOBODY; move(op, RUNNING, QUEUED); timer_ensure(op); break
		:: why != NONE ->
			running = NOBODY; move(op, RUNNING, ENDING); got = false; break
		fi
	   }
	od;
	if
	:: why != NONE -> end_op(op, why)
	:: else
	fi
}

/* CALL: cio_side_start(), then cio_wait_call(). */
proctype submitter_a()
{
	mtype why = NONE;
	bool got;

	atomic { lock(); move(A, NEW, RUNNING) };
	attempt(A);
	atomic { make_ready(); unlock() };
	do
	:: call_task = ASLEEP;
	   if
	   :: call_done -> break
	   :: else
	   fi;
	   call_task == AWAKE
	od;
#ifdef FAULT_CALL_LEAVES_WITHOUT_LOCK
	call_left = true
#else
	atomic { lock(); call_left = true; unlock() }
#endif
}

/* SUBMIT: cio_side_start(); where it is to be left to a worker it is not tried here. */
proctype submitter_b()
{
	mtype why = NONE;
	bool got;

	atomic { state[A] != NEW -> lock() };
	if
	:: expired -> move(B, NEW, ENDING); end_op(B, DEADLINE)
	:: !expired && running == NOBODY && state[A] == FREE && !for_worker ->
		move(B, NEW, RUNNING); attempt(B)
	:: !expired && (running != NOBODY || state[A] != FREE || for_worker) ->
		atomic { move(B, NEW, QUEUED); timer_ensure(B) }
	fi;
	atomic { make_ready(); unlock() }
}

/* thread_sleep(): until there is news, or a signal. */
inline sleep()
{
	do
#ifdef FAULT_STATE_AFTER_CHECK
	:: if
	   :: news || signal -> break
	   :: else
	   fi;
	   task = ASLEEP;
#else
	:: task = ASLEEP;
	   if
	   :: news || signal -> break
	   :: else
	   fi;
#endif
	   (task == AWAKE || signal)
	od;
	task = AWAKE
}

/*
 * thread_serve(), by a worker: it has the side until cio_sleeper_block() finds nothing
 * to sleep for; @is_ready stays set.  Its budget may be used up at any time.
 */
proctype worker()
{
	byte op, tried;
	mtype why = NONE;
	bool got;

	do
	:: is_ready ->
serve:		tried = NOBODY;
		lock();
		/* side_run() */
		do
		:: atomic {
			if
			:: running == NOBODY && state[A] == QUEUED -> op = A
			:: running == NOBODY && state[A] != QUEUED && state[B] == QUEUED -> op = B
			:: budget_ends -> break
			:: running != NOBODY || (state[A] != QUEUED && state[B] != QUEUED) -> break
			fi;
			move(op, QUEUED, RUNNING)
		   };
		   if
		   :: expired -> atomic { why = DEADLINE; move(op, RUNNING, ENDING) }; end_op(op, why)
		   :: else -> attempt(op)
		   fi;
		   atomic {
			if
			:: why == NONE -> tried = op; break
			:: else -> why = NONE
			fi
		   }
		od;
		unlock();
		/* cio_sleeper_block() */
		atomic {
			lock();
			if
			:: running == NOBODY && state[A] == QUEUED -> op = A
			:: running == NOBODY && state[A] != QUEUED && state[B] == QUEUED -> op = B
			:: else -> is_ready = false; unlock(); goto idle
			fi;
#ifdef FAULT_BLOCK_WITHOUT_CAS
		}
		atomic {
			state[op] = BLOCKED;
#else
			move(op, QUEUED, BLOCKED);
#endif
			sleeper = op;
#ifdef FAULT_BLOCK_UNTRIED
			news = again;
#else
			news = again || op != tried;
#endif
			unlock()
		}
		/* thread_wait(), cio_sleeper_unblock() */
		do
		:: sleep();
		   atomic {
			lock();
#ifdef TRUSTED_LEAVES
			if
			:: signal ->
				state[op] = ENDING;
				signal = TRUSTED_LEAVES;
				break
			:: else
			fi;
#endif
			assert(!signal || decided != NONE || strayed);
			strayed = false;
#if !defined(FAULT_NO_DRAIN) && !defined(FAULT_TRUST_WITHOUT_DRAIN)
#ifdef FAULT_DRAIN_AFTER_LOCK
			signal = signal && decided == NONE;
#else
			signal = false;
#endif
#endif
			if
			:: decided != NONE -> break
			:: decided == NONE && news && state[op] == BLOCKED ->
				move(op, BLOCKED, QUEUED);
				sleeper = NOBODY;
				news = false;
				unlock();
				goto serve
			:: else -> news = false; unlock()
			fi
		   };
#ifdef FAULT_DRAIN_AFTER_LOCK
		   signal = false
#endif
		od;
		/* sleeper_end() */
		atomic {
			assert(state[op] == ENDING);
			why = decided;
			decided = NONE;
			sleeper = NOBODY;
			news = false
		};
		end_op(op, why);
#ifdef FAULT_NO_LOOK_BACK
		atomic { why = NONE; is_ready = false; unlock(); goto idle };
#endif
		atomic { why = NONE; unlock() };
		goto serve;
idle:		tried = NOBODY
	:: all_done -> break
	od;
	worker_left = true
}

/* cio_side_event(). */
inline event()
{
#ifdef FAULT_WAKE_BEFORE_NEWS
	lock();
	if
	:: sleeper != NOBODY -> task = AWAKE; news = true
	:: else -> again = true
	fi;
	unlock()
#else
	atomic {
		lock();
		if
		:: sleeper != NOBODY -> news = true; task = AWAKE
#ifndef FAULT_NO_AGAIN
		:: sleeper == NOBODY -> again = true
#endif
		:: else
		fi;
		unlock()
	}
#endif
}

/* An event that means nothing to this side, then the peer's data where it comes. */
proctype socket()
{
	event();
	do
	:: atomic { units -> units--; data++ };
	   event()
	:: !units -> break
	od
}

/*
 * The operations' own timers: with the timers' lock still held an operation is won
 * or not, and only then the conn's lock is taken.
 */
proctype op_timer()
{
	byte op;

	do
	:: atomic {
		passed && (timer_queued[A] || timer_queued[B]) ->
		op = (timer_queued[A] -> A : B);
		timer_queued[op] = false;
		assert(state[op] != FREE);
		if
#ifdef FAULT_NO_CAS
		:: state[op] == RUNNING -> state[op] = ENDING
#endif
		:: state[op] == QUEUED -> move(op, QUEUED, ENDING)
		:: state[op] == BLOCKED -> move(op, BLOCKED, ENDING)
		:: else -> goto next
		fi
	   };
	   lock();
	   end_won(op, DEADLINE);
	   atomic { make_ready(); unlock() };
next:	   op = A
	:: all_done -> break
	od
}

/* One operation of a side that is swept; the lock is held. */
inline sweep(op, why)
{
	atomic {
		if
		:: state[op] == QUEUED -> move(op, QUEUED, ENDING); won = true
		:: state[op] == BLOCKED -> move(op, BLOCKED, ENDING); won = true
		:: else -> won = false
		fi
	}
	if
	:: won -> end_won(op, why)
	:: else
	fi
}

/* The side's timer: swept by the clock as it is under the lock. */
proctype side_timer()
{
	bool won;

	do
	:: atomic { passed && timer_queued[A] -> timer_queued[A] = false };
	   lock();
	   if
#ifndef FAULT_NO_CLOCK
	   :: deadline == LATER -> skip
#endif
	   :: else -> sweep(A, DEADLINE); sweep(B, DEADLINE)
	   fi;
	   atomic { make_ready(); won = false; unlock() }
	:: all_done -> break
	od
}

proctype clock()
{
	passed = true
}

/* SET_DEADLINE to a time that never comes. */
proctype mover()
{
	atomic { lock(); deadline = LATER; unlock() }
}

/* Not one of ours: no decision goes with it. */
proctype stray()
{
#ifndef FAULT_TRUST_WITHOUT_DRAIN
	atomic {
		if
		:: !worker_left -> strayed = true; signal = true; task = AWAKE
		:: else
		fi
	}
#else
	skip
#endif
}

/* What waits ends here; what a thread has, or somebody ends, is waited for. */
inline cancel(op)
{
	atomic {
		if
		:: state[op] == NEW || state[op] == FREE
		:: else -> hit[op] = true
		fi;
		cancel_bit[op] = state[op] == RUNNING
	}
	sweep(op, CANCELED)
}

proctype canceller()
{
	bool hit[2], won;

	lock();
	cancel(A);
	if
	:: !cancel_is_for_a -> cancel(B)
	:: else
	fi;
	atomic { make_ready(); unlock() };
#ifndef FAULT_CANCEL_DOES_NOT_WAIT
	!hit[A] || completions[A];
	!hit[B] || completions[B];
#endif
	assert(!hit[A] || (completions[A] && !in_memory[A]));
	assert(!hit[B] || (completions[B] && !in_memory[B]))
}

/*
 * Something ends each operation in every run: data for both where the deadline may
 * be cleared, else the deadline.
 */
init
{
	atomic {
		if
		:: run mover(); units = 2; for_worker = true
		:: run mover(); units = 2; budget_ends = true
		:: run stray()
		:: run stray(); units = 1
		:: run canceller()
		:: run canceller(); units = 1; cancel_is_for_a = true
		fi;
		if
		:: units < 2 -> deadline_is_own = true; run op_timer()
		:: run side_timer()
		fi;
		run submitter_a();
		run submitter_b();
		run worker();
		run clock();
		run socket()
	}
	(_nr_pr == 1);
	assert(all_done)
}
