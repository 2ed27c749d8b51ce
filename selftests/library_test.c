// SPDX-License-Identifier: GPL-2.0
/* libcancelio: connections in blocking style, single operations (C5, C22, C32, C41, C44, C73). */
#include "variants.h"

#include <cancelio.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

FIXTURE(library) {
	struct cancelio *context;
	struct cancelio_conn *conn;
	int peer;
};

FIXTURE_VARIANT(library) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(library, poll_ipv4) POLL_IPV4;
FIXTURE_VARIANT_ADD(library, poll_ipv6) POLL_IPV6;
FIXTURE_VARIANT_ADD(library, thread_ipv4) THREAD_IPV4;
FIXTURE_VARIANT_ADD(library, thread_ipv6) THREAD_IPV6;

FIXTURE_SETUP(library)
{
	struct cancelio_setup setup = { .engine = variant->engine };
	int ends[2];
	int ret = tcp_pair(variant->family, ends);

	if (ret == -EAFNOSUPPORT || ret == -EADDRNOTAVAIL)
		SKIP(return, "address family %d is not there", variant->family);
	ASSERT_EQ(0, ret);
	ret = cancelio_open(&self->context, &setup);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "engine %u is not there", variant->engine);
	ASSERT_EQ(0, ret);
	ASSERT_LT(0, setup.conn_limit);
	ASSERT_EQ(0, cancelio_attach(self->context, ends[0], &self->conn));
	self->peer = ends[1];
}

FIXTURE_TEARDOWN(library)
{
	if (self->conn)
		cancelio_close(self->conn);
	cancelio_free(self->context);
	close(self->peer);
}

TEST(C11_after_never_wraps)
{
	__s64 begin = now();

	EXPECT_LE(begin, cancelio_now());
	EXPECT_LE(begin + SECOND, cancelio_after(SECOND));
	EXPECT_GE(begin, cancelio_after(-SECOND));
	EXPECT_EQ(CANCELIO_NEVER - 1, cancelio_after(CANCELIO_NEVER));
	EXPECT_EQ(CANCELIO_NEVER - 1, cancelio_after(CANCELIO_NEVER - 1));
	EXPECT_GT(0, cancelio_after(INT64_MIN));
	EXPECT_STREQ("deadline", cancelio_reason_name(CANCELIO_DEADLINE));
	EXPECT_STREQ("unknown", cancelio_reason_name(99));
}

TEST(C61_open_reports_bad_values)
{
	struct cancelio_setup setup = { .entries = CANCELIO_MAX_ENTRIES + 1 };
	struct cancelio *context = NULL;

	EXPECT_EQ(-EINVAL, cancelio_open(&context, &setup));
	EXPECT_EQ(NULL, context);
	cancelio_free(NULL);
}

TEST_F(library, C61_attach_leaves_the_descriptor_when_it_fails)
{
	struct cancelio_conn *conn = NULL;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-EBADF, cancelio_attach(self->context, -1, &conn));
	EXPECT_EQ(-ENOTSOCK, cancelio_attach(self->context, ends[0], &conn));
	EXPECT_EQ(-EEXIST, cancelio_attach(self->context, cancelio_conn_fd(self->conn), &conn));
	EXPECT_EQ(NULL, conn);
	EXPECT_EQ(0, close(ends[0]));
	EXPECT_NE(0, cancelio_conn_id(self->conn));
	close(ends[1]);
}

TEST_F(library, C71_set_eventfd_signals_completions)
{
	__u64 id = cancelio_conn_id(self->conn), count = 0;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct cancelio_op op;
	char byte;

	op = op_recv(id, &byte, 1);
	ASSERT_EQ(0, cancelio_set_eventfd(self->context, fd));
	ASSERT_EQ(1, cancelio_submit(self->context, &op, 1, NULL, NULL));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(POLLIN, wait_events(fd, POLLIN));
	EXPECT_EQ(sizeof(count), read(fd, &count, sizeof(count)));
	EXPECT_LT(0, count);
	EXPECT_EQ(0, cancelio_set_eventfd(self->context, -1));
	EXPECT_EQ(-EINVAL, cancelio_set_eventfd(self->context, self->peer));
	close(fd);
}

