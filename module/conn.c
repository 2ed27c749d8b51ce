// SPDX-License-Identifier: GPL-2.0
#include "conn.h"

#include "expiry.h"
#include "memory.h"
#include "race.h"
#include "side.h"
#include "trace.h"
#include "watch.h"

#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sock_diag.h>
#include <net/sock.h>

/* From the common caches each would take 512 bytes. */
static struct kmem_cache *conn_cache;

int cio_conns_init(void)
{
	conn_cache = KMEM_CACHE(cio_conn, 0);
	return conn_cache ? 0 : -ENOMEM;
}

void cio_conns_exit(void)
{
	/* The last ones are freed after a grace period. */
	rcu_barrier();
	kmem_cache_destroy(conn_cache);
}

static void conn_free_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(conn_cache, container_of(rcu, struct cio_conn, rcu));
}

/* Which sockets there are operations for (C43). */
static int conn_check_socket(const struct socket *sock)
{
	const struct sock *sk = sock->sk;

	if (sk->sk_family == AF_UNIX)
		return 0;
	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return -EPROTONOSUPPORT;
	if (sock->type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP)
		return 0;
	if (sock->type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP)
		return 0;
	return -EPROTONOSUPPORT;
}

/* Takes over the reference to @file when it succeeds. */
static struct cio_conn *conn_create(struct cio_ctx *ctx, struct file *file,
				    struct socket *sock)
{
	struct cio_conn *conn = kmem_cache_zalloc(conn_cache, CIO_GFP);
	int i;

	if (!conn)
		return NULL;
	spin_lock_init(&conn->lock);
	atomic_set(&conn->refs, 1);
	conn->ctx = ctx;
	conn->file = file;
	conn->sock = sock;
	/* TCP_ULP can put another socket behind the file. */
	ihold(SOCK_INODE(sock));
	conn->is_stream = sock->type == SOCK_STREAM;
	conn->is_unix = sock->sk->sk_family == AF_UNIX;
	conn->is_tcp = conn->is_stream && !conn->is_unix;
	conn->is_connected = conn->is_stream || sock->type == SOCK_SEQPACKET;
	for (i = 0; i < CIO_SIDES; i++) {
		struct cio_side *side = &conn->sides[i];

		INIT_LIST_HEAD(&side->queue);
		INIT_LIST_HEAD(&side->ready);
		INIT_LIST_HEAD(&side->calls);
		timerqueue_init(&side->timer);
		side->index = i;
		side->deadline = KTIME_MAX;
		side->retry = KTIME_MAX;
	}
	return conn;
}

/* Watch the socket, then let the conn be found. */
static int conn_publish(struct cio_ctx *ctx, struct cio_conn *conn)
{
	int slot, ret;

	lockdep_assert_held(&ctx->lock);
	slot = cio_table_take(&ctx->conns, CIO_SLOT_MASK);
	if (slot < 0)
		return slot;
	conn->id = ++ctx->conn_seq << CIO_SLOT_BITS | slot;
	ret = cio_watch_start(conn);
	if (ret) {
		cio_table_give_back(&ctx->conns, slot);
		return ret;
	}
	cio_table_set(&ctx->conns, slot, conn);
	/* fdinfo reads it without the lock. */
	WRITE_ONCE(ctx->nr_conns, ctx->nr_conns + 1);
	atomic_inc(&ctx->live_conns);
	atomic_add(CIO_SIDES, &ctx->ops.limit);
	return 0;
}

/* Publish it within the owner's limit (C52); conn_free() gives that back. */
static int conn_publish_counted(struct cio_ctx *ctx, struct cio_conn *conn)
{
	atomic_t *count = &ctx->owner->nr_conns;
	int ret;

	if (cio_ctx_dead(ctx))
		return -ESHUTDOWN;
	if (!cio_owner_take(count, cio_ctx_conn_limit()))
		return -EMFILE;
	ret = conn_publish(ctx, conn);
	if (ret)
		atomic_dec(count);
	return ret;
}

