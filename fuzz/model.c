// SPDX-License-Identifier: GPL-2.0
/* What the model knows, and what it says of one operation. */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECV_FLAGS (MSG_PEEK | MSG_WAITALL | MSG_TRUNC | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC)
#define SEND_FLAGS (MSG_MORE | MSG_EOR | MSG_NOSIGNAL)
#define OP_FLAGS (CANCELIO_OP_DEADLINE | CANCELIO_OP_TIMEOUT | CANCELIO_OP_NOWAIT | \
		  CANCELIO_OP_WORKER | CANCELIO_OP_HOLD)

struct model model = { .lock = PTHREAD_MUTEX_INITIALIZER };
char *verdict;

void broken(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(verdict, VERDICT_SIZE, format, list);
	va_end(list);
	_exit(1);
}

void model_init(const struct program *program)
{
	int i;

	model.program = program;
	for (i = 0; i < CONTEXTS; i++) {
		model.contexts[i].fd = -1;
		model.contexts[i].eventfd = -1;
	}
	for (i = 0; i < SOCKS; i++)
		model.socks[i].fd = -1;
	for (i = 0; i < SLOTS; i++)
		model.slots[i] = -1;
	for (i = 0; i < program->count; i++)
		if (program->steps[i].verb == V_SIGNAL)
			model.signals = true;
}

void turn_begin(struct turn *turn, int step)
{
	turn->step = step;
	turn->begun = ++model.begun;
	turn->alone = !model.active++;
	turn->from = now();
}

void turn_end(struct turn *turn)
{
	turn->to = now();
	model.active--;
	if (turn->begun != model.begun)
		turn->alone = false;
}

bool is_stream(int type)
{
	return type == TCP4 || type == TCP6 || type == UNIX_STREAM;
}

bool is_unix(int type)
{
	return type >= UNIX_STREAM;
}

void allow(struct allowed *set, int error)
{
	if (!is_allowed(set, error))
		set->error[set->count++] = error;
}

bool is_allowed(const struct allowed *set, int error)
{
	int i;

	for (i = 0; i < set->count; i++)
		if (set->error[i] == error)
			return true;
	return false;
}

/* Other threads may have closed or shut what was there. */
void check_return(const struct turn *turn, const char *what, const struct allowed *set, int ret)
{
	char line[200] = "";
	int i;

	if (is_allowed(set, ret < 0 ? ret : 0))
		return;
	if (ret == -EINTR && model.signals)
		return;
	/* It was being set up. */
	if (!turn->alone && is_allowed(set, -ENXIO))
		return;
	if (!turn->alone && (ret >= 0 || ret == -EBADF || ret == -ESHUTDOWN || ret == -EAGAIN ||
			     ret == -EBUSY || ret == -ENXIO || ret == -ENOENT || ret == -ETIME ||
			     ret == -EACCES || ret == -EEXIST))
		return;
	for (i = 0; i < set->count; i++)
		sprintf(line + strlen(line), " %d", set->error[i]);
	broken("step %d: %s returns %d, allowed:%s", turn->step, what, ret, line);
}

bool allow_common(struct allowed *set, const struct context *context, bool after_shutdown)
{
	if (context->fd < 0) {
		allow(set, -EBADF);
		return false;
	}
	if (!context->live) {
		allow(set, -ENXIO);
		return false;
	}
	if (context->shut && !after_shutdown) {
		allow(set, -ESHUTDOWN);
		return false;
	}
	return true;
}

int op_side(const struct op *op)
{
	return op->req.opcode == CANCELIO_OP_SEND || op->req.opcode == CANCELIO_OP_SENDMSG ||
	       (op->req.opcode == CANCELIO_OP_WAIT_READY && op->req.msg_flags & POLLOUT);
}

static bool is_recv(const struct op *op)
{
	return op->req.opcode == CANCELIO_OP_RECV || op->req.opcode == CANCELIO_OP_RECVMSG;
}

static bool is_send(const struct op *op)
{
	return op->req.opcode == CANCELIO_OP_SEND || op->req.opcode == CANCELIO_OP_SENDMSG;
}