TEST_F(library, C54_restrict_ops_holds_for_both_layers)
{
	struct cancelio_op op = op_send(cancelio_conn_id(self->conn), "x", 1);
	struct cancelio_handle handle;
	char byte = POISON;

	EXPECT_EQ(-EINVAL, cancelio_restrict_ops(self->context, ~0U, CANCELIO_READ));
	ASSERT_EQ(0, cancelio_restrict_ops(self->context, 1U << CANCELIO_OP_RECV,
					   CANCELIO_READ));
	EXPECT_EQ(-EACCES, cancelio_submit(self->context, &op, 1, NULL, NULL));
	EXPECT_EQ(-EACCES, cancelio_write(self->conn, "x", 1, NULL));
	EXPECT_EQ(-EACCES, cancelio_start_write(self->conn, "x", 1, &handle));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(1, cancelio_read(self->conn, &byte, 1, NULL));
	EXPECT_EQ('x', byte);
}

TEST_F(library, C2_read_and_write_move_bytes_and_say_how_they_ended)
{
	struct cancelio_completion result;
	char buffer[8] = {};

	memset(&result, POISON, sizeof(result));
	EXPECT_EQ(3, cancelio_write(self->conn, "abc", 3, &result));
	EXPECT_DONE(result, 3);
	EXPECT_EQ(3, read(self->peer, buffer, 8));
	ASSERT_EQ(2, write(self->peer, "xy", 2));
	memset(&result, POISON, sizeof(result));
	EXPECT_EQ(2, cancelio_read(self->conn, buffer, 8, &result));
	EXPECT_DONE(result, 2);
	EXPECT_EQ(0, memcmp(buffer, "xy", 2));
	EXPECT_EQ(0, cancelio_read(self->conn, buffer, 0, NULL));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(0, cancelio_read(self->conn, buffer, 8, NULL));
	EXPECT_EQ(-EFAULT, cancelio_write(self->conn, forbidden_page(), 8, NULL));
	EXPECT_EQ(-EINVAL, cancelio_read(self->conn, buffer, CANCELIO_MAX_LEN + 1UL, &result));
	EXPECT_EQ(-EINVAL, result.error);
	EXPECT_EQ(CANCELIO_ERROR, result.reason);
	EXPECT_EQ(0, result.id);
}

TEST_F(library, C12_connection_works_again_after_its_read_deadline)
{
	struct cancelio_completion result;
	__s64 deadline = after(20 * MS);
	char buffer[8];

	ASSERT_EQ(0, cancelio_set_read_deadline(self->conn, deadline));
	EXPECT_EQ(-ETIME, cancelio_read(self->conn, buffer, 8, &result));
	EXPECT_EXPIRED(result);
	EXPECT_EQ(CANCELIO_WHICH_SIDE, result.which);
	EXPECT_LE(deadline, result.ended);
	EXPECT_EQ(result.ended - deadline, result.late);
	EXPECT_EQ(-ETIME, cancelio_read(self->conn, buffer, 8, NULL));
	EXPECT_EQ(1, cancelio_write(self->conn, "w", 1, NULL));
	ASSERT_EQ(0, cancelio_set_deadline(self->conn, now()));
	EXPECT_EQ(-ETIME, cancelio_write(self->conn, "w", 1, NULL));
	ASSERT_EQ(1, write(self->peer, "r", 1));
	ASSERT_EQ(0, cancelio_set_deadline(self->conn, CANCELIO_NEVER));
	EXPECT_EQ(1, cancelio_read(self->conn, buffer, 8, NULL));
	EXPECT_EQ(1, cancelio_write(self->conn, "w", 1, NULL));
}

TEST_F(library, C5_write_deadline_says_exactly_how_much_was_accepted)
{
	struct cancelio_completion result;
	char *much = pattern_new(MUCH);

	ASSERT_NE(NULL, much);
	ASSERT_EQ(0, shrink_buffers(cancelio_conn_fd(self->conn), self->peer));
	ASSERT_EQ(0, cancelio_set_write_deadline(self->conn, after(30 * MS)));
	EXPECT_EQ(-ETIME, cancelio_write(self->conn, much, MUCH, &result));
	EXPECT_EQ(CANCELIO_DEADLINE, result.reason);
	EXPECT_LT(0, result.bytes);
	ASSERT_EQ(0, cancelio_close_write(self->conn));
	EXPECT_EQ(result.bytes, pattern_read(self->peer, MUCH, 0));
	free(much);
}

