// SPDX-License-Identifier: GPL-2.0
/*
 * libcancelio in blocking style: a thread for each connection, asleep in a read or a write.  The
 * kernel keeps the deadlines, and one call of any thread ends all that waits.
 */
#define _GNU_SOURCE
#include "device.h"
#include "server.h"

#include <unistd.h>

static struct cancelio *context;

static enum end end_of(const struct cancelio_completion *how, enum end late)
{
	switch (how->reason) {
	case CANCELIO_DONE:
		return how->bytes ? GOES_ON : CLOSED;
	case CANCELIO_DEADLINE:
		return late;
	case CANCELIO_CLOSED:
		return STOPPED;
	default:
		return connection_error(-how->error);
	}
}

/* Its answer and the next message have their time from now on. */
static void renew_deadlines(struct cancelio_conn *conn)
{
	cancelio_move_deadline(context, cancelio_conn_id(conn), CANCELIO_READ | CANCELIO_WRITE,
			       cancelio_after(settings.idle_ms * MS),
			       cancelio_after(settings.write_ms * MS));
}

static void *serve(void *argument)
{
	struct cancelio_conn *conn = argument;
	struct cancelio_completion how;
	char bytes[CHUNK];
	enum end end;

	renew_deadlines(conn);
	for (;;) {
		cancelio_read(conn, bytes, CHUNK, &how);
		end = end_of(&how, IDLE);
		if (end)
			break;
		renew_deadlines(conn);
		cancelio_write(conn, bytes, how.bytes, &how);
		end = end_of(&how, STUCK);
		if (end)
			break;
	}
	connection_ending(cancelio_conn_fd(conn), end);
	cancelio_close(conn);
	connection_ended(end);
	return NULL;
}

/* From then on every call in the context ends, those that wait and those that come. */
static void *stop_all(void *unused)
{
	server_await_stop();
	cancelio_shutdown_context(context);
	return unused;
}

static void begin(struct cancelio_conn *conn)
{
	if (!connection_begins()) {
		cancelio_close(conn);
	} else if (!server_thread(serve, conn)) {
		cancelio_close(conn);
		connection_ended(REFUSED);
	}
}

/* Returns when the context is shut down. */
static void accept_all(struct cancelio_conn *listener)
{
	struct cancelio_completion how;
	struct cancelio_conn *conn;

	for (;;) {
		if (!cancelio_accept(listener, &conn, NULL, NULL, &how))
			begin(conn);
		else if (how.reason == CANCELIO_CLOSED)
			return;
		else if (accept_is_short(-how.error))
			usleep(ACCEPT_PAUSE / 1000);
		else
			die("accept", -how.error);
	}
}

int main(int argc, char **argv)
{
	struct cancelio_conn *listener;
	int error;

	server_begin(argc, argv);
	context = device_open(NULL);
	error = cancelio_attach(context, server_listen(0), &listener);
	if (error)
		die("attach", -error);
	if (!server_thread(stop_all, NULL))
		return 1;
	accept_all(listener);
	connections_await_none();
	return server_report();
}
