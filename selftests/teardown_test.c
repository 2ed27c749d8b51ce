// SPDX-License-Identifier: GPL-2.0
/* How a context ends, whatever ends it, with thousands of operations pending (C34). */
#include "engine_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS		20
#define PER_CONN	500
#define PENDING		(CONNS * PER_CONN)
#define ENTRIES		16384
/*
 * A second is promised.  It is counted in sleeps of a millisecond, for a machine that is
 * held up as a whole is not meant.
 */
#define IN_TIME		1000

/*
 * The child opens a context, attaches CONNS connections to this process, leaves
 * them to the context alone, submits PENDING operations, and says so; then it ends
 * in one way or another.  This process sees by its ends whether the sockets go.
 */
struct child {
	__u32 engine;
	int listener;
	int ready[2];
	/* Ends with this process. */
	int alive[2];
	int fd;
	struct cancelio_ring *ring;
	__u64 conns[CONNS];
};

static char bytes[PENDING];

/* In an executed program: wait for the end of its standard input, no more. */
__attribute__((constructor)) static void linger_when_executed(void)
{
	char byte;

	if (!getenv("CANCELIO_TEST_LINGER"))
		return;
	while (read(0, &byte, 1) == 1)
		;
	_exit(0);
}

static bool attach_one(struct child *child, int i)
{
	int sock = tcp_connect(child->listener);
	bool attached = sock >= 0 && !cio_attach(child->fd, sock, &child->conns[i]);

	if (sock >= 0)
		close(sock);
	return attached;
}

static bool submit_reads(struct child *child, int i)
{
	struct cancelio_op ops[PER_CONN];
	int op;

	for (op = 0; op < PER_CONN; op++) {
		ops[op] = op_recv(child->conns[i], &bytes[i * PER_CONN + op], 1);
		if (op % 2)
			ops[op] = with_timeout(ops[op], 1000 * SECOND);
	}
	return cio_submit(child->fd, ops, PER_CONN, NULL, NULL) == PER_CONN;
}

static bool start_all(struct child *child)
{
	int i;

	child->fd = cio_context(child->engine, ENTRIES);
	if (child->fd < 0)
		return false;
	for (i = 0; i < CONNS; i++)
		if (!attach_one(child, i) || !submit_reads(child, i))
			return false;
	return true;
}

static void say_ready(struct child *child)
{
	if (write(child->ready[1], "r", 1) != 1)
		_exit(3);
}

/* The fixture keeps this process's ends of the connections. */
FIXTURE(teardown) {
	struct child child;
	pid_t pid;
	int peers[CONNS];
};

FIXTURE_VARIANT(teardown) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(teardown, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(teardown, thread) THREAD_IPV4;

FIXTURE_SETUP(teardown)
{
	int fd = cio_context(variant->engine, 1);

	if (fd == -EOPNOTSUPP)
		SKIP(return, "engine %u is not there", variant->engine);
	ASSERT_LE(0, fd);
	close(fd);
	self->child.engine = variant->engine;
	self->child.listener = tcp_listen(AF_INET);
	ASSERT_LE(0, self->child.listener);
	ASSERT_EQ(0, pipe2(self->child.ready, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->child.alive, O_CLOEXEC));
}

FIXTURE_TEARDOWN(teardown)
{
	int i;

	for (i = 0; i < CONNS; i++)
		close(self->peers[i]);
	close(self->child.listener);
}

typedef void (*ending)(struct child *child);

/* Starts a child that ends by @end; returns its pid when all its operations are pending. */
static pid_t start_child(struct child *child, int *peers, ending end)
{
	pid_t pid = fork();
	int i;

	if (pid < 0)
		return -1;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(child->alive[1]);
		if (!start_all(child))
			_exit(2);
		end(child);
		_exit(0);
	}
	close(child->ready[1]);
	for (i = 0; i < CONNS; i++) {
		peers[i] = accept4(child->listener, NULL, NULL, SOCK_CLOEXEC);
		if (peers[i] < 0)
			return -1;
	}
	return wait_events(child->ready[0], POLLIN) & POLLIN ? pid : -1;
}

