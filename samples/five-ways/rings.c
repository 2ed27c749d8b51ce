// SPDX-License-Identifier: GPL-2.0
/*
 * libcancelio on rings: one thread, which submits all there is to do in one call and waits in the
 * same; what has ended stands in memory.  Each read and write has its own deadline.
 *
 * What is to be done with a message is a turn: send it back, and read the next, which goes to
 * another buffer.  The turn is over when both are.
 */
#define _GNU_SOURCE
#include "device.h"
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Completions that are looked at in one go; each begins a turn of two operations. */
#define BATCH		256
/* What a completion is of: a pointer to a client is of its read, with SEND of its send. */
#define LISTENER	0ULL
#define SEND		1ULL

/**
 * struct client - a connection
 * @fd: its socket
 * @conn: the socket in the context
 * @pending: operations that have not ended
 * @end: what the first of them that failed makes of it
 * @len: bytes that the read of this turn has brought; 0: there are no more
 * @reads: which buffer that is
 * @bytes: both buffers
 */
struct client {
	int fd;
	__u64 conn;
	unsigned int pending;
	enum end end;
	size_t len;
	unsigned int reads;
	char bytes[2][CHUNK];
};

static struct cancelio *context;
static __u64 listener_conn;
static int listener;
/* Before the context is shut down, and when the listener has seen that it was. */
static atomic_bool told_to_stop;
static bool stopping;
static struct cancelio_op batch[2 * BATCH];
static unsigned int nr_batch;

static void operation_over(__u64 user_data, enum end end);

static struct client *client_of(__u64 user_data)
{
	return (struct client *)(unsigned long)(user_data & ~SEND);
}

/* What is refused is over.  A context that is being shut down refuses all that comes. */
static void refused(__u64 user_data, int error)
{
	struct client *client = client_of(user_data);

	if (client && client->end)
		operation_over(user_data, client->end);
	else if (client)
		operation_over(user_data, told_to_stop ? STOPPED : connection_error(-error));
	else if (told_to_stop)
		stopping = true;
	else
		die("accept", -error);
}

/* Whoever stands behind one that is refused is submitted once more. */
static void submit(unsigned int min)
{
	int error, taken, i, n = nr_batch;

	if (!n)
		cancelio_wait(context, min, CANCELIO_NEVER, NULL, 0);
	nr_batch = 0;
	for (i = 0; i < n; i++) {
		taken = cancelio_submit_and_wait(context, batch + i, n - i, NULL, min,
						 min ? CANCELIO_NEVER : 0, &error);
		i += taken < 0 ? 0 : taken;
		if (i < n)
			refused(batch[i].user_data, taken < 0 ? taken : error);
	}
}

static void add(struct cancelio_op op)
{
	if (nr_batch == 2 * BATCH)
		submit(0);
	batch[nr_batch++] = op;
}

static void add_read(struct client *client)
{
	client->pending++;
	client->len = 0;
	client->reads ^= 1;
	add((struct cancelio_op){
		.opcode = CANCELIO_OP_RECV,
		.flags = CANCELIO_OP_TIMEOUT,
		.conn = client->conn,
		.user_data = (unsigned long)client,
		.addr = (unsigned long)client->bytes[client->reads],
		.len = CHUNK,
		.deadline = settings.idle_ms * MS,
	});
}

static void add_send(struct client *client)
{
	client->pending++;
	add((struct cancelio_op){
		.opcode = CANCELIO_OP_SEND,
		.flags = CANCELIO_OP_TIMEOUT,
		.conn = client->conn,
		.user_data = (unsigned long)client | SEND,
		.addr = (unsigned long)client->bytes[client->reads],
		.len = client->len,
		.deadline = settings.write_ms * MS,
	});
}

/* Answer the message that came, if any, and read the next. */
static void begin_turn(struct client *client)
{
	if (client->len)
		add_send(client);
	add_read(client);
}

