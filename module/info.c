// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/fdinfo: the context as its lines "key:<tab>value", see
 * Documentation/fdinfo.rst.  Whoever may read that file is shown it, the owner or
 * not: numbers and states, no address, no cookie, no data.
 *
 * Each conn and each operation is looked at by itself, under its lock and with a
 * reference, and is printed afterwards.  So the lines are of slightly different
 * moments, and nobody waits for the reader.
 */
#include "info.h"

#include "end.h"
#include "engine.h"
#include "sleeper.h"

#include <linux/seq_file.h>

/* The most conns, and the most operations, that are listed. */
#define MAX_LINES 1024

static const char *const info_states[] = {
	[CIO_CTX_NEW] = "new",
	[CIO_CTX_LIVE] = "live",
	[CIO_CTX_DEAD] = "dead",
};

static const char *const info_opcodes[] = {
	[CANCELIO_OP_RECV] = "recv",
	[CANCELIO_OP_SEND] = "send",
	[CANCELIO_OP_RECVMSG] = "recvmsg",
	[CANCELIO_OP_SENDMSG] = "sendmsg",
	[CANCELIO_OP_WAIT_READY] = "wait_ready",
};

/* Of the states that a listed operation can be in. */
static const char *const info_op_states[] = {
	[CIO_QUEUED] = "queued",
	[CIO_RUNNING] = "running",
	[CIO_ENDING] = "ending",
	[CIO_BLOCKED] = "blocked",
};

/* A deadline as the owner's clock has it. */
static void info_deadline(struct seq_file *to, const struct cio_ctx *ctx,
			  const char *key, ktime_t host)
{
	s64 time;

	if (host == KTIME_MAX)
		seq_printf(to, " %s=never", key);
	else if (check_add_overflow(host, ctx->time_offset, &time))
		seq_printf(to, " %s=%lld", key, host < 0 ? S64_MIN : S64_MAX);
	else
		seq_printf(to, " %s=%lld", key, time);
}

/* Takes the reference. */
static void info_conn(struct seq_file *to, struct cio_conn *conn)
{
	ktime_t read, write;
	int error;

	spin_lock_irq(&conn->lock);
	read = conn->sides[CIO_READ].deadline;
	write = conn->sides[CIO_WRITE].deadline;
	error = READ_ONCE(conn->error);
	spin_unlock_irq(&conn->lock);

	seq_printf(to, "conn:\tid=%llu", conn->id);
	info_deadline(to, conn->ctx, "read", read);
	info_deadline(to, conn->ctx, "write", write);
	seq_printf(to, " error=%d\n", error);
	cio_conn_put(conn);
}

/* How many were left out, of those that there were before. */
static void info_more(struct seq_file *to, const char *key, u32 listed, u32 all)
{
	if (listed == MAX_LINES && all > listed)
		seq_printf(to, "%s:\t%u\n", key, all - listed);
}

static void info_conns(struct seq_file *to, struct cio_ctx *ctx)
{
	u32 listed = 0, all = READ_ONCE(ctx->nr_conns);
	u32 slot, size = cio_table_size(&ctx->conns);
	struct cio_conn *conn;

	seq_printf(to, "conns:\t%u\n", all);
	for (slot = 0; slot < size && listed < MAX_LINES; slot++) {
		conn = cio_conn_get_slot(ctx, slot);
		if (conn)
			info_conn(to, conn);
		listed += !!conn;
		cond_resched();
	}
	info_more(to, "more_conns", listed, all);
}

/**
 * struct info_op - what is told of one operation
 * @id: its id
 * @conn: its conn's
 * @deadline: its own, host time
 * @opcode: an enum cancelio_opcode
 * @side: which side
 * @state: an enum cio_op_state
 * @done: bytes moved
 * @thread: who sleeps for it, in the reader's pid namespace; 0: nobody there
 */
struct info_op {
	u64 id;
	u64 conn;
	ktime_t deadline;
	u16 opcode;
	enum cio_side_index side;
	enum cio_op_state state;
	u32 done;
	pid_t thread;
};

