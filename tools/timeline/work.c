// SPDX-License-Identifier: GPL-2.0
/*
 * work [--engine poll|thread]: a little of everything that ends a blocked read, one
 * after the other on TCP connections to a peer of our own, for a recording.  Prints
 * how each ended, and exits with 1 when one did not end as it should.
 */
#include <cancelio.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MS	1000000LL
#define TOTAL	(2 << 20)	/* bytes, more than two small sockets hold */

/* What the peer does with its end when it is told to. */
enum wish {
	SAY,			/* send a line, at once */
	ANSWER,			/* the same, when a read waits for it */
	RESET,			/* close so that the other end is reset */
	LEAVE,			/* close in order */
};

static struct cancelio *context;
static struct cancelio_conn *conn;
static int peer_fd, to_peer[2], failures;
static const char *waiting = "state=queued";
static char got[64];
static char flood[TOTAL];

/* Whether a read waits: in its queue, or where the engine has threads a thread for it. */
static bool read_waits(void)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", cancelio_fd(context));
	file = fopen(path, "r");
	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "op:", 3) && strstr(line, waiting);
	if (file)
		fclose(file);
	return found;
}

static void await_read(void)
{
	while (!read_waits())
		usleep(1000);
	/* Long enough to be seen. */
	usleep(3000);
}

/* The peer: a thread that does as it is told. */
static void *run_peer(void *unused)
{
	struct linger at_once = { .l_onoff = 1 };
	char wish;

	prctl(PR_SET_NAME, "peer");
	while (read(to_peer[0], &wish, 1) == 1) {
		if (wish != SAY)
			await_read();
		if (wish == SAY || wish == ANSWER) {
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

static void await_data(void)
{
	struct pollfd there = { .fd = cancelio_conn_fd(conn), .events = POLLIN };

	poll(&there, 1, -1);
}

static void *cancel_soon(void *unused)
{
	prctl(PR_SET_NAME, "canceler");
	await_read();
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
	await_read();
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
	int fd = cancelio_conn_fd(conn), size = 1 << 16;
	struct cancelio_completion how;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(peer_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	cancelio_set_write_deadline(conn, cancelio_after(300 * MS));
	cancelio_write(conn, flood, TOTAL, &how);
	check("a write that its deadline cuts short", &how, -1, -ETIME);
	failures += !how.bytes || how.bytes == TOTAL;
}

static void one_connection(void)
{
	tell_peer(ANSWER);
	read_one("a read whose data comes", 16, 0);
	cancelio_set_read_deadline(conn, cancelio_after(100 * MS));
	read_one("a read that its deadline ends", 0, -ETIME);
	tell_peer(SAY);
	await_data();
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
		waiting = "state=blocked";
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
