// SPDX-License-Identifier: GPL-2.0
/*
 * The control connection: commands, one per line.
 *
 *   list       the clients, one per line: number and address
 *   cancel ID  cancel what is pending on that client's connection
 *   quit       end the server
 */
#include <stdio.h>
#include <string.h>

#include "echo.h"

#define IDLE_MS 60000

static void reply(struct cancelio_conn *conn, const char *text)
{
	cancelio_write(conn, text, strlen(text), NULL);
}

static void list(struct server *server, struct cancelio_conn *conn)
{
	const struct client *client;
	char text[4096] = "";
	size_t len = 0;

	pthread_mutex_lock(&server->lock);
	for (client = server->clients; client; client = client->next) {
		if (len + 64 > sizeof(text))
			break;
		len += snprintf(text + len, sizeof(text) - len, "%u %s\n",
				client->id, client->peer);
	}
	pthread_mutex_unlock(&server->lock);
	reply(conn, text);
}

/* Under the lock, for the client's thread takes it off the list, then closes. */
static void cancel(struct server *server, struct cancelio_conn *conn,
		   unsigned int id)
{
	struct client *client;
	char text[64] = "no such client\n";
	int ended;

	pthread_mutex_lock(&server->lock);
	for (client = server->clients; client; client = client->next) {
		if (client->id != id)
			continue;
		ended = cancelio_cancel(client->conn);
		snprintf(text, sizeof(text), "ended %d\n", ended > 0 ? ended : 0);
		break;
	}
	pthread_mutex_unlock(&server->lock);
	reply(conn, text);
}

/* Returns false after quit. */
static bool obey(struct server *server, struct cancelio_conn *conn,
		 const char *line)
{
	unsigned int id;

	if (sscanf(line, "cancel %u", &id) == 1) {
		cancel(server, conn, id);
	} else if (!strcmp(line, "list")) {
		list(server, conn);
	} else if (!strcmp(line, "quit")) {
		reply(conn, "bye\n");
		return false;
	} else if (*line) {
		reply(conn, "commands: list, cancel ID, quit\n");
	}
	return true;
}

/* Obeys the complete lines of @text, and keeps the rest there. */
static bool obey_lines(struct server *server, struct cancelio_conn *conn,
		       char *text)
{
	char *line = text;
	char *end;

	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		if (!obey(server, conn, line))
			return false;
		line = end + 1;
	}
	memmove(text, line, strlen(line) + 1);
	return true;
}

/* Returns false after quit.  Whoever says nothing for a minute has to leave. */
static bool serve(struct server *server, struct cancelio_conn *conn)
{
	char text[256] = "";
	size_t used;
	int n;

	for (;;) {
		used = strlen(text);
		if (used == sizeof(text) - 1)
			return true;
		cancelio_set_deadline(conn, cancelio_after(IDLE_MS * MS));
		n = cancelio_read(conn, text + used, sizeof(text) - 1 - used, NULL);
		if (n <= 0)
			return true;
		text[used + n] = '\0';
		if (!obey_lines(server, conn, text))
			return false;
	}
}

/* One control connection after the other; quit closes the server's listener. */
void *control_main(void *arg)
{
	struct server *server = arg;
	struct cancelio_conn *conn;
	bool go_on = true;

	while (go_on &&
	       cancelio_accept(server->control, &conn, NULL, NULL, NULL) == 0) {
		go_on = serve(server, conn);
		cancelio_close(conn);
	}
	cancelio_close(server->listener);
	return NULL;
}
