/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a context, on either engine, as in module/ctx.c, conn.c, pool.c,
 * worker.c and owner.c, with the names used there.
 *
 * A thread of the owner attaches a socket, submits an operation, perhaps detaches,
 * and exits, or executes another program, which keeps the file for as long as
 * anything is left; another perhaps calls SHUTDOWN, and exits; somebody else perhaps
 * holds a copy of the descriptor.  The owner's end is noticed when its memory or its
 * last thread goes, or by a look at what it runs; the file's release comes with
 * its last reference; and a worker may find the memory gone: all of them end the
 * context, at once if need be.  Meanwhile there is one worker, the socket may get
 * data, and the side's timer may come.  The program may hold up a page that the
 * worker's attempt needs, for ever.
 *
 * Checked in every order of steps: it all ends (there is no state without a next
 * step); the conn is freed once, with nothing on it that could be used later, and
 * not used afterwards; nor is the context; its operation completes once; the pool
 * stops only when no conn lives, and the worker leaves only then.
 *
 * Each FAULT_ takes one of the guards out; model/check shows that each is found.
 */
mtype = { NEW, QUEUED, RUNNING, BLOCKED, ENDING, FREE };
mtype = { AWAKE, ASLEEP };

/* What there is in this run: chosen at the start. */
bool threads, page_is_held;

/* The context: one reference of the file, one of the worker. */
byte ctx_refs = 2;
bool ctx_lock, ctx_dead, ctx_gone;
byte live_conns;

/* The conn, its place in the table, and its entry in the socket's wait queue. */
byte refs;
bool conn_lock, conn_gone;
bool in_table, watched, closed;

/* The operation, on a side. */
mtype state = NEW;
bool again, is_ready, asleep, news, interrupted;
byte completions;

/* The pool, and the timers: each use under a lock of their own is one step here. */
bool ready, orphan, stop, idle;
bool timer_queued, in_timer;

/* The worker's thread. */
mtype task = AWAKE;
bool killed;

/* The owner. */
bool owner_lock, is_owned = true, executed, look_queued, in_look;
byte mm_users, file_refs, threads_left;
bool data, waits_for_end;

inline use_ctx()
{
	assert(!ctx_gone)
}

inline use_conn()
{
	assert(!conn_gone)
}

inline lock_conn()
{
	atomic { !conn_lock -> use_conn(); conn_lock = true }
}

inline unlock_conn()
{
	conn_lock = false
}

/* Where an idle worker is woken. */
inline pool_wake()
{
	use_ctx();
	if
	:: idle -> idle = false; task = AWAKE
	:: else
	fi
}

/* cio_ctx_wake_ends(). */
inline wake_ends()
{
	atomic { use_ctx(); waits_for_end = false }
}

/* cio_pool_stop(), by ctx_drained(). */
inline drained()
{
	atomic {
		assert(ctx_dead && !live_conns);
		stop = true;
		pool_wake();
		waits_for_end = false
	}
}

/* conn_free(), and cio_ctx_conn_freed(). */
inline conn_free()
{
	atomic {
		use_conn();
		assert(!refs && !in_table && !ready && !is_ready);
		assert(state == NEW || state == FREE);
		conn_gone = true;
#ifndef FAULT_TIMER_STAYS
		timer_queued = false
#endif
	};
	atomic { use_ctx(); live_conns--; last = !live_conns };
	if
	:: last && ctx_dead -> drained()
	:: else
	fi;
	wake_ends()
}

/* cio_pool_add_orphan(); a worker looks for it by itself. */
inline add_orphan(by_worker)
{
	atomic { use_ctx(); assert(!orphan); orphan = true };
#ifndef FAULT_ORPHAN_WITHOUT_WAKE
	atomic {
		if
		:: !idle && !by_worker -> task = AWAKE
		:: else
		fi;
		pool_wake()
	}
#endif
}

/* cio_conn_put(), by a thread of the owner or not. */
inline conn_put(by_owner)
{
	atomic { use_conn(); refs--; last = !refs };
	if
	:: !last -> wake_ends()
	:: last && by_owner -> conn_free()
	:: last && !by_owner -> add_orphan(false)
	fi
}

/* cio_conn_put_async(). */
inline conn_put_async(by_worker)
{
	atomic { use_conn(); refs--; last = !refs };
	if
	:: last -> add_orphan(by_worker)
	:: else
	fi
}

/* A transition: model/states holds all of them against module/op.h. */
inline move(from, to)
{
	d_step { assert(state == from); state = to }
}

