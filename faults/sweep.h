/* SPDX-License-Identifier: GPL-2.0 */
/* The fault sweep: a call is made again and again, each time with another fault in it. */
#ifndef CANCELIO_FAULTS_SWEEP_H
#define CANCELIO_FAULTS_SWEEP_H

#include "../selftests/util.h"

#include <stdbool.h>

/* Entries of the stage's ring. */
#define ENTRIES	8
/* Bytes that operations move. */
#define BYTES	64

/**
 * struct stage - what a call finds; made anew for each fault
 * @engine: of the context
 * @fd: the context, or -1
 * @sock: a socket, attached as @conn
 * @peer: its other end
 * @conn: the conn
 * @is_unix: the sockets are AF_UNIX ones
 * @extra: another descriptor that the scene needs, closed in the end, or -1
 * @uffd: holds back @page, or -1
 * @page: memory whose first use waits for @uffd
 * @id: of an operation that the scene submitted
 * @buffer: for reads
 * @result: of a CALL or a WAIT_OP
 */
struct stage {
	__u32 engine;
	int fd;
	int sock;
	int peer;
	__u64 conn;
	bool is_unix;
	int extra;
	int uffd;
	char *page;
	__u64 id;
	char buffer[BYTES];
	struct cancelio_msg msg;
	struct cancelio_iovec iov[2];
	char control[64];
	struct cancelio_completion result;
};

/**
 * struct scene - one call, in one situation
 * @name: what the output calls it
 * @no_thread: the thread engine refuses it (C45)
 * @no_context: the stage has no context yet
 * @is_unix: AF_UNIX sockets
 * @prepare: makes the situation; 0 or -errno
 * @act: the call; its result
 * @check: without faults: says what is wrong after the call returned @ret, or NULL
 * @by_worker: @act lets a thread of the module work, which gets the fault
 */
struct scene {
	const char *name;
	bool no_thread;
	bool no_context;
	bool is_unix;
	int (*prepare)(struct stage *stage);
	int (*act)(struct stage *stage);
	const char *(*check)(struct stage *stage, int ret);
	bool by_worker;
};

/* The last one has no name. */
extern const struct scene scenes[];

/* What the call or an operation may say when memory or a copy failed. */
bool is_fault(int error);

#endif