/* The thread engine's thread for an operation. */
static pid_t info_thread(const struct cio_side *side, const struct cio_op *op)
{
	const struct cio_sleeper *sleeper = side->sleeper;

	/* It leaves the side under the conn's lock. */
	return sleeper && sleeper->op == op ? task_pid_vnr(sleeper->task) : 0;
}

/* Copy an operation of generation @gen; false when it has ended. */
static bool info_copy_op(struct cio_conn *conn, struct cio_op *op, u64 gen,
			 struct info_op *copy)
{
	bool pending;
	u64 word;

	spin_lock_irq(&conn->lock);
	/* A pending one is not given away without this lock. */
	word = cio_op_word(op);
	pending = cio_word_gen(word) == gen && cio_word_pending(word);
	if (pending)
		*copy = (struct info_op){
			.id = cio_op_id(op),
			.conn = conn->id,
			.deadline = op->deadline,
			.opcode = op->opcode,
			.side = cio_side_index(op->opcode, op->msg_flags),
			.state = cio_word_state(word),
			/* A runner counts without the lock. */
			.done = data_race(op->done),
			.thread = info_thread(cio_op_side(conn, op), op),
		};
	spin_unlock_irq(&conn->lock);
	return pending;
}

static bool info_op(struct seq_file *to, struct cio_op *op)
{
	u64 gen = cio_word_gen(cio_op_word(op));
	struct cio_conn *conn = cio_conn_of_op(op, gen);
	struct info_op copy;
	bool pending;

	if (!conn)
		return false;
	pending = info_copy_op(conn, op, gen, &copy);
	if (pending) {
		seq_printf(to, "op:\tid=%llu conn=%llu opcode=%s side=%s state=%s bytes=%u",
			   copy.id, copy.conn, info_opcodes[copy.opcode],
			   copy.side == CIO_READ ? "read" : "write",
			   info_op_states[copy.state], copy.done);
		info_deadline(to, conn->ctx, "deadline", copy.deadline);
		if (copy.thread)
			seq_printf(to, " thread=%d", copy.thread);
		seq_putc(to, '\n');
	}
	cio_conn_put(conn);
	return pending;
}

static u32 info_pending(struct cio_ctx *ctx)
{
	u32 slot, slots = cio_ops_slots(&ctx->ops), pending = 0;

	for (slot = 0; slot < slots; slot++) {
		const struct cio_op *op = cio_op_find(&ctx->ops, slot);

		pending += cio_word_pending(cio_op_word(op));
		cond_resched();
	}
	return pending;
}

/* The context's operations by slot; their memory stays as long as it does. */
static void info_ops(struct seq_file *to, struct cio_ctx *ctx)
{
	u32 slot, slots = cio_ops_slots(&ctx->ops), listed = 0;
	u32 all = info_pending(ctx);

	seq_printf(to, "pending:\t%u\n", all);
	for (slot = 0; slot < slots && listed < MAX_LINES; slot++) {
		listed += info_op(to, cio_op_find(&ctx->ops, slot));
		cond_resched();
	}
	info_more(to, "more_ops", listed, all);
}

void cio_info_show(struct cio_ctx *ctx, struct seq_file *to)
{
	/* Pairs with SETUP: the state before what SETUP made. */
	int state = smp_load_acquire(&ctx->state);

	seq_printf(to, "context:\t%u\n", ctx->number);
	seq_printf(to, "owner:\t%d\n", pid_vnr(ctx->owned.group));
	seq_printf(to, "state:\t%s\n", info_states[state]);
	/* One that was never set up can be dead as well. */
	if (state == CIO_CTX_NEW || !ctx->ring.hdr)
		return;
	seq_printf(to, "engine:\t%s\n", ctx->engine->name);
	seq_printf(to, "entries:\t%u\n", ctx->ring.mask + 1);
	seq_printf(to, "completions:\t%u\n", cio_ring_count(&ctx->ring));
	/* A number that was right some moment ago needs no lock. */
	seq_printf(to, "workers:\t%u\n", data_race(ctx->pool.nr_workers));
	cio_stats_show(&ctx->stats, to);
	info_conns(to, ctx);
	info_ops(to, ctx);
}
