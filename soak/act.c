// SPDX-License-Identifier: GPL-2.0
/* What a worker's main thread does with its connections, by chance. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "soak.h"

#define BATCH	32

/* Operations that are made up and not submitted yet. */
static struct cancelio_op batch[BATCH];
static int batched;

static struct conn *conn_of(struct worker *worker, __u64 cookie)
{
	if (cookie >= (__u64)worker->kind->conns * OPS)
		violation("an operation ends with the cookie %llx", cookie);
	return &worker->conns[cookie / OPS];
}

static void judge_one(struct worker *worker, const struct cancelio_completion *end)
{
	conn_judge(conn_of(worker, end->user_data), end->user_data % OPS, end);
}

static int reap_ring(struct worker *worker)
{
	struct cancelio_completion end;
	int count = 0;

	while (ring_pop(worker->ring, &end)) {
		judge_one(worker, &end);
		count++;
	}
	return count;
}

/* Waits for @min completions until @time, and takes what is there. */
int worker_reap(struct worker *worker, __u32 min, __s64 time)
{
	static struct cancelio_completion ends[64];
	int i, ret = cio_wait(worker->fd, min, worker->ring ? NULL : ends,
			      worker->ring ? 0 : 64, time);

	if (ret < 0 && ret != -ETIME)
		violation("nobody can wait: %s", strerror(-ret));
	if (worker->ring)
		return reap_ring(worker);
	for (i = 0; i < ret; i++)
		judge_one(worker, &ends[i]);
	return ret < 0 ? 0 : ret;
}

/* Takes all that has ended by now. */
void worker_drain(struct worker *worker)
{
	while (worker_reap(worker, 0, 0) > 0)
		;
}

/* Submits what was made up.  Where it is too much, some of it was not to be. */
void worker_flush(struct worker *worker)
{
	int i, taken, refused = 0;
	__u64 ids[BATCH];

	if (!batched)
		return;
	taken = cio_submit(worker->fd, batch, batched, ids, &refused);
	if (taken < 0) {
		refused = taken;
		taken = 0;
	}
	if (taken < batched && !refused)
		violation("%d operations of %d were taken, for no reason", taken, batched);
	for (i = 0; i < batched; i++) {
		struct conn *conn = conn_of(worker, batch[i].user_data);
		enum which which = batch[i].user_data % OPS;

		if (i < taken)
			conn->slots[which].id = ids[i];
		else
			conn_refused(conn, which, refused);
	}
	batched = 0;
}

static void begin(struct worker *worker, struct conn *conn, enum which which)
{
	conn_begin(conn, which, &worker->random, &batch[batched++]);
	if (batched == BATCH)
		worker_flush(worker);
}

static void recv_some(struct worker *worker, struct conn *conn)
{
	if (!conn->slots[FIRST_RECV].pending)
		begin(worker, conn, FIRST_RECV);
	else if (!conn->slots[SECOND_RECV].pending && !conn->slots[FIRST_RECV].waitall)
		begin(worker, conn, SECOND_RECV);
}

static void send_some(struct worker *worker, struct conn *conn)
{
	if (!conn->slots[SEND].pending && !flag_get(&conn->record->finished))
		begin(worker, conn, SEND);
}

/* What a cancel says it ended, and what has ended for it. */
static void cancel_sides(struct worker *worker, struct conn *conn, __u32 sides)
{
	__u64 before;
	int ret;

	worker_flush(worker);
	worker_drain(worker);
	before = conn->canceled;
	cancel_begins(&conn->cancels);
	ret = cio_cancel(worker->fd, CANCELIO_CANCEL_CONN, conn->id, sides);
	cancel_is_over(&conn->cancels);
	worker_drain(worker);
	if (ret == -ENOENT || ret == -ENOMEM)
		ret = 0;
	if (ret < 0 || conn->canceled - before != (__u64)ret)
		violation("a cancel returns %d, and %llu were canceled", ret,
			  conn->canceled - before);
}

static void cancel_one(struct worker *worker, struct conn *conn, bool by_id)
{
	struct slot *slot = &conn->slots[random_below(&worker->random, OPS)];
	__u64 cookie = conn->index * OPS + (slot - conn->slots);
	int ret;

	worker_flush(worker);
	if (!slot->pending)
		return;
	cancel_begins(&conn->cancels);
	ret = cio_cancel(worker->fd, by_id ? CANCELIO_CANCEL_ID : CANCELIO_CANCEL_COOKIE,
			 by_id ? slot->id : cookie, 0);
	cancel_is_over(&conn->cancels);
	if (ret == -ENOENT || ret == -ENOMEM)
		return;
	if (ret != 1)
		violation("a cancel of one operation returns %d", ret);
	slot->must = CANCELIO_CANCELED;
	worker_drain(worker);
	if (slot->pending)
		violation("a canceled operation has no completion");
}