static int count_released(const int *peers)
{
	int i, count = 0;
	char byte;

	for (i = 0; i < CONNS; i++) {
		errno = 0;
		if (recv(peers[i], &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN)
			count++;
	}
	return count;
}

/* How many of the peers see the end of their connection in time. */
static int released(const int *peers)
{
	int sleeps, count;

	for (sleeps = 0; sleeps < IN_TIME; sleeps++) {
		count = count_released(peers);
		if (count == CONNS)
			break;
		sleep_until(after(MS));
	}
	return count;
}

static void end_by_exit(struct child *child)
{
	say_ready(child);
}

static void end_by_pause(struct child *child)
{
	say_ready(child);
	for (;;)
		pause();
}

static void end_by_close(struct child *child)
{
	say_ready(child);
	close(child->fd);
	for (;;)
		pause();
}

static void end_by_close_and_unmap(struct child *child)
{
	child->ring = cio_map(child->fd, ENTRIES);
	close(child->fd);
	say_ready(child);
	munmap(child->ring, cio_ring_bytes(ENTRIES));
	for (;;)
		pause();
}

static void end_with_ring_mapped(struct child *child)
{
	child->ring = cio_map(child->fd, ENTRIES);
	close(child->fd);
	if (!child->ring)
		_exit(4);
	say_ready(child);
	for (;;)
		pause();
}

static void end_by_shutdown(struct child *child)
{
	say_ready(child);
	if (cio_shutdown(child->fd))
		_exit(4);
	for (;;)
		pause();
}

static void end_in_wait(struct child *child)
{
	struct cancelio_completion result;

	say_ready(child);
	cio_wait(child->fd, 1, &result, 1, CANCELIO_NEVER);
}

static void end_in_call(struct child *child)
{
	struct cancelio_completion result;
	char byte;

	say_ready(child);
	run(child->fd, op_recv(child->conns[0], &byte, 1), &result);
}

static void execute_another(void)
{
	char name[] = "linger", linger[] = "CANCELIO_TEST_LINGER=1";
	char *const arguments[] = { name, NULL };
	char *const environment[] = { linger, NULL };

	execve("/proc/self/exe", arguments, environment);
	_exit(5);
}

static void end_by_exec(struct child *child)
{
	int ends[2];

	/* Its standard input never ends, and the context's descriptor survives. */
	if (pipe(ends) || dup2(ends[0], 0) || fcntl(child->fd, F_SETFD, 0))
		_exit(4);
	say_ready(child);
	execute_another();
}

/* Leaves a copy of the descriptor in a grandchild that lives on, then exits. */
static void end_before_a_heir(struct child *child)
{
	char byte;

	if (!fork()) {
		while (read(child->alive[0], &byte, 1) == 1)
			;
		_exit(0);
	}
	say_ready(child);
}

/* Leaves the context's descriptor in flight to a socket that nobody reads. */
static void end_in_flight(struct child *child)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec data = { .iov_base = "d", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &child->fd, sizeof(int));
	/* The test put its own socket pair here before the fork. */
	if (sendmsg(child->ready[1], &message, 0) != 1)
		_exit(4);
}

TEST_F(teardown, C34_exit_with_thousands_pending_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_by_exit);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released(self->peers));
	EXPECT_EQ(self->pid, waitpid(self->pid, NULL, 0));
}

static void kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* It is waited for only afterwards, for it dies no sooner than its context has ended. */
static int released_by_kill(pid_t pid, const int *peers)
{
	int count;

	kill(pid, SIGKILL);
	count = released(peers);
	waitpid(pid, NULL, 0);
	return count;
}

TEST_F(teardown, C34_SIGKILL_with_thousands_pending_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_by_pause);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released_by_kill(self->pid, self->peers));
}

TEST_F(teardown, C34_SIGKILL_in_the_middle_of_a_wait_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_in_wait);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released_by_kill(self->pid, self->peers));
}

