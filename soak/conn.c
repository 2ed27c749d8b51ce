// SPDX-License-Identifier: GPL-2.0
/* A worker's end of a connection, its operations, and what their ends may be. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "soak.h"

static const __u8 untouched[RECV_MAX] = { [0 ... RECV_MAX - 1] = POISON };

static void say_hello(struct conn *conn)
{
	struct hello hello = {
		.record = conn->record - shared->records,
		.generation = conn->record->generation,
	};

	if (send(conn->sock, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		violation("nothing can be sent on a new connection: %s", strerror(errno));
}

/* Returns 0, or what the program or the context is short of. */
int conn_attach(struct conn *conn)
{
	int ret = cio_attach(conn->worker->fd, conn->sock, &conn->id);

	if (!ret)
		return 0;
	conn->id = 0;
	if (ret == -ENOMEM)
		count_add(NOMEM_ATTACH, 1);
	else if (ret == -EMFILE && conn->worker->kind->limit == OF_FILES)
		count_add(EMFILE_ATTACH, 1);
	else
		violation("a socket cannot be attached: %s", strerror(-ret));
	return ret;
}

static void conn_reset(struct conn *conn)
{
	int i;

	conn->ending = false;
	conn->read_end = false;
	conn->broken = false;
	conn->sent = 0;
	conn->received = 0;
	for (i = 0; i < 2; i++)
		conn->deadlines[i] = CANCELIO_NEVER;
}

/* Connects and attaches; returns 0, or why it could not. */
int conn_open(struct conn *conn, __u64 *random)
{
	struct worker *worker = conn->worker;
	int ret;

	conn_reset(conn);
	conn->family = random_below(random, worker->kind->families);
	conn->record = record_take(worker->number);
	if (!conn->record)
		return -EAGAIN;
	conn->sock = peer_connect(random_below(random, PEERS), conn->family);
	if (conn->sock < 0) {
		ret = conn->sock;
		conn->record->used = false;
		if (ret == -EMFILE && worker->kind->limit == OF_FILES)
			count_add(EMFILE_SOCKET, 1);
		else if (ret != -EAGAIN && ret != -ENOBUFS && ret != -ENOMEM)
			violation("no connection: %s", strerror(-ret));
		return ret;
	}
	say_hello(conn);
	count_add(MADE, 1);
	ret = conn_attach(conn);
	if (ret) {
		conn_close(conn);
		return ret;
	}
	/* The connection lives on without the program's descriptor. */
	if (worker->kind->limit == OF_FILES && one_in(random, 2)) {
		close(conn->sock);
		conn->sock = -1;
	}
	return 0;
}

bool conn_idle(const struct conn *conn)
{
	int i;

	for (i = 0; i < OPS; i++)
		if (conn->slots[i].pending)
			return false;
	return true;
}

/* Nothing is pending to be sent: what was sent is final. */
void conn_finish_writing(struct conn *conn)
{
	conn->record->sent = conn->sent;
	flag_set(&conn->record->finished);
}

/* Nothing is pending.  The socket goes with its last descriptor, or went by the detach. */
void conn_close(struct conn *conn)
{
	if (!conn->read_end)
		flag_set(&conn->record->aborted);
	conn_finish_writing(conn);
	if (conn->sock >= 0)
		close(conn->sock);
	conn->sock = -1;
	record_leave(conn->record);
	conn->record = NULL;
	conn->id = 0;
}

static void note_deadline(struct conn *conn, int side, __s64 deadline)
{
	int i, first = side ? SEND : FIRST_RECV, end = side ? OPS : SEND;

	conn->deadlines[side] = deadline;
	for (i = first; i < end; i++)
		if (conn->slots[i].pending && deadline < conn->slots[i].side_due)
			conn->slots[i].side_due = deadline;
}

static void move(struct conn *conn, __u32 sides, const __s64 *to)
{
	int i, ret;

	for (i = 0; i < 2; i++)
		if (sides & (i ? CANCELIO_WRITE : CANCELIO_READ))
			note_deadline(conn, i, to[i]);
	ret = cio_deadline(conn->worker->fd, conn->id, sides,
			   sides & CANCELIO_READ ? to[0] : 0,
			   sides & CANCELIO_WRITE ? to[1] : 0);
	if (ret)
		violation("deadlines cannot be moved: %s", strerror(-ret));
	count_add(MOVES, 1);
}

static __s64 random_deadline(__u64 *random)
{
	switch (random_below(random, 8)) {
	case 0 ... 4:
		return CANCELIO_NEVER;
	case 5:
		return now() - random_below(random, 1000000);
	default:
		return after(random_below(random, 300) * MS);
	}
}