static bool has_msg(const struct op *op)
{
	return op->req.opcode == CANCELIO_OP_RECVMSG || op->req.opcode == CANCELIO_OP_SENDMSG;
}

static const struct conn *conn_of(const struct op *op)
{
	return &model.conns[op->conn];
}

static int type_of(const struct op *op)
{
	return model.socks[conn_of(op)->sock].type;
}

static bool bad_flags(const struct op *op)
{
	__u32 flags = op->req.msg_flags;

	if (op->req.opcode == CANCELIO_OP_WAIT_READY)
		return !flags || (flags & ~(POLLIN | POLLPRI | POLLRDHUP) && flags != POLLOUT);
	if (is_send(op))
		return flags & ~SEND_FLAGS;
	return flags & ~RECV_FLAGS || (flags & MSG_PEEK && flags & MSG_WAITALL);
}

static bool needs_owner(const struct op *op)
{
	return is_unix(type_of(op)) &&
	       (is_send(op) || (op->req.opcode == CANCELIO_OP_RECVMSG && op->control_len));
}

/*
 * After all checks of the operation itself comes RESTRICT, then the connection.  Of a call
 * that others were beside, these may have come after it had passed their checks.
 */
void allow_refusals(struct allowed *set, const struct op *op, const struct step *step,
		    bool alone)
{
	const struct context *context = &model.contexts[op->context];
	const struct conn *conn = conn_of(op);
	__u32 timed = op->req.flags & (CANCELIO_OP_DEADLINE | CANCELIO_OP_TIMEOUT);

	if (op->req.flags & ~OP_FLAGS || timed == 3 || (!timed && op->req.deadline) ||
	    bad_flags(op)) {
		allow(set, -EINVAL);
		return;
	}
	if (context->refused_ops & 1U << op->req.opcode ||
	    context->refused_sides & 1U << op_side(op)) {
		allow(set, -EACCES);
		if (alone)
			return;
	}
	if (op->req.conn != conn->id || conn->closing) {
		allow(set, -EBADF);
		if (alone)
			return;
	}
	if (!op->held && !context->spoiled &&
	    context->outstanding >= (int)context->entries)
		allow(set, -EAGAIN);
	if (has_msg(op) && step->arg[OP_BUF] == BUF_BAD && !step->arg[OP_LEN])
		allow(set, -EFAULT);
	if (needs_owner(op) && (op->req.flags & CANCELIO_OP_WORKER || context->engine))
		allow(set, -EOPNOTSUPP);
	if (context->spoiled)
		allow(set, -EAGAIN);
	if (!set->count || context->spoiled)
		allow(set, 0);
}

static __s64 own_deadline(const struct op *op, __s64 from)
{
	if (op->req.flags & CANCELIO_OP_DEADLINE)
		return op->req.deadline;
	if (!(op->req.flags & CANCELIO_OP_TIMEOUT) || op->req.deadline == CANCELIO_NEVER)
		return CANCELIO_NEVER;
	return from + op->req.deadline;
}

static __s64 side_deadline(const struct conn *conn, int side)
{
	int count = conn->nr_moves[side];

	if (conn->vague)
		return CANCELIO_NEVER;
	return count ? conn->moves[side][count - 1].time : CANCELIO_NEVER;
}

__s64 op_deadline(const struct op *op)
{
	__s64 own = own_deadline(op, op->to ? op->to : now());
	__s64 side = side_deadline(conn_of(op), op_side(op));

	return own < side ? own : side;
}

static bool is_empty_read(const struct op *op)
{
	return is_recv(op) && !op->room && is_stream(type_of(op));
}

/* Checked when it is accepted: @turn says whether others may have moved a deadline. */
void op_start(struct op *op, const struct turn *turn)
{
	__s64 own = own_deadline(op, turn->from);
	__s64 side = side_deadline(conn_of(op), op_side(op));

	op->to = turn->to;
	op->expired = turn->alone && !is_empty_read(op) &&
		      (own <= turn->from || side <= turn->from);
}

