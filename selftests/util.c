// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__u32 common_op_flags;

__s64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

__s64 after(__s64 ns)
{
	return now() + ns;
}

void sleep_until(__s64 time)
{
	struct timespec end = { .tv_sec = time / SECOND, .tv_nsec = time % SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
}

static int result_of(int ret)
{
	return ret < 0 ? -errno : ret;
}

int cio_ioctl(int fd, unsigned int command, void *argument)
{
	return result_of(ioctl(fd, command, argument));
}

int cio_open(void)
{
	return result_of(open(CANCELIO_DEVICE, O_RDWR | O_CLOEXEC));
}

int cio_context(__u32 engine, __u32 entries)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = engine, .entries = entries,
	};
	int fd = cio_open();
	int ret;

	if (fd < 0)
		return fd;
	ret = cio_setup(fd, &setup);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

size_t cio_ring_bytes(__u32 entries)
{
	return sizeof(struct cancelio_ring) + entries * sizeof(struct cancelio_completion);
}

struct cancelio_ring *cio_map(int fd, __u32 entries)
{
	void *ring = mmap(NULL, cio_ring_bytes(entries), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd, 0);

	return ring == MAP_FAILED ? NULL : ring;
}

int cio_info(int fd, struct cancelio_info *info)
{
	memset(info, POISON, sizeof(*info));
	info->size = sizeof(*info);
	return cio_ioctl(fd, CANCELIO_INFO, info);
}

int cio_setup(int fd, struct cancelio_setup *setup)
{
	memset(&setup->ring_bytes, POISON, sizeof(setup->ring_bytes));
	memset(&setup->conn_limit, POISON, sizeof(setup->conn_limit));
	return cio_ioctl(fd, CANCELIO_SETUP, setup);
}

int cio_attach(int fd, int sock, __u64 *conn)
{
	struct cancelio_attach attach;
	int ret;

	memset(&attach, POISON, sizeof(attach));
	attach.size = sizeof(attach);
	attach.fd = sock;
	attach.flags = 0;
	attach.reserved = 0;
	ret = cio_ioctl(fd, CANCELIO_ATTACH, &attach);
	if (conn)
		*conn = attach.conn;
	return ret;
}

int cio_detach(int fd, __u64 conn)
{
	struct cancelio_detach detach = { .size = sizeof(detach), .conn = conn };

	return cio_ioctl(fd, CANCELIO_DETACH, &detach);
}

int cio_submit(int fd, const struct cancelio_op *ops, __u32 count, __u64 *ids, int *error)
{
	struct cancelio_submit submit = {
		.size = sizeof(submit), .op_size = sizeof(*ops), .count = count,
		.ops = (unsigned long)ops, .ids = (unsigned long)ids,
	};
	int ret;

	memset(&submit.error, POISON, sizeof(submit.error));
	if (ids)
		memset(ids, POISON, count * sizeof(*ids));
	ret = cio_ioctl(fd, CANCELIO_SUBMIT, &submit);
	if (error)
		*error = submit.error;
	return ret;
}

int cio_submit_and_wait(int fd, const struct cancelio_op *ops, __u32 count, __u32 min,
			__s64 time, int *wait_error)
{
	struct cancelio_submit submit = {
		.size = sizeof(submit), .op_size = sizeof(*ops), .count = count,
		.ops = (unsigned long)ops, .min = min, .time = time,
	};
	int ret;

	memset(&submit.error, POISON, sizeof(submit.error));
	ret = cio_ioctl(fd, CANCELIO_SUBMIT, &submit);
	*wait_error = submit.error;
	return ret;
}

int cio_call(int fd, const struct cancelio_op *op, __u64 *id, struct cancelio_completion *result)
{
	struct cancelio_call call;
	int ret;

	memset(&call, POISON, sizeof(call));
	call.size = sizeof(call);
	call.flags = 0;
	call.op = *op;
	ret = cio_ioctl(fd, CANCELIO_CALL, &call);
	*result = call.result;
	if (id)
		*id = call.id;
	return ret;
}

int cio_wait(int fd, __u32 min, struct cancelio_completion *to, __u32 max, __s64 time)
{
	struct cancelio_wait wait = {
		.size = sizeof(wait), .min = min, .max = max, .time = time,
		.completions = (unsigned long)to,
		.completion_size = to ? sizeof(*to) : 0,
	};

	if (to)
		memset(to, POISON, max * sizeof(*to));
	return cio_ioctl(fd, CANCELIO_WAIT, &wait);
}