TEST_F(library, C44_close_read_and_close_write)
{
	char byte;

	ASSERT_EQ(0, cancelio_close_write(self->conn));
	EXPECT_EQ(-EPIPE, cancelio_write(self->conn, "x", 1, NULL));
	EXPECT_EQ(0, read(self->peer, &byte, 1));
	ASSERT_EQ(1, write(self->peer, "y", 1));
	EXPECT_EQ(1, cancelio_read(self->conn, &byte, 1, NULL));
	ASSERT_EQ(0, cancelio_close_read(self->conn));
	EXPECT_EQ(0, cancelio_read(self->conn, &byte, 1, NULL));
}

/* A thread inside one blocking call, and what it returned. */
struct caller {
	struct cancelio_conn *conn;
	struct cancelio_conn *accepted;
	struct cancelio_completion result;
	pthread_t thread;
	int ret;
	char byte;
};

static void *read_one(void *argument)
{
	struct caller *caller = argument;

	caller->ret = cancelio_read(caller->conn, &caller->byte, 1, &caller->result);
	return NULL;
}

static void *accept_one(void *argument)
{
	struct caller *caller = argument;

	caller->ret = cancelio_accept(caller->conn, &caller->accepted, NULL, NULL,
				      &caller->result);
	return NULL;
}

TEST_F(library, C31_cancel_ends_a_read_of_another_thread_and_leaves_no_mark)
{
	struct caller caller = { .conn = self->conn };
	char byte;

	EXPECT_EQ(-ENOENT, cancelio_cancel(self->conn));
	ASSERT_EQ(0, pthread_create(&caller.thread, NULL, read_one, &caller));
	while (cancelio_cancel_read(self->conn) == -ENOENT)
		sched_yield();
	ASSERT_EQ(0, pthread_join(caller.thread, NULL));
	EXPECT_EQ(-ECANCELED, caller.ret);
	EXPECT_CANCELED(caller.result);
	EXPECT_EQ(-ENOENT, cancelio_cancel_write(self->conn));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(1, cancelio_read(self->conn, &byte, 1, NULL));
}

TEST_F(library, C32_close_ends_the_reads_of_other_threads_and_the_peer_sees_it)
{
	struct caller callers[4] = {};
	char byte;
	int i;

	for (i = 0; i < 4; i++) {
		callers[i].conn = cancelio_ref(self->conn);
		ASSERT_EQ(0, pthread_create(&callers[i].thread, NULL, read_one, &callers[i]));
	}
	while (cancelio_cancel_read(self->conn) == -ENOENT)
		sched_yield();
	EXPECT_EQ(0, cancelio_close(self->conn));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(callers[i].thread, NULL));
		EXPECT_TRUE(callers[i].ret == -EBADF || callers[i].ret == -ECANCELED);
		EXPECT_EQ(-EBADF, cancelio_read(callers[i].conn, &byte, 1, NULL));
	}
	EXPECT_EQ(0, read(self->peer, &byte, 1));
	EXPECT_EQ(-EBADF, cancelio_close(callers[0].conn));
	EXPECT_EQ(-EBADF, cancelio_conn_fd(callers[0].conn));
	for (i = 0; i < 4; i++)
		cancelio_unref(callers[i].conn);
	self->conn = NULL;
}

TEST_F(library, C7_signals_interrupt_no_call)
{
	char byte;

	ASSERT_EQ(0, interrupt_often(true));
	ASSERT_EQ(0, cancelio_set_read_deadline(self->conn, after(60 * MS)));
	EXPECT_EQ(-ETIME, cancelio_read(self->conn, &byte, 1, NULL));
	ASSERT_EQ(0, interrupt_often(false));
	ASSERT_EQ(0, cancelio_set_read_deadline(self->conn, CANCELIO_NEVER));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(1, cancelio_read(self->conn, &byte, 1, NULL));
}