void conn_move_deadline(struct conn *conn, __u64 *random)
{
	__s64 to[2] = { random_deadline(random), random_deadline(random) };

	move(conn, 1 + random_below(random, 3), to);
}

void conn_clear_deadlines(struct conn *conn)
{
	__s64 to[2] = { CANCELIO_NEVER, CANCELIO_NEVER };

	move(conn, CANCELIO_READ | CANCELIO_WRITE, to);
}

/* Its own deadline: one from now on, an absolute one, none, or no waiting at all. */
static void begin_deadline(struct slot *slot, __u64 *random, struct cancelio_op *op)
{
	__s64 length = random_below(random, 400) * MS;

	switch (random_below(random, 10)) {
	case 0 ... 3:
		slot->due = slot->since + length;
		*op = with_timeout(*op, length);
		break;
	case 4 ... 5:
		slot->due = slot->since + length - 20 * MS;
		slot->absolute = true;
		*op = with_deadline(*op, slot->due);
		break;
	case 6:
		slot->nowait = true;
		op->flags |= CANCELIO_OP_NOWAIT;
		break;
	default:
		break;
	}
}

static void begin_recv(struct conn *conn, enum which which, __u64 *random,
		       struct cancelio_op *op)
{
	struct slot *slot = &conn->slots[which];

	slot->len = 1 + random_below(random, one_in(random, 3) ? RECV_MAX : 256);
	memset(slot->bytes, POISON, RECV_MAX);
	*op = op_recv(conn->id, slot->bytes, slot->len);
	/* Another one behind it could tell of its part before it does. */
	if (which == FIRST_RECV && !conn->slots[SECOND_RECV].pending && one_in(random, 6)) {
		slot->waitall = true;
		*op = with_msg_flags(*op, MSG_WAITALL);
	}
}

static void begin_send(struct conn *conn, __u64 *random, struct cancelio_op *op)
{
	struct slot *slot = &conn->slots[SEND];
	struct record *record = conn->record;

	slot->len = 1 + random_below(random, one_in(random, 8) ? SEND_MAX - 1 : 1024);
	*op = op_send(conn->id, pattern_at_place(record->stream, conn->sent), slot->len);
	__atomic_store_n(&record->asked, conn->sent + slot->len, __ATOMIC_RELEASE);
}

/* Makes an operation up; it is pending from here on. */
void conn_begin(struct conn *conn, enum which which, __u64 *random, struct cancelio_op *op)
{
	struct slot *slot = &conn->slots[which];
	struct worker *worker = conn->worker;
	__u8 *bytes = slot->bytes;

	memset(slot, 0, sizeof(*slot));
	slot->bytes = bytes;
	slot->order = ++conn->begun;
	slot->since = now();
	slot->due = CANCELIO_NEVER;
	slot->side_due = conn->deadlines[which == SEND];
	slot->must = -1;
	slot->cancels = __atomic_load_n(&conn->cancels.over, __ATOMIC_SEQ_CST) +
			__atomic_load_n(&worker->cancels.over, __ATOMIC_SEQ_CST);
	if (which == SEND)
		begin_send(conn, random, op);
	else
		begin_recv(conn, which, random, op);
	begin_deadline(slot, random, op);
	op->user_data = conn->index * OPS + which;
	if (conn->family != UNIX && one_in(random, 8))
		op->flags |= CANCELIO_OP_WORKER;
	slot->pending = true;
}

/* It was not taken: nothing has happened. */
void conn_refused(struct conn *conn, enum which which, int error)
{
	conn->slots[which].pending = false;
	if (error == -EAGAIN)
		count_add(AGAIN_RING, 1);
	else if (error == -ENOMEM)
		count_add(NOMEM_SUBMIT, 1);
	else
		violation("an operation is refused: %s", strerror(-error));
}

static void judge_deadline(const struct slot *slot, const struct cancelio_completion *end)
{
	__s64 due = end->which == CANCELIO_WHICH_OP ? slot->due : slot->side_due;

	count_add(DEADLINES, 1);
	if (end->error != -ETIME)
		violation("a deadline's error is %d", end->error);
	if (due == CANCELIO_NEVER)
		violation("a deadline, and there was none: %u", end->which);
	if (end->late < 0 || end->ended < due || end->ended - end->late < due)
		violation("a deadline is early: at %lld, %lld late, due %lld", end->ended,
			  end->late, due);
	if (end->which == CANCELIO_WHICH_OP && slot->absolute && end->ended - end->late != due)
		violation("a deadline of %lld is told as %lld", due, end->ended - end->late);
	/* One that had passed when it was set is as late as one likes. */
	if (due > slot->since && end->which == CANCELIO_WHICH_OP)
		raise_to(&shared->late, end->late);
}

