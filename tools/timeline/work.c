// SPDX-License-Identifier: GPL-2.0
/*
 * work [--engine poll|thread]: a little of everything that ends a blocked read, one
 * after the other on TCP connections to a peer of our own, for a recording.  Prints
 * how each ended, and exits with 1 when one did not end as it should.
 */
#include <cancelio.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MS	1000000LL
#define TOTAL	(8 << 20)	/* bytes, more than two sockets hold */

/* What the peer does with its end when it is told to. */
enum wish {
	SAY,			/* send a line */
	RESET,			/* close so that the other end is reset */
	LEAVE,			/* close in order */
};

static struct cancelio *context;
static struct cancelio_conn *conn;
static int peer_fd, to_peer[2], failures;
static char got[64];
static char flood[TOTAL];

/* The peer: a thread that does as it is told, a moment later. */
static void *run_peer(void *unused)
{
	struct linger at_once = { .l_onoff = 1 };
	char wish;

	prctl(PR_SET_NAME, "peer");
	while (read(to_peer[0], &wish, 1) == 1) {
		usleep(3000);
		if (wish == SAY) {
			send(peer_fd, "sixteen bytes...", 16, MSG_NOSIGNAL);
			continue;
		}
		if (wish == RESET)
			setsockopt(peer_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(peer_fd);
	}
	return unused;
}

static void tell_peer(enum wish wish)
{
	char byte = wish;

	if (write(to_peer[1], &byte, 1) != 1)
		failures++;
}

static int pair_of_sockets(int *other)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);

	if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(fd, (struct sockaddr *)&addr, len))
		return -1;
	*other = accept(listener, NULL, NULL);
	close(listener);
	return *other < 0 ? -1 : fd;
}

static bool open_conn(void)
{
	int fd = pair_of_sockets(&peer_fd);

	return fd >= 0 && !cancelio_attach(context, fd, &conn);
}

static void check(const char *what, const struct cancelio_completion *how, int bytes, int error)
{
	bool is_so = how->error == error && (bytes < 0 || how->bytes == (unsigned int)bytes);

	printf("%-4s %-40s %8u  %-9s %s\n", is_so ? "ok" : "NOT", what, how->bytes,
	       cancelio_reason_name(how->reason), how->error ? strerror(-how->error) : "-");
	failures += !is_so;
}

static void read_one(const char *what, int bytes, int error)
{
	struct cancelio_completion how;

	cancelio_read(conn, got, sizeof(got), &how);
	check(what, &how, bytes, error);
}

static void *cancel_soon(void *unused)
{
	prctl(PR_SET_NAME, "canceler");
	usleep(5000);
	cancelio_cancel_read(conn);
	return unused;
}

static void cancel_one(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, cancel_soon, NULL);
	read_one("a read that another thread cancels", 0, -ECANCELED);
	pthread_join(thread, NULL);
}

static void *shorten_soon(void *unused)
{
	prctl(PR_SET_NAME, "shortener");
	usleep(5000);
	cancelio_set_read_deadline(conn, cancelio_now());
	return unused;
}

static void shorten_one(void)
{
	pthread_t thread;

	cancelio_set_read_deadline(conn, cancelio_after(60000 * MS));
	pthread_create(&thread, NULL, shorten_soon, NULL);
	read_one("a read whose deadline is moved to now", 0, -ETIME);
	pthread_join(thread, NULL);
}

static void write_too_much(void)
{
	struct cancelio_completion how;

	cancelio_set_write_deadline(conn, cancelio_after(60 * MS));
	cancelio_write(conn, flood, TOTAL, &how);
	check("a write that its deadline cuts short", &how, -1, -ETIME);
	failures += !how.bytes || how.bytes == TOTAL;
}

static void one_connection(void)
{
	tell_peer(SAY);
	read_one("a read whose data comes", 16, 0);
	cancelio_set_read_deadline(conn, cancelio_after(10 * MS));
	read_one("a read that its deadline ends", 0, -ETIME);
	tell_peer(SAY);
	usleep(20000);
	read_one("a read after the deadline, with data there", 0, -ETIME);
	cancelio_set_read_deadline(conn, CANCELIO_NEVER);
	read_one("the next one gets the data", 16, 0);
	cancel_one();
	shorten_one();
	cancelio_set_read_deadline(conn, CANCELIO_NEVER);
	tell_peer(RESET);
	read_one("a read whose peer resets", 0, -ECONNRESET);
	cancelio_close(conn);
}

static void other_connection(void)
{
	if (!open_conn()) {
		failures++;
		return;
	}
	tell_peer(LEAVE);
	read_one("a read whose peer leaves", 0, 0);
	cancelio_close(conn);
	if (!open_conn()) {
		failures++;
		return;
	}
	write_too_much();
	cancelio_close(conn);
	close(peer_fd);
}

int main(int argc, char **argv)
{
	struct cancelio_setup setup = { .engine = CANCELIO_ENGINE_POLL };
	pthread_t peer;

	if (argc == 3 && !strcmp(argv[1], "--engine") && !strcmp(argv[2], "thread")) {
		setup.engine = CANCELIO_ENGINE_THREAD;
	} else if (argc != 1 && (argc != 3 || strcmp(argv[1], "--engine") ||
				 strcmp(argv[2], "poll"))) {
		fprintf(stderr, "usage: work [--engine poll|thread]\n");
		return 2;
	}
	if (cancelio_open(&context, &setup) || pipe(to_peer) ||
	    pthread_create(&peer, NULL, run_peer, NULL) || !open_conn()) {
		perror("work");
		return 1;
	}
	one_connection();
	other_connection();
	close(to_peer[1]);
	pthread_join(peer, NULL);
	cancelio_free(context);
	return failures > 0;
}