int cio_wait_op(int fd, __u64 id, __s64 time, struct cancelio_completion *result)
{
	struct cancelio_wait_op wait;
	int ret;

	memset(&wait, POISON, sizeof(wait));
	wait.size = sizeof(wait);
	wait.flags = 0;
	wait.id = id;
	wait.time = time;
	ret = cio_ioctl(fd, CANCELIO_WAIT_OP, &wait);
	*result = wait.result;
	return ret;
}

int cio_cancel(int fd, __u32 scope, __u64 target, __u32 sides)
{
	struct cancelio_cancel cancel = {
		.size = sizeof(cancel), .scope = scope, .target = target, .sides = sides,
	};

	return cio_ioctl(fd, CANCELIO_CANCEL, &cancel);
}

int cio_deadline(int fd, __u64 conn, __u32 sides, __s64 read, __s64 write)
{
	struct cancelio_set_deadline deadline = {
		.size = sizeof(deadline), .sides = sides, .conn = conn,
		.read = read, .write = write,
	};

	return cio_ioctl(fd, CANCELIO_SET_DEADLINE, &deadline);
}

int cio_shutdown(int fd)
{
	struct cancelio_shutdown shutdown = { .size = sizeof(shutdown) };

	return cio_ioctl(fd, CANCELIO_SHUTDOWN, &shutdown);
}

int cio_eventfd(int fd, int eventfd)
{
	struct cancelio_eventfd argument = { .size = sizeof(argument), .fd = eventfd };

	return cio_ioctl(fd, CANCELIO_EVENTFD, &argument);
}

int cio_restrict(int fd, __u32 ops, __u32 sides)
{
	struct cancelio_restrict keep = { .size = sizeof(keep), .ops = ops, .sides = sides };

	return cio_ioctl(fd, CANCELIO_RESTRICT, &keep);
}

int cio_stats(int fd, __u32 flags, struct cancelio_stats *stats)
{
	memset(stats, POISON, sizeof(*stats));
	stats->size = sizeof(*stats);
	stats->flags = flags;
	return cio_ioctl(fd, CANCELIO_STATS, stats);
}

int submit_one(int fd, struct cancelio_op op)
{
	return cio_submit(fd, &op, 1, NULL, NULL);
}

int reap(int fd, struct cancelio_completion *result)
{
	return cio_wait(fd, 1, result, 1, after(LONG_ENOUGH));
}

int run(int fd, struct cancelio_op op, struct cancelio_completion *result)
{
	return cio_call(fd, &op, NULL, result);
}

bool stays_empty(int fd)
{
	struct cancelio_completion result;

	return cio_wait(fd, 1, &result, 1, after(A_WHILE)) == -ETIME;
}

static struct cancelio_op op_of(__u32 opcode, __u64 conn)
{
	struct cancelio_op op = { .opcode = opcode, .flags = common_op_flags, .conn = conn };

	return op;
}

struct cancelio_op op_recv(__u64 conn, void *buffer, __u32 len)
{
	struct cancelio_op op = op_of(CANCELIO_OP_RECV, conn);

	op.addr = (unsigned long)buffer;
	op.len = len;
	return op;
}

struct cancelio_op op_send(__u64 conn, const void *buffer, __u32 len)
{
	struct cancelio_op op = op_of(CANCELIO_OP_SEND, conn);

	op.addr = (unsigned long)buffer;
	op.len = len;
	return op;
}

struct cancelio_op op_recvmsg(__u64 conn, struct cancelio_msg *message)
{
	struct cancelio_op op = op_of(CANCELIO_OP_RECVMSG, conn);

	op.addr = (unsigned long)message;
	return op;
}

struct cancelio_op op_sendmsg(__u64 conn, const struct cancelio_msg *message)
{
	struct cancelio_op op = op_of(CANCELIO_OP_SENDMSG, conn);

	op.addr = (unsigned long)message;
	return op;
}

struct cancelio_iovec iovec_of(void *base, __u64 len)
{
	struct cancelio_iovec iov = { .base = (unsigned long)base, .len = len };

	return iov;
}

struct cancelio_msg message_of(struct cancelio_iovec *iov, __u32 count)
{
	struct cancelio_msg message = { .iov = (unsigned long)iov, .iov_count = count };

	memset(&message.flags, POISON, sizeof(message.flags));
	return message;
}

struct cancelio_op op_ready(__u64 conn, __u32 events)
{
	struct cancelio_op op = op_of(CANCELIO_OP_WAIT_READY, conn);

	op.msg_flags = events;
	return op;
}

