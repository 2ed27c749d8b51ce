// SPDX-License-Identifier: GPL-2.0
/*
 * The peers: other ends of connections, on plain sockets.  A peer goes over them again and
 * again, and reads and sends by chance, or lets them wait; what comes has to be the
 * pattern, and its end what the worker says it sent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <signal.h>
#include <unistd.h>

#include "soak.h"

#define MAX_ENDS	(WORKERS * SLOTS)
/* What is asked for on either side; the kernel doubles it. */
#define BUFFER		16384
/* Ends that are looked at before the peer sleeps. */
#define TURN		256
#define REST		(4 * MS)

/**
 * struct end - a peer's end of a connection
 * @record: NULL until the worker has said which it is
 * @shut: nothing more is sent
 * @over: nothing more comes
 * @error: what the socket has told, once; 0 is an end of file
 * @since: when it came to its end, or began
 */
struct end {
	int sock;
	struct record *record;
	bool shut;
	bool over;
	int error;
	__s64 since;
	__u64 received;
	__u64 sent;
};

static int listeners[PEERS][FAMILIES];
static struct end ends[MAX_ENDS];
static int count;
static __u64 state;

static int unix_listen(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Without a name the kernel finds one. */
	if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof(sa_family_t)) ||
	    listen(sock, 1024))
		return -1;
	return sock;
}

void peers_listen(void)
{
	int i, j, bytes = BUFFER;

	for (i = 0; i < PEERS; i++) {
		listeners[i][IPV4] = tcp_listen(AF_INET);
		listeners[i][IPV6] = tcp_listen(AF_INET6);
		listeners[i][UNIX] = unix_listen();
		for (j = 0; j < FAMILIES; j++) {
			int sock = listeners[i][j];

			if (sock < 0)
				violation("nobody can listen: %s", strerror(errno));
			fcntl(sock, F_SETFL, O_NONBLOCK);
			setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
			setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		}
	}
}

static void set_options(int sock, enum family family)
{
	int on = 1, bytes = BUFFER;

	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (family != UNIX)
		setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* A worker's connection; -errno where it cannot be had. */
int peer_connect(int peer, enum family family)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int sock, error;

	if (getsockname(listeners[peer][family], (struct sockaddr *)&address, &len))
		return -errno;
	sock = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	set_options(sock, family);
	if (!connect(sock, (struct sockaddr *)&address, len))
		return sock;
	error = errno;
	close(sock);
	return -error;
}