static void cancel_all(struct worker *worker)
{
	int ret;

	worker_flush(worker);
	cancel_begins(&worker->cancels);
	ret = cio_cancel(worker->fd, CANCELIO_CANCEL_ALL, 0, 0);
	cancel_is_over(&worker->cancels);
	if (ret < 0 && ret != -ENOENT && ret != -ENOMEM)
		violation("a cancel of all returns %d", ret);
}

static void cancel(struct worker *worker, struct conn *conn)
{
	switch (random_below(&worker->random, 400)) {
	case 0:
		cancel_all(worker);
		break;
	case 1 ... 160:
		cancel_one(worker, conn, true);
		break;
	case 161 ... 240:
		cancel_one(worker, conn, false);
		break;
	default:
		cancel_sides(worker, conn, 1 + random_below(&worker->random, 3));
	}
}

/* Ends all of it; a peer sees nothing of that while there is a descriptor. */
static void detach(struct worker *worker, struct conn *conn)
{
	int i, ret;

	worker_flush(worker);
	worker_drain(worker);
	for (i = 0; i < OPS; i++)
		conn->slots[i].closing = true;
	ret = cio_detach(worker->fd, conn->id);
	if (ret)
		violation("a connection cannot be detached: %s", strerror(-ret));
	worker_drain(worker);
	if (!conn_idle(conn))
		violation("a detached connection has an operation");
}

static void reattach(struct worker *worker, struct conn *conn)
{
	int i;

	if (conn->sock < 0)
		return;
	detach(worker, conn);
	for (i = 0; i < 2; i++)
		conn->deadlines[i] = CANCELIO_NEVER;
	if (conn_attach(conn))
		conn_close(conn);
	else
		count_add(REATTACHED, 1);
}

static void leave(struct worker *worker, struct conn *conn)
{
	detach(worker, conn);
	conn_close(conn);
}

/* The worker's stream ends first, and the peer's then; or the other way round. */
void worker_end_conn(struct worker *worker, struct conn *conn)
{
	if (conn->ending)
		return;
	conn->ending = true;
	conn_clear_deadlines(conn);
	if (conn->sock < 0 || one_in(&worker->random, 2)) {
		flag_set(&conn->record->stop);
		return;
	}
	cancel_sides(worker, conn, CANCELIO_WRITE);
	/* Where there was no memory for the cancel. */
	if (conn->slots[SEND].pending) {
		flag_set(&conn->record->stop);
		return;
	}
	conn_finish_writing(conn);
	shutdown(conn->sock, SHUT_WR);
}

/* A read that waits beside its data, seen twice. */
static void look_for_stall(struct worker *worker, struct conn *conn)
{
	struct pollfd poll_fd = { .fd = conn->sock, .events = POLLIN };
	struct slot *slot = &conn->slots[FIRST_RECV];

	if (!slot->pending || slot->waitall || conn->sock < 0 ||
	    worker->kind->threads < 2 * (__u32)worker->kind->conns ||
	    now() < slot->since + STALL || poll(&poll_fd, 1, 0) != 1)
		return;
	if (!slot->stalled)
		slot->stalled = now();
	else if (now() > slot->stalled + STALL)
		violation("a read has waited %lld s beside its data",
			  (now() - slot->stalled) / SECOND);
}

static void act_on(struct worker *worker, struct conn *conn)
{
	look_for_stall(worker, conn);
	if (conn->broken || (conn->read_end && (conn->ending || one_in(&worker->random, 8)))) {
		leave(worker, conn);
		return;
	}
	switch (random_below(&worker->random, 1000)) {
	case 0 ... 499:
		recv_some(worker, conn);
		break;
	case 500 ... 749:
		send_some(worker, conn);
		break;
	case 750 ... 849:
		cancel(worker, conn);
		break;
	case 850 ... 949:
		if (!conn->ending)
			conn_move_deadline(conn, &worker->random);
		break;
	case 950 ... 979:
		if (!conn->ending)
			reattach(worker, conn);
		break;
	case 980 ... 997:
		worker_end_conn(worker, conn);
		break;
	default:
		leave(worker, conn);
	}
}

/* At the end: nothing but what brings it to its own. */
void worker_finish_conn(struct worker *worker, struct conn *conn)
{
	if (!conn->id)
		return;
	if (conn->broken || conn->read_end)
		leave(worker, conn);
	else
		recv_some(worker, conn);
}

void worker_act(struct worker *worker)
{
	int own = worker->kind->conns - CALLERS * CALLER_CONNS;
	struct conn *conn = &worker->conns[random_below(&worker->random, own)];

	if (conn->id)
		act_on(worker, conn);
	else if (!flag_get(&shared->ending))
		conn_open(conn, &worker->random);
}
