/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cio-proxy, a TCP proxy on libcancelio: one thread and one context, whose ring has the
 * operations of all connections.  What its files share.
 */
#ifndef PROXY_H
#define PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cancelio.h>

#define MS	1000000LL
/* What is held of a stream between the two sockets, each way. */
#define BUFFER	16384
/* Operations that go to the kernel in one call, and completions that are taken at a time. */
#define QUEUE	1024
#define BATCH	256
/* "[", an address, "]:65535". */
#define ADDRESS_LEN	(INET6_ADDRSTRLEN + 8)

/* What can be set, beside the two addresses: times in ms, and a number. */
enum setting {
	CONNECT_TIMEOUT,
	FIRST_BYTE_TIMEOUT,
	IDLE_TIMEOUT,
	LIFETIME,
	DRAIN_TIMEOUT,
	MAX_CONNECTIONS,
	SETTINGS,
};

/**
 * struct options - what the command line says
 * @listen: where clients come in
 * @upstream: where their connections go on
 * @set: by enum setting
 */
struct options {
	struct sockaddr_storage listen;
	struct sockaddr_storage upstream;
	unsigned int set[SETTINGS];
};

/* The ends of a connection, and whoever else can end it. */
enum who {
	CLIENT,
	UPSTREAM,
	PROXY,
};

struct proxy;

/* What the cookie of an operation points to: who is told how the operation ended. */
struct waiter {
	void (*ended)(struct proxy *proxy, struct waiter *waiter,
		      const struct cancelio_completion *how);
};

struct pair;

/**
 * struct flow - one direction of a connection
 * @waiter: for its one operation; stands first
 * @pair: the connection
 * @from: where its bytes come from, CLIENT or UPSTREAM; they go to the other one
 * @over: the stream has ended, and the receiver was told
 * @start: the first byte of its buffer that has not gone out
 * @end: behind the last one
 * @moved: bytes that the receiver's socket has accepted
 */
struct flow {
	struct waiter waiter;
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
 * @heard: whether anything has come from there
 * @pending: operations that have not ended; until all have, the memory stays
 * @begun: when it was accepted, ns
 * @moved: when a byte moved last, or the upstream was reached, ns
 * @why: why it ended; NULL: it goes on
 * @by: who ended it
 * @awaited: whom the proxy waited for then; PROXY: for nobody in particular
 * @error: -errno, or 0
 * @late: how long after its deadline, ns
 * @buffer: of the flows; all before it is zero at the begin
 */
struct pair {
	struct pair *next;
	__u64 number;
	char client[ADDRESS_LEN];
	int fd[2];
	__u64 conn[2];
	struct flow flow[2];
	bool heard[2];
	unsigned int pending;
	__s64 begun;
	__s64 moved;
	const char *why;
	enum who by;
	enum who awaited;
	int error;
	__s64 late;
	unsigned char buffer[2][BUFFER];
};

/**
 * struct proxy - all there is
 * @options: what the command line says
 * @context: of all sockets
 * @queue: operations for the next turn
 * @queued: how many
 * @free: memory for the connections that there can be beside those that are
 * @live: how many there are
 * @accepted: how many there were
 * @draining: no more are accepted
 * @cut: why those that are left are ended; NULL: they are not
 * @cuts: how many were
 */
struct proxy {
	struct options options;
	struct cancelio *context;
	struct cancelio_op queue[QUEUE];
	unsigned int queued;
	struct pair *free;
	unsigned int live;
	__u64 accepted;
	bool draining;
	const char *cut;
	__u64 cuts;
};

/* options.c */
void options_parse(struct options *options, int argc, char **argv);
socklen_t address_len(const struct sockaddr_storage *address);
void address_text(const struct sockaddr_storage *address, char text[ADDRESS_LEN]);

/* ring.c */
void fail(const char *what, int error);
void ring_open(struct proxy *proxy);
__u64 ring_attach(struct proxy *proxy, int fd);
struct cancelio_op *ring_queue(struct proxy *proxy, struct waiter *waiter,
			       unsigned int opcode, __u64 conn);
void ring_turn(struct proxy *proxy);
void ring_cut(struct proxy *proxy, const char *why);

/* signals.c */
void signals_open(struct proxy *proxy);

/* listener.c */
void listener_open(struct proxy *proxy);
void listener_close(struct proxy *proxy);

/* pair.c */
void pairs_open(struct proxy *proxy);
void pair_begin(struct proxy *proxy, int fd, const struct sockaddr_storage *client);
void pair_end(struct proxy *proxy, struct pair *pair, const char *why, enum who by,
	      const struct cancelio_completion *how);
void pair_settle(struct proxy *proxy, struct pair *pair);
void reset_on_close(int fd, bool reset);

/* flow.c */
void flows_begin(struct proxy *proxy, struct pair *pair);
enum who flows_await(const struct pair *pair);

/* log.c */
void log_start(const struct options *options);
void log_pair(const struct pair *pair);
void log_limit(const struct sockaddr_storage *client);
void log_cancel(int operations);
void log_drain(const struct proxy *proxy);
void log_summary(const struct proxy *proxy);

#endif /* PROXY_H */
