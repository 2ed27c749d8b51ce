// SPDX-License-Identifier: GPL-2.0
/*
 * One client: its lines come back as they are, and "flood N" asks for N bytes.
 *
 * A client that says nothing is told so at the read deadline, and the same
 * connection goes on under a new one.  A client that reads nothing meets the write
 * deadline, and its connection is closed after the timeline got the exact count
 * of bytes that the socket had accepted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo.h"

#define FLOOD_CHUNK	0x100000U
#define FLOOD_MOST	0x40000000UL
#define LONGEST_WAIT_MS	60000

static void event(struct client *client, const char *what,
		  const struct cancelio_completion *how)
{
	timeline_event(client->server, client->id, what, how, "");
}

static void renew_read_deadline(struct client *client, unsigned int ms)
{
	client->wait_ms = ms;
	client->deadline = cancelio_after(ms * MS);
	cancelio_set_read_deadline(client->conn, client->deadline);
}

static void renew_write_deadline(struct client *client)
{
	cancelio_set_write_deadline(client->conn,
				    cancelio_after(client->server->write_ms * MS));
}

/* Says how a read or write failed; all but a cancel ends the connection. */
static bool failed(struct client *client, const char *deadline,
		   const struct cancelio_completion *how)
{
	if (how->error == -ECONNRESET) {
		event(client, "reset", how);
		client->server->counts.resets++;
		return false;
	}
	switch (how->reason) {
	case CANCELIO_DEADLINE:
		event(client, deadline, how);
		return false;
	case CANCELIO_CANCELED:
		event(client, "canceled", how);
		client->server->counts.canceled++;
		return true;
	case CANCELIO_CLOSED:
		event(client, "ended by quit", how);
		return false;
	default:
		event(client, "failed", how);
		return false;
	}
}

/* Returns false when the connection is to be closed. */
static bool after_write(struct client *client, int n,
			const struct cancelio_completion *how)
{
	client->server->counts.bytes_written += how->bytes;
	if (n >= 0) {
		event(client, "wrote", how);
		return true;
	}
	if (how->reason == CANCELIO_DEADLINE)
		client->server->counts.write_deadlines++;
	return failed(client, "write deadline", how);
}

static bool write_all(struct client *client, const char *data, size_t len)
{
	struct cancelio_completion how;
	int n;

	if (!len)
		return true;
	renew_write_deadline(client);
	n = cancelio_write(client->conn, data, len, &how);
	expect(client->server, n < 0 || (size_t)n == len, client->id,
	       "a write that is done has written all");
	return after_write(client, n, &how);
}

static bool say(struct client *client, const char *text)
{
	return write_all(client, text, strlen(text));
}

/* One deadline for all of it: it persists from write to write. */
static bool flood(struct client *client, size_t len)
{
	struct cancelio_completion how = { .reason = CANCELIO_DONE };
	char *chunk = malloc(FLOOD_CHUNK);
	size_t written = 0;
	int n = 0;

	if (!chunk)
		return false;
	memset(chunk, '.', FLOOD_CHUNK);
	renew_write_deadline(client);
	while (written < len && n >= 0) {
		size_t rest = len - written;

		n = cancelio_write(client->conn, chunk,
				   rest < FLOOD_CHUNK ? rest : FLOOD_CHUNK, &how);
		written += how.bytes;
	}
	free(chunk);
	how.bytes = written;
	return after_write(client, n, &how);
}

/* Gives the N of a line "flood N", or 0. */
static size_t flood_size(const char *line, size_t len)
{
	char text[32];
	unsigned long n;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, line, len);
	text[len] = '\0';
	if (sscanf(text, "flood %lu", &n) != 1)
		return 0;
	return n < FLOOD_MOST ? n : FLOOD_MOST;
}

/* Echoes the complete lines of the input, and does the commands among them. */
static bool answer(struct client *client)
{
	const char *end = client->input + client->used;
	char *echo = client->input;
	char *line = client->input;
	char *newline;

	while ((newline = memchr(line, '\n', end - line))) {
		size_t size = flood_size(line, newline - line);

		if (size) {
			if (!write_all(client, echo, line - echo) ||
			    !flood(client, size))
				return false;
			echo = newline + 1;
		}
		line = newline + 1;
	}
	if (line == client->input && client->used == sizeof(client->input))
		line += client->used;
	if (!write_all(client, echo, line - echo))
		return false;
	client->used = end - line;
	memmove(client->input, line, client->used);
	return true;
}

