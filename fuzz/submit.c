// SPDX-License-Identifier: GPL-2.0
/* The steps that submit operations. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BATCH 8

/* What a thread submits together. */
struct batch {
	int steps[BATCH];
	int count;
	__u64 ids[BATCH];
};

static struct batch batches[THREADS];

static const struct step *step_of(int step)
{
	return &model.program->steps[step];
}

static __s64 op_time(const struct step *step)
{
	__s64 time = step->arg[OP_TIME];

	if (time == TIME_NEVER)
		return CANCELIO_NEVER;
	if (time == TIME_PAST)
		return INT64_MIN;
	time *= 1000;
	return step->arg[OP_FLAGS] & CANCELIO_OP_DEADLINE ? now() + time : time;
}

static void fill_buffer(__u8 *to, __u32 len, int step, bool sends)
{
	__u32 i;

	if (!sends)
		memset(to, POISON, len);
	for (i = 0; sends && i < len; i++)
		to[i] = content(step, i);
}

static void build_buffer(struct op *op, int step, __u32 len, bool sends)
{
	__u8 *room = room_of(step);

	op->kind = step_of(step)->arg[OP_BUF];
	op->room = len;
	op->reach = len;
	op->buffer = room;
	switch (op->kind) {
	case BUF_BAD:
		op->buffer = bad_page();
		op->reach = 0;
		return;
	case BUF_HELD:
		if (hold_room(step))
			return;
		break;
	case BUF_EDGE:
		op->reach = len / 2;
		op->buffer = edge_of(step) - op->reach;
		break;
	}
	fill_buffer(op->buffer, op->reach, step, sends);
	if (op->kind == BUF_READONLY)
		mprotect(room, ROOM - PAGE, PROT_READ);
}

/* A descriptor for the peer. */
static void build_control(struct op *op)
{
	static int null = -1;
	struct cmsghdr *header = (struct cmsghdr *)op->control;

	if (null < 0)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	header->cmsg_len = CMSG_LEN(sizeof(int));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(header), &null, sizeof(null));
	op->msg.control_len = CMSG_SPACE(sizeof(int));
}

/* Two buffers, and for every other slot control data. */
static void build_message(struct op *op, int step, __u32 len, bool sends)
{
	__u32 first = len / 3;

	op->iov[0].base = (__u64)op->buffer;
	op->iov[0].len = first;
	op->iov[1].base = (__u64)op->buffer + first;
	op->iov[1].len = len - first;
	op->msg.iov = (__u64)op->iov;
	op->msg.iov_count = 2;
	if (step_of(step)->arg[OP_SLOT] & 1) {
		if (!sends)
			op->msg.control_len = sizeof(op->control);
		else if (is_unix(model.socks[model.conns[op->conn].sock].type))
			build_control(op);
		op->msg.control = op->msg.control_len ? (__u64)op->control : 0;
	}
	op->control_len = op->msg.control_len;
	op->req.addr = (__u64)&op->msg;
	if (op->kind == BUF_BAD && !len)
		op->req.addr = (__u64)bad_page();
}

static void build(struct op *op, int step)
{
	static const __u16 opcodes[] = {
		[V_RECV] = CANCELIO_OP_RECV, [V_SEND] = CANCELIO_OP_SEND,
		[V_RECVMSG] = CANCELIO_OP_RECVMSG, [V_SENDMSG] = CANCELIO_OP_SENDMSG,
		[V_READY] = CANCELIO_OP_WAIT_READY,
	};
	const struct step *s = step_of(step);
	bool sends = s->verb == V_SEND || s->verb == V_SENDMSG;
	const struct conn *conn = &model.conns[s->arg[OP_CONN]];

	memset(op, 0, sizeof(*op));
	op->conn = s->arg[OP_CONN];
	op->context = conn->context;
	op->call = s->arg[OP_FLAGS] & FLAG_CALL;
	op->held = op->call || s->arg[OP_FLAGS] & CANCELIO_OP_HOLD;
	op->req.opcode = opcodes[s->verb];
	op->req.flags = s->arg[OP_FLAGS] & 0xffff;
	if (s->arg[OP_FLAGS] & FLAG_JUNK)
		op->req.flags |= 0x80;
	op->req.user_data = 100 + s->arg[OP_SLOT] % 4;
	op->req.msg_flags = s->arg[OP_MSG];
	if (s->verb == V_READY)
		return;
	build_buffer(op, step, s->arg[OP_LEN], sends);
	if (s->verb == V_RECVMSG || s->verb == V_SENDMSG) {
		build_message(op, step, s->arg[OP_LEN], sends);
	} else {
		op->req.addr = (__u64)op->buffer;
		op->req.len = op->room;
	}
}

static void op_refused(struct op *op, int step)
{
	if (op->completed)
		broken("op %d: was refused, and completes", step);
	check_header(op, step);
	op->state = OP_NONE;
}

static void op_accepted(struct op *op, int step, const struct turn *turn)
{
	int i;

	if (!op->id)
		broken("op %d: accepted without an id", step);
	for (i = 0; i < MAX_STEPS; i++)
		if (i != step && model.ops[i].state >= OP_PENDING && model.ops[i].id == op->id &&
		    model.ops[i].context == op->context)
			broken("op %d: has the id of op %d", step, i);
	op_start(op, turn);
	op->state = op->completed ? OP_ENDED : OP_PENDING;
	if (!op->held)
		model.contexts[op->context].outstanding++;
	model.slots[step_of(step)->arg[OP_SLOT]] = step;
}