/* cio_end_op(): the lock is held, and the caller has a reference of its own. */
inline end_op()
{
	atomic {
		assert(state == ENDING && conn_lock && refs > 1);
		refs--;
		move(ENDING, FREE);
		completions++;
		assert(completions == 1)
	}
}

/*
 * cio_ready(): a side with something to run goes on the pool's list, one without is
 * taken off it; the lock is held.
 */
inline make_ready()
{
	if
	:: state == QUEUED && !is_ready ->
		is_ready = true;
		refs++;
		ready = true;
		pool_wake()
	:: state != QUEUED && state != RUNNING && ready ->
		ready = false;
		is_ready = false;
		refs--;
		assert(refs)
	:: else
	fi
}

/* side_sweep(), by who may end everything that waits: the lock is held. */
inline sweep()
{
	if
	:: state == QUEUED -> move(QUEUED, ENDING); end_op()
	:: state == BLOCKED ->
		move(BLOCKED, ENDING);
		assert(asleep);
		interrupted = true;
		task = AWAKE
	:: else
	fi;
	make_ready()
}

/* cio_side_close(); the lock is held. */
inline side_close()
{
	closed = true;
	sweep()
}

/* cio_conn_get_slot(). */
inline conn_get()
{
	atomic {
		use_ctx();
		got = in_table && refs;
		refs = refs + got
	}
}

/* cio_conn_close(): the table's reference becomes the caller's. */
inline conn_close()
{
	atomic { !ctx_lock -> use_ctx(); mine = in_table; in_table = false };
	if
	:: mine ->
#ifdef FAULT_CLOSE_WITHOUT_SWEEP
		atomic { lock_conn(); closed = true; unlock_conn() };
#else
		atomic { lock_conn(); side_close(); unlock_conn() };
#endif
#ifndef FAULT_WATCH_STAYS
		watched = false
#endif
	:: else
	fi
}

/* ctx_close_conns(): all conns that are there. */
inline close_conns(by_owner)
{
	conn_get();
	if
	:: got ->
		conn_close();
		if
		:: mine -> conn_put(by_owner)
		:: else
		fi;
		conn_put(by_owner)
	:: else
	fi
}

/* cio_ctx_end(). */
inline ctx_end(by_owner)
{
#if defined(FAULT_DEAD_AFTER_WALK)
	close_conns(by_owner);
	atomic { !ctx_lock -> use_ctx(); ctx_dead = true };
	last = !live_conns;
#elif defined(FAULT_COUNT_BEFORE_DEAD)
	last = !live_conns;
	atomic { !ctx_lock -> use_ctx(); ctx_dead = true };
	close_conns(by_owner);
#else
	atomic { !ctx_lock -> use_ctx(); ctx_dead = true };
	close_conns(by_owner);
#ifdef FAULT_STOP_WITHOUT_COUNT
	last = true;
#else
	atomic { use_ctx(); last = !live_conns };
#endif
#endif
	if
	:: last -> drained()
	:: else
	fi;
	assert(!in_table)
}

/* ctx_owner_ended(): cio_ctx_end(), and cio_workers_kill(). */
inline owner_ended(by_owner)
{
	ctx_end(by_owner);
#ifndef FAULT_NO_KILL
	atomic {
		use_ctx();
		if
		:: task == ASLEEP && !idle -> task = AWAKE
		:: else
		fi;
		killed = true
	}
#endif
}

/* cio_ctx_put(): it waits for the timers' callback. */
inline ctx_put()
{
	atomic { use_ctx(); ctx_refs--; last = !ctx_refs };
	if
	:: last ->
#ifndef FAULT_TIMERS_NOT_STOPPED
		!in_timer;
#endif
#ifndef FAULT_LOOK_NOT_STOPPED
		atomic { !in_look -> look_queued = false };
#endif
		atomic {
			assert(!live_conns && !timer_queued && !orphan);
			ctx_gone = true
		}
	:: else
	fi
}

/* The file's: cio_ctx_release() with the last one. */
inline file_put(by_owner)
{
	atomic { file_refs--; last = !file_refs };
	if
	:: last ->
#ifndef FAULT_STAYS_OWNED
		atomic { !owner_lock -> is_owned = false };
#endif
		owner_ended(by_owner);
		ctx_put()
	:: else
	fi
}

