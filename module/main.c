// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/cancelio: the device, and its ioctls by table.
 *
 * A context (ctx.c) has a completion ring (ring.c), operations (op.c), deadlines
 * (deadline.c), ready sides and runners (pool.c), and connections (conn.c), whose
 * sockets are watched (watch.c).  A side (side.c) starts, runs and ends its
 * operations, by attempts (io.c, msg.c) of whoever is to run it (ready.c, sleeper.c),
 * or by time or a close (expiry.c);
 * submit.c, wait.c, cancel.c, info.c and the workers (worker.c), which do what the
 * engine says (engine_poll.c, engine_thread.c), are its callers.
 */
#include "cancel.h"
#include "conn.h"
#include "expiry.h"
#include "info.h"
#include "race.h"
#include "side.h"
#include "submit.h"
#include "user.h"
#include "wait.h"
#include "worker.h"

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

/* Any ioctl's structure, in kernel memory. */
union main_arg {
	u32 size;
	struct cancelio_info info;
	struct cancelio_setup setup;
	struct cancelio_attach attach;
	struct cancelio_detach detach;
	struct cancelio_submit submit;
	struct cancelio_call call;
	struct cancelio_wait wait;
	struct cancelio_wait_op wait_op;
	struct cancelio_cancel cancel;
	struct cancelio_set_deadline set_deadline;
	struct cancelio_shutdown shutdown;
	struct cancelio_eventfd eventfd;
	struct cancelio_restrict restrict_ops;
	/* Of STATS only what is read. */
	u64 stats[offsetof(struct cancelio_stats, submitted) / sizeof(u64)];
};

static int main_info(struct cio_ctx *ctx, union main_arg *arg,
		     void __user *out);

static int main_setup(struct cio_ctx *ctx, union main_arg *arg,
		      void __user *out)
{
	return cio_ctx_setup(ctx, &arg->setup, out);
}

static int main_attach(struct cio_ctx *ctx, union main_arg *arg,
		       void __user *out)
{
	struct cancelio_attach __user *attach = out;
	u64 conn;
	int ret;

	if (arg->attach.flags || arg->attach.reserved)
		return -EINVAL;
	ret = cio_conn_attach(ctx, arg->attach.fd, &conn);
	if (ret)
		return ret;
	if (!put_user(conn, &attach->conn))
		return 0;
	/* Nobody was told of it: undo. */
	cio_conn_detach(ctx, conn);
	return -EFAULT;
}

static int main_detach(struct cio_ctx *ctx, union main_arg *arg,
		       void __user *out)
{
	if (arg->detach.flags)
		return -EINVAL;
	return cio_conn_detach(ctx, arg->detach.conn);
}

static int main_submit(struct cio_ctx *ctx, union main_arg *arg,
		       void __user *out)
{
	return cio_submit(ctx, &arg->submit, out);
}

static int main_call(struct cio_ctx *ctx, union main_arg *arg,
		     void __user *out)
{
	return cio_call(ctx, &arg->call, out);
}

static int main_wait(struct cio_ctx *ctx, union main_arg *arg,
		     void __user *out)
{
	return cio_wait(ctx, &arg->wait);
}

static int main_wait_op(struct cio_ctx *ctx, union main_arg *arg,
			void __user *out)
{
	return cio_wait_op(ctx, &arg->wait_op, out);
}

static int main_cancel(struct cio_ctx *ctx, union main_arg *arg,
		       void __user *out)
{
	return cio_cancel(ctx, &arg->cancel);
}

static int main_set_deadline(struct cio_ctx *ctx, union main_arg *arg,
			     void __user *out)
{
	const struct cancelio_set_deadline *set = &arg->set_deadline;
	struct cio_conn *conn;
	int ret;

	if (!set->sides || set->sides & ~(CANCELIO_READ | CANCELIO_WRITE) ||
	    (!(set->sides & CANCELIO_READ) && set->read) ||
	    (!(set->sides & CANCELIO_WRITE) && set->write))
		return -EINVAL;
	conn = cio_conn_get(ctx, set->conn);
	if (!conn)
		return -EBADF;
	ret = cio_side_set_deadlines(conn, set);
	cio_conn_put(conn);
	return ret;
}