int cio_conn_attach(struct cio_ctx *ctx, int fd, u64 *id)
{
	struct cio_conn *conn;
	struct socket *sock;
	struct file *file = fget(fd);
	int ret;

	if (!file)
		return -EBADF;
	sock = sock_from_file(file);
	ret = sock ? conn_check_socket(sock) : -ENOTSOCK;
	if (ret)
		goto err_file;
	conn = conn_create(ctx, file, sock);
	if (!conn) {
		ret = -ENOMEM;
		goto err_file;
	}
	mutex_lock(&ctx->lock);
	ret = conn_publish_counted(ctx, conn);
	*id = conn->id;
	/* Under the lock: nobody can close it yet. */
	if (!ret)
		trace_cio_attach(conn, fd);
	mutex_unlock(&ctx->lock);
	if (ret)
		goto err_conn;
	return 0;

err_conn:
	iput(SOCK_INODE(sock));
	kmem_cache_free(conn_cache, conn);
err_file:
	fput(file);
	return ret;
}

/* What the kernel's own events call its socket. */
u64 cio_conn_cookie(const struct cio_conn *conn)
{
	u32 cookie[2];

	sock_diag_save_cookie(conn->sock->sk, cookie);
	return (u64)cookie[1] << 32 | cookie[0];
}

bool cio_conn_try_ref(struct cio_conn *conn)
{
	return atomic_inc_not_zero(&conn->refs);
}

/* The attached conn in a slot with a reference, or NULL. */
struct cio_conn *cio_conn_get_slot(struct cio_ctx *ctx, u32 slot)
{
	struct cio_conn *conn;

	rcu_read_lock();
	conn = cio_table_find(&ctx->conns, slot);
	if (conn && !cio_conn_try_ref(conn))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

/* The conn named @id with a reference, or NULL. */
struct cio_conn *cio_conn_get(struct cio_ctx *ctx, u64 id)
{
	struct cio_conn *conn = cio_conn_get_slot(ctx, id & CIO_SLOT_MASK);

	if (conn && conn->id != id) {
		cio_conn_put(conn);
		conn = NULL;
	}
	return conn;
}

/* The conn of a pending operation with a reference, or NULL. */
struct cio_conn *cio_conn_of_op(const struct cio_op *op, u64 gen)
{
	struct cio_conn *conn;