/* What else is pending there ends too, if it has not. */
static void end_client(struct client *client, enum end how)
{
	if (client->end)
		return;
	client->end = how;
	connection_ending(client->fd, how);
	cancelio_detach(context, client->conn);
}

static void free_client(struct client *client)
{
	close(client->fd);
	connection_ended(client->end);
	free(client);
}

static void operation_over(__u64 user_data, enum end end)
{
	struct client *client = client_of(user_data);

	if (end)
		end_client(client, end);
	if (--client->pending)
		return;
	if (!client->len)
		end_client(client, CLOSED);
	if (client->end)
		free_client(client);
	else
		begin_turn(client);
}

static enum end end_of(const struct cancelio_completion *done, enum end late)
{
	switch (done->reason) {
	case CANCELIO_DONE:
		return GOES_ON;
	case CANCELIO_DEADLINE:
		return late;
	case CANCELIO_CLOSED:
		return STOPPED;
	default:
		return connection_error(-done->error);
	}
}

/* Nothing out of band comes to a listener: to wait for that is to wait for the time. */
static void await_clients(bool is_short)
{
	add((struct cancelio_op){
		.opcode = CANCELIO_OP_WAIT_READY,
		.flags = is_short ? CANCELIO_OP_TIMEOUT : 0,
		.conn = listener_conn,
		.user_data = LISTENER,
		.msg_flags = is_short ? POLLPRI : POLLIN,
		.deadline = is_short ? ACCEPT_PAUSE : 0,
	});
}

static void begin_client(int fd)
{
	struct client *client = malloc(sizeof(*client));
	int error;

	if (!client)
		die("malloc", errno);
	client->fd = fd;
	client->pending = 0;
	client->end = GOES_ON;
	client->len = 0;
	client->reads = 0;
	error = cancelio_attach_fd(context, fd, &client->conn);
	if (error) {
		client->end = told_to_stop ? STOPPED : connection_error(-error);
		free_client(client);
	} else {
		begin_turn(client);
	}
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (connection_begins())
			begin_client(fd);
		else
			close(fd);
	}
	await_clients(accept_is_short(errno));
}

static void on_listener(const struct cancelio_completion *done)
{
	if (done->reason == CANCELIO_CLOSED)
		stopping = true;
	else if (done->reason == CANCELIO_DONE || done->reason == CANCELIO_DEADLINE)
		accept_all();
	else
		die("accept", -done->error);
}

static void handle(const struct cancelio_completion *done)
{
	struct client *client = client_of(done->user_data);
	bool is_send = done->user_data & SEND;

	if (!client) {
		on_listener(done);
		return;
	}
	if (!is_send && done->reason == CANCELIO_DONE)
		client->len = done->bytes;
	operation_over(done->user_data, end_of(done, is_send ? STUCK : IDLE));
}

static void serve(void)
{
	struct cancelio_completion done[BATCH];
	int n, i;

	await_clients(false);
	while (!stopping || connections_open()) {
		submit(1);
		n = cancelio_peek(context, done, BATCH);
		cancelio_advance(context, n);
		for (i = 0; i < n; i++)
			handle(&done[i]);
	}
}

/* From then on everything in the context has ended. */
static void *stop_all(void *unused)
{
	server_await_stop();
	told_to_stop = true;
	cancelio_shutdown_context(context);
	return unused;
}

int main(int argc, char **argv)
{
	struct cancelio_setup setup = { 0 };
	int error;

	server_begin(argc, argv);
	setup.entries = 2 * settings.connections + 2;
	context = device_open(&setup);
	listener = server_listen(SOCK_NONBLOCK);
	error = cancelio_attach_fd(context, listener, &listener_conn);
	if (!error)
		error = cancelio_map_ring(context);
	if (error)
		die("context", -error);
	if (!server_thread(stop_all, NULL))
		return 1;
	serve();
	return server_report();
}