/* The workers end what still runs; wait for that as long as no signal comes. */
static int main_shutdown(struct cio_ctx *ctx, union main_arg *arg,
			 void __user *out)
{
	if (arg->shutdown.flags)
		return -EINVAL;
	cio_ctx_end(ctx, CIO_CLOSE_SHUTDOWN);
	if (wait_event_interruptible(ctx->end_wait,
				     !atomic_read(&ctx->live_conns)))
		return -EINTR;
	return 0;
}

static int main_eventfd(struct cio_ctx *ctx, union main_arg *arg,
			void __user *out)
{
	return cio_ctx_set_eventfd(ctx, arg->eventfd.fd);
}

static int main_restrict(struct cio_ctx *ctx, union main_arg *arg,
			 void __user *out)
{
	return cio_submit_restrict(ctx, &arg->restrict_ops);
}

static int main_stats(struct cio_ctx *ctx, union main_arg *arg,
		      void __user *out)
{
	return cio_stats_tell(&ctx->stats, (void *)arg->stats, out);
}

/**
 * struct main_ioctl - one ioctl
 * @fn: does it; NULL where there is none
 * @first: bytes of its structure as first published
 * @size: bytes as now
 * @in: bytes that are read, the first ones
 * @flags: MAIN_*
 */
struct main_ioctl {
	int (*fn)(struct cio_ctx *ctx, union main_arg *arg, void __user *out);
	u16 first;
	u16 size;
	u16 in;
	u16 flags;
};

/* Memory that cannot be written is refused before anything happens. */
#define MAIN_OUT	BIT(0)
/* May be called before SETUP. */
#define MAIN_NEW	BIT(1)
/* May be called after SHUTDOWN. */
#define MAIN_DEAD	BIT(2)