TEST_F(library, C73_started_operation_is_waited_for_by_its_handle)
{
	struct cancelio_handle reading, writing;
	struct cancelio_completion result;
	char byte = 0;

	ASSERT_EQ(0, cancelio_start_read(self->conn, &byte, 1, &reading));
	ASSERT_EQ(0, cancelio_start_write(self->conn, "w", 1, &writing));
	EXPECT_EQ(1, cancelio_op_wait(&writing, CANCELIO_NEVER, &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ(-ENOENT, cancelio_op_wait(&writing, 0, NULL));
	EXPECT_EQ(-EAGAIN, cancelio_op_wait(&reading, 0, NULL));
	EXPECT_EQ(-EAGAIN, cancelio_op_wait(&reading, after(5 * MS), NULL));
	ASSERT_EQ(1, write(self->peer, "r", 1));
	EXPECT_EQ(1, cancelio_op_wait(&reading, after(LONG_ENOUGH), &result));
	EXPECT_DONE(result, 1);
	EXPECT_EQ('r', byte);
	ASSERT_EQ(0, cancelio_start_read(self->conn, &byte, 1, &reading));
	EXPECT_EQ(1, cancelio_op_cancel(&reading));
	EXPECT_EQ(-ENOENT, cancelio_op_cancel(&reading));
	EXPECT_EQ(-ECANCELED, cancelio_op_wait(&reading, CANCELIO_NEVER, &result));
	EXPECT_CANCELED(result);
	EXPECT_EQ(-ENOENT, cancelio_op_cancel(&reading));
}

/* A listener as a connection; its descriptor stays with it. */
static struct cancelio_conn *new_listener(struct cancelio *context, int family)
{
	struct cancelio_conn *listener;
	int sock = tcp_listen(family);

	if (sock < 0 || cancelio_attach(context, sock, &listener))
		return NULL;
	return listener;
}

TEST_F(library, C41_accept_meets_the_read_deadline_which_the_new_connection_does_not_inherit)
{
	struct cancelio_conn *listener = new_listener(self->context, variant->family);
	struct cancelio_conn *server = NULL;
	struct sockaddr_storage address = {};
	socklen_t len = sizeof(address);
	struct cancelio_handle reading;
	char byte;
	int client;

	ASSERT_NE(NULL, listener);
	ASSERT_EQ(0, cancelio_set_read_deadline(listener, after(20 * MS)));
	EXPECT_EQ(-ETIME, cancelio_accept(listener, &server, NULL, NULL, NULL));
	EXPECT_EQ(NULL, server);
	client = tcp_connect(cancelio_conn_fd(listener));
	ASSERT_LE(0, client);
	/* Expired, it takes nothing: the connection stays queued (C19). */
	EXPECT_EQ(-ETIME, cancelio_accept(listener, &server, NULL, NULL, NULL));
	ASSERT_EQ(0, cancelio_set_read_deadline(listener, after(LONG_ENOUGH)));
	ASSERT_EQ(0, cancelio_accept(listener, &server, (struct sockaddr *)&address, &len, NULL));
	EXPECT_EQ(variant->family, address.ss_family);
	ASSERT_EQ(0, cancelio_set_read_deadline(listener, now()));
	ASSERT_EQ(0, cancelio_start_read(server, &byte, 1, &reading));
	EXPECT_EQ(-EAGAIN, cancelio_op_wait(&reading, after(A_WHILE), NULL));
	ASSERT_EQ(1, write(client, "x", 1));
	EXPECT_EQ(1, cancelio_op_wait(&reading, after(LONG_ENOUGH), NULL));
	EXPECT_EQ(0, cancelio_close(server));
	EXPECT_EQ(0, cancelio_close(listener));
	close(client);
}

TEST_F(library, C41_accept_on_a_socket_that_does_not_listen_is_EINVAL)
{
	struct cancelio_conn *server;

	ASSERT_EQ(0, cancelio_set_read_deadline(self->conn, after(LONG_ENOUGH)));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(-EINVAL, cancelio_accept(self->conn, &server, NULL, NULL, NULL));
}

TEST_F(library, C41_acceptor_whose_connection_was_taken_waits_on_within_its_deadline)
{
	struct cancelio_conn *listener = new_listener(self->context, variant->family);
	struct caller callers[3] = {};
	int accepted = 0, expired = 0, client, i;

	ASSERT_NE(NULL, listener);
	ASSERT_EQ(0, cancelio_set_read_deadline(listener, after(300 * MS)));
	for (i = 0; i < 3; i++) {
		callers[i].conn = listener;
		ASSERT_EQ(0, pthread_create(&callers[i].thread, NULL, accept_one, &callers[i]));
	}
	client = tcp_connect(cancelio_conn_fd(listener));
	ASSERT_LE(0, client);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(callers[i].thread, NULL));
		accepted += callers[i].ret == 0;
		expired += callers[i].ret == -ETIME;
		if (!callers[i].ret)
			EXPECT_EQ(0, cancelio_close(callers[i].accepted));
	}
	EXPECT_EQ(1, accepted);
	EXPECT_EQ(2, expired);
	EXPECT_EQ(0, cancelio_close(listener));
	close(client);
}