TEST_F(teardown, C34_SIGKILL_in_the_middle_of_a_call_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_in_call);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released_by_kill(self->pid, self->peers));
}

TEST_F(teardown, C34_SIGKILL_of_a_stopped_owner_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_by_pause);
	ASSERT_LT(0, self->pid);
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, WUNTRACED));
	EXPECT_EQ(CONNS, released_by_kill(self->pid, self->peers));
}

TEST_F(teardown, C34_last_close_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_by_close);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released(self->peers));
	kill_child(self->pid);
}

TEST_F(teardown, C34_close_and_unmap_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_by_close_and_unmap);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released(self->peers));
	kill_child(self->pid);
}

TEST_F(teardown, C34_SIGKILL_with_the_ring_mapped_and_the_descriptor_closed)
{
	self->pid = start_child(&self->child, self->peers, end_with_ring_mapped);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released_by_kill(self->pid, self->peers));
}

TEST_F(teardown, C34_shutdown_releases_every_socket)
{
	self->pid = start_child(&self->child, self->peers, end_by_shutdown);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released(self->peers));
	kill_child(self->pid);
}

TEST_F(teardown, C34_exec_ends_the_context_though_the_descriptor_survives)
{
	self->pid = start_child(&self->child, self->peers, end_by_exec);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released(self->peers));
	EXPECT_EQ(0, waitpid(self->pid, NULL, WNOHANG));
	kill_child(self->pid);
}

TEST_F(teardown, C34_owners_exit_ends_the_context_though_a_child_holds_the_descriptor)
{
	self->pid = start_child(&self->child, self->peers, end_before_a_heir);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released(self->peers));
	EXPECT_EQ(self->pid, waitpid(self->pid, NULL, 0));
}

TEST_F(teardown, C34_owners_exit_ends_the_context_though_its_descriptor_is_in_flight)
{
	close(self->child.ready[0]);
	close(self->child.ready[1]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->child.ready));
	self->pid = start_child(&self->child, self->peers, end_in_flight);
	ASSERT_LT(0, self->pid);
	EXPECT_EQ(CONNS, released(self->peers));
	EXPECT_EQ(self->pid, waitpid(self->pid, NULL, 0));
}

/* Sends a descriptor over a UNIX socket. */
static int send_fd(int sock, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = "f", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

/*
 * A read by a worker into a page that another process holds back, the ring mapped.
 * A byte from there makes this one execute another program, all descriptors kept.
 */
static void read_into_held_page(__u32 engine, int listener, int helper)
{
	int sock = tcp_connect(listener), fd = cio_context(engine, 8), uffd;
	void *page = held_page(&uffd);
	__u64 conn;
	char byte;

	if (!page)
		_exit(4);
	if (send_fd(helper, uffd) || cio_attach(fd, sock, &conn) || !cio_map(fd, 8) ||
	    submit_one(fd, with_flags(op_recv(conn, page, 1), CANCELIO_OP_WORKER)) != 1)
		_exit(2);
	close(sock);
	if (dup2(helper, 0) || read(helper, &byte, 1) != 1 || fcntl(fd, F_SETFD, 0) ||
	    fcntl(uffd, F_SETFD, 0))
		_exit(3);
	execute_another();
}

/* A child with a worker in a page fault, as seen from here. */
struct held {
	pid_t pid;
	int listener;
	/* To the child. */
	int pair[2];
	/* Of its connection. */
	int peer;
	int uffd;
};

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control, .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Returns 1 when its worker is in the fault, 0 when there is no userfaultfd(2). */
static int hold(struct held *held, __u32 engine)
{
	held->listener = tcp_listen(AF_INET);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, held->pair))
		return -1;
	held->pid = fork();
	if (held->pid < 0)
		return -1;
	if (!held->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(held->pair[0]);
		read_into_held_page(engine, held->listener, held->pair[1]);
		_exit(0);
	}
	close(held->pair[1]);
	held->peer = accept4(held->listener, NULL, NULL, SOCK_CLOEXEC);
	held->uffd = receive_fd(held->pair[0]);
	if (held->uffd < 0)
		return 0;
	if (write(held->peer, "x", 1) != 1)
		return -1;
	return await_fault(held->uffd) ? 1 : -1;
}