#define MAIN_IOCTL_PARTS(_nr, _fn, _struct, _first, _in, _flags) \
	[_IOC_NR(_nr)] = { \
		.fn = main_##_fn, \
		.first = (_first), \
		.size = sizeof(struct cancelio_##_struct), \
		.in = (_in), \
		.flags = (_flags), \
	}

/* One that has not grown, and is read whole: in words. */
#define MAIN_IOCTL(_nr, _fn, _struct, _flags) \
	MAIN_IOCTL_PARTS(_nr, _fn, _struct, sizeof(struct cancelio_##_struct), \
			 sizeof(struct cancelio_##_struct) + \
			 BUILD_BUG_ON_ZERO(sizeof(struct cancelio_##_struct) % \
					   sizeof(u64)), _flags)

/* One of which only what stands before @_out is read. */
#define MAIN_IOCTL_OUT(_nr, _fn, _struct, _out, _flags) \
	MAIN_IOCTL_PARTS(_nr, _fn, _struct, sizeof(struct cancelio_##_struct), \
			 offsetof(struct cancelio_##_struct, _out), _flags)

static const struct main_ioctl main_ioctls[] = {
	MAIN_IOCTL(CANCELIO_INFO, info, info, MAIN_NEW | MAIN_DEAD),
	MAIN_IOCTL_PARTS(CANCELIO_SETUP, setup, setup,
			 offsetof(struct cancelio_setup, cpus),
			 sizeof(struct cancelio_setup), MAIN_OUT | MAIN_NEW),
	MAIN_IOCTL(CANCELIO_ATTACH, attach, attach, MAIN_OUT),
	MAIN_IOCTL(CANCELIO_DETACH, detach, detach, 0),
	MAIN_IOCTL(CANCELIO_SUBMIT, submit, submit, 0),
	MAIN_IOCTL_OUT(CANCELIO_CALL, call, call, id, 0),
	MAIN_IOCTL(CANCELIO_WAIT, wait, wait, MAIN_DEAD),
	MAIN_IOCTL(CANCELIO_WAIT_OP, wait_op, wait_op, MAIN_DEAD),
	MAIN_IOCTL(CANCELIO_CANCEL, cancel, cancel, 0),
	MAIN_IOCTL(CANCELIO_SET_DEADLINE, set_deadline, set_deadline, 0),
	MAIN_IOCTL(CANCELIO_SHUTDOWN, shutdown, shutdown, 0),
	MAIN_IOCTL(CANCELIO_EVENTFD, eventfd, eventfd, 0),
	MAIN_IOCTL(CANCELIO_RESTRICT, restrict, restrict, 0),
	MAIN_IOCTL_OUT(CANCELIO_STATS, stats, stats, submitted, MAIN_DEAD),
};

static_assert(sizeof(struct cancelio_setup) % sizeof(u64) == 0);
static_assert(offsetof(struct cancelio_call, id) % sizeof(u64) == 0);
static_assert(offsetof(struct cancelio_stats, submitted) % sizeof(u64) == 0);

static int main_info(struct cio_ctx *ctx, union main_arg *arg,
		     void __user *out)
{
	arg->info = (struct cancelio_info){
		.size = arg->info.size,
		.abi = CANCELIO_ABI,
		.engines = BIT(CANCELIO_ENGINE_POLL) |
			   BIT(CANCELIO_ENGINE_THREAD),
		.ops = BIT(CANCELIO_OP_RECV) | BIT(CANCELIO_OP_SEND) |
		       BIT(CANCELIO_OP_RECVMSG) | BIT(CANCELIO_OP_SENDMSG) |
		       BIT(CANCELIO_OP_WAIT_READY),
		.ioctls = BIT(ARRAY_SIZE(main_ioctls)) - 1,
		.op_flags = cio_submit_op_flags(),
		.max_entries = CANCELIO_MAX_ENTRIES,
		.max_batch = CANCELIO_MAX_BATCH,
		.max_workers = CIO_WORKERS_MAX,
		.sockets = CANCELIO_SOCKET_TCP | CANCELIO_SOCKET_UDP |
			   CANCELIO_SOCKET_UNIX,
	};
	return copy_to_user(out, &arg->info, sizeof(arg->info)) ? -EFAULT : 0;
}

/* Whether the context is in a state for this ioctl. */
static int main_check_state(struct cio_ctx *ctx, u32 flags)
{
	/* Pairs with SETUP: the state before what SETUP made. */
	switch (smp_load_acquire(&ctx->state)) {
	case CIO_CTX_NEW:
		return flags & MAIN_NEW ? 0 : -ENXIO;
	case CIO_CTX_DEAD:
		return flags & MAIN_DEAD ? 0 : -ESHUTDOWN;
	default:
		return 0;
	}
}

/* Read the caller's structure, which is of our size; without a loop where it matters. */
static int main_read_same(union main_arg *arg, const void __user *user, u32 in)
{
	switch (in) {
	case sizeof(struct cancelio_cancel):
		return cio_words_from_user(arg, user,
					   sizeof(struct cancelio_cancel));
	case sizeof(struct cancelio_set_deadline):
		return cio_words_from_user(arg, user,
					   sizeof(struct cancelio_set_deadline));
	case sizeof(struct cancelio_submit):
		return cio_words_from_user(arg, user,
					   sizeof(struct cancelio_submit));
	case offsetof(struct cancelio_call, id):
		return cio_words_from_user(arg, user,
					   offsetof(struct cancelio_call, id));
	default:
		return cio_words_from_user(arg, user, in);
	}
}

/* The same where the caller's structure is older, or newer, than ours. */
static int main_read_other(union main_arg *arg, const struct main_ioctl *ioctl,
			   const void __user *user, u32 size)
{
	u32 in = min_t(u32, size, ioctl->in);
	int ret;

	if (size > ioctl->size) {
		ret = check_zeroed_user(user + ioctl->size, size - ioctl->size);
		if (ret <= 0)
			return ret ?: -E2BIG;
	}
	memset(arg, 0, ioctl->in);
	return copy_from_user(arg, user, in) ? -EFAULT : 0;
}

/*
 * Read the caller's structure by the growth rule.  Where there is a result to be
 * written later, it is written back as it is, so that memory that cannot be
 * written is found before anything happened.
 */
static int main_read(union main_arg *arg, const struct main_ioctl *ioctl,
		     void __user *user)
{
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < ioctl->first || size > PAGE_SIZE)
		return -EINVAL;
	if (size == ioctl->size)
		ret = main_read_same(arg, user, ioctl->in);
	else
		ret = main_read_other(arg, ioctl, user, size);
	if (ret)
		return ret;
	/* As the caller gave it: written back it is the same. */
	arg->size = size;
	if ((ioctl->flags & MAIN_OUT) &&
	    copy_to_user(user, arg, min_t(u32, size, ioctl->size)))
		return -EFAULT;
	return 0;
}

static long main_ioctl(struct file *file, unsigned int cmd,
		       unsigned long addr)
{
	struct cio_ctx *ctx = file->private_data;
	void __user *user = (void __user *)addr;
	const struct main_ioctl *ioctl;
	union main_arg arg cio_uninitialized;
	int ret;

	if (_IOC_TYPE(cmd) != CANCELIO_IOC || _IOC_DIR(cmd) != _IOC_NONE ||
	    _IOC_SIZE(cmd) || _IOC_NR(cmd) >= ARRAY_SIZE(main_ioctls))
		return -ENOTTY;
	if (!cio_ctx_owned(ctx))
		return -EPERM;
	ioctl = &main_ioctls[array_index_nospec(_IOC_NR(cmd),
						ARRAY_SIZE(main_ioctls))];
	ret = main_read(&arg, ioctl, user);
	if (ret)
		return ret;
	return main_check_state(ctx, ioctl->flags) ?:
	       ioctl->fn(ctx, &arg, user);
}

static int main_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct cio_ctx *ctx = file->private_data;
	int ret;

	if (!cio_ctx_owned(ctx))
		return -EPERM;
	ret = main_check_state(ctx, MAIN_DEAD);
	return ret ?: cio_ring_map(&ctx->ring, vma);
}

static __poll_t main_poll(struct file *file, struct poll_table_struct *table)
{
	struct cio_ctx *ctx = file->private_data;
	__poll_t events = 0;

	if (!cio_ctx_owned(ctx))
		return EPOLLERR;
	poll_wait(file, &ctx->completion_wait, table);
	if (main_check_state(ctx, MAIN_DEAD))
		return EPOLLERR;
	if (cio_ctx_readable(ctx))
		events |= EPOLLIN | EPOLLRDNORM;
	if (cio_ctx_dead(ctx))
		events |= EPOLLHUP;
	return events;
}

static int main_open(struct inode *inode, struct file *file)
{
	struct cio_ctx *ctx = cio_ctx_create();

	/* Any signal keeps it from the memory map's locks: once more after that. */
	if (ctx == ERR_PTR(-EINTR))
		return -ERESTARTNOINTR;
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	file->private_data = ctx;
	return nonseekable_open(inode, file);
}

/* Each close(2) of a descriptor comes here, also that of exec(2). */
static int main_flush(struct file *file, fl_owner_t id)
{
	cio_ctx_closed_by_successor(file->private_data);
	return 0;
}

static int main_release(struct inode *inode, struct file *file)
{
	cio_ctx_release(file->private_data);
	return 0;
}

static void main_show_fdinfo(struct seq_file *to, struct file *file)
{
	cio_info_show(file->private_data, to);
}

static const struct file_operations main_fops = {
	.owner = THIS_MODULE,
	.open = main_open,
	.flush = main_flush,
	.release = main_release,
	.unlocked_ioctl = main_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = main_mmap,
	.poll = main_poll,
	.show_fdinfo = main_show_fdinfo,
	.llseek = noop_llseek,
};

/*
 * One of those for local use: a fixed number lets the node be there before the module,
 * which the first open of it loads, and holds for who permits devices by number.
 */
#define MAIN_MINOR	247

static struct miscdevice main_device = {
	.minor = MAIN_MINOR,
	.name = "cancelio",
	.fops = &main_fops,
};

static int __init main_init(void)
{
	int ret = cio_conns_init();

	if (ret)
		return ret;
	ret = misc_register(&main_device);
	if (ret)
		cio_conns_exit();
	else
		cio_race_init();
	return ret;
}

static void __exit main_exit(void)
{
	cio_race_exit();
	misc_deregister(&main_device);
	cio_conns_exit();
	/* Owners are freed after a grace period, by code of this module. */
	mmu_notifier_synchronize();
}

module_init(main_init);
module_exit(main_exit);

MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_DESCRIPTION("Socket reads and writes that can be interrupted at any moment");
MODULE_ALIAS_MISCDEV(MAIN_MINOR);
MODULE_ALIAS("devname:cancelio");