TEST_F(library, C41_cancel_and_close_end_accepts)
{
	struct cancelio_conn *listener = new_listener(self->context, variant->family);
	struct caller caller = { .conn = listener };

	ASSERT_NE(NULL, listener);
	ASSERT_EQ(0, pthread_create(&caller.thread, NULL, accept_one, &caller));
	/* A cancel that found nothing to end yet may be the one that ends it. */
	while (pthread_tryjoin_np(caller.thread, NULL)) {
		cancelio_cancel_read(listener);
		sched_yield();
	}
	EXPECT_EQ(-ECANCELED, caller.ret);
	caller.conn = cancelio_ref(listener);
	ASSERT_EQ(0, pthread_create(&caller.thread, NULL, accept_one, &caller));
	EXPECT_EQ(0, cancelio_close(listener));
	ASSERT_EQ(0, pthread_join(caller.thread, NULL));
	EXPECT_EQ(-EBADF, caller.ret);
	cancelio_unref(caller.conn);
}

/* A connection not connected yet, and the address of @listener. */
static struct cancelio_conn *new_client(struct cancelio *context, int listener,
					struct sockaddr_storage *address, socklen_t *len)
{
	struct cancelio_conn *client;
	int sock;

	*len = sizeof(*address);
	if (getsockname(listener, (struct sockaddr *)address, len))
		return NULL;
	sock = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || cancelio_attach(context, sock, &client))
		return NULL;
	return client;
}

TEST_F(library, C41_connect_succeeds_once_and_its_deadline_does_not_outlive_it)
{
	struct sockaddr_storage address;
	int listener = tcp_listen(variant->family);
	struct cancelio_completion result;
	struct cancelio_conn *client;
	struct sockaddr *to = (struct sockaddr *)&address;
	socklen_t len;

	client = new_client(self->context, listener, &address, &len);
	ASSERT_NE(NULL, client);
	EXPECT_EQ(-ETIME, cancelio_connect(client, to, len, now(), &result));
	EXPECT_EQ(CANCELIO_DEADLINE, result.reason);
	EXPECT_EQ(0, cancelio_connect(client, to, len, after(LONG_ENOUGH), &result));
	EXPECT_EQ(CANCELIO_DONE, result.reason);
	EXPECT_EQ(-EISCONN, cancelio_connect(client, to, len, CANCELIO_NEVER, NULL));
	EXPECT_EQ(1, cancelio_write(client, "x", 1, NULL));
	EXPECT_EQ(0, cancelio_close(client));
	close(listener);
}

TEST_F(library, C41_connect_to_nobody_is_ECONNREFUSED)
{
	struct sockaddr_storage address;
	int listener = tcp_listen(variant->family);
	struct cancelio_conn *client;
	socklen_t len;

	client = new_client(self->context, listener, &address, &len);
	ASSERT_NE(NULL, client);
	close(listener);
	EXPECT_EQ(-ECONNREFUSED, cancelio_connect(client, (struct sockaddr *)&address, len,
						  after(LONG_ENOUGH), NULL));
	EXPECT_EQ(0, cancelio_close(client));
}

