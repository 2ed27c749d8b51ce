/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cio-proxy, a TCP proxy on libcancelio: one thread and one context, whose ring has the
 * operations of all connections.  What its files share.
 */
#ifndef PROXY_H
#define PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <cancelio.h>

#define MS	1000000LL
/* What is held of a stream between the two sockets, each way. */
#define BUFFER	16384
/* What a socket holds beyond what its peer has room for, bytes: more would hide that it reads. */
#define UNSENT	65536
/* Operations that go to the kernel in one call. */
#define QUEUE	1024

/* Times in ms and a number, then the two addresses. */
enum setting {
	CONNECT_TIMEOUT,
	FIRST_BYTE_TIMEOUT,
	IDLE_TIMEOUT,
	LIFETIME,
	DRAIN_TIMEOUT,
	MAX_CONNECTIONS,
	NUMBERS,
	LISTEN = NUMBERS,
	UPSTREAM_AT,
	OPTIONS,
};

/**
 * struct address - one of the command line
 * @text: as it stands there; NULL: it does not
 * @socket: the same for the kernel
 * @len: bytes of it
 */
struct address {
	const char *text;
	struct sockaddr_storage socket;
	socklen_t len;
};

/* The ends of a connection, and whoever else can end it. */
enum who {
	CLIENT,
	UPSTREAM,
	PROXY,
};

/* Whose operation it was, in a completion's user_data; else a pointer to a flow. */
enum own {
	LISTENER,
	SIGNALS,
	OWN,
};

struct pair;

/**
 * struct flow - one direction of a connection
 * @pair: the connection
 * @from: where its bytes come from, CLIENT or UPSTREAM; they go to the other one
 * @over: the stream has ended, and the receiver was told
 * @start: the first byte of its buffer that has not gone out
 * @end: behind the last one
 * @moved: bytes that the receiver's socket has accepted
 */
struct flow {
	struct pair *pair;
	enum who from;
	bool over;
	unsigned int start;
	unsigned int end;
	__u64 moved;
};

/**
 * struct pair - a client's connection, and the one that goes on from it
 * @next: in proxy.free
 * @number: counted from 1
 * @client: its address
 * @fd: the sockets, by CLIENT and UPSTREAM; -1: none
 * @conn: the same in the context; 0: not attached
 * @flow: by where it comes from
 * @answered: the upstream has said something
 * @pending: operations that have not ended; until all have, the memory stays
 * @begun: when it was accepted, ns
 * @moved: when a byte moved last, or the upstream was reached, ns
 * @why: why it ended; NULL: it goes on
 * @by: who ended it
 * @error: -errno, or 0
 * @buffer: of the flows; all before it is zero at the begin
 */
struct pair {
	struct pair *next;
	__u64 number;
	struct sockaddr_storage client;
	int fd[2];
	__u64 conn[2];
	struct flow flow[2];
	bool answered;
	unsigned int pending;
	__s64 begun;
	__s64 moved;
	const char *why;
	enum who by;
	int error;
	unsigned char buffer[2][BUFFER];
};

/**
 * struct proxy - all there is
 * @set: the numbers of the command line, by enum setting
 * @listen: where clients come in
 * @upstream: where their connections go on
 * @context: of all sockets
 * @queue: operations for the next turn
 * @queued: how many
 * @pairs: memory for all connections that there can be, and one that is refused
 * @free: those of it that are not used
 * @live: how many are
 * @accepted: connections that there were
 * @draining: no more are accepted
 */
struct proxy {
	unsigned int set[NUMBERS];
	struct address listen;
	struct address upstream;
	struct cancelio *context;
	struct cancelio_op queue[QUEUE];
	unsigned int queued;
	struct pair *pairs;
	struct pair *free;
	unsigned int live;
	__u64 accepted;
	bool draining;
};

/* options.c */
void options_parse(struct proxy *proxy, int argc, char **argv);

/* ring.c */
void ring_open(struct proxy *proxy);
__u64 ring_attach(struct proxy *proxy, int fd);
struct cancelio_op *ring_queue(struct proxy *proxy, unsigned int opcode, __u64 conn,
			       __u64 user_data);
void ring_turn(struct proxy *proxy);

/* signals.c */
void signals_open(struct proxy *proxy);
void signals_proceed(struct proxy *proxy, const struct cancelio_completion *how);

/* listener.c */
void listener_open(struct proxy *proxy);
void listener_accept(struct proxy *proxy);
void listener_close(struct proxy *proxy);

/* pair.c */
void pairs_open(struct proxy *proxy);
void pairs_end(struct proxy *proxy, const char *why);
void pair_begin(struct proxy *proxy, int fd, const struct sockaddr_storage *client);
void pair_proceed(struct proxy *proxy, struct flow *flow, const struct cancelio_completion *how);
void pair_end(struct proxy *proxy, struct pair *pair, const char *why, enum who by, int error);

/* flow.c */
void flows_begin(struct proxy *proxy, struct pair *pair);
void flow_count(struct flow *flow, const struct cancelio_completion *how);
void flow_proceed(struct proxy *proxy, struct flow *flow, const struct cancelio_completion *how);

#endif /* PROXY_H */
