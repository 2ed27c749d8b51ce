// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring: one thread, which hands all there is to do to the kernel in one call and waits for
 * completions in the same.  Each read and write has a linked timeout.
 *
 * What is to be done with a message is one chain: send it back, then read the next.  The chain
 * completes once, with the read, or where the send fails with the send.
 */
#include "server.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRIES		1024
/* The requests of a chain: they have to be submitted together. */
#define CHAIN		4

/* What a completion is of: a pointer to a client is of its read, with SEND of its send. */
#define NOTHING		0ULL
#define SEND		1ULL
#define ACCEPT		2ULL
#define STOP		4ULL
#define CANCEL		6ULL
#define PAUSE		8ULL

struct client {
	int fd;
	size_t len;
	struct __kernel_timespec read_by;
	struct __kernel_timespec write_by;
	char bytes[CHUNK];
};

static struct io_uring ring;
static bool stopping;

static struct io_uring_sqe *request(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

/* The deadline of the request before it; what it does needs no completion. */
static void add_deadline(struct __kernel_timespec *time, unsigned int link)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_link_timeout(sqe, time, IORING_TIMEOUT_ABS);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS | link);
	io_uring_sqe_set_data64(sqe, NOTHING);
}

static void add_send(struct client *client)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_send(sqe, client->fd, client->bytes, client->len, MSG_WAITALL | MSG_NOSIGNAL);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
	io_uring_sqe_set_data64(sqe, (unsigned long)client | SEND);
	add_deadline(&client->write_by, IOSQE_IO_LINK);
}

static void add_read(struct client *client)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_recv(sqe, client->fd, client->bytes, CHUNK, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
	io_uring_sqe_set_data(sqe, client);
	/* It hardly ever is there already. */
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	add_deadline(&client->read_by, 0);
}

static struct __kernel_timespec time_of(long long ns)
{
	return (struct __kernel_timespec){ ns / SECOND, ns % SECOND };
}

static void make_room(void)
{
	if (io_uring_sq_space_left(&ring) < CHAIN)
		io_uring_submit(&ring);
}

/* Answer the message that came, if any, and read the next. */
static void go_on(struct client *client)
{
	long long present = now();

	client->read_by = time_of(present + settings.idle_ms * MS);
	client->write_by = time_of(present + settings.write_ms * MS);
	make_room();
	if (client->len)
		add_send(client);
	add_read(client);
}

static void end_client(struct client *client, enum end how)
{
	connection_ending(client->fd, how);
	close(client->fd);
	connection_ended(how);
	free(client);
}

/* A deadline and a cancel look alike: it was the one if nobody did the other. */
static void on_read(struct client *client, int result)
{
	if (stopping) {
		end_client(client, STOPPED);
	} else if (result > 0) {
		client->len = result;
		go_on(client);
	} else if (result == -ECANCELED) {
		end_client(client, IDLE);
	} else if (result == -EAGAIN) {
		/* On 6.1 it does not wait where the send before it took a worker of the kernel. */
		make_room();
		add_read(client);
	} else {
		end_client(client, result ? connection_error(-result) : CLOSED);
	}
}

static bool has_passed(const struct __kernel_timespec *time)
{
	return now() >= time->tv_sec * SECOND + time->tv_nsec;
}

/* It has failed: where a part was sent before, its length hides the error. */
static void on_send(struct client *client, int result)
{
	if (stopping)
		end_client(client, STOPPED);
	else if (has_passed(&client->write_by))
		end_client(client, STUCK);
	else
		end_client(client, result < 0 ? connection_error(-result) : RESET);
}

/* One request for all that come. */
static void accept_all(int listener)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data64(sqe, ACCEPT);
}

/* The next accept is for when something that was wanting may be there. */
static void pause_accepting(void)
{
	static struct __kernel_timespec time = { .tv_nsec = ACCEPT_PAUSE };
	struct io_uring_sqe *sqe = request();

	io_uring_prep_timeout(sqe, &time, 0, 0);
	io_uring_sqe_set_data64(sqe, PAUSE);
}

static void begin_client(int fd)
{
	struct client *client;

	if (!connection_begins()) {
		close(fd);
		return;
	}
	client = malloc(sizeof(*client));
	if (!client)
		die("malloc", errno);
	client->fd = fd;
	client->len = 0;
	go_on(client);
}

static void on_accept(const struct io_uring_cqe *cqe, int listener)
{
	if (cqe->res >= 0)
		begin_client(cqe->res);
	if (cqe->flags & IORING_CQE_F_MORE || stopping)
		return;
	if (cqe->res < 0 && accept_is_short(-cqe->res))
		pause_accepting();
	else
		accept_all(listener);
}

static void await_stop(void)
{
	struct io_uring_sqe *sqe = request();

	io_uring_prep_poll_add(sqe, server_stop_fd(), POLLIN);
	io_uring_sqe_set_data64(sqe, STOP);
}

/* Chains that are between two of their requests are met the next time. */
static void cancel_all(void)
{
	struct io_uring_sqe *sqe = request();

	stopping = true;
	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	io_uring_sqe_set_data64(sqe, CANCEL);
}

static void handle(const struct io_uring_cqe *cqe, int listener)
{
	void *client = (void *)(unsigned long)(cqe->user_data & ~SEND);

	switch (cqe->user_data) {
	case NOTHING:
		return;
	case ACCEPT:
		on_accept(cqe, listener);
		return;
	case PAUSE:
		if (!stopping)
			accept_all(listener);
		return;
	case STOP:
	case CANCEL:
		cancel_all();
		return;
	}
	if (cqe->user_data & SEND)
		on_send(client, cqe->res);
	else
		on_read(client, cqe->res);
}

static void serve(int listener)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen;
	int ret;

	while (!stopping || connections_open()) {
		ret = io_uring_submit_and_wait(&ring, 1);
		if (ret < 0 && ret != -EINTR)
			die("io_uring", -ret);
		seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			handle(cqe, listener);
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
	}
}

static void open_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = 2 * settings.connections + ENTRIES,
	};
	int ret = io_uring_queue_init_params(ENTRIES, &ring, &params);

	if (ret == -EPERM)
		die("io_uring is disabled here (sysctl kernel.io_uring_disabled, or seccomp)",
		    EPERM);
	if (ret == -EINVAL)
		die("the kernel's io_uring is older than that of 6.1", EINVAL);
	if (ret)
		die("io_uring is not to be had from this kernel", -ret);
	io_uring_register_ring_fd(&ring);
}

int main(int argc, char **argv)
{
	int listener;

	server_begin(argc, argv);
	open_ring();
	await_stop();
	listener = server_listen(0);
	accept_all(listener);
	serve(listener);
	io_uring_queue_exit(&ring);
	return server_report();
}
