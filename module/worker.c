// SPDX-License-Identifier: GPL-2.0
#include "worker.h"

#include "engine.h"
#include "expiry.h"
#include "race.h"
#include "side.h"
#include "trace.h"

#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

/* Jiffies for which workers that are not needed stay. */
#define SURPLUS_PATIENCE HZ

/* Others are to run what is ready. */
static void worker_call_others(struct cio_ctx *ctx)
{
	if (cio_pool_call_all(&ctx->pool))
		cio_ctx_wake_completions(ctx);
}

/*
 * The pool's reminder: on PREEMPT_RT in the thread of the soft timers, as deadlines
 * are, and like these late where a thread of higher priority has the processor.
 */
enum hrtimer_restart cio_worker_reminder(struct hrtimer *timer)
{
	struct cio_ctx *ctx = container_of(timer, struct cio_ctx,
					   pool.reminder);

	if (cio_pool_reminded(&ctx->pool))
		cio_ctx_wake_completions(ctx);
	return HRTIMER_NORESTART;
}

/* Run ready sides of the pool until the budget is used up; returns what is left. */
int cio_run_ready(struct cio_ctx *ctx, enum cio_pool_kind who, int budget,
		  struct cio_kick *kick)
{
	struct cio_pool_rest rest;
	struct list_head *ready;

	while (budget > 0 && (ready = cio_pool_next(&ctx->pool, who, &rest))) {
		kick->caller |= rest.caller;
		/*
		 * An attempt may be held up by a page fault.  So a worker that
		 * starts one leaves an idle one behind, while it may.
		 */
		if (who == CIO_POOL_WORKER && rest.alone) {
			/* That may take long: not for those who wait. */
			cio_kick_flush(ctx, kick);
			cio_worker_spawn(ctx);
		}
		cio_side_run(container_of(ready, struct cio_side, ready), who,
			     &budget, kick);
	}
	if (budget <= 0 && who == CIO_POOL_ANY)
		worker_call_others(ctx);
	return budget;
}

/*
 * The owner's memory is gone, and so is the owner.  Without it nothing may be
 * tried: a kernel thread then runs on the memory map of a stranger.
 */
static void worker_bury(struct cio_ctx *ctx)
{
	struct cio_pool_rest rest;
	struct list_head *ready;

	cio_ctx_end(ctx, CIO_CLOSE_END);
	while ((ready = cio_pool_next(&ctx->pool, CIO_POOL_WORKER, &rest))) {
		struct cio_side *side = container_of(ready, struct cio_side,
						     ready);

		/* Whoever took it out of the table may not have come so far. */
		cio_side_close(cio_side_conn(side));
		cio_side_pass_on(side);
		cond_resched();
	}
}

/*
 * Take the owner's memory map; false when it is gone, and the context with it.
 * It is held only while there is work: a thread that slept with it would keep a
 * dead program's memory, and the ring mapped in it, from going away.
 */
bool cio_worker_enter(struct cio_ctx *ctx)
{
	if (cio_owner_enter(&ctx->owned))
		return true;
	worker_bury(ctx);
	return false;
}

void cio_worker_leave(struct cio_ctx *ctx)
{
	cio_owner_leave(&ctx->owned);
}

static void worker_enlist(struct cio_pool *pool, struct cio_runner *worker)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_add(&worker->all, &pool->workers);
	spin_unlock_irqrestore(&pool->lock, flags);
}

/*
 * Whether the worker may end: then no conn is left that could need it, or enough
 * others have nothing to do.
 */