/* Whether a deadline of its side can have been @time when the operation ended. */
static bool side_had(const struct op *op, __s64 time, __s64 ended)
{
	const struct conn *conn = conn_of(op);
	int side = op_side(op), i, j;

	for (i = 0; i < conn->nr_moves[side]; i++) {
		const struct move *move = &conn->moves[side][i];
		bool replaced = false;

		if (move->time != time || move->from > ended)
			continue;
		for (j = 0; j < conn->nr_moves[side]; j++) {
			const struct move *later = &conn->moves[side][j];

			if (later->from > move->to && later->to && later->to < ended)
				replaced = true;
		}
		if (!replaced)
			return true;
	}
	return false;
}

static void check_deadline(const struct op *op, int step)
{
	const struct cancelio_completion *result = &op->result;
	__s64 time = result->ended - result->late, own;

	if (result->late < 0)
		broken("op %d: its deadline came %lld ns early", step, -(long long)result->late);
	switch (result->which) {
	case CANCELIO_WHICH_OP:
		own = own_deadline(op, op->from);
		if (own == CANCELIO_NEVER)
			broken("op %d: ended by a deadline that it has not", step);
		if (time < own && own > INT64_MIN / 2)
			broken("op %d: ended by its deadline, which is %lld ns later", step,
			       (long long)(own - time));
		if (op->req.flags & CANCELIO_OP_DEADLINE && own > INT64_MIN / 2 && time != own)
			broken("op %d: its deadline is another one than it says", step);
		break;
	case CANCELIO_WHICH_SIDE:
		if (!side_had(op, time, result->ended) && time > INT64_MIN / 2)
			broken("op %d: ended by a deadline that its side has not", step);
		break;
	default:
		broken("op %d: ended by no deadline", step);
	}
}

static bool pair_is_broken(const struct op *op)
{
	int sock = conn_of(op)->sock;

	return model.directions[sock].broken || model.directions[sock ^ 1].broken;
}

static void allow_errors(struct allowed *set, const struct op *op)
{
	int type = type_of(op);

	if (op->kind != BUF_OK || op->tricked)
		allow(set, -EFAULT);
	if (op->req.flags & CANCELIO_OP_NOWAIT)
		allow(set, -EAGAIN);
	if (is_send(op) && !is_stream(type) && op->room > 60000)
		allow(set, -EMSGSIZE);
	if (is_send(op) && op->req.msg_flags & MSG_MORE)
		allow(set, -EMSGSIZE);
	/* SOCK_DGRAM and SOCK_SEQPACKET of AF_UNIX know no MSG_EOR, and the like. */
	if (pair_is_broken(op)) {
		allow(set, -EPIPE);
		allow(set, -ECONNRESET);
		allow(set, -ENOTCONN);
		allow(set, -ECONNREFUSED);
	}
}

static void check_error(const struct op *op, int step)
{
	struct allowed set = {};

	allow_errors(&set, op);
	if (!is_allowed(&set, op->result.error))
		broken("op %d: fails with %d", step, op->result.error);
}

static void check_done(const struct op *op, int step)
{
	const struct cancelio_completion *result = &op->result;
	bool stream = is_stream(type_of(op));

	if (result->error)
		broken("op %d: done, with error %d", step, result->error);
	if (op->req.opcode == CANCELIO_OP_WAIT_READY) {
		if (result->bytes || !result->events ||
		    result->events & ~(op->req.msg_flags | POLLERR | POLLHUP))
			broken("op %d: ready for %#x, %u bytes", step, result->events,
			       result->bytes);
	} else if (is_send(op)) {
		if (result->bytes != op->room)
			broken("op %d: sent %u of %u bytes", step, result->bytes, op->room);
	} else if (result->bytes > op->room && (stream || !(op->req.msg_flags & MSG_TRUNC))) {
		broken("op %d: received %u into %u bytes", step, result->bytes, op->room);
	} else if (stream && op->room && !result->bytes && !pair_is_broken(op)) {
		broken("op %d: end of file on an open connection", step);
	} else if (stream && op->req.msg_flags & MSG_WAITALL && result->bytes < op->room &&
		   !pair_is_broken(op) && !op->control_len) {
		broken("op %d: MSG_WAITALL ends with %u of %u", step, result->bytes, op->room);
	}
}