struct cancelio_op with_deadline(struct cancelio_op op, __s64 deadline)
{
	op.flags |= CANCELIO_OP_DEADLINE;
	op.deadline = deadline;
	return op;
}

struct cancelio_op with_timeout(struct cancelio_op op, __s64 timeout)
{
	op.flags |= CANCELIO_OP_TIMEOUT;
	op.deadline = timeout;
	return op;
}

struct cancelio_op with_cookie(struct cancelio_op op, __u64 cookie)
{
	op.user_data = cookie;
	return op;
}

struct cancelio_op with_flags(struct cancelio_op op, __u32 flags)
{
	op.flags |= flags;
	return op;
}

struct cancelio_op with_msg_flags(struct cancelio_op op, __u32 msg_flags)
{
	op.msg_flags |= msg_flags;
	return op;
}

__u32 ring_count(const struct cancelio_ring *ring)
{
	/* Acquire: the entries before the tail are complete. */
	return __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) - ring->head;
}

bool ring_pop(struct cancelio_ring *ring, struct cancelio_completion *result)
{
	const char *entries = (const char *)ring + ring->completions_offset;
	__u32 place = ring->head % ring->entries;

	if (!ring_count(ring))
		return false;
	memcpy(result, entries + place * ring->completion_size, sizeof(*result));
	/* Release: the entry is copied before the kernel may use it again. */
	__atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
	return true;
}

bool ring_spin(struct cancelio_ring *ring, struct cancelio_completion *result)
{
	__s64 end = after(LONG_ENOUGH);

	while (!ring_pop(ring, result))
		if (now() > end)
			return false;
	return true;
}

static socklen_t loopback(int family, struct sockaddr_storage *address)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
	struct sockaddr_in *four = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	address->ss_family = family;
	if (family == AF_INET6) {
		six->sin6_addr = in6addr_loopback;
		return sizeof(*six);
	}
	four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*four);
}

/* A socket bound to a free port of the loopback. */
static int bound_socket(int family, int type)
{
	struct sockaddr_storage address;
	socklen_t len = loopback(family, &address);
	int sock = socket(family, type | SOCK_CLOEXEC, 0);
	int ret;

	if (sock < 0)
		return -errno;
	if (bind(sock, (struct sockaddr *)&address, len) < 0) {
		ret = -errno;
		close(sock);
		return ret;
	}
	return sock;
}

static int connect_to(int sock, int bound)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (getsockname(bound, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	return result_of(connect(sock, (struct sockaddr *)&address, len));
}

int tcp_listen(int family)
{
	int sock = bound_socket(family, SOCK_STREAM);

	if (sock >= 0 && listen(sock, 1024) < 0) {
		close(sock);
		return -EIO;
	}
	return sock;
}

int tcp_connect(int listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int sock, ret;

	if (getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	sock = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	ret = connect_to(sock, listener);
	if (ret < 0) {
		close(sock);
		return ret;
	}
	return sock;
}

int tcp_pair(int family, int sv[2])
{
	int listener = tcp_listen(family);
	int ret = 0;

	if (listener < 0)
		return listener;
	sv[0] = tcp_connect(listener);
	if (sv[0] < 0) {
		close(listener);
		return sv[0];
	}
	sv[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (sv[1] < 0) {
		ret = -errno;
		close(sv[0]);
	}
	close(listener);
	return ret;
}

int udp_pair(int family, int sv[2])
{
	int ret;

	sv[0] = bound_socket(family, SOCK_DGRAM);
	if (sv[0] < 0)
		return sv[0];
	sv[1] = bound_socket(family, SOCK_DGRAM);
	if (sv[1] < 0) {
		close(sv[0]);
		return sv[1];
	}
	ret = connect_to(sv[0], sv[1]);
	return ret < 0 ? ret : connect_to(sv[1], sv[0]);
}

int unix_pair(int type, int sv[2])
{
	return result_of(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv));
}

int shrink_buffers(int sock, int peer)
{
	int bytes = 65536;

	if (setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
		return -errno;
	return result_of(setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
}

int close_with_reset(int sock)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		return -errno;
	return result_of(close(sock));
}

int wait_events(int fd, int events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int ret = poll(&poll_fd, 1, LONG_ENOUGH / MS);

	return ret < 0 ? -errno : ret ? poll_fd.revents : 0;
}

static __u8 pattern_at(size_t place)
{
	return place ^ (place >> 8) ^ (place >> 16);
}

void pattern_fill(void *buffer, size_t len, size_t place)
{
	__u8 *bytes = buffer;
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = pattern_at(place + i);
}

char *pattern_new(size_t len)
{
	char *buffer = malloc(len);

	if (buffer)
		pattern_fill(buffer, len, 0);
	return buffer;
}

bool pattern_holds(const void *buffer, size_t len, size_t place)
{
	const __u8 *bytes = buffer;
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] != pattern_at(place + i))
			return false;
	return true;
}

ssize_t pattern_read(int sock, size_t len, size_t place)
{
	char buffer[16384];
	size_t total = 0;
	ssize_t got;

	while (total < len) {
		size_t want = len - total < sizeof(buffer) ? len - total : sizeof(buffer);

		got = recv(sock, buffer, want, 0);
		if (got < 0)
			return -errno;
		if (!got)
			break;
		if (!pattern_holds(buffer, got, place + total))
			return -EILSEQ;
		total += got;
	}
	return total;
}

/* What the peer's buffer takes over frees the sender's again, up to seconds later. */
ssize_t fill(int sock)
{
	struct pollfd poll_fd = { .fd = sock, .events = POLLOUT };
	char *data = pattern_new(MUCH);
	size_t total = 0;
	ssize_t sent;

	if (!data)
		return -ENOMEM;
	do {
		sent = send(sock, data + total, MUCH - total, MSG_DONTWAIT);
		if (sent > 0)
			total += sent;
	} while (poll(&poll_fd, 1, 1000) == 1 && total < MUCH);
	free(data);
	return total < MUCH ? (ssize_t)total : -ENOBUFS;
}

static void ignore_signal(int signal)
{
	(void)signal;
}

int interrupt_often(bool on)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct itimerval often = { .it_interval.tv_usec = on ? 5000 : 0,
				   .it_value.tv_usec = on ? 5000 : 0 };

	if (sigaction(SIGALRM, &action, NULL) < 0)
		return -errno;
	return result_of(setitimer(ITIMER_REAL, &often, NULL));
}