static void release(struct held *held)
{
	close(held->pair[0]);
	close(held->uffd);
	close(held->peer);
	close(held->listener);
}

/* The worker keeps the dead program's memory, and that the ring's mapping, and that the file. */
TEST_F(engine, C34_killed_with_a_worker_in_a_page_fault_that_nobody_answers)
{
	struct held held;
	int there = hold(&held, variant->engine);

	ASSERT_LE(0, there);
	if (!there)
		SKIP(return, "no userfaultfd(2)");
	kill_child(held.pid);
	EXPECT_NE(0, wait_events(held.peer, POLLIN | POLLRDHUP | POLLHUP));
	release(&held);
}

/* Here the process goes on, as another program, and has all the descriptors. */
TEST_F(engine, C34_exec_with_a_worker_in_a_page_fault_that_nobody_answers)
{
	struct held held;
	int there = hold(&held, variant->engine);

	ASSERT_LE(0, there);
	if (!there)
		SKIP(return, "no userfaultfd(2)");
	ASSERT_EQ(1, write(held.pair[0], "e", 1));
	EXPECT_NE(0, wait_events(held.peer, POLLIN | POLLRDHUP | POLLHUP));
	EXPECT_EQ(0, waitpid(held.pid, NULL, WNOHANG));
	kill_child(held.pid);
	release(&held);
}

/* The same in this process, where the completions can be looked at. */
TEST_F(teardown, C34_shutdown_ends_everything_with_CLOSED_and_leaves_it_to_be_reaped)
{
	static struct cancelio_completion result[PENDING];
	int i;

	ASSERT_TRUE(start_all(&self->child));
	ASSERT_EQ(0, cio_shutdown(self->child.fd));
	ASSERT_EQ(PENDING - 1, cio_wait(self->child.fd, 0, result, PENDING - 1, 0));
	for (i = 0; i < PENDING - 1; i++)
		EXPECT_CLOSED(result[i]);
	ASSERT_EQ(1, cio_wait(self->child.fd, 1, result, 2, after(LONG_ENOUGH)));
	EXPECT_CLOSED(result[0]);
	EXPECT_EQ(-ESHUTDOWN, cio_wait(self->child.fd, 1, result, 1, after(LONG_ENOUGH)));
	close(self->child.fd);
}

TEST_F(teardown, C34_result_of_a_held_operation_can_be_fetched_after_shutdown)
{
	struct cancelio_completion result;
	struct cancelio_op op;
	__u64 id;

	ASSERT_TRUE(start_all(&self->child));
	op = with_flags(op_recv(self->child.conns[0], bytes, 1), CANCELIO_OP_HOLD);
	ASSERT_EQ(1, cio_submit(self->child.fd, &op, 1, &id, NULL));
	ASSERT_EQ(0, cio_shutdown(self->child.fd));
	ASSERT_EQ(0, cio_wait_op(self->child.fd, id, after(LONG_ENOUGH), &result));
	EXPECT_CLOSED(result);
	EXPECT_EQ(-ENOENT, cio_wait_op(self->child.fd, id, 0, &result));
	close(self->child.fd);
}

/* What holds a context and its socket, each to be let go. */
struct holds {
	int fd;
	int sock;
	struct cancelio_ring *ring;
	__u64 conn;
};

#define HOLDS	4

static void let_go(struct holds *holds, int which)
{
	switch (which) {
	case 0:
		close(holds->fd);
		break;
	case 1:
		close(holds->sock);
		break;
	case 2:
		munmap(holds->ring, cio_ring_bytes(8));
		break;
	default:
		/* Where there is still something to call. */
		cio_detach(holds->fd, holds->conn);
	}
}