/* A reason, its error, and who may have given it. */
static void check_reason(const struct op *op, int step)
{
	const struct cancelio_completion *result = &op->result;
	bool all = is_stream(type_of(op)) &&
		   (is_send(op) || op->req.msg_flags & MSG_WAITALL);
	static const int errors[] = {
		[CANCELIO_DEADLINE] = -ETIME,
		[CANCELIO_CANCELED] = -ECANCELED,
		[CANCELIO_CLOSED] = -EBADF,
	};

	if (result->reason > CANCELIO_CLOSED)
		broken("op %d: reason %d", step, result->reason);
	if (result->reason >= CANCELIO_DEADLINE && result->error != errors[result->reason])
		broken("op %d: reason %d with error %d", step, result->reason, result->error);
	if (result->reason >= CANCELIO_DEADLINE && result->bytes && !all)
		broken("op %d: reason %d with %u bytes", step, result->reason, result->bytes);
	if (result->reason != CANCELIO_DEADLINE && (result->late || result->which))
		broken("op %d: reason %d and late", step, result->reason);
	if (result->ended < op->from || result->ended > now())
		broken("op %d: ended before it began, or in the future", step);
	if (result->bytes > op->room && result->reason)
		broken("op %d: moved %u of %u bytes", step, result->bytes, op->room);
	if (op->expired && (result->reason != CANCELIO_DEADLINE || result->bytes))
		broken("op %d: began past its deadline, ends with reason %d, %u bytes", step,
		       result->reason, result->bytes);
	switch (result->reason) {
	case CANCELIO_DONE:
		check_done(op, step);
		break;
	case CANCELIO_ERROR:
		check_error(op, step);
		break;
	case CANCELIO_DEADLINE:
		check_deadline(op, step);
		break;
	case CANCELIO_CANCELED:
		if (!op->cancel_asked)
			broken("op %d: canceled by nobody", step);
		break;
	default:
		if (!op->close_asked)
			broken("op %d: closed by nobody", step);
	}
}

static bool can_look(const struct op *op)
{
	return op->buffer && op->kind != BUF_BAD && op->kind != BUF_READONLY && !op->tricked &&
	       !op->lost_content;
}

void check_header(const struct op *op, int step)
{
	if (has_msg(op) && op->msg.control_len != op->control_len)
		broken("op %d: has taken nothing, and its header is written", step);
}

/* Nothing beyond what it reports is in the buffer. */
static void check_untouched(const struct op *op, int step)
{
	__u32 i = op->result.bytes;

	if (!can_look(op) || op->kind != BUF_OK || !is_recv(op) ||
	    op->result.reason == CANCELIO_ERROR ||
	    (op->req.msg_flags & MSG_TRUNC && is_stream(type_of(op))))
		return;
	for (; i < op->room; i++)
		if (op->buffer[i] != POISON)
			broken("op %d: moved %u bytes, byte %u is written", step,
			       op->result.bytes, i);
}

static void note_op(struct op *op, int step)
{
	struct event event = {
		.from = op->from, .to = op->result.ended, .conn = op->conn, .step = step,
		.bytes = op->result.bytes, .room = op->room,
		.truncated = op->result.events & MSG_TRUNC,
	};
	int sock = conn_of(op)->sock;
	__u32 there = event.bytes < op->reach ? event.bytes : op->reach;
	bool packet = !is_stream(type_of(op)) && op->result.reason == CANCELIO_DONE;

	/* The data has been taken from the socket, and is nowhere. */
	if (is_recv(op) && !is_stream(type_of(op)) && op->result.error == -EFAULT)
		model.directions[sock].gaps = true;
	if (!event.bytes && !packet)
		return;
	if (is_send(op)) {
		if (op->lost_content || op->req.msg_flags & MSG_MORE)
			model.directions[sock ^ 1].loose = true;
		note_send(sock, event);
	} else if (is_recv(op) && !(op->req.msg_flags & MSG_PEEK)) {
		if (can_look(op) && !(op->req.msg_flags & MSG_TRUNC && is_stream(type_of(op)))) {
			event.data = malloc(there + 1);
			memcpy(event.data, op->buffer, there);
		}
		note_recv(sock, event);
	}
}