/* ATTACH. */
inline attach()
{
	atomic {
		!ctx_lock -> use_ctx();
		if
		:: !ctx_dead ->
			refs = 1;
			live_conns++;
			in_table = true;
			watched = true
		:: else
		fi
	}
}

/* SUBMIT, after an attempt that would have waited. */
inline submit()
{
	conn_get();
	if
	:: got ->
		atomic {
			lock_conn();
			if
			:: !closed ->
				move(NEW, QUEUED);
				refs++;
				timer_queued = true;
				if
				:: threads || data -> make_ready()
				:: else
				fi
			:: else
			fi;
			unlock_conn()
		};
		conn_put(true)
	:: else
	fi
}

/* DETACH: it sleeps until nobody else has the conn, or a signal comes. */
inline detach()
{
	conn_get();
	if
	:: got ->
		conn_close();
		if
		:: mine ->
			conn_put(true);
			do
			:: waits_for_end = true;
			   if
			   :: refs == 1 -> break
			   :: else
			   fi;
			   if
			   :: !waits_for_end
			   :: page_is_held -> break
			   fi
			od
		:: else
		fi;
		conn_put(true)
	:: else
	fi
}

/* The end of a thread, or of its program: of its use of the memory, and of the file. */
inline thread_exit(executes)
{
	atomic { mm_users--; executed = executes };
	!executes || (ctx_dead && !live_conns);
	file_put(true);
	threads_left--
}

proctype program(bool detaches; bool executes)
{
	bool got, last, mine;

	attach();
	submit();
	if
	:: detaches -> detach()
	:: else
	fi;
	thread_exit(executes)
}

proctype shutdown()
{
	bool got, last, mine;

	ctx_end(true);
	thread_exit(false)
}

/* It has a descriptor, and closes it. */
proctype other()
{
	bool got, last, mine;

	file_put(false)
}

/* owner_release() or owner_work(): in a thread of the owner, or in any other. */
proctype death(bool by_owner)
{
	bool got, last, mine;

	!mm_users || !threads_left;
#ifdef FAULT_DEATH_WITHOUT_LOCK
	if
	:: is_owned -> owner_ended(by_owner)
	:: else
	fi
#else
	atomic { !owner_lock -> owner_lock = true };
	if
	:: is_owned -> owner_ended(by_owner)
	:: else
	fi;
	owner_lock = false
#endif
}

/* owner_look(): queued again as long as it sees the program that it was. */
proctype look()
{
	bool got, last, mine;

	do
#ifndef FAULT_NO_LOOK
	:: atomic { look_queued && executed -> use_ctx(); look_queued = false; in_look = true };
	   owner_ended(false);
	   atomic { use_ctx(); in_look = false }
#endif
	:: ctx_gone -> break
	od
}

/* cio_side_event(), under the lock of the socket's wait queue. */
proctype socket()
{
	atomic {
		!watched || !conn_lock ->
		data = true;
		if
		:: watched ->
			lock_conn();
			if
			:: asleep -> news = true; task = AWAKE
			:: !asleep && (threads || state == RUNNING) -> again = true
			:: !asleep && !threads && state != RUNNING -> make_ready()
			fi;
			unlock_conn()
		:: else
		fi
	}
}

/* timers_fire(), of one timer of the side. */
proctype timer()
{
	bool last;

	do
	:: atomic {
		timer_queued ->
		use_ctx();
		use_conn();
		timer_queued = false;
		in_timer = true;
#ifdef FAULT_REF_FROM_ZERO
		refs++;
#else
		if
		:: refs -> refs++
		:: else -> goto next
		fi
#endif
	   };
	   atomic { lock_conn(); sweep(); unlock_conn() };
	   conn_put_async(false);
next:	   atomic { use_ctx(); waits_for_end = false; in_timer = false; last = false }
	:: ctx_gone -> break
	od
}

/* cio_worker_enter(): worker_bury() where the memory is gone. */
inline enter()
{
	atomic {
		entered = mm_users > 0;
		mm_users = mm_users + entered;
		look_queued = look_queued || entered
	};
	if
	:: !entered -> ctx_end(false)
	:: else
	fi
}

/* side_run(): the lock is held before and after. */
inline run_side()
{
	if
	:: state == QUEUED && closed -> move(QUEUED, ENDING); end_op()
	:: state == QUEUED && !closed ->
		move(QUEUED, RUNNING);
		do
		:: atomic { again = false; unlock_conn() };
		   atomic { !page_is_held || killed -> got = data };
		   atomic {
			lock_conn();
			if
			:: got || closed -> move(RUNNING, ENDING); end_op(); break
			:: !got && !closed && again
			:: else -> move(RUNNING, QUEUED); break
			fi
		   }
		od
	:: else
	fi
}

