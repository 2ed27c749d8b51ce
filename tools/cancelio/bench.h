/* SPDX-License-Identifier: GPL-2.0 */
/* The ways to receive that cancelio bench compares. */
#ifndef CANCELIO_TOOL_BENCH_H
#define CANCELIO_TOOL_BENCH_H

#include <poll.h>

#include "../../userlib/cancelio.h"

/* The bytes of a message, and the room to receive one: so a wrong count tells of itself. */
#define MESSAGE		64
#define ROOM		128
/* The deadline of a receive, from its beginning on; none of them passes. */
#define DEADLINE	10

/**
 * struct link - a connection over the loopback, and what its way has made of the near end
 * @near: where the way receives
 * @far: where messages come from
 * @buffer: what is received
 * @polled: for ppoll(2)
 * @epoll: an epoll(7) descriptor; -1 for none
 * @context: of cancelio, or NULL
 * @conn: the connection in it
 */
struct link {
	int near;
	int far;
	char buffer[ROOM];
	struct pollfd polled;
	int epoll;
	struct cancelio *context;
	__u64 conn;
};

/**
 * struct way - a way to receive with a deadline
 * @name: what tables call it
 * @key: what JSON calls it
 * @engine: of cancelio
 * @open: get the link ready for it
 * @receive: a message is there: receive it
 * @arm: begin to receive; where a way cannot begin before there is something: NULL
 * @collect: wait until what was begun has received
 * @cancel: begin to receive, and cancel that; NULL where it cannot
 *
 * All of them return 0 or -errno.
 */
struct way {
	const char *name;
	const char *key;
	unsigned int engine;
	int (*open)(const struct way *way, struct link *link);
	int (*receive)(struct link *link);
	int (*arm)(struct link *link);
	int (*collect)(struct link *link);
	int (*cancel)(struct link *link);
};

/* The first one is plain recv(2); the last one has no name. */
extern const struct way ways[];

/* A connection over TCP of 127.0.0.1. */
int link_open(struct link *link);
void link_close(struct link *link);

#endif
