// SPDX-License-Identifier: GPL-2.0
/* cancelio, on both engines: a CALL for each receive. */
#include <errno.h>
#include <sched.h>

#include "../../userlib/cancelio.h"
#include "late.h"

struct own {
	struct cancelio *context;
	__u64 conn;
};

static void *own_setup(struct cancelio_setup *setup, int sock)
{
	struct own *own = state_of(sizeof(*own));
	int ret = cancelio_open(&own->context, setup);

	if (!ret)
		ret = cancelio_attach_fd(own->context, sock, &own->conn);
	if (ret)
		give_up("cancelio", -ret);
	return own;
}

static void *own_open(unsigned int kind, int sock)
{
	struct cancelio_setup setup = { .engine = kind, .entries = 8 };

	return own_setup(&setup, sock);
}

/* As a thread of SCHED_FIFO has it by itself in a call of the kernel's. */
static void *own_open_hard(unsigned int kind, int sock)
{
	struct cancelio_setup setup = {
		.engine = kind,
		.entries = 8,
		.flags = CANCELIO_SETUP_POLICY | CANCELIO_SETUP_HARD_EXPIRY,
		.policy = SCHED_FIFO,
		.priority = FIFO_PRIORITY,
	};

	return own_setup(&setup, sock);
}

/* What interrupts it may be no signal, but work that io_uring has left with the thread. */
static __s64 own_wait(void *state, __s64 deadline)
{
	struct own *own = state;
	struct cancelio_op op = {
		.opcode = CANCELIO_OP_RECV,
		.flags = CANCELIO_OP_DEADLINE,
		.conn = own->conn,
		.addr = (unsigned long)buffer_of(0),
		.len = ROOM,
		.deadline = deadline,
	};
	struct cancelio_completion end;
	__u64 id;
	int ret = cancelio_call(own->context, &op, &id, &end);

	while (ret == -EINTR && id)
		ret = cancelio_wait_op(own->context, id, CANCELIO_NEVER, &end);
	if (ret || end.reason != CANCELIO_DEADLINE)
		give_up("cancelio: call", -ret);
	return end.ended;
}

#define OWN(name_, engine_) {	\
	.name = name_,		\
	.kind = engine_,	\
	.gated = true,		\
	.open = own_open,	\
	.wait = own_wait,	\
}

struct way own_ways[] = {
	OWN("cancelio", CANCELIO_ENGINE_POLL),
	OWN("cancelio-thread", CANCELIO_ENGINE_THREAD),
	{
		.name = "cancelio-hard",
		.kind = CANCELIO_ENGINE_POLL,
		.gated = true,
		.fifo = true,
		.open = own_open_hard,
		.wait = own_wait,
	},
	{ }
};