/* poll_turn(): the memory first, then what is ready. */
inline poll_turn()
{
	enter();
	atomic { use_ctx(); got = ready; ready = false; last = false; mine = false };
	if
	:: got && entered ->
		atomic { lock_conn(); is_ready = false };
		run_side();
		unlock_conn();
		conn_put_async(true);
		wake_ends()
	:: got && !entered ->
		atomic { lock_conn(); side_close(); unlock_conn() };
		atomic { lock_conn(); is_ready = false; make_ready(); unlock_conn() };
		conn_put(false)
	:: else
	fi;
	mm_users = mm_users - entered
}

/* thread_serve(): the side is the worker's until nothing is left on it. */
inline thread_turn()
{
	atomic { use_ctx(); got = ready; ready = false; last = false; mine = false };
	if
	:: got ->
		do
		:: enter();
		   if
		   :: entered ->
			lock_conn();
			run_side();
			unlock_conn()
		   :: else -> atomic { lock_conn(); side_close(); unlock_conn() }
		   fi;
		   mm_users = mm_users - entered;
		   atomic {
			lock_conn();
			if
			:: state == QUEUED ->
				move(QUEUED, BLOCKED);
				asleep = true;
				news = again
			:: else ->
				is_ready = false;
				unlock_conn();
				break
			fi;
			unlock_conn()
		   };
		   do
		   :: task = ASLEEP;
		      if
		      :: news || interrupted || killed || orphan -> task = AWAKE
		      :: else
		      fi;
		      task == AWAKE;
		      free_orphans();
		      atomic {
			lock_conn();
			killed = false;
			if
			:: interrupted ->
				asleep = false;
				interrupted = false;
				end_op();
				unlock_conn();
				break
			:: !interrupted && news && state == BLOCKED ->
				move(BLOCKED, QUEUED);
				asleep = false;
				news = false;
				unlock_conn();
				break
			:: else -> news = false; unlock_conn()
			fi
		      }
		   od
		od;
		conn_put_async(true);
		wake_ends()
	:: else
	fi
}

/* cio_conn_free_orphans(). */
inline free_orphans()
{
	atomic { use_ctx(); got = orphan; orphan = false; last = false };
	if
	:: got -> conn_free()
	:: else
	fi
}

proctype worker()
{
	bool got, last, mine, entered;

	do
	:: free_orphans();
	   if
	   :: threads -> thread_turn()
	   :: else -> poll_turn()
	   fi;
#ifndef FAULT_STATE_AFTER_CHECK
	   task = ASLEEP;
#endif
	   atomic {
		use_ctx();
#ifdef FAULT_IDLE_WITH_ORPHAN
		got = !ready && !stop;
#else
		got = !ready && !stop && !orphan;
#endif
		idle = got;
		last = false;
		mine = false;
		entered = false
	   };
#ifdef FAULT_STATE_AFTER_CHECK
	   task = ASLEEP;
#endif
	   if
	   :: got -> task == AWAKE
	   :: else -> task = AWAKE
	   fi;
	   atomic {
		use_ctx();
		idle = false;
		got = false;
#ifdef FAULT_WORKER_LEAVES_EARLY
		if
		:: ctx_dead -> break
#else
		if
		:: stop -> break
#endif
		:: else
		fi
	   }
	od;
	assert(!live_conns);
	ctx_put()
}

init
{
	atomic {
		mm_users = 1;
		file_refs = 1;
		threads_left = 1;
		if
		:: threads = true
		:: skip
		fi;
		if
		:: run program(true, false); run death(true); page_is_held = true
		:: run program(true, false); run death(false)
		:: run program(false, true); run death(false); run look(); page_is_held = true
		:: run program(false, false); run death(true);
		   run other(); file_refs++
		:: run program(false, false); run death(false);
		   run other(); file_refs++; page_is_held = true
		:: run program(true, false); run death(true);
		   run shutdown(); mm_users++; file_refs++; threads_left++
		:: run program(false, false); run death(false);
		   run shutdown(); mm_users++; file_refs++; threads_left++
		fi;
		run worker();
		run timer();
		run socket()
	}
	(_nr_pr == 1);
	assert(ctx_gone && !live_conns && !refs);
	assert(completions == (state == FREE))
}