/* Judges how the call answered for one operation: @ret is 0 or why it was refused. */
static void judge(const struct turn *turn, int step, int ret)
{
	struct op *op = &model.ops[step];
	struct allowed set = {};

	/* It may have been closed while the call went on. */
	if (allow_common(&set, &model.contexts[op->context], false) || !turn->alone)
		allow_refusals(&set, op, step_of(step), turn->alone);
	check_return(turn, op->call ? "CALL" : "SUBMIT", &set, ret);
	if (ret && (ret != -EINTR || !op->id))
		op_refused(op, step);
	else
		op_accepted(op, step, turn);
}

static void take_off(struct op *op, const struct turn *turn)
{
	const struct context *context = &model.contexts[op->context];
	const struct conn *conn = &model.conns[op->conn];

	op->from = turn->from;
	/* What is attached from here on has another number. */
	op->req.conn = conn->id && conn->context == op->context ? conn->id : NO_CONN;
	op->req.deadline = op_time(step_of(turn->step));
	op->state = OP_FLYING;
	op->cancel_asked = context->canceling;
	op->close_asked = context->shut || model.conns[op->conn].closing;
}

static void submit_call(int step)
{
	struct cancelio_call call = { .size = sizeof(call) };
	struct op *op = &model.ops[step];
	struct context *context = &model.contexts[op->context];
	struct turn turn;
	int fd, ret;

	pthread_mutex_lock(&model.lock);
	turn_begin(&turn, step);
	take_off(op, &turn);
	call.op = op->req;
	memset(&call.result, POISON, sizeof(call.result));
	call.id = 0;
	fd = context->fd;
	pthread_mutex_unlock(&model.lock);
	ret = cio_ioctl(fd, CANCELIO_CALL, &call);
	pthread_mutex_lock(&model.lock);
	turn_end(&turn);
	op->id = call.id;
	if (ret && ret != -EINTR && op->id)
		broken("op %d: refused with %d by CALL, has an id", step, ret);
	judge(&turn, step, ret);
	if (!ret)
		op_complete(context, &call.result, true);
	pthread_mutex_unlock(&model.lock);
}

static void batch_begin(struct batch *batch, struct turn *turn, struct cancelio_op *reqs)
{
	int i;

	turn_begin(turn, batch->steps[0]);
	for (i = 0; i < batch->count; i++) {
		struct op *op = &model.ops[batch->steps[i]];

		turn->step = batch->steps[i];
		take_off(op, turn);
		reqs[i] = op->req;
		batch->ids[i] = 0;
	}
}

/* What was taken, what was refused, and what was not looked at. */
static void batch_end(struct batch *batch, struct turn *turn, int ret, int error)
{
	int i, taken = ret < 0 ? 0 : ret;
	bool all;

	turn_end(turn);
	all = taken == batch->count;
	if (taken > batch->count || (ret >= 0 && !error != all))
		broken("step %d: SUBMIT takes %d of %d, error %d", turn->step, ret, batch->count,
		       error);
	for (i = 0; i < batch->count; i++) {
		struct op *op = &model.ops[batch->steps[i]];

		turn->step = batch->steps[i];
		op->id = batch->ids[i];
		if (i < taken)
			judge(turn, batch->steps[i], 0);
		else if (i == taken)
			judge(turn, batch->steps[i], ret < 0 ? ret : error);
		else
			op_refused(op, batch->steps[i]);
	}
}

/* A completion may come before the call has returned: its id is in the array then. */
static void batch_publish(struct batch *batch)
{
	int i;

	for (i = 0; i < batch->count; i++)
		model.ops[batch->steps[i]].early_id = &batch->ids[i];
}

void submit_flush(int thread)
{
	struct batch *batch = &batches[thread];
	struct cancelio_op reqs[BATCH];
	struct cancelio_submit submit = {
		.size = sizeof(submit), .op_size = sizeof(reqs[0]), .ops = (__u64)reqs,
		.ids = (__u64)batch->ids, .error = 12345,
	};
	struct turn turn;
	int fd, ret;

	if (!batch->count)
		return;
	pthread_mutex_lock(&model.lock);
	batch_begin(batch, &turn, reqs);
	batch_publish(batch);
	submit.count = batch->count;
	fd = model.contexts[model.ops[batch->steps[0]].context].fd;
	pthread_mutex_unlock(&model.lock);
	ret = cio_ioctl(fd, CANCELIO_SUBMIT, &submit);
	pthread_mutex_lock(&model.lock);
	batch_end(batch, &turn, ret, submit.error);
	batch->count = 0;
	pthread_mutex_unlock(&model.lock);
}

void submit_step(int step)
{
	const struct step *s = step_of(step);
	struct batch *batch = &batches[s->thread];
	struct op *op = &model.ops[step];

	pthread_mutex_lock(&model.lock);
	build(op, step);
	pthread_mutex_unlock(&model.lock);
	if (batch->count && (op->call || model.ops[batch->steps[0]].context != op->context))
		submit_flush(s->thread);
	if (op->call) {
		submit_call(step);
		return;
	}
	batch->steps[batch->count++] = step;
	if (!(s->arg[OP_FLAGS] & FLAG_MORE) || batch->count == BATCH)
		submit_flush(s->thread);
}