static void judge_canceled(struct conn *conn, const struct slot *slot,
			   const struct cancelio_completion *end)
{
	__u64 cancels = __atomic_load_n(&conn->cancels.begun, __ATOMIC_SEQ_CST) +
			__atomic_load_n(&conn->worker->cancels.begun, __ATOMIC_SEQ_CST);

	count_add(CANCELS, 1);
	conn->canceled++;
	if (end->error != -ECANCELED || cancels == slot->cancels)
		violation("canceled by nobody, error %d", end->error);
}

static void judge_error(struct conn *conn, const struct slot *slot,
			const struct cancelio_completion *end)
{
	count_add(ERRORS, 1);
	if (end->error == -EAGAIN && slot->nowait)
		return;
	if ((end->error == -ENOMEM || end->error == -ENOBUFS) &&
	    conn->worker->kind->limit == OF_MEMORY)
		return;
	if ((end->error != -ECONNRESET && end->error != -EPIPE) ||
	    !flag_get(&conn->record->reset))
		violation("an operation ends with %s", strerror(-end->error));
	conn->broken = true;
}

static void judge_reason(struct conn *conn, const struct slot *slot,
			 const struct cancelio_completion *end)
{
	if (slot->must >= 0 && slot->must != end->reason)
		violation("an operation ends with reason %u and not %d", end->reason,
			  slot->must);
	switch (end->reason) {
	case CANCELIO_DONE:
		count_add(DONE, 1);
		break;
	case CANCELIO_ERROR:
		judge_error(conn, slot, end);
		break;
	case CANCELIO_DEADLINE:
		judge_deadline(slot, end);
		break;
	case CANCELIO_CANCELED:
		judge_canceled(conn, slot, end);
		break;
	case CANCELIO_CLOSED:
		count_add(CLOSES, 1);
		if (!slot->closing)
			violation("closed by nobody");
		break;
	default:
		violation("an operation ends with reason %u", end->reason);
	}
}

/* The end of the stream, which has to be where the peer made it. */
static void judge_end(struct conn *conn)
{
	const struct record *record = conn->record;

	/* Its error was told before. */
	if (flag_get(&record->reset)) {
		conn->broken = true;
		return;
	}
	conn->read_end = true;
	if (!flag_get(&record->stopped))
		violation("stream %u ends, and its peer has not ended it", record->stream + 1);
	if (conn->received != record->down_sent)
		violation("stream %u ends after %llu bytes, and %llu were sent",
			  record->stream + 1, conn->received, record->down_sent);
}

static void judge_recv(struct conn *conn, const struct slot *slot,
		       const struct cancelio_completion *end)
{
	__u32 stream = conn->record->stream + 1;

	if (end->bytes > slot->len)
		violation("%u bytes were read into %u", end->bytes, slot->len);
	if (end->bytes && end->reason != CANCELIO_DONE && !slot->waitall)
		violation("a read has taken %u bytes and ends with reason %u", end->bytes,
			  end->reason);
	if (end->reason == CANCELIO_DONE) {
		if (slot->order < conn->last_read)
			violation("a read is done after a later one");
		conn->last_read = slot->order;
	}
	if (!pattern_is(slot->bytes, end->bytes, stream, conn->received))
		violation("stream %u: wrong bytes behind %llu", stream, conn->received);
	if (memcmp(slot->bytes + end->bytes, untouched, RECV_MAX - end->bytes))
		violation("stream %u: bytes behind the %u that were read, at %llu", stream,
			  end->bytes, conn->received);
	conn->received += end->bytes;
	count_add(DOWN, end->bytes);
	if (end->reason == CANCELIO_DONE && !end->bytes)
		judge_end(conn);
	else if (end->bytes && conn->read_end)
		violation("stream %u goes on behind its end", stream);
}

static void judge_send(struct conn *conn, const struct slot *slot,
		       const struct cancelio_completion *end)
{
	if (end->bytes > slot->len)
		violation("%u bytes were sent, of %u", end->bytes, slot->len);
	if (end->reason == CANCELIO_DONE && end->bytes != slot->len)
		violation("a write of %u is done after %u", slot->len, end->bytes);
	conn->sent += end->bytes;
}

void conn_judge(struct conn *conn, enum which which, const struct cancelio_completion *end)
{
	struct slot *slot = &conn->slots[which];

	if (!slot->pending || end->id != slot->id || end->conn != conn->id)
		violation("an operation ends that is not pending: %llx of %llx, not %llx of %llx",
			  end->id, end->conn, slot->id, conn->id);
	slot->pending = false;
	judge_reason(conn, slot, end);
	if (which == SEND)
		judge_send(conn, slot, end);
	else
		judge_recv(conn, slot, end);
}