static void accept_some(int number)
{
	enum family family;
	int i, sock;

	for (family = 0; family < FAMILIES; family++) {
		for (i = 0; i < 32 && count < MAX_ENDS; i++) {
			sock = accept4(listeners[number][family], NULL, NULL,
				       SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (sock < 0)
				break;
			set_options(sock, family);
			ends[count++] = (struct end){ .sock = sock, .since = now() };
		}
	}
}

static void end_over(struct end *end, int error)
{
	end->over = true;
	if (error)
		end->error = error;
	end->since = now();
}

/* The worker says which connection it is, or dies before that. */
static void meet(struct end *end)
{
	struct hello hello;
	struct record *record;
	ssize_t got = recv(end->sock, &hello, sizeof(hello), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got != sizeof(hello)) {
		end_over(end, got < 0 ? errno : 0);
		return;
	}
	if (hello.record >= WORKERS * SLOTS)
		violation("a connection begins with %u, %u", hello.record, hello.generation);
	record = &shared->records[hello.record];
	if (!flag_get(&record->used) || record->generation != hello.generation ||
	    flag_get(&record->orphan)) {
		end_over(end, 0);
		return;
	}
	end->record = record;
	flag_set(&record->seen);
}

/* Nothing more is sent; what was is final before the other end can see that. */
static void stop_sending(struct end *end)
{
	end->shut = true;
	end->record->down_sent = end->sent;
	flag_set(&end->record->stopped);
}

static void take(struct end *end)
{
	static __u8 bytes[16384];
	struct record *record = end->record;
	size_t most = one_in(&state, 4) ? 1 + random_below(&state, 512) : sizeof(bytes);
	ssize_t got = recv(end->sock, bytes, most, MSG_DONTWAIT);

	if (got > 0) {
		if (!pattern_is(bytes, got, record->stream, end->received))
			violation("stream %u: wrong bytes behind %llu", record->stream,
				  end->received);
		end->received += got;
		count_add(UP, got);
	} else if (!got || errno != EAGAIN) {
		end_over(end, got ? errno : 0);
	}
}

static void give(struct end *end)
{
	const struct record *record = end->record;
	size_t len = 1 + random_below(&state, one_in(&state, 4) ? 8192 : 512);
	ssize_t sent = send(end->sock, pattern_at_place(record->stream + 1, end->sent), len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent > 0) {
		end->sent += sent;
	} else if (errno != EAGAIN) {
		end->error = errno;
		stop_sending(end);
	}
}

static void reset(struct end *end)
{
	flag_set(&end->record->reset);
	stop_sending(end);
	close_with_reset(end->sock);
	end->sock = -1;
	end_over(end, ECONNRESET);
}

static bool is_unix(const struct end *end)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return !getsockopt(end->sock, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
		domain == AF_UNIX;
}

/* One that waits for its end is read out. */
static void exchange(struct end *end)
{
	struct record *record = end->record;
	bool hurry = flag_get(&record->stop) || flag_get(&record->finished) ||
		flag_get(&record->orphan);

	if (hurry || !one_in(&state, 3))
		take(end);
	if (end->over || end->shut)
		return;
	if (flag_get(&record->stop) || one_in(&state, 3000)) {
		stop_sending(end);
		shutdown(end->sock, SHUT_WR);
	} else if (one_in(&state, 20000) && !is_unix(end)) {
		reset(end);
	} else if (one_in(&state, 3)) {
		give(end);
	}
}

/* Whether the worker has said how it comes that the connection has ended in this way. */
static bool is_explained(const struct end *end)
{
	const struct record *record = end->record;

	if (flag_get(&record->orphan))
		return true;
	if (!flag_get(&record->finished))
		return false;
	return !end->error || flag_get(&record->aborted) || flag_get(&record->reset);
}

/* What came, against what the worker says; false: it has not said so yet, or is dying. */
static bool judge(const struct end *end)
{
	const struct record *record = end->record;
	bool orphan = flag_get(&record->orphan);

	if (!is_explained(end)) {
		if (now() > end->since + PATIENCE)
			violation("stream %u ended by itself: %s", record->stream,
				  strerror(end->error));
		return false;
	}
	if (end->received > record->asked)
		violation("stream %u: %llu bytes came, of %llu", record->stream,
			  end->received, record->asked);
	if (orphan) {
		count_add(KILLED, 1);
		return true;
	}
	if (end->error) {
		if (end->received > record->sent)
			violation("stream %u: %llu bytes came, %llu were sent",
				  record->stream, end->received, record->sent);
		count_add(record->reset ? RESETS : ABORTED, 1);
		return true;
	}
	if (end->received != record->sent)
		violation("stream %u: %llu bytes came, %llu were sent", record->stream,
			  end->received, record->sent);
	count_add(EXACT, 1);
	return true;
}

static void remove_end(struct end *end)
{
	if (end->sock >= 0)
		close(end->sock);
	*end = ends[--count];
}

static void look_at(struct end *end)
{
	struct record *record;

	if (!end->record)
		meet(end);
	record = end->record;
	if (record && !end->over)
		exchange(end);
	if (!end->over)
		return;
	if (record && !end->shut)
		stop_sending(end);
	if (end->sock >= 0)
		close(end->sock);
	end->sock = -1;
	if (record) {
		record->received = end->received;
		if (!judge(end))
			return;
		flag_set(&record->judged);
	}
	remove_end(end);
}

void peer_run(int number)
{
	int next = 0, i;

	snprintf(self, sizeof(self), "peer %d", number);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	before_violation = NULL;
	state = shared->seed * 1000 + number;
	/* Memory that it will come to use is no loss. */
	memset(ends, POISON, sizeof(ends));
	while (!flag_get(&shared->quit)) {
		accept_some(number);
		for (i = 0; i < TURN && i < count; i++) {
			next = next + 1 < count ? next + 1 : 0;
			look_at(&ends[next]);
		}
		sleep_until(after(REST));
	}
	_exit(0);
}