/* The number @order names one of the orders of HOLDS things. */
static void let_go_in_order(struct holds *holds, int order)
{
	int left[HOLDS] = { 0, 1, 2, 3 };
	int count, which;

	for (count = HOLDS; count; count--) {
		which = order % count;
		order /= count;
		let_go(holds, left[which]);
		left[which] = left[count - 1];
	}
}

TEST_F(engine, C34_every_order_of_letting_go_releases_the_socket)
{
	struct holds holds;
	int order, ends[2];
	char byte;

	for (order = 0; order < 24; order++) {
		ASSERT_EQ(0, tcp_pair(AF_INET, ends));
		holds.sock = ends[0];
		holds.fd = cio_context(variant->engine, 8);
		ASSERT_LE(0, holds.fd);
		ASSERT_EQ(0, cio_attach(holds.fd, holds.sock, &holds.conn));
		holds.ring = cio_map(holds.fd, 8);
		ASSERT_NE(NULL, holds.ring);
		ASSERT_EQ(1, submit_one(holds.fd, op_recv(holds.conn, &byte, 1)));
		ASSERT_EQ(1, submit_one(holds.fd, with_timeout(op_ready(holds.conn, POLLPRI),
							       1000 * SECOND)));
		let_go_in_order(&holds, order);
		EXPECT_NE(0, wait_events(ends[1], POLLRDHUP) & POLLRDHUP) {
			TH_LOG("order %d", order);
		}
		close(ends[1]);
	}
}

struct waiter {
	int fd;
	int ret;
};

static void *wait_for_more_than_comes(void *argument)
{
	struct waiter *waiter = argument;
	struct cancelio_completion result[2];

	waiter->ret = cio_wait(waiter->fd, 2, result, 2, after(LONG_ENOUGH));
	return NULL;
}

/* A SUBMIT that waits for more than comes. */
struct submitter {
	int fd;
	struct cancelio_op op;
	int taken;
	int error;
};

static void *submit_and_wait(void *argument)
{
	struct submitter *submitter = argument;

	submitter->taken = cio_submit_and_wait(submitter->fd, &submitter->op, 1, 2,
					       after(LONG_ENOUGH), &submitter->error);
	return NULL;
}

TEST_F(engine, C34_shutdown_ends_the_wait_of_a_submit)
{
	struct submitter submitter = { .fd = cio_context(variant->engine, 0) };
	pthread_t thread;
	int ends[2];
	__u64 conn;
	char byte;

	ASSERT_LE(0, submitter.fd);
	ASSERT_EQ(0, tcp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(submitter.fd, ends[0], &conn));
	submitter.op = op_recv(conn, &byte, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_and_wait, &submitter));
	sleep_until(after(A_WHILE));
	ASSERT_EQ(0, cio_shutdown(submitter.fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, submitter.taken);
	EXPECT_EQ(-ESHUTDOWN, submitter.error);
	close(submitter.fd);
}

TEST_F(engine, C34_shutdown_ends_the_wait_of_another_thread)
{
	struct waiter waiter = { .fd = cio_context(variant->engine, 0) };
	struct cancelio_completion result;
	pthread_t thread;
	int ends[2];
	__u64 conn;
	char byte;

	ASSERT_LE(0, waiter.fd);
	ASSERT_EQ(0, tcp_pair(AF_INET, ends));
	ASSERT_EQ(0, cio_attach(waiter.fd, ends[0], &conn));
	ASSERT_EQ(1, submit_one(waiter.fd, op_recv(conn, &byte, 1)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_more_than_comes, &waiter));
	sleep_until(after(A_WHILE));
	ASSERT_EQ(0, cio_shutdown(waiter.fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-ESHUTDOWN, waiter.ret);
	ASSERT_EQ(1, cio_wait(waiter.fd, 1, &result, 1, 0));
	EXPECT_CLOSED(result);
	close(waiter.fd);
}

TEST_HARNESS_MAIN
