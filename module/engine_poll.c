// SPDX-License-Identifier: GPL-2.0
/*
 * The poll engine: Go's network poller.
 *
 * An operation that would wait is parked on its side, and nobody sleeps for it.
 * The socket's next event makes the side ready: a thread of the program that
 * waits runs it, or a worker does.
 */
#include "engine.h"

#include "worker.h"

static void poll_turn(struct cio_ctx *ctx)
{
	struct cio_kick kick = {};

	if (!cio_worker_enter(ctx))
		return;
	cio_run_ready(ctx, CIO_POOL_WORKER, CIO_TURN, &kick);
	cio_worker_leave(ctx);
	cio_kick_flush(ctx, &kick);
}

const struct cio_engine cio_engine_poll = {
	.name = "poll",
	.workers = 4,
	.turn = poll_turn,
};
