// SPDX-License-Identifier: GPL-2.0
#include "ctx.h"

#include "conn.h"
#include "cookie.h"
#include "engine.h"
#include "expiry.h"
#include "worker.h"

#include <linux/eventfd.h>
#include <linux/log2.h>
#include <linux/nsproxy.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/uaccess.h>

#define DEFAULT_ENTRIES	256U
#define MAX_SLACK	((u32)NSEC_PER_SEC)

static atomic_t ctx_count = ATOMIC_INIT(0);

/* Nobody is left to mind what a worker in a page fault loses. */
static void ctx_owner_ended(struct cio_owned *owned)
{
	struct cio_ctx *ctx = container_of(owned, struct cio_ctx, owned);

	cio_ctx_end(ctx, CIO_CLOSE_END);
	cio_workers_kill(ctx);
}

/* A context of the current process, not yet set up. */
struct cio_ctx *cio_ctx_create(void)
{
	struct cio_owner *owner;
	struct cio_ctx *ctx;

	if (!current->mm)
		return ERR_PTR(-EINVAL);
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	owner = cio_owner_get();
	if (IS_ERR(owner)) {
		kfree(ctx);
		return ERR_CAST(owner);
	}
	refcount_set(&ctx->refs, 1);
	ctx->number = atomic_inc_return(&ctx_count);
	ctx->owner = owner;
	mutex_init(&ctx->lock);
	mutex_init(&ctx->ring.reap);
	spin_lock_init(&ctx->ring.lock);
	cio_ops_init(&ctx->ops);
	cio_timers_init(&ctx->timers, &cio_side_timer_actions);
	cio_pool_init(&ctx->pool, cio_worker_reminder);
	init_waitqueue_head(&ctx->completion_wait);
	cio_notify_init(&ctx->notify);
	init_waitqueue_head(&ctx->end_wait);
	cio_stats_init(&ctx->stats);
	cio_owner_add(owner, &ctx->owned, ctx_owner_ended);
	return ctx;
}

/* Whether the current thread is one of the owner's (C50). */
bool cio_ctx_owned(const struct cio_ctx *ctx)
{
	return current->mm == cio_owner_mm(ctx->owner) &&
	       task_tgid(current) == ctx->owned.group;
}

/* How many sockets the current process may have attached. */
u32 cio_ctx_conn_limit(void)
{
	return min_t(unsigned long, rlimit(RLIMIT_NOFILE), CIO_SLOT_MASK);
}

static int setup_check(const struct cancelio_setup *setup)
{
	if (setup->reserved || setup->entries > CANCELIO_MAX_ENTRIES ||
	    setup->max_workers > CIO_WORKERS_MAX || setup->slack > MAX_SLACK ||
	    setup->engine > CANCELIO_ENGINE_THREAD)
		return -EINVAL;
	return cio_tune_check(setup);
}

/* What SETUP took, and the end of the context too; where it is not there, nothing. */
static void setup_give_back(struct cio_ctx *ctx)
{
	cio_stats_free(&ctx->stats);
	cio_cookies_free(ctx->cookies);
	ctx->cookies = NULL;
	cio_ring_free(&ctx->ring);
	cio_tune_free(&ctx->tune);
}

static int setup_take_memory(struct cio_ctx *ctx, u32 entries)
{
	int ret = cio_ring_init(&ctx->ring, entries);

	if (ret)
		return ret;
	ctx->cookies = cio_cookies_create(entries);
	if (!ctx->cookies)
		return -ENOMEM;
	return cio_stats_start(&ctx->stats);
}

/* Fill the context by what was checked, the last of it the threads. */
static int setup_take(struct cio_ctx *ctx, const struct cancelio_setup *setup,
		      u32 entries, struct cio_workers *workers)
{
	int ret = setup_take_memory(ctx, entries);

	if (ret)
		return ret;
	ctx->engine = setup->engine == CANCELIO_ENGINE_THREAD ?
		&cio_engine_thread : &cio_engine_poll;
	ctx->max_workers = setup->max_workers ?: ctx->engine->workers;
	ctx->max_threads = min_t(unsigned long, rlimit(RLIMIT_NPROC),
				 CIO_OWNER_WORKERS_MAX);
	ctx->timers.slack = setup->slack;
	atomic_set(&ctx->ops.limit, entries + CANCELIO_MAX_HELD);
	cio_cover_init(&ctx->cover);
	ctx->time_offset =
		timespec64_to_ns(&current->nsproxy->time_ns->offsets.monotonic);
	return cio_workers_create(ctx, workers);
}

/* The tune, where it is taken over, belongs to the context. */
static int setup_new(struct cio_ctx *ctx, const struct cancelio_setup *setup,
		     u32 entries, struct cio_tune *tune,
		     struct cio_workers *workers)
{
	int ret;

	lockdep_assert_held(&ctx->lock);
	if (ctx->state != CIO_CTX_NEW)
		return ctx->state == CIO_CTX_LIVE ? -EBUSY : -ESHUTDOWN;
	swap(ctx->tune, *tune);
	ret = setup_take(ctx, setup, entries, workers);
	if (ret)
		setup_give_back(ctx);
	else
		/* Pairs with the ioctls' look at the state. */
		smp_store_release(&ctx->state, CIO_CTX_LIVE);
	return ret;
}

/*
 * What SETUP tells is known before it does anything, and is told first: memory
 * that cannot be written leaves the context as it was.
 */
int cio_ctx_setup(struct cio_ctx *ctx, struct cancelio_setup *setup,
		  struct cancelio_setup __user *out)
{
	struct cio_workers workers;
	struct cio_tune tune;
	int ret = setup_check(setup);
	u32 entries;