static bool on_data(struct client *client, const struct cancelio_completion *how)
{
	if (!how->bytes) {
		event(client, "end of file", how);
		write_all(client, client->input, client->used);
		return false;
	}
	event(client, "read", how);
	client->server->counts.bytes_read += how->bytes;
	client->used += how->bytes;
	if (!answer(client))
		return false;
	renew_read_deadline(client, client->server->read_ms);
	return true;
}

/* The same connection goes on, under a deadline twice as far away. */
static bool on_read_deadline(struct client *client,
			     const struct cancelio_completion *how)
{
	unsigned int ms = client->wait_ms * 2;
	char text[80];

	event(client, "read deadline", how);
	client->server->counts.read_deadlines++;
	expect(client->server, how->error == -ETIME && how->bytes == 0,
	       client->id, "a read that met its deadline took nothing");
	expect(client->server, how->ended >= client->deadline, client->id,
	       "a deadline is never early");
	snprintf(text, sizeof(text),
		 "deadline: nothing read for %u ms, still here\n",
		 client->wait_ms);
	if (!say(client, text))
		return false;
	renew_read_deadline(client, ms < LONGEST_WAIT_MS ? ms : LONGEST_WAIT_MS);
	return true;
}

static bool on_failure(struct client *client,
		       const struct cancelio_completion *how)
{
	if (!failed(client, "", how))
		return false;
	expect(client->server, how->error == -ECANCELED && how->bytes == 0,
	       client->id, "a canceled read took nothing");
	return say(client, "canceled, still here\n");
}

static bool serve_once(struct client *client)
{
	struct cancelio_completion how;

	cancelio_read(client->conn, client->input + client->used,
		      sizeof(client->input) - client->used, &how);
	switch (how.reason) {
	case CANCELIO_DONE:
		return on_data(client, &how);
	case CANCELIO_DEADLINE:
		return on_read_deadline(client, &how);
	default:
		return on_failure(client, &how);
	}
}

/* Off the list first: the control thread uses only what is on it. */
static void unlist(struct client *client)
{
	struct server *server = client->server;
	struct client **link = &server->clients;

	pthread_mutex_lock(&server->lock);
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	pthread_mutex_unlock(&server->lock);
}

static void leave(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	server->live--;
	pthread_cond_signal(&server->gone);
	pthread_mutex_unlock(&server->lock);
}

static void *client_main(void *arg)
{
	static const struct cancelio_completion closed;
	struct client *client = arg;
	struct server *server = client->server;

	renew_read_deadline(client, server->read_ms);
	while (serve_once(client))
		continue;
	unlist(client);
	event(client, "closed", &closed);
	/* The command quit may have closed it; our reference keeps its memory. */
	cancelio_close(client->conn);
	cancelio_unref(client->conn);
	free(client);
	leave(server);
	return NULL;
}

static struct client *client_new(struct server *server,
				 struct cancelio_conn *conn,
				 const struct sockaddr_in *peer)
{
	struct client *client = calloc(1, sizeof(*client));
	char address[INET_ADDRSTRLEN] = "";

	if (!client)
		return NULL;
	client->server = server;
	client->conn = cancelio_ref(conn);
	inet_ntop(AF_INET, &peer->sin_addr, address, sizeof(address));
	snprintf(client->peer, sizeof(client->peer), "%s:%u", address,
		 ntohs(peer->sin_port));
	pthread_mutex_lock(&server->lock);
	client->id = ++server->counts.connections;
	client->next = server->clients;
	server->clients = client;
	server->live++;
	pthread_mutex_unlock(&server->lock);
	return client;
}

/* Serves @conn in a thread of its own, which closes it. */
void client_start(struct server *server, struct cancelio_conn *conn,
		  const struct sockaddr_in *peer)
{
	static const struct cancelio_completion accepted;
	struct client *client = client_new(server, conn, peer);
	pthread_t thread;

	if (!client) {
		cancelio_close(conn);
		return;
	}
	timeline_event(server, client->id, "accepted", &accepted, client->peer);
	if (pthread_create(&thread, NULL, client_main, client) == 0) {
		pthread_detach(thread);
		return;
	}
	unlist(client);
	cancelio_close(conn);
	cancelio_unref(conn);
	free(client);
	leave(server);
}

/* Closes every connection and waits until their threads have left. */
void client_end_all(struct server *server)
{
	struct client *client;

	pthread_mutex_lock(&server->lock);
	for (client = server->clients; client; client = client->next)
		cancelio_close(client->conn);
	while (server->live)
		pthread_cond_wait(&server->gone, &server->lock);
	pthread_mutex_unlock(&server->lock);
}