/* golang/go#16523: a deadline or cancel under a connect that goes on spoils nothing. */
TEST_F(library, C41_connect_that_met_its_deadline_can_be_waited_for_again)
{
	struct sockaddr_storage address;
	int listener = tcp_listen(variant->family), queued[4], i;
	struct sockaddr *to = (struct sockaddr *)&address;
	struct cancelio_conn *client;
	socklen_t len;

	/* A full queue leaves the next connect unanswered. */
	ASSERT_EQ(0, listen(listener, 0));
	client = new_client(self->context, listener, &address, &len);
	ASSERT_NE(NULL, client);
	queued[0] = tcp_connect(listener);
	ASSERT_LE(0, queued[0]);
	EXPECT_EQ(-ETIME, cancelio_connect(client, to, len, after(50 * MS), NULL));
	ASSERT_EQ(0, cancelio_set_write_deadline(client, after(50 * MS)));
	EXPECT_EQ(-ETIME, cancelio_connect(client, to, len, CANCELIO_NEVER, NULL));
	ASSERT_EQ(0, cancelio_set_write_deadline(client, CANCELIO_NEVER));
	queued[1] = accept(listener, NULL, NULL);
	EXPECT_EQ(0, cancelio_connect(client, to, len, after(LONG_ENOUGH), NULL));
	EXPECT_EQ(1, cancelio_write(client, "x", 1, NULL));
	EXPECT_EQ(0, cancelio_close(client));
	for (i = 0; i < 2; i++)
		close(queued[i]);
	close(listener);
}

/* Times that have passed, whatever their size, take nothing and begin nothing. */
TEST_F(library, C41_accept_and_connect_with_times_that_have_passed_do_nothing)
{
	__s64 passed[] = { now(), now() - SECOND, 1, 0, -1, -SECOND, INT64_MIN };
	struct cancelio_conn *listener = new_listener(self->context, variant->family);
	struct cancelio_conn *client, *server = NULL;
	struct sockaddr_storage address;
	unsigned int i;
	socklen_t len;
	int queued;

	ASSERT_NE(NULL, listener);
	client = new_client(self->context, cancelio_conn_fd(listener), &address, &len);
	ASSERT_NE(NULL, client);
	queued = tcp_connect(cancelio_conn_fd(listener));
	ASSERT_LE(0, queued);
	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		ASSERT_EQ(0, cancelio_set_read_deadline(listener, passed[i]));
		EXPECT_EQ(-ETIME, cancelio_accept(listener, &server, NULL, NULL, NULL));
		EXPECT_EQ(NULL, server);
		EXPECT_EQ(-ETIME, cancelio_connect(client, (struct sockaddr *)&address, len,
						   passed[i], NULL));
		EXPECT_EQ(-1, getpeername(cancelio_conn_fd(client), (struct sockaddr *)&address,
					  &(socklen_t){ sizeof(address) }));
		EXPECT_EQ(ENOTCONN, errno);
	}
	/* Both are as they were. */
	ASSERT_EQ(0, cancelio_set_read_deadline(listener, CANCELIO_NEVER));
	ASSERT_EQ(0, cancelio_accept(listener, &server, NULL, NULL, NULL));
	EXPECT_EQ(0, cancelio_connect(client, (struct sockaddr *)&address, len, CANCELIO_NEVER,
				      NULL));
	EXPECT_EQ(0, cancelio_close(client));
	EXPECT_EQ(0, cancelio_close(server));
	EXPECT_EQ(0, cancelio_close(listener));
	close(queued);
}

/* The largest times are in the future: they do not wrap around to the past. */
TEST_F(library, C41_accept_and_connect_with_the_largest_times_wait)
{
	static const __s64 far[] = { CANCELIO_NEVER, CANCELIO_NEVER - 1, CANCELIO_NEVER / 2 };
	struct cancelio_conn *listener = new_listener(self->context, variant->family);
	struct sockaddr_storage address;
	struct cancelio_conn *client;
	unsigned int i;
	socklen_t len;

	ASSERT_NE(NULL, listener);
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		struct caller caller = { .conn = listener };

		ASSERT_EQ(0, cancelio_set_read_deadline(listener, far[i]));
		ASSERT_EQ(0, pthread_create(&caller.thread, NULL, accept_one, &caller));
		sleep_until(after(A_WHILE));
		EXPECT_EQ(EBUSY, pthread_tryjoin_np(caller.thread, NULL));
		client = new_client(self->context, cancelio_conn_fd(listener), &address, &len);
		ASSERT_NE(NULL, client);
		EXPECT_EQ(0, cancelio_connect(client, (struct sockaddr *)&address, len, far[i],
					      NULL));
		ASSERT_EQ(0, pthread_join(caller.thread, NULL));
		EXPECT_EQ(0, caller.ret);
		EXPECT_EQ(0, cancelio_close(caller.accepted));
		EXPECT_EQ(0, cancelio_close(client));
	}
	EXPECT_EQ(0, cancelio_close(listener));
}

