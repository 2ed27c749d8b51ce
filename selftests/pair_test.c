// SPDX-License-Identifier: GPL-2.0
/*
 * Every two ways in which an operation can end, at the same moment from two threads: data
 * (or room), cancel, deadline, detach, shutdown.  Exactly one of them ends it, its
 * completion and what the calls return agree on which, no byte is lost, its buffer is
 * left alone afterwards, and the connection works, where it still is one (C1, C4, C5, C6,
 * C12, C22, C31).
 */
#include "variants.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define ENTRIES		8
#define BYTES		32
#define MESSAGE		8
#define COOKIE		77
#define GONE		0xEE
#define CHUNK		(1U << 20)
/* No round is begun after this. */
#define ROUNDS_TIME	(1200 * MS)
#define BOTH		(CANCELIO_READ | CANCELIO_WRITE)

/* A context, and a TCP connection. */
FIXTURE(pair) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
};

FIXTURE_VARIANT(pair) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(pair, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(pair, poll_worker) POLL_WORKER;
FIXTURE_VARIANT_ADD(pair, thread) THREAD_IPV4;

FIXTURE_SETUP(pair)
{
	int ends[2], on = 1, i;

	ASSERT_EQ(0, tcp_pair(variant->family, ends));
	/* No round is to wait until the peer has confirmed the last one. */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	self->sock = ends[0];
	self->peer = ends[1];
	self->fd = cio_context(variant->engine, ENTRIES);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	common_op_flags = variant->op_flags;
}

FIXTURE_TEARDOWN(pair)
{
	close(self->fd);
	close(self->sock);
	close(self->peer);
}

enum act {
	/* The peer sends, or reads until the write has ended. */
	COMPLETE,
	CANCEL,
	DEADLINE,
	DETACH,
	SHUTDOWN,
};

static const __u8 reason_of[] = {
	[COMPLETE] = CANCELIO_DONE,
	[CANCEL] = CANCELIO_CANCELED,
	[DEADLINE] = CANCELIO_DEADLINE,
	[DETACH] = CANCELIO_CLOSED,
	[SHUTDOWN] = CANCELIO_CLOSED,
};

static const int error_of[] = {
	[CANCELIO_DONE] = 0,
	[CANCELIO_DEADLINE] = -ETIME,
	[CANCELIO_CANCELED] = -ECANCELED,
	[CANCELIO_CLOSED] = -EBADF,
};

/* One operation after another, and two threads that end it. */
struct match {
	__u32 engine;
	int fd;
	int sock;
	int peer;
	__u64 conn;
	enum act acts[2];
	int side;
	/* Of this round: its number, the operation, when to act, what came of it. */
	int round;
	__u64 id;
	__s64 times[2];
	int rets[2];
	struct cancelio_completion result;
	bool over;
	/* For the second thread: a round begins, unless all are over; it has acted. */
	sem_t begin;
	sem_t acted;
	bool end;
	/* Buffer of a read and what the peer sends; data of a write. */
	__u8 bytes[BYTES];
	__u8 message[MESSAGE];
	char *chunk;
	size_t drained;
	bool garbled;
};

static void spin_until(__s64 time)
{
	while (now() < time)
		;
}

static int cancel_some_way(struct match *match)
{
	switch (match->round % 4) {
	case 0:
		return cio_cancel(match->fd, CANCELIO_CANCEL_ID, match->id, 0);
	case 1:
		return cio_cancel(match->fd, CANCELIO_CANCEL_COOKIE, COOKIE, 0);
	case 2:
		return cio_cancel(match->fd, CANCELIO_CANCEL_CONN, match->conn, match->side);
	default:
		return cio_cancel(match->fd, CANCELIO_CANCEL_ALL, 0, 0);
	}
}

static int set_deadline(struct match *match, __s64 time)
{
	return match->side == CANCELIO_READ ?
		cio_deadline(match->fd, match->conn, CANCELIO_READ, time, 0) :
		cio_deadline(match->fd, match->conn, CANCELIO_WRITE, 0, time);
}

/* Takes what is there from the peer's end; 0 when nothing is. */
static ssize_t drain(struct match *match, int flags, size_t most)
{
	static char buffer[65536];
	size_t want = most < sizeof(buffer) ? most : sizeof(buffer);
	ssize_t got = recv(match->peer, buffer, want, flags);

	if (got <= 0)
		return 0;
	if (memcmp(buffer, match->chunk + match->drained, got))
		match->garbled = true;
	match->drained += got;
	return got;
}

static int complete(struct match *match)
{
	if (match->side == CANCELIO_READ)
		return write(match->peer, match->message, MESSAGE);
	while (match->drained < CHUNK && !__atomic_load_n(&match->over, __ATOMIC_ACQUIRE))
		if (!drain(match, MSG_DONTWAIT, CHUNK - match->drained))
			sched_yield();
	return MESSAGE;
}

static int act(struct match *match, enum act what)
{
	switch (what) {
	case COMPLETE:
		return complete(match);
	case CANCEL:
		return cancel_some_way(match);
	case DEADLINE:
		/* Set already, but for each third round. */
		return match->round % 3 ? 0 : set_deadline(match, now());
	case DETACH:
		return cio_detach(match->fd, match->conn);
	default:
		return cio_shutdown(match->fd);
	}
}

static void *act_each_round(void *argument)
{
	struct match *match = argument;

	for (;;) {
		sem_wait(&match->begin);
		if (match->end)
			return NULL;
		spin_until(match->times[1]);
		match->rets[1] = act(match, match->acts[1]);
		sem_post(&match->acted);
	}
}

static bool plays(const struct match *match, enum act what)
{
	return match->acts[0] == what || match->acts[1] == what;
}

static bool is_held(const struct match *match)
{
	return match->round % 5 == 4;
}

/* The operation of the round; its deadline is its own or its side's. */
static bool start(struct match *match)
{
	struct cancelio_op op = match->side == CANCELIO_READ ?
		op_recv(match->conn, match->bytes, BYTES) :
		op_send(match->conn, match->chunk, CHUNK);
	/* A timer is some time on its way. */
	__s64 spread = plays(match, DEADLINE) ? 8000 : 1000;
	__s64 time = after(250000);

	/* Room takes its time too. */
	if (match->side == CANCELIO_WRITE && plays(match, COMPLETE))
		time += match->round % 16 * 2 * MS;
	op = with_cookie(op, COOKIE);
	if (is_held(match))
		op = with_flags(op, CANCELIO_OP_HOLD);
	if (plays(match, DEADLINE) && match->round % 3 == 1)
		op = with_deadline(op, time);
	memset(match->bytes, POISON, BYTES);
	pattern_fill(match->message, MESSAGE, match->round);
	match->drained = 0;
	match->over = false;
	match->times[0] = time;
	match->times[1] = match->side == CANCELIO_WRITE && plays(match, COMPLETE) ? 0 :
			  time + (match->round % 32 - 10) * spread;
	if (cio_submit(match->fd, &op, 1, &match->id, NULL) != 1)
		return false;
	if (plays(match, DEADLINE) && match->round % 3 == 2)
		return !set_deadline(match, time);
	return true;
}

/* Its one completion; there is no other. */
static bool fetch(struct match *match)
{
	struct cancelio_completion more;

	if (is_held(match))
		return !cio_wait_op(match->fd, match->id, after(LONG_ENOUGH), &match->result) &&
			cio_wait_op(match->fd, match->id, 0, &more) == -ENOENT;
	return reap(match->fd, &match->result) == 1;
}

static bool is_only(struct match *match)
{
	struct cancelio_completion more;

	return cio_wait(match->fd, 0, &more, 1, 0) == 0 && match->result.id == match->id &&
		match->result.user_data == COOKIE;
}

/* Whether the completion is one that these two can bring about. */
static bool is_sound(const struct match *match)
{
	const struct cancelio_completion *result = &match->result;
	bool which = result->reason == CANCELIO_DEADLINE;

	if (result->reason != reason_of[match->acts[0]] &&
	    result->reason != reason_of[match->acts[1]])
		return false;
	return result->error == error_of[result->reason] &&
		(result->which != CANCELIO_WHICH_NONE) == which;
}

/* Whether what call number @i returned agrees with the completion. */
static bool agrees(const struct match *match, int i)
{
	bool canceled = match->result.reason == CANCELIO_CANCELED;
	enum act other = match->acts[!i];
	int ret = match->rets[i];

	if (other == SHUTDOWN && (ret == -ESHUTDOWN || ret == -EBADF || ret == -ENOENT))
		return true;
	switch (match->acts[i]) {
	case COMPLETE:
		return ret == MESSAGE;
	case CANCEL:
		if (canceled)
			return ret == 1 || (other == CANCEL && ret == -ENOENT &&
					    match->rets[!i] == 1);
		return ret == -ENOENT || (other == DETACH && ret == -EBADF);
	case DETACH:
		return !ret || (other == DETACH && ret == -EBADF && !match->rets[!i]);
	default:
		return !ret || (other == DETACH && ret == -EBADF);
	}
}

static bool is_all(const __u8 *bytes, int count, __u8 value)
{
	while (count--)
		if (*bytes++ != value)
			return false;
	return true;
}

/* A read has all of the message or nothing, and nothing else was written. */
static bool read_is_whole(struct match *match)
{
	int moved = match->result.bytes;

	if (moved != (match->result.reason == CANCELIO_DONE ? MESSAGE : 0))
		return false;
	if (!moved && plays(match, COMPLETE) &&
	    recv(match->sock, match->bytes + MESSAGE, MESSAGE, MSG_WAITALL) != MESSAGE)
		return false;
	if (!moved && plays(match, COMPLETE)) {
		if (!pattern_holds(match->bytes + MESSAGE, MESSAGE, match->round))
			return false;
		memset(match->bytes + MESSAGE, POISON, MESSAGE);
	}
	return pattern_holds(match->bytes, moved, match->round) &&
		is_all(match->bytes + moved, BYTES - moved, POISON);
}

/* What the socket accepted arrives, to the byte. */
static bool write_is_exact(struct match *match)
{
	if (match->result.reason == CANCELIO_DONE && match->result.bytes != CHUNK)
		return false;
	while (match->drained < match->result.bytes)
		if (!drain(match, 0, match->result.bytes - match->drained))
			return false;
	return match->drained == match->result.bytes && !match->garbled;
}

static bool renew(struct match *match)
{
	if (plays(match, SHUTDOWN)) {
		close(match->fd);
		match->fd = cio_context(match->engine, ENTRIES);
	}
	if (plays(match, SHUTDOWN) || plays(match, DETACH))
		return !cio_attach(match->fd, match->sock, &match->conn);
	return !cio_deadline(match->fd, match->conn, BOTH, CANCELIO_NEVER, CANCELIO_NEVER);
}

/* One byte each way; the buffer of the round stays alone meanwhile. */
static bool works(struct match *match)
{
	struct cancelio_completion result;
	char in = 0, out = match->round;

	memset(match->bytes, GONE, BYTES);
	if (write(match->peer, &out, 1) != 1 ||
	    run(match->fd, op_recv(match->conn, &in, 1), &result) ||
	    result.reason != CANCELIO_DONE || in != out)
		return false;
	in = ~out;
	if (run(match->fd, op_send(match->conn, &out, 1), &result) ||
	    result.reason != CANCELIO_DONE || recv(match->peer, &in, 1, 0) != 1 || in != out)
		return false;
	return is_all(match->bytes, BYTES, GONE);
}

/* One round; what was wrong, or NULL. */
static const char *play_round(struct match *match)
{
	if (!start(match))
		return "start";
	sem_post(&match->begin);
	spin_until(match->times[0]);
	match->rets[0] = act(match, match->acts[0]);
	if (!fetch(match))
		return "no completion";
	__atomic_store_n(&match->over, true, __ATOMIC_RELEASE);
	sem_wait(&match->acted);
	if (!is_only(match))
		return "another completion";
	if (!is_sound(match))
		return "reason";
	if (!agrees(match, 0) || !agrees(match, 1))
		return "return value";
	if (match->side == CANCELIO_READ ? !read_is_whole(match) : !write_is_exact(match))
		return "bytes";
	if (!renew(match))
		return "renewal";
	return works(match) ? NULL : "connection";
}

/* All rounds that there is time for; what was wrong in @match->round, or NULL. */
static const char *play(struct match *match, int rounds)
{
	int count[CANCELIO_CLOSED + 1] = {};
	__s64 end = after(ROUNDS_TIME);
	const char *wrong = NULL;
	pthread_t thread;

	if (sem_init(&match->begin, 0, 0) || sem_init(&match->acted, 0, 0) ||
	    pthread_create(&thread, NULL, act_each_round, match))
		return "thread";
	for (match->round = 1; match->round <= rounds && now() < end; match->round++) {
		wrong = play_round(match);
		if (wrong)
			break;
		count[match->result.reason]++;
	}
	/* In a wrong round the other one may never return. */
	if (!wrong) {
		match->end = true;
		sem_post(&match->begin);
		pthread_join(thread, NULL);
	}
	fprintf(TH_LOG_STREAM, "# %d done, %d expired, %d canceled, %d closed\n",
		count[CANCELIO_DONE], count[CANCELIO_DEADLINE], count[CANCELIO_CANCELED],
		count[CANCELIO_CLOSED]);
	return wrong;
}

#define PLAY(which, first, second, rounds) do {						\
	struct match _match = {								\
		.engine = variant->engine, .fd = self->fd, .sock = self->sock,		\
		.peer = self->peer, .conn = self->conn,					\
		.acts = { first, second }, .side = which, .chunk = pattern_new(CHUNK),	\
	};										\
	int _rounds = rounds;								\
	const char *_wrong;								\
											\
	ASSERT_NE(NULL, _match.chunk);							\
	_wrong = play(&_match, variant->op_flags ? _rounds / 4 : _rounds);		\
	EXPECT_EQ(NULL, _wrong) {							\
		TH_LOG("round %d: %s: returned %d and %d; %u bytes, reason %u, %d",	\
		       _match.round, _wrong, _match.rets[0], _match.rets[1],		\
		       _match.result.bytes, _match.result.reason, _match.result.error);	\
	}										\
	self->fd = _match.fd;								\
	if (!_wrong)									\
		free(_match.chunk);							\
} while (0)