static bool worker_delist(struct cio_ctx *ctx, struct cio_runner *worker)
{
	struct cio_pool *pool = &ctx->pool;
	unsigned long flags;
	bool end;

	spin_lock_irqsave(&pool->lock, flags);
	end = pool->stop || cio_pool_has_spare(pool);
	if (end) {
		list_del(&worker->all);
		pool->nr_workers--;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	if (end)
		atomic_dec(&ctx->owner->nr_workers);
	return end;
}

/* How long a worker waits for work: where enough others do, it then ends. */
static long worker_patience(struct cio_pool *pool)
{
	unsigned long flags;
	bool surplus;

	spin_lock_irqsave(&pool->lock, flags);
	surplus = cio_pool_has_spare(pool);
	spin_unlock_irqrestore(&pool->lock, flags);
	return surplus ? SURPLUS_PATIENCE : MAX_SCHEDULE_TIMEOUT;
}

/*
 * SIGKILL gets a worker out of a page fault that the program holds up, at the
 * context's end; SIGHUP is the thread engine's note.  No other signal reaches it,
 * and none that does not come from the kernel.
 */
static int worker_main(void *data)
{
	struct cio_ctx *ctx = data;
	struct cio_runner worker = { .task = current };
	long patience;

	INIT_LIST_HEAD(&worker.node);
	allow_kernel_signal(SIGKILL);
	allow_kernel_signal(SIGHUP);
	worker_enlist(&ctx->pool, &worker);
	trace_cio_worker_start(ctx);
	do {
		cio_cover_start(&ctx->cover);
		/* A close takes its time. */
		if (!llist_empty(&ctx->pool.orphans))
			worker_call_others(ctx);
		cio_conn_free_orphans(ctx);
		ctx->engine->turn(ctx);
		cio_cover_stop();
		cond_resched();
		patience = worker_patience(&ctx->pool);
		set_current_state(TASK_IDLE);
		cio_pause(CIO_AT_LYING_DOWN);
		if (cio_pool_idle(&ctx->pool, &worker, CIO_POOL_WORKER)) {
			cio_pause(CIO_AT_IDLE);
			schedule_timeout(patience);
		}
		__set_current_state(TASK_RUNNING);
		cio_pool_busy(&ctx->pool, &worker, CIO_POOL_WORKER);
	} while (!worker_delist(ctx, &worker));
	trace_cio_worker_stop(ctx);
	cio_ctx_put(ctx);
	module_put_and_kthread_exit(0);
	return 0;
}

static bool worker_reserve_in_pool(struct cio_ctx *ctx)
{
	struct cio_pool *pool = &ctx->pool;
	unsigned long flags;
	bool may;

	spin_lock_irqsave(&pool->lock, flags);
	may = pool->nr_workers < ctx->max_workers && !pool->stop;
	if (may)
		pool->nr_workers++;
	spin_unlock_irqrestore(&pool->lock, flags);
	return may;
}

static void worker_unreserve_in_pool(struct cio_pool *pool)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	pool->nr_workers--;
	spin_unlock_irqrestore(&pool->lock, flags);
}

static void worker_unreserve(struct cio_ctx *ctx)
{
	worker_unreserve_in_pool(&ctx->pool);
	atomic_dec(&ctx->owner->nr_workers);
}

/*
 * Make a thread that is still to be started, with a reference to the context and the
 * module, which go with it.
 */
static struct task_struct *worker_thread(struct cio_ctx *ctx,
					 int (*main)(void *ctx),
					 const char *name, u32 policy)
{
	struct task_struct *task;

	task = kthread_create(main, ctx, "cancelio/%d-%s",
			      pid_nr(ctx->owned.group), name);
	if (IS_ERR(task))
		return task;
	cio_tune_schedule(&ctx->tune, task, policy);
	/* The caller has one of each. */
	refcount_inc(&ctx->refs);
	__module_get(THIS_MODULE);
	return task;
}

/*
 * Make a worker that is still to be started.  NULL when the context has as many as
 * it may; -EAGAIN when its owner has, which another context can change.
 *
 * A worker of the poll engine that is woken does not push aside who made the side ready:
 * that thread may make more of them so, and run all when it waits.  On the thread engine
 * they end operations, and that is to be on time.
 */
static struct task_struct *worker_create(struct cio_ctx *ctx)
{
	struct task_struct *task;

	if (!worker_reserve_in_pool(ctx))
		return NULL;
	if (!cio_owner_take(&ctx->owner->nr_workers, ctx->max_threads)) {
		worker_unreserve_in_pool(&ctx->pool);
		return ERR_PTR(-EAGAIN);
	}
	task = worker_thread(ctx, worker_main, ctx->engine->name,
			     ctx->engine->threads ? SCHED_NORMAL : SCHED_BATCH);
	if (IS_ERR(task))
		worker_unreserve(ctx);
	return task;
}