	if (ret)
		return ret;
	entries = roundup_pow_of_two(setup->entries ?: DEFAULT_ENTRIES);
	if (put_user(cio_ring_bytes(entries), &out->ring_bytes) ||
	    put_user(cio_ctx_conn_limit(), &out->conn_limit))
		return -EFAULT;
	ret = cio_tune_init(&tune, setup);
	if (ret)
		return ret;
	mutex_lock(&ctx->lock);
	ret = setup_new(ctx, setup, entries, &tune, &workers);
	mutex_unlock(&ctx->lock);
	/* The context has it now, or it was not wanted. */
	cio_tune_free(&tune);
	if (!ret)
		cio_workers_start(ctx, &workers);
	return ret;
}

/* Whether poll(2) and the eventfd call the program. */
bool cio_ctx_readable(struct cio_ctx *ctx)
{
	return cio_ring_count(&ctx->ring) || cio_pool_wants_owner(&ctx->pool);
}

/* Set the eventfd, or stop with -1. */
int cio_ctx_set_eventfd(struct cio_ctx *ctx, int fd)
{
	struct eventfd_ctx *eventfd = NULL, *old;

	if (fd < -1)
		return -EINVAL;
	if (fd >= 0)
		eventfd = eventfd_ctx_fdget(fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	old = cio_notify_replace(&ctx->notify, eventfd);
	/* What came before it was set, and was not told to it. */
	if (cio_ctx_readable(ctx) || cio_ctx_dead(ctx))
		cio_notify_signal(&ctx->notify);
	cio_notify_put(old);
	return 0;
}

static void ctx_close_conns(struct cio_ctx *ctx, enum cio_close_cause cause)
{
	u32 slot, size = cio_table_size(&ctx->conns);

	for (slot = 0; slot < size; slot++) {
		struct cio_conn *conn = cio_conn_get_slot(ctx, slot);

		if (conn && cio_conn_close(ctx, conn, cause))
			cio_conn_put(conn);
		if (conn)
			cio_conn_put(conn);
		cond_resched();
	}
}

/* No conn is left and none will come. */
static void ctx_drained(struct cio_ctx *ctx)
{
	cio_pool_stop(&ctx->pool);
	cio_timers_wake_thread(&ctx->timers);
	wake_up_all(&ctx->completion_wait);
	cio_notify_signal(&ctx->notify);
	wake_up_all(&ctx->end_wait);
}

/*
 * End the context: by SHUTDOWN, by the file's release, by the end of the owner's
 * memory, or by a worker that finds it gone; more than once, and at once, does
 * no harm.
 *
 *  1. DEAD under the lock: no conn is attached any more, so that the walk sees
 *     all.  Each conn refuses operations from its close on.
 *  2. What waits is ended here, and needs nobody else.  What runs is in the
 *     hands of a runner, which ends it when the attempt returns and drops the
 *     last reference to the conn, and with it the socket.
 *  3. The workers leave once the last conn is freed, and not before: until then
 *     a side can still become ready, and a conn an orphan.  Each worker has a
 *     reference to the context; nothing waits for them.
 */
void cio_ctx_end(struct cio_ctx *ctx, enum cio_close_cause cause)
{
	mutex_lock(&ctx->lock);
	/* As SETUP does: who sees it sees what SETUP made. */
	smp_store_release(&ctx->state, CIO_CTX_DEAD);
	mutex_unlock(&ctx->lock);
	/* For poll(2); a WAIT goes on until everything has ended. */
	wake_up_poll(&ctx->completion_wait, EPOLLHUP);
	cio_notify_signal(&ctx->notify);
	ctx_close_conns(ctx, cause);
	/* DEAD before the look at the count: pairs with cio_ctx_conn_freed(). */
	smp_mb();
	if (!atomic_read(&ctx->live_conns))
		ctx_drained(ctx);
}

/* A conn is gone; of an ended context perhaps the last. */
void cio_ctx_conn_freed(struct cio_ctx *ctx)
{
	/* The count before the look at DEAD, and fully ordered. */
	if (atomic_dec_and_test(&ctx->live_conns) && cio_ctx_dead(ctx))
		ctx_drained(ctx);
	cio_ctx_wake_ends(ctx);
}

/*
 * A descriptor was closed by a thread of the owner's group that has another
 * memory: the program has executed another one.
 */
void cio_ctx_closed_by_successor(struct cio_ctx *ctx)
{
	if (task_tgid(current) == ctx->owned.group && current->mm &&
	    current->mm != cio_owner_mm(ctx->owner))
		ctx_owner_ended(&ctx->owned);
}

/*
 * The last reference to the file is gone.  The owner's end may be going on at
 * the same time: once the context has left the owner, it does not.
 */
void cio_ctx_release(struct cio_ctx *ctx)
{
	cio_owner_del(ctx->owner, &ctx->owned);
	ctx_owner_ended(&ctx->owned);
	cio_ctx_put(ctx);
}

/* The file is gone, or a worker ends; nobody has a conn or an operation. */
void cio_ctx_put(struct cio_ctx *ctx)
{
	if (!refcount_dec_and_test(&ctx->refs))
		return;
	WARN_ON_ONCE(atomic_read(&ctx->live_conns));
	cio_timers_stop(&ctx->timers);
	hrtimer_cancel(&ctx->pool.reminder);
	cio_owner_stop(&ctx->owned);
	cio_notify_stop(&ctx->notify);
	cio_ops_free(&ctx->ops);
	setup_give_back(ctx);
	cio_table_free(&ctx->conns);
	put_pid(ctx->owned.group);
	cio_owner_put(ctx->owner);
	kfree(ctx);
}