#define ROUNDS	800
/* A context is made for each. */
#define FEWER	100
/* A chunk is moved in each. */
#define WRITES	40

TEST_F(pair, C1_data_against_cancel)
{
	PLAY(CANCELIO_READ, COMPLETE, CANCEL, ROUNDS);
}

TEST_F(pair, C1_data_against_deadline)
{
	PLAY(CANCELIO_READ, COMPLETE, DEADLINE, ROUNDS);
}

TEST_F(pair, C1_data_against_detach)
{
	PLAY(CANCELIO_READ, COMPLETE, DETACH, ROUNDS);
}

TEST_F(pair, C1_data_against_shutdown)
{
	PLAY(CANCELIO_READ, COMPLETE, SHUTDOWN, FEWER);
}

TEST_F(pair, C1_cancel_against_deadline)
{
	PLAY(CANCELIO_READ, CANCEL, DEADLINE, ROUNDS);
}

TEST_F(pair, C1_cancel_against_cancel)
{
	PLAY(CANCELIO_READ, CANCEL, CANCEL, ROUNDS);
}

TEST_F(pair, C1_cancel_against_detach)
{
	PLAY(CANCELIO_READ, CANCEL, DETACH, ROUNDS);
}

TEST_F(pair, C1_cancel_against_shutdown)
{
	PLAY(CANCELIO_READ, CANCEL, SHUTDOWN, FEWER);
}