TEST_F(library, C72_ring_is_peeked_at_and_advanced_without_a_system_call)
{
	struct cancelio_completion result[4];
	char bytes[3];
	struct cancelio_op ops[3];
	__u64 conn = cancelio_conn_id(self->conn);
	int i, refused;

	EXPECT_EQ(-ENXIO, cancelio_peek(self->context, result, 4));
	ASSERT_EQ(0, cancelio_map_ring(self->context));
	ASSERT_EQ(0, cancelio_map_ring(self->context));
	EXPECT_EQ(0, cancelio_peek(self->context, result, 4));
	for (i = 0; i < 3; i++)
		ops[i] = with_cookie(op_recv(conn, bytes + i, 1), i);
	ASSERT_EQ(3, cancelio_submit(self->context, ops, 3, NULL, &refused));
	EXPECT_EQ(0, refused);
	ASSERT_EQ(3, write(self->peer, "abc", 3));
	ASSERT_EQ(3, cancelio_wait(self->context, 3, after(LONG_ENOUGH), NULL, 0));
	ASSERT_EQ(3, cancelio_peek(self->context, result, 4));
	EXPECT_EQ(0, result[0].user_data);
	EXPECT_EQ(2, result[2].user_data);
	EXPECT_EQ(-EINVAL, cancelio_advance(self->context, 4));
	EXPECT_EQ(0, cancelio_advance(self->context, 2));
	ASSERT_EQ(1, cancelio_peek(self->context, result, 4));
	EXPECT_EQ(2, result[0].user_data);
	EXPECT_EQ(0, cancelio_advance(self->context, 1));
	EXPECT_EQ(0, cancelio_peek(self->context, result, 4));
}

TEST_F(library, C60_lower_layer_is_one_to_one_with_the_ioctls)
{
	struct cancelio *context = self->context;
	__u64 conn = cancelio_conn_id(self->conn);
	struct cancelio_completion result[3];
	struct cancelio_info info;
	struct cancelio_op op;
	char byte;
	__u64 id;

	EXPECT_EQ(0, cancelio_info(context, &info));
	EXPECT_EQ(CANCELIO_ABI, info.abi);
	op = with_cookie(op_recv(conn, &byte, 1), 9);
	ASSERT_EQ(1, cancelio_submit(context, &op, 1, &id, NULL));
	EXPECT_EQ(-ENOENT, cancelio_cancel_cookie(context, 8));
	EXPECT_EQ(1, cancelio_cancel_cookie(context, 9));
	EXPECT_EQ(-ENOENT, cancelio_cancel_id(context, id));
	EXPECT_EQ(-ENOENT, cancelio_cancel_conn_ops(context, conn, CANCELIO_READ));
	EXPECT_EQ(-ENOENT, cancelio_cancel_all(context));
	EXPECT_EQ(1, cancelio_wait(context, 1, after(LONG_ENOUGH), result, 3));
	EXPECT_CANCELED(result[0]);
	EXPECT_EQ(0, cancelio_move_deadline(context, conn, CANCELIO_READ, now(), 0));
	EXPECT_EQ(0, cancelio_call(context, &op, &id, result));
	EXPECT_EXPIRED(result[0]);
	EXPECT_EQ(-ENOENT, cancelio_wait_op(context, id, 0, result));
	EXPECT_EQ(-EBADF, cancelio_detach(context, 1));
	EXPECT_EQ(0, cancelio_shutdown_context(context));
	EXPECT_EQ(-ESHUTDOWN, cancelio_submit(context, &op, 1, NULL, NULL));
	EXPECT_EQ(-ESHUTDOWN, cancelio_wait(context, 1, after(LONG_ENOUGH), result, 3));
	EXPECT_GT(0, cancelio_read(self->conn, &byte, 1, NULL));
}

/* Calls of a child process on what it inherited; then it frees its copies. */
static int use_in_child(void *argument)
{
	struct {
		struct cancelio *context;
		struct cancelio_conn *conn;
	} *inherited = argument;
	char byte;

	if (cancelio_read(inherited->conn, &byte, 1, NULL) != -EPERM)
		return 1;
	if (cancelio_cancel(inherited->conn) != -EPERM)
		return 2;
	if (cancelio_close(inherited->conn) != -EPERM)
		return 3;
	cancelio_free(inherited->context);
	return 0;
}

