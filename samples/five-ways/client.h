/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other side of the five servers, for their test and their benchmark: a server as a child
 * process, and clients in ordinary calls.
 */
#ifndef FIVE_WAYS_CLIENT_H
#define FIVE_WAYS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MS	1000000LL
#define SECOND	(1000 * MS)
/* No call of a client takes that long, on a slow machine either. */
#define PATIENCE	(20 * SECOND)

/* The most that a server takes for one message, bytes. */
#define LARGEST		16384
/* A receive buffer that leaves no room for its answer where send buffers are small, bytes. */
#define SMALLEST	4096

/**
 * struct server - a server that runs
 * @pid: its process
 * @output: what it prints, both on standard output and error
 * @port: where it listens
 * @fds: descriptors that it has open without connections
 */
struct server {
	pid_t pid;
	int output;
	unsigned short port;
	unsigned int fds;
};

/* Run @program on a free port; the options are strings, the last is NULL. */
bool server_run(struct server *server, const char *program, const char *const *options);
/* The same, and wait until it listens. */
bool server_start(struct server *server, const char *program, const char *const *options);
/* Tell it to stop. */
void server_stop(const struct server *server);
/*
 * Wait for its end, and read what it has printed meanwhile; returns its exit code, or -1 when
 * it does not end or is killed.
 */
int server_wait(struct server *server, char *text, size_t size);
/* Wait until it has the descriptors of @count connections; false when it does not come to that. */
bool server_has_connections(const struct server *server, unsigned int count);

/*
 * From here on this process and its servers have a network of their own, where a socket's send
 * buffer is as small as one can be.
 */
bool network_of_small_buffers(void);
/* A connection whose calls fail after PATIENCE; with @buffer, its receive buffer in bytes. */
int client_connect(const struct server *server, int buffer);
/* Send a message of @len bytes, whose content is its own, and see it come back. */
bool client_echo(int fd, unsigned int number, size_t len);
/* Take whatever comes; whether it has an end that is in order. */
bool client_sees_end(int fd);
/* Break the connection. */
void client_reset(int fd);
/*
 * Send without taking the answers until nothing more is taken for @ms, or the connection is
 * broken, which the next call tells.
 */
void client_clog(int fd, unsigned int ms);
/* Send what there is room for, and take @len bytes at the most; false: it has ended. */
bool client_trickle(int fd, size_t len);

/**
 * struct stream - what one client sends and gets back
 * @fd: its connection
 * @number: whose content differs from all others
 * @total: bytes
 * @half: when all is sent, that is said at once
 * @sent: bytes so far
 * @received: bytes so far
 * @broken: one of them was wrong, or the connection fails
 */
struct stream {
	int fd;
	unsigned int number;
	size_t total;
	bool half;
	size_t sent;
	size_t received;
	bool broken;
};

/* Send what there is room for; true while there is more. */
bool stream_send(struct stream *stream);
/* Receive some of what is there; true while it goes on. */
bool stream_receive(struct stream *stream);
bool stream_is_whole(const struct stream *stream);
/* Run streams at once to their ends; returns how many of them come back whole. */
unsigned int streams_run(struct stream *streams, unsigned int count);

long long now(void);
void sleep_until(long long time);

#endif