TEST_F(pair, C1_deadline_against_detach)
{
	PLAY(CANCELIO_READ, DEADLINE, DETACH, ROUNDS);
}

TEST_F(pair, C1_deadline_against_shutdown)
{
	PLAY(CANCELIO_READ, DEADLINE, SHUTDOWN, FEWER);
}

TEST_F(pair, C1_detach_against_detach)
{
	PLAY(CANCELIO_READ, DETACH, DETACH, ROUNDS);
}

TEST_F(pair, C1_detach_against_shutdown)
{
	PLAY(CANCELIO_READ, DETACH, SHUTDOWN, FEWER);
}

TEST_F(pair, C1_shutdown_against_shutdown)
{
	PLAY(CANCELIO_READ, SHUTDOWN, SHUTDOWN, FEWER);
}

/* Each round: at its time, cancels until that ends something. */
static void *cancel_each_round(void *argument)
{
	struct match *match = argument;

	for (;;) {
		sem_wait(&match->begin);
		if (match->end)
			return NULL;
		spin_until(match->times[1]);
		do {
			match->rets[1] = cio_cancel(match->fd, CANCELIO_CANCEL_CONN, match->conn,
						    CANCELIO_READ);
		} while (match->rets[1] == -ENOENT && !sched_yield());
		sem_post(&match->acted);
	}
}