	rcu_read_lock();
	conn = cio_op_conn(op, gen);
	if (conn && !cio_conn_try_ref(conn))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

/*
 * A kernel thread must close a file itself, for what it puts off to the system's
 * common list holds up others.  The close may linger (SO_LINGER), which a pending
 * signal ends: the worker has others to serve.
 */
static void conn_close_by_worker(struct file *file)
{
	/* A thread's own stays as long as it runs. */
	spinlock_t *siglock =
		&rcu_dereference_protected(current->sighand, true)->siglock;

	set_tsk_thread_flag(current, TIF_SIGPENDING);
	__fput_sync(file);
	spin_lock_irq(siglock);
	recalc_sigpending();
	spin_unlock_irq(siglock);
}

/*
 * Free a conn that nobody has any more.
 *
 *  1. It is not in the table: close took it out before it dropped the table's
 *     reference.
 *  2. The socket reports no event to it: close has stopped the watch.
 *  3. No operation is on it: each queued one has a reference, and a running
 *     one's runner has.
 *  4. A timer of a side may still be queued.  It is removed here, under the
 *     timers' lock; a callback that found it before found no reference left.
 *  5. Late comers with an operation's id may still look at its counter, which
 *     is 0, under RCU.
 */
static void conn_free(struct cio_conn *conn)
{
	struct cio_ctx *ctx = conn->ctx;
	int i;

	spin_lock_irq(&conn->lock);
	for (i = 0; i < CIO_SIDES; i++)
		cio_timer_remove(&ctx->timers, &conn->sides[i].timer,
				 CIO_TIMER_SIDE);
	spin_unlock_irq(&conn->lock);
	for (i = 0; i < CIO_SIDES; i++)
		if (conn->sides[i].spare)
			cio_op_recycle(&ctx->ops, conn->sides[i].spare);
	iput(SOCK_INODE(conn->sock));
	if (current->flags & PF_KTHREAD)
		conn_close_by_worker(conn->file);
	else
		fput(conn->file);
	call_rcu(&conn->rcu, conn_free_rcu);
	atomic_dec(&ctx->owner->nr_conns);
	atomic_sub(CIO_SIDES, &ctx->ops.limit);
	cio_ctx_conn_freed(ctx);
}

/*
 * At the end of a context a close that would wait (SO_LINGER) would hold up those of
 * the other sockets, which the same thread does after it.
 */
static bool conn_leaves_close(const struct cio_conn *conn)
{
	const struct sock *sk = conn->sock->sk;

	return cio_ctx_dead(conn->ctx) && sk && sock_flag(sk, SOCK_LINGER) &&
	       READ_ONCE(sk->sk_lingertime);
}

/*
 * Drop a reference.  The last one closes the socket, which may take its time: in a
 * thread of the owner, also of a dying one, at once, as close(2) would; for
 * anybody else, such as whoever happens to drop the last reference to a dead
 * owner's memory, a worker does it.  After the decrement the conn is not touched
 * by others; the context stays for the caller's own reasons.
 */
void cio_conn_put(struct cio_conn *conn)
{
	struct cio_ctx *ctx = conn->ctx;

	if (!atomic_dec_and_test(&conn->refs))
		cio_ctx_wake_ends(ctx);
	else if (task_tgid(current) == ctx->owned.group &&
		 !conn_leaves_close(conn))
		conn_free(conn);
	else
		cio_pool_add_orphan(&ctx->pool, &conn->orphan, false);
}

/*
 * The same where no file may be closed: in an interrupt, and in a runner, whose
 * close would be put off to its return to user mode.  The caller wakes those who
 * wait for ends.
 */
void cio_conn_put_async(struct cio_conn *conn)
{
	struct cio_ctx *ctx = conn->ctx;
	bool by_worker = in_task() && current->flags & PF_KTHREAD &&
			 !cio_timers_in_thread(&ctx->timers);

	if (atomic_dec_and_test(&conn->refs))
		cio_pool_add_orphan(&ctx->pool, &conn->orphan, by_worker);
}

/* In a worker, without the owner's memory, which a close must not pin. */
void cio_conn_free_orphans(struct cio_ctx *ctx)
{
	struct llist_node *list = llist_del_all(&ctx->pool.orphans);
	struct cio_conn *conn, *next;

	llist_for_each_entry_safe(conn, next, list, orphan) {
		conn_free(conn);
		cond_resched();
	}
}

/*
 * Take a conn out of the table and end what is on it; the table's reference
 * becomes the caller's.  Returns false when somebody else did it.
 */
bool cio_conn_close(struct cio_ctx *ctx, struct cio_conn *conn,
		    enum cio_close_cause cause)
{
	u32 slot = conn->id & CIO_SLOT_MASK;
	bool mine;

	mutex_lock(&ctx->lock);
	mine = cio_table_holds(&ctx->conns, slot, conn);
	if (mine)
		cio_table_give_back(&ctx->conns, slot);
	WRITE_ONCE(ctx->nr_conns, ctx->nr_conns - mine);
	mutex_unlock(&ctx->lock);
	if (!mine)
		return false;
	trace_cio_detach(conn, cause);
	cio_pause(CIO_AT_DETACHING);
	cio_side_close(conn);
	cio_watch_stop(conn);
	return true;
}

/*
 * Once nobody but the caller has the conn, nothing is in flight; the socket is
 * dropped here, or after a signal by whoever leaves last.
 */
int cio_conn_detach(struct cio_ctx *ctx, u64 id)
{
	struct cio_conn *conn = cio_conn_get(ctx, id);
	int ret;

	if (!conn)
		return -EBADF;
	if (!cio_conn_close(ctx, conn, CIO_CLOSE_DETACH)) {
		cio_conn_put(conn);
		return -EBADF;
	}
	cio_conn_put(conn);
	ret = wait_event_interruptible(ctx->end_wait,
				       atomic_read(&conn->refs) == 1);
	cio_conn_put(conn);
	return ret ? -EINTR : 0;
}
