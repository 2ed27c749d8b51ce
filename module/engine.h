/* SPDX-License-Identifier: GPL-2.0 */
/* What the two engines differ in: how a blocked operation waits. */
#ifndef CIO_ENGINE_H
#define CIO_ENGINE_H

#include <linux/types.h>

struct cio_ctx;

/**
 * struct cio_engine - a way to wait for a socket
 * @name: for people
 * @threads: a side whose first operation waits is handed to a thread, which
 *	sleeps for it; else the socket's next event makes the side ready
 * @workers: the most worker threads of a context, unless SETUP says otherwise
 * @turn: what a worker does when it is woken, until it finds nothing more
 */
struct cio_engine {
	const char *name;
	bool threads;
	unsigned int workers;
	void (*turn)(struct cio_ctx *ctx);
};

extern const struct cio_engine cio_engine_poll;
extern const struct cio_engine cio_engine_thread;

#endif /* CIO_ENGINE_H */