/*
 * The cancel comes while the operation is being tried: at its start (golang/go#38769), or
 * by an event that is not enough for it.  What came is in the buffer, or still there.
 */
static const char *cancel_attempt(struct match *match)
{
	struct cancelio_op op = op_recv(match->conn, match->bytes, MESSAGE);
	bool event = match->round % 2;

	memset(match->bytes, POISON, BYTES);
	op = with_msg_flags(op, MSG_WAITALL);
	if (event && cio_submit(match->fd, &op, 1, &match->id, NULL) != 1)
		return "submit";
	match->times[0] = after(200000);
	match->times[1] = match->times[0] + (match->round % 32 - 8) * 4000;
	sem_post(&match->begin);
	spin_until(match->times[0]);
	if (event ? write(match->peer, "e", 1) != 1 :
		    cio_submit(match->fd, &op, 1, &match->id, NULL) != 1)
		return "start";
	if (reap(match->fd, &match->result) != 1)
		return "no completion";
	sem_wait(&match->acted);
	if (match->rets[1] != 1 || match->result.reason != CANCELIO_CANCELED ||
	    match->result.error != -ECANCELED || match->result.id != match->id)
		return "cancel";
	if (match->result.bytes > event || (match->result.bytes && match->bytes[0] != 'e') ||
	    !is_all(match->bytes + match->result.bytes, BYTES - match->result.bytes, POISON))
		return "bytes";
	if (event && !match->result.bytes && recv(match->sock, match->bytes, 1, 0) != 1)
		return "byte";
	return works(match) ? NULL : "connection";
}

