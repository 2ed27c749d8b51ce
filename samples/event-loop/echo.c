// SPDX-License-Identifier: GPL-2.0
/*
 * The echo server of ../five-ways, as a part of a program that has a loop already: nothing here
 * waits.  A client has one operation at a time, with its own deadline, which the kernel keeps.
 */
#define _GNU_SOURCE
#include "echo.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"
#include "server.h"

#define BATCH 64

struct client {
	int fd;
	__u64 conn;
	char bytes[CHUNK];
};

static struct cancelio *context;

int echo_open(void)
{
	struct cancelio_setup setup = { .entries = settings.connections };
	int error;

	context = device_open(&setup);
	error = cancelio_map_ring(context);
	if (error)
		die("context", -error);
	return cancelio_fd(context);
}

static void end_client(struct client *client, enum end how)
{
	connection_ending(client->fd, how);
	cancelio_detach(context, client->conn);
	close(client->fd);
	connection_ended(how);
	free(client);
}

static void begin(struct client *client, enum cancelio_opcode opcode, size_t len, unsigned int ms)
{
	struct cancelio_op op = {
		.opcode = opcode,
		.flags = CANCELIO_OP_TIMEOUT,
		.conn = client->conn,
		.user_data = (unsigned long)client,
		.addr = (unsigned long)client->bytes,
		.len = len,
		.deadline = ms * MS,
	};
	int taken = cancelio_submit(context, &op, 1, NULL, NULL);

	if (taken < 0)
		end_client(client, taken == -ESHUTDOWN ? STOPPED : connection_error(-taken));
}

static void begin_client(int fd)
{
	struct client *client = malloc(sizeof(*client));
	int error;

	if (!client)
		die("malloc", errno);
	client->fd = fd;
	error = cancelio_attach_fd(context, fd, &client->conn);
	if (error)
		end_client(client, connection_error(-error));
	else
		begin(client, CANCELIO_OP_RECV, CHUNK, settings.idle_ms);
}

void echo_accept(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (connection_begins())
			begin_client(fd);
		else
			close(fd);
	}
}

static void on_end(const struct cancelio_completion *done)
{
	struct client *client = (struct client *)(unsigned long)done->user_data;
	bool is_read = done->opcode == CANCELIO_OP_RECV;

	if (done->reason == CANCELIO_DEADLINE)
		end_client(client, is_read ? IDLE : STUCK);
	else if (done->reason == CANCELIO_CLOSED)
		end_client(client, STOPPED);
	else if (done->reason != CANCELIO_DONE)
		end_client(client, connection_error(-done->error));
	else if (!done->bytes)
		end_client(client, CLOSED);
	else if (is_read)
		begin(client, CANCELIO_OP_SEND, done->bytes, settings.write_ms);
	else
		begin(client, CANCELIO_OP_RECV, CHUNK, settings.idle_ms);
}

/* What is left stays there, so the descriptor stays readable: others have their turn. */
void echo_reap(void)
{
	struct cancelio_completion done[BATCH];
	int n = cancelio_peek(context, done, BATCH), i;

	cancelio_advance(context, n);
	for (i = 0; i < n; i++)
		on_end(&done[i]);
}

/* All have ended when this returns, and are told of. */
void echo_stop(void)
{
	cancelio_shutdown_context(context);
	while (connections_open())
		echo_reap();
}