TEST_F(library, C50_forked_child_is_refused_and_does_not_disturb)
{
	struct {
		struct cancelio *context;
		struct cancelio_conn *conn;
	} inherited = { self->context, self->conn };
	struct cancelio_handle reading;
	static char byte;

	ASSERT_EQ(0, cancelio_start_read(self->conn, &byte, 1, &reading));
	EXPECT_EQ(0, in_child(use_in_child, &inherited));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	EXPECT_EQ(1, cancelio_op_wait(&reading, after(LONG_ENOUGH), NULL));
}

/* A read at its attempt: its page is held back until somebody lets it go. */
struct held {
	struct cancelio_conn *conn;
	int uffd;
	char *page;
	int got;
	atomic_bool released;
};

static void *read_held(void *argument)
{
	struct held *held = argument;

	held->got = cancelio_read(held->conn, held->page, 1, NULL);
	return NULL;
}

static void *release_later(void *argument)
{
	struct held *held = argument;

	sleep_until(after(A_WHILE));
	held->released = true;
	release_page(held->uffd, held->page);
	return NULL;
}

/* When close returns, nobody is in the buffer, whatever signals came. */
TEST_F(library, C6_close_waits_for_what_runs_through_signals)
{
	struct held held = { .conn = self->conn };
	pthread_t reader, releaser;

	held.page = held_page(&held.uffd);
	if (!held.page)
		SKIP(return, "no userfaultfd(2)");
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_held, &held));
	ASSERT_TRUE(await_fault(held.uffd));
	ASSERT_EQ(0, interrupt_often(true));
	ASSERT_EQ(0, pthread_create(&releaser, NULL, release_later, &held));
	EXPECT_EQ(0, cancelio_close(self->conn));
	EXPECT_TRUE(held.released);
	ASSERT_EQ(0, interrupt_often(false));
	ASSERT_EQ(0, pthread_join(releaser, NULL));
	ASSERT_EQ(0, pthread_join(reader, NULL));
	EXPECT_EQ(1, held.got);
	self->conn = NULL;
	close(held.uffd);
}

/* A thread that sends a pattern through an echo on a connection of its own. */
struct echo {
	struct cancelio_conn *near;
	struct cancelio_conn *far;
	pthread_t client, server;
	int wrong;
};

static void *serve_echo(void *argument)
{
	struct echo *echo = argument;
	char buffer[500];
	int got;

	while ((got = cancelio_read(echo->far, buffer, sizeof(buffer), NULL)) > 0)
		if (cancelio_write(echo->far, buffer, got, NULL) != got)
			echo->wrong++;
	return NULL;
}

static void *use_echo(void *argument)
{
	struct echo *echo = argument;
	char out[1000], in[1000];
	int round, got, total;

	for (round = 0; round < 20; round++) {
		pattern_fill(out, sizeof(out), round);
		if (cancelio_write(echo->near, out, sizeof(out), NULL) != sizeof(out))
			echo->wrong++;
		for (total = 0; total < (int)sizeof(out); total += got) {
			got = cancelio_read(echo->near, in + total, sizeof(in) - total, NULL);
			if (got <= 0) {
				echo->wrong++;
				return NULL;
			}
		}
		if (!pattern_holds(in, sizeof(in), round))
			echo->wrong++;
	}
	cancelio_close_write(echo->near);
	return NULL;
}

TEST_F(library, C22_threads_of_many_connections_share_a_context)
{
	struct echo echoes[6] = {};
	int ends[2], i;

	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, tcp_pair(variant->family, ends));
		ASSERT_EQ(0, cancelio_attach(self->context, ends[0], &echoes[i].near));
		ASSERT_EQ(0, cancelio_attach(self->context, ends[1], &echoes[i].far));
		ASSERT_EQ(0, pthread_create(&echoes[i].server, NULL, serve_echo, &echoes[i]));
		ASSERT_EQ(0, pthread_create(&echoes[i].client, NULL, use_echo, &echoes[i]));
	}
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, pthread_join(echoes[i].client, NULL));
		ASSERT_EQ(0, pthread_join(echoes[i].server, NULL));
		EXPECT_EQ(0, echoes[i].wrong);
		EXPECT_EQ(0, cancelio_close(echoes[i].near));
		EXPECT_EQ(0, cancelio_close(echoes[i].far));
	}
}

TEST_HARNESS_MAIN