TEST_F(pair, C30_cancel_against_an_attempt_that_would_wait)
{
	struct match match = {
		.fd = self->fd, .sock = self->sock, .peer = self->peer, .conn = self->conn,
	};
	__s64 end = after(ROUNDS_TIME);
	const char *wrong = NULL;
	pthread_t thread;

	ASSERT_EQ(0, sem_init(&match.begin, 0, 0));
	ASSERT_EQ(0, sem_init(&match.acted, 0, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_each_round, &match));
	while (match.round < ROUNDS && now() < end && !wrong) {
		match.round++;
		wrong = cancel_attempt(&match);
	}
	ASSERT_EQ(NULL, wrong) {
		TH_LOG("round %d: %s: returned %d; %u bytes, reason %u", match.round, wrong,
		       match.rets[1], match.result.bytes, match.result.reason);
	}
	match.end = true;
	sem_post(&match.begin);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, cio_wait(self->fd, 0, &match.result, 1, 0));
}

TEST_F(pair, C5_room_against_cancel)
{
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	PLAY(CANCELIO_WRITE, CANCEL, COMPLETE, WRITES);
}

TEST_F(pair, C5_room_against_deadline)
{
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	PLAY(CANCELIO_WRITE, DEADLINE, COMPLETE, WRITES);
}

TEST_F(pair, C5_room_against_detach)
{
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	PLAY(CANCELIO_WRITE, DETACH, COMPLETE, WRITES);
}

TEST_F(pair, C5_cancel_against_deadline_of_a_write)
{
	ASSERT_EQ(0, shrink_buffers(self->sock, self->peer));
	PLAY(CANCELIO_WRITE, CANCEL, DEADLINE, WRITES);
}

TEST_HARNESS_MAIN
