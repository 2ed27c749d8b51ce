// SPDX-License-Identifier: GPL-2.0
/* Connections and contexts, made anew where a round has used them up. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pairs.h"

/* What is asked for; the kernel doubles it. */
#define SMALL	32768
#define BOTH	(CANCELIO_READ | CANCELIO_WRITE)

/* No end of it waits for the network, not even after its end. */
static void set_options(int sock)
{
	struct linger linger = { .l_onoff = 1 };
	int on = 1, small = SMALL;

	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (stage->side == CANCELIO_READ)
		return;
	setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
}

void stage_connect(void)
{
	static int listener = -1;

	if (listener < 0)
		listener = tcp_listen(AF_INET);
	stage->sock = tcp_connect(listener);
	stage->peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (stage->sock < 0 || stage->peer < 0)
		violation("no connection: %s", strerror(errno));
	set_options(stage->sock);
	set_options(stage->peer);
	stage->sent = 0;
	stage->got = 0;
	stage->outstanding = 0;
	stage->first_segment = stage->end_segment;
}

void stage_disconnect(void)
{
	close(stage->sock);
	close(stage->peer);
}

static void attach(void)
{
	int ret = cio_attach(stage->fd, stage->sock, &stage->conn);

	if (ret)
		violation("the socket cannot be attached: %s", strerror(-ret));
	stage->predicted = 0;
}

/* The conn is that of @sock; kernel threads that are too many need not be there. */
void stage_open(void)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = stage->config->engine, .entries = ENTRIES,
		.max_workers = pair_has(WORKER_EXIT) ? 2 * FILLERS : 0,
	};
	int ret;

	stage->fd = cio_open();
	ret = stage->fd < 0 ? stage->fd : cio_setup(stage->fd, &setup);
	if (ret)
		violation("no context: %s", strerror(-ret));
	if (stage->mapped) {
		stage->ring = cio_map(stage->fd, ENTRIES);
		if (!stage->ring)
			violation("the ring cannot be mapped: %s", strerror(errno));
	}
	attach();
	if (pair_has(WORKER_EXIT))
		workers_open(pair_has(SHUTDOWN) || pair_has(KILL) ? 10 : FILLERS);
}

void stage_close(void)
{
	if (pair_has(WORKER_EXIT))
		workers_close();
	if (stage->ring)
		munmap(stage->ring, cio_ring_bytes(ENTRIES));
	stage->ring = NULL;
	close(stage->fd);
}

static void renew_connection(void)
{
	int ret = cio_detach(stage->fd, stage->conn);

	if (ret && !pair_has(DETACH))
		violation("it cannot be detached: %s", strerror(-ret));
	stage_disconnect();
	stage_connect();
	attach();
}

/* For the next round. */
void stage_renew(void)
{
	int ret = 0;

	if (pair_has(SHUTDOWN)) {
		stage_close();
		if (pair_has(PEER_CLOSE)) {
			stage_disconnect();
			stage_connect();
		}
		stage_open();
		return;
	}
	if (pair_has(PEER_CLOSE))
		renew_connection();
	else if (pair_has(DETACH))
		attach();
	else if (pair_has(DEADLINE) || pair_has(MOVE))
		ret = cio_deadline(stage->fd, stage->conn, BOTH, CANCELIO_NEVER,
				   CANCELIO_NEVER);
	if (ret)
		violation("the deadlines cannot be cleared: %s", strerror(-ret));
}

/* A byte each way: the connection works. */
void stage_exchange(void)
{
	char in = 0, out = 1 + stage->round % 100;
	struct cancelio_completion result;
	int ret;

	if (stage->side == CANCELIO_WRITE)
		write_drain_all();
	if (send(stage->peer, &out, 1, MSG_NOSIGNAL) != 1)
		violation("the peer cannot send: %s", strerror(errno));
	ret = run(stage->fd, op_recv(stage->conn, &in, 1), &result);
	if (ret || result.reason != CANCELIO_DONE || result.bytes != 1 || in != out)
		violation("then a read gives %d: reason %u, error %d, %u bytes", ret,
			  result.reason, result.error, result.bytes);
	in = 0;
	ret = run(stage->fd, op_send(stage->conn, &out, 1), &result);
	if (ret || result.reason != CANCELIO_DONE || result.bytes != 1)
		violation("then a write gives %d: reason %u, error %d", ret, result.reason,
			  result.error);
	if (recv(stage->peer, &in, 1, 0) != 1 || in != out)
		violation("the peer then gets %d and not %d", in, out);
}

/* References to the module: one of each context, one of each of its workers. */
int stage_references(void)
{
	static int fd = -1;
	char text[16] = "";

	if (fd < 0)
		fd = open("/sys/module/cancelio/refcnt", O_RDONLY | O_CLOEXEC);
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		violation("no count of references");
	return atoi(text);
}

/* Contexts and threads have gone. */
void await_references(int count)
{
	__s64 end = after(longest);
	int left;

	while ((left = stage_references()) > count) {
		if (now() > end)
			violation("%d contexts and threads are left", left - count);
		let_others();
	}
}