static int sigpipes;

static void count_sigpipe(int signal)
{
	(void)signal;
	__atomic_add_fetch(&sigpipes, 1, __ATOMIC_SEQ_CST);
}

bool sigpipe_seen(void)
{
	struct sigaction action = { .sa_handler = count_sigpipe };

	sigaction(SIGPIPE, &action, NULL);
	return __atomic_load_n(&sigpipes, __ATOMIC_SEQ_CST);
}

void *forbidden_page(void)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

/* A page, and what tells of the faults of that @mode in it. */
static void *watched_page(int *uffd, __u64 mode)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register watched = { .mode = mode };
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	*uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	watched.range.start = (unsigned long)page;
	watched.range.len = PAGE_BYTES;
	if (page == MAP_FAILED || *uffd < 0 || ioctl(*uffd, UFFDIO_API, &api) ||
	    ioctl(*uffd, UFFDIO_REGISTER, &watched))
		return NULL;
	return page;
}

void *held_page(int *uffd)
{
	return watched_page(uffd, UFFDIO_REGISTER_MODE_MISSING);
}

bool await_fault(int uffd)
{
	struct uffd_msg fault;

	return read(uffd, &fault, sizeof(fault)) == sizeof(fault);
}

int release_page(int uffd, void *page)
{
	struct uffdio_zeropage zeros = {
		.range = { .start = (unsigned long)page, .len = PAGE_BYTES },
	};

	return result_of(ioctl(uffd, UFFDIO_ZEROPAGE, &zeros));
}

static int protect_writes(int uffd, void *page, __u64 mode)
{
	struct uffdio_writeprotect protection = {
		.range = { .start = (unsigned long)page, .len = PAGE_BYTES }, .mode = mode,
	};

	return result_of(ioctl(uffd, UFFDIO_WRITEPROTECT, &protection));
}

bool can_hold_writes(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	bool can = uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api) &&
		api.features & UFFD_FEATURE_PAGEFAULT_FLAG_WP;

	close(uffd);
	return can;
}

void *write_held_page(int *uffd, const void *data, size_t len)
{
	void *page = watched_page(uffd, UFFDIO_REGISTER_MODE_WP);

	if (!page)
		return NULL;
	memcpy(page, data, len);
	return protect_writes(*uffd, page, UFFDIO_WRITEPROTECT_MODE_WP) ? NULL : page;
}

int release_writes(int uffd, void *page)
{
	return protect_writes(uffd, page, 0);
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int in_child(int (*child)(void *), void *argument)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -1;
	if (!pid)
		_exit(child(argument));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}
