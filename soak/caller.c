// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that wait for each of their operations, by CALL, or by WAIT_OP for one that is
 * held; beside a main thread that reaps the same context's ring, cancels what they wait
 * for, and sends them signals.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

static void on_signal(int signal)
{
	(void)signal;
}

static void take_signals(bool take)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(take ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

/* The result of an operation that goes on, which has to come some time. */
static void await(struct worker *worker, __u64 id, bool impatient,
		  struct cancelio_completion *end)
{
	__s64 limit = after(PATIENCE);
	int ret;

	do {
		ret = cio_wait_op(worker->fd, id, impatient ? after(30 * MS) : limit, end);
		if (ret == -EINTR)
			count_add(INTERRUPTED, 1);
		else if (ret == -ETIME && impatient)
			impatient = false;
		else if (ret)
			violation("the result of a held operation: %s", strerror(-ret));
	} while (ret);
}

static int call(struct worker *worker, const struct cancelio_op *op, __u64 *id,
		struct cancelio_completion *end)
{
	int ret = cio_call(worker->fd, op, id, end);

	if (ret != -EINTR)
		return ret;
	count_add(INTERRUPTED, 1);
	await(worker, *id, false, end);
	return 0;
}

static int submit_held(struct worker *worker, struct cancelio_op *op, __u64 *id,
		       struct cancelio_completion *end)
{
	int ret;

	op->flags |= CANCELIO_OP_HOLD;
	ret = cio_submit(worker->fd, op, 1, id, NULL);
	if (ret != 1)
		return ret;
	await(worker, *id, true, end);
	return 0;
}

static void call_one(struct caller *caller, struct conn *conn, enum which which)
{
	struct slot *slot = &conn->slots[which];
	struct cancelio_completion end;
	struct cancelio_op op;
	int ret;

	conn_begin(conn, which, &caller->random, &op);
	take_signals(true);
	if (one_in(&caller->random, 4))
		ret = submit_held(caller->worker, &op, &slot->id, &end);
	else
		ret = call(caller->worker, &op, &slot->id, &end);
	take_signals(false);
	count_add(CALLS, 1);
	if (ret)
		conn_refused(conn, which, ret);
	else
		conn_judge(conn, which, &end);
}

static void leave(struct conn *conn)
{
	int ret = cio_detach(conn->worker->fd, conn->id);

	if (ret)
		violation("a connection cannot be detached: %s", strerror(-ret));
	conn_close(conn);
}

static void act(struct caller *caller)
{
	struct conn *conn = &caller->conns[random_below(&caller->random, CALLER_CONNS)];

	if (!conn->id) {
		if (conn_open(conn, &caller->random))
			sleep_until(after(10 * MS));
	} else if (conn->broken || conn->read_end) {
		leave(conn);
	} else if (one_in(&caller->random, 10)) {
		conn_move_deadline(conn, &caller->random);
	} else {
		call_one(caller, conn, one_in(&caller->random, 3) ? SEND : FIRST_RECV);
	}
}

/* Read to its end. */
static void finish(struct caller *caller, struct conn *conn)
{
	if (!conn->id)
		return;
	flag_set(&conn->record->stop);
	conn_clear_deadlines(conn);
	while (!conn->broken && !conn->read_end)
		call_one(caller, conn, FIRST_RECV);
	leave(conn);
}

static void *caller_run(void *argument)
{
	struct caller *caller = argument;
	int i;

	take_signals(false);
	while (!flag_get(&caller->worker->leave)) {
		act(caller);
		/* The machine is small: others have work too. */
		sleep_until(after(random_below(&caller->random, 3000000)));
	}
	for (i = 0; i < CALLER_CONNS; i++)
		finish(caller, &caller->conns[i]);
	return NULL;
}

void callers_start(struct worker *worker)
{
	struct sigaction action = { .sa_handler = on_signal };
	int i, first = worker->kind->conns - CALLERS * CALLER_CONNS;

	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < CALLERS; i++) {
		struct caller *caller = &worker->callers[i];

		caller->worker = worker;
		caller->random = random_next(&worker->random);
		caller->conns = &worker->conns[first + i * CALLER_CONNS];
		if (pthread_create(&caller->thread, NULL, caller_run, caller))
			violation("no thread: %s", strerror(errno));
	}
}

/* The conn may be another one by now, or none. */
static void cancel_ops(struct worker *worker, struct conn *conn)
{
	__u64 id = __atomic_load_n(&conn->id, __ATOMIC_ACQUIRE);
	int ret;

	cancel_begins(&conn->cancels);
	ret = cio_cancel(worker->fd, CANCELIO_CANCEL_CONN, id,
			 CANCELIO_READ | CANCELIO_WRITE);
	cancel_is_over(&conn->cancels);
	if (ret < 0 && ret != -ENOENT && ret != -EBADF && ret != -ENOMEM)
		violation("a cancel of a connection returns %d", ret);
}

void callers_disturb(struct worker *worker)
{
	struct caller *caller = &worker->callers[random_below(&worker->random, CALLERS)];

	switch (random_below(&worker->random, 40)) {
	case 0:
		cancel_ops(worker, &caller->conns[random_below(&worker->random, CALLER_CONNS)]);
		break;
	case 1 ... 3:
		pthread_kill(caller->thread, SIGUSR1);
		break;
	default:
		break;
	}
}

/* What a caller waits for may not come by itself: a peer sends no more. */
void callers_end(struct worker *worker)
{
	__s64 limit = after(PATIENCE);
	int i, j;

	flag_set(&worker->leave);
	for (i = 0; i < CALLERS; i++) {
		struct caller *caller = &worker->callers[i];

		while (pthread_tryjoin_np(caller->thread, NULL)) {
			for (j = 0; j < CALLER_CONNS; j++)
				cancel_ops(worker, &caller->conns[j]);
			worker_drain(worker);
			__atomic_add_fetch(&shared->beats[worker->number], 1, __ATOMIC_RELAXED);
			sleep_until(after(50 * MS));
			if (now() > limit)
				violation("a thread does not come back from its call");
		}
	}
}