/* From here on the buffer is the program's. */
static void put_canary(struct op *op)
{
	if (!can_look(op) || op->kind == BUF_HELD)
		return;
	memset(op->buffer, CANARY, op->reach);
	op->canary = true;
}

static __u64 id_of(const struct op *op)
{
	return op->state == OP_FLYING && op->early_id ?
	       __atomic_load_n(op->early_id, __ATOMIC_RELAXED) : op->id;
}

static int find_op(const struct context *context, __u64 id)
{
	int i;

	for (i = 0; i < MAX_STEPS; i++) {
		const struct op *op = &model.ops[i];

		if (op->state != OP_NONE && id_of(op) == id &&
		    &model.contexts[op->context] == context)
			return i;
	}
	return -1;
}

void op_complete(struct context *context, const struct cancelio_completion *result, bool held)
{
	int step = find_op(context, result->id);
	struct op *op = &model.ops[step];

	if (step < 0)
		broken("a completion of nobody, id %#llx", (unsigned long long)result->id);
	if (op->completed)
		broken("op %d: completes twice", step);
	if (op->held != held)
		broken("op %d: its completion goes the wrong way", step);
	op->completed = true;
	op->result = *result;
	if (result->user_data != op->req.user_data || result->opcode != op->req.opcode ||
	    result->conn != op->req.conn || result->reserved)
		broken("op %d: its completion is not its own", step);
	check_reason(op, step);
	check_untouched(op, step);
	if (result->reason && !result->bytes && result->error != -EFAULT)
		check_header(op, step);
	note_op(op, step);
	put_canary(op);
	if (!held)
		context->outstanding--;
	if (result->reason == CANCELIO_CANCELED)
		context->canceled++;
	if (op->state == OP_PENDING)
		op->state = OP_ENDED;
}

/* Whether the first one was submitted before the other, for sure. */
static bool was_before(int one, int other)
{
	const struct op *first = &model.ops[one], *second = &model.ops[other];

	return first->to < second->from || (first->from == second->from && one < other);
}

/* Nothing of a side does its work while what came before it still waits. */
void check_order(void)
{
	int i, j;

	for (i = 0; i < MAX_STEPS; i++) {
		const struct op *done = &model.ops[i];

		if (!done->completed || done->result.reason || is_empty_read(done))
			continue;
		for (j = 0; j < MAX_STEPS; j++) {
			const struct op *op = &model.ops[j];

			if (op->completed && op->conn == done->conn &&
			    op_side(op) == op_side(done) && was_before(j, i) &&
			    op->result.ended > done->result.ended)
				broken("op %d: is done before op %d, which came first", i, j);
		}
	}
}

bool cancel_matches(const struct op *op, int scope, __u64 target, __u32 sides)
{
	switch (scope) {
	case SCOPE_ID:
		return id_of(op) == target;
	case SCOPE_COOKIE:
		return op->req.user_data == target;
	case SCOPE_CONN:
		return op->req.conn == target && sides & 1U << op_side(op);
	default:
		return scope == SCOPE_ALL;
	}
}

void mark_canceled(struct context *context, int scope, __u64 target, __u32 sides)
{
	int i;

	for (i = 0; i < MAX_STEPS; i++) {
		struct op *op = &model.ops[i];

		if ((op->state == OP_FLYING || op->state == OP_PENDING) &&
		    &model.contexts[op->context] == context &&
		    cancel_matches(op, scope, target, sides))
			op->cancel_asked = true;
	}
}

/* @conn below 0: all of them. */
void mark_closed(struct context *context, int conn)
{
	int i;

	for (i = 0; i < CONNS; i++)
		if ((conn < 0 || conn == i) && model.conns[i].id &&
		    &model.contexts[model.conns[i].context] == context)
			model.conns[i].closing = true;
	for (i = 0; i < MAX_STEPS; i++) {
		struct op *op = &model.ops[i];

		if ((op->state == OP_FLYING || op->state == OP_PENDING) &&
		    &model.contexts[op->context] == context && (conn < 0 || conn == op->conn))
			op->close_asked = true;
	}
}
