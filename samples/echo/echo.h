/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small TCP echo server on libcancelio: what its files share.
 */
#ifndef ECHO_H
#define ECHO_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <cancelio.h>

#define MS 1000000LL

/**
 * struct counts - what happened, for the summary
 */
struct counts {
	atomic_uint connections;
	atomic_uint read_deadlines;
	atomic_uint write_deadlines;
	atomic_uint canceled;
	atomic_uint resets;
	atomic_uint failed_expectations;
	atomic_ullong bytes_read;
	atomic_ullong bytes_written;
	atomic_llong latest_ns;
};

struct client;

/**
 * struct server - all there is
 * @context: shared by all threads
 * @listener: where clients come in; closed by the command quit
 * @control: where commands come in
 * @start: when the timeline begins, ns
 * @read_ms: how long a client may say nothing
 * @write_ms: how long a client may read nothing
 * @counts: for the summary
 * @lock: protects @clients and @live
 * @gone: signalled when a client has left
 * @clients: those that are being served
 * @live: threads that serve one
 */
struct server {
	struct cancelio *context;
	struct cancelio_conn *listener;
	struct cancelio_conn *control;
	long long start;
	unsigned int read_ms;
	unsigned int write_ms;
	struct counts counts;
	pthread_mutex_t lock;
	pthread_cond_t gone;
	struct client *clients;
	unsigned int live;
};

/**
 * struct client - one connection and the thread that serves it
 * @server: where it belongs
 * @next: in server.clients
 * @conn: its connection
 * @id: its number in the timeline
 * @peer: its address and port
 * @wait_ms: the read deadline now; doubled by each one in a row
 * @deadline: the same as a time, ns
 * @input: a line that is not complete yet
 * @used: bytes of it
 */
struct client {
	struct server *server;
	struct client *next;
	struct cancelio_conn *conn;
	unsigned int id;
	char peer[INET_ADDRSTRLEN + 8];
	unsigned int wait_ms;
	long long deadline;
	char input[4096];
	size_t used;
};

/* client.c */
void client_start(struct server *server, struct cancelio_conn *conn,
		  const struct sockaddr_in *peer);
void client_end_all(struct server *server);

/* control.c */
void *control_main(void *server);

/* timeline.c */
void timeline_begin(struct server *server);
void timeline_event(struct server *server, unsigned int id, const char *what,
		    const struct cancelio_completion *how, const char *note);
int timeline_summary(struct server *server);
void expect(struct server *server, bool is_so, unsigned int id,
	    const char *what);

#endif /* ECHO_H */
