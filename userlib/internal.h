/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the library's files share.
 */
#ifndef CANCELIO_INTERNAL_H
#define CANCELIO_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cancelio.h"

/**
 * struct cancelio - a context
 * @fd: the open /dev/cancelio
 * @owner: the process that opened it; a child has no mapping of the ring
 * @refs: one of the program, until cancelio_free(), and one of each connection
 * @ring_bytes: what to map
 * @map_lock: held while the ring is being mapped
 * @ring: NULL until mapped; the three below are constant once it is set
 * @completions: the ring's first entry
 * @entries: number of entries, a power of two
 * @completion_size: bytes of an entry, the kernel's idea
 */
struct cancelio {
	int fd;
	pid_t owner;
	atomic_uint refs;
	size_t ring_bytes;
	pthread_mutex_t map_lock;
	struct cancelio_ring *ring;
	const unsigned char *completions;
	__u32 entries;
	__u32 completion_size;
};

/**
 * struct cancelio_conn - a connection
 * @context: its context, kept alive by it
 * @id: its number in the context
 * @fd: the socket, open until the last call has left after cancelio_close()
 * @calls: how many calls are inside, and CONN_CLOSED once it is being closed;
 *	whoever brings it to CONN_CLOSED alone closes @fd
 * @refs: keeps this memory: one for the open connection (given back when @fd is
 *	closed), and those of cancelio_ref()
 * @read_cancels: how often the read side was canceled, see ready_wait()
 * @write_cancels: likewise the write side
 * @connecting: an attempt to connect was begun and its outcome not yet seen
 */
struct cancelio_conn {
	struct cancelio *context;
	__u64 id;
	int fd;
	atomic_uint calls;
	atomic_uint refs;
	atomic_uint read_cancels;
	atomic_uint write_cancels;
	atomic_bool connecting;
};

static inline __u64 address_of(const void *pointer)
{
	return (__u64)(uintptr_t)pointer;
}

/* context.c */
int context_ioctl(const struct cancelio *context, unsigned long request,
		  void *argument);
void context_ref(struct cancelio *context);
void context_unref(struct cancelio *context);

/* ring.c */
void ring_unmap(struct cancelio *context);

/* conn.c */
int conn_enter(struct cancelio_conn *conn);
void conn_leave(struct cancelio_conn *conn);
int conn_set_nonblock(const struct cancelio_conn *conn);
int conn_option(const struct cancelio_conn *conn, int option, int *value);

/* op.c */
void op_end(struct cancelio_completion *done, const struct cancelio_conn *conn,
	    unsigned int opcode, int error);
int op_outcome(const struct cancelio_completion *done,
	       struct cancelio_completion *result);
int op_await(struct cancelio *context, __u64 id, __s64 time,
	     struct cancelio_completion *done);
void op_run(struct cancelio_conn *conn, const struct cancelio_op *op,
	    struct cancelio_completion *done);
int op_cancel(struct cancelio *context, __u64 id);

/* ready.c */
int ready_try(struct cancelio_conn *conn, short events, __s64 deadline,
	      struct cancelio_completion *done);
int ready_wait(struct cancelio_conn *conn, short events, __s64 deadline,
	       unsigned int cancels, struct cancelio_completion *done);

#endif /* CANCELIO_INTERNAL_H */