/*
 * Start a thread of ours, in the control groups of the current thread, so that its time
 * is counted to the owner (C52): that is a thread of the owner, or a worker that was
 * started so.  Not by the new worker itself: while the current thread lives and is
 * in its groups, they cannot be removed.
 *
 * Called without a lock: the change holds up the machine's forks and waits for a
 * grace period, and the kernel takes locks of ours under the one that this takes,
 * when it drops the last use of a dead program's memory.  Where it fails, the
 * worker stays in the root group: the program's sockets are worth more than the
 * count.
 */
static void worker_start(struct cio_ctx *ctx, struct task_struct *task)
{
	if (!cio_same_cgroups(current, task))
		cgroup_attach_task_all(current, task);
	cio_tune_place(&ctx->tune, task);
	wake_up_process(task);
}

/*
 * Keeps deadlines where the timer's hard interrupt cannot, for the locks sleep.  It ends
 * with the workers: then no deadline is left.
 */
static int worker_timer_main(void *data)
{
	struct cio_ctx *ctx = data;

	for (;;) {
		/* Before the looks: who rings or stops from here on wakes it. */
		set_current_state(TASK_IDLE);
		if (!READ_ONCE(ctx->timers.rang)) {
			if (READ_ONCE(ctx->pool.stop))
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
		cio_timers_run_rung(&ctx->timers);
	}
	__set_current_state(TASK_RUNNING);
	atomic_dec(&ctx->owner->nr_workers);
	cio_ctx_put(ctx);
	module_put_and_kthread_exit(0);
	return 0;
}

/* NULL where none is wanted. */
static struct task_struct *worker_create_timer(struct cio_ctx *ctx)
{
	struct task_struct *task;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT) || !ctx->tune.hard_expiry)
		return NULL;
	if (!cio_owner_take(&ctx->owner->nr_workers, ctx->max_threads))
		return ERR_PTR(-EAGAIN);
	task = worker_thread(ctx, worker_timer_main, "timer", SCHED_FIFO);
	if (IS_ERR(task))
		atomic_dec(&ctx->owner->nr_workers);
	else
		cio_timers_use_thread(&ctx->timers, task);
	return task;
}

/* A worker that was not started never will. */
static void worker_discard(struct cio_ctx *ctx, struct task_struct *task)
{
	kthread_stop(task);
	worker_unreserve(ctx);
	refcount_dec(&ctx->refs);
	module_put(THIS_MODULE);
}

/* The threads that a context has from SETUP on; they are still to be started. */
int cio_workers_create(struct cio_ctx *ctx, struct cio_workers *workers)
{
	workers->first = worker_create(ctx);
	if (IS_ERR(workers->first))
		return PTR_ERR(workers->first);
	workers->timer = worker_create_timer(ctx);
	if (!IS_ERR(workers->timer))
		return 0;
	worker_discard(ctx, workers->first);
	return PTR_ERR(workers->timer);
}

void cio_workers_start(struct cio_ctx *ctx, const struct cio_workers *workers)
{
	worker_start(ctx, workers->first);
	if (workers->timer)
		worker_start(ctx, workers->timer);
}

/* One more worker, unless there are as many as may be. */
int cio_worker_spawn(struct cio_ctx *ctx)
{
	struct task_struct *task = worker_create(ctx);

	if (IS_ERR(task))
		return PTR_ERR(task);
	if (task)
		worker_start(ctx, task);
	return 0;
}

/* At the end of a context: no worker stays in a page fault. */
void cio_workers_kill(struct cio_ctx *ctx)
{
	struct cio_pool *pool = &ctx->pool;
	struct cio_runner *worker;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_for_each_entry(worker, &pool->workers, all)
		send_sig(SIGKILL, worker->task, 1);
	spin_unlock_irqrestore(&pool->lock, flags);
}
