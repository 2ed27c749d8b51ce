// SPDX-License-Identifier: GPL-2.0
/* The steps beside the interface: sockets, memory, processes, ill-formed calls. */
#define _GNU_SOURCE
#include "steps.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void do_pair(int step, const __s64 *arg)
{
	static const int types[] = {
		[UNIX_STREAM] = SOCK_STREAM, [UNIX_SEQPACKET] = SOCK_SEQPACKET,
		[UNIX_DGRAM] = SOCK_DGRAM,
	};
	struct sock *socks = &model.socks[2 * arg[0]];
	int type = arg[1], sv[2], ret, i;

	pthread_mutex_lock(&model.lock);
	if (socks[0].there) {
		pthread_mutex_unlock(&model.lock);
		return;
	}
	/* The steps' signals come here too. */
	do {
		if (type >= UNIX_STREAM)
			ret = unix_pair(types[type], sv);
		else if (type >= UDP4)
			ret = udp_pair(type == UDP4 ? AF_INET : AF_INET6, sv);
		else
			ret = tcp_pair(type == TCP4 ? AF_INET : AF_INET6, sv);
	} while (ret == -EINTR);
	if (ret)
		broken("step %d: no pair of sockets (%d)", step, ret);
	shrink_buffers(sv[0], sv[1]);
	shrink_buffers(sv[1], sv[0]);
	for (i = 0; i < 2; i++) {
		socks[i].fd = fresh_fd(sv[i]);
		socks[i].type = type;
		socks[i].there = true;
	}
	pthread_mutex_unlock(&model.lock);
}

void do_write(int step, const __s64 *arg)
{
	struct event event = { .conn = -1, .step = step };
	__u8 *room = room_of(step);
	struct turn turn;
	ssize_t ret;
	__s64 i;

	if (arg[0] >= SOCKS)
		return;
	for (i = 0; i < arg[1]; i++)
		room[i] = content(step, i);
	pthread_mutex_lock(&model.lock);
	if (model.socks[arg[0]].fd >= 0) {
		turn_begin(&turn, step);
		ret = send(model.socks[arg[0]].fd, room, arg[1], MSG_DONTWAIT | MSG_NOSIGNAL);
		turn_end(&turn);
		event.from = turn.from;
		event.to = turn.to;
		event.bytes = ret;
		if (ret > 0 || (!ret && !is_stream(model.socks[arg[0]].type)))
			note_send(arg[0], event);
	}
	pthread_mutex_unlock(&model.lock);
}

void do_read(int step, const __s64 *arg)
{
	struct event event = { .conn = -1, .step = step, .room = arg[1] };
	struct turn turn;
	bool stream;
	ssize_t ret;
	int fd;

	if (arg[0] >= SOCKS)
		return;
	pthread_mutex_lock(&model.lock);
	fd = model.socks[arg[0]].fd;
	stream = is_stream(model.socks[arg[0]].type);
	if (fd >= 0) {
		turn_begin(&turn, step);
		ret = recv(fd, room_of(step), arg[1], MSG_DONTWAIT | (stream ? 0 : MSG_TRUNC));
		turn_end(&turn);
		event.from = turn.from;
		event.to = turn.to;
		event.truncated = ret > arg[1];
		event.bytes = event.truncated ? arg[1] : ret;
		event.data = room_of(step);
		if (ret > 0 || (!ret && !stream))
			note_recv(arg[0], event);
	}
	pthread_mutex_unlock(&model.lock);
}

void do_shut(int step, const __s64 *arg)
{
	static const int how[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };

	(void)step;
	if (arg[0] >= SOCKS)
		return;
	pthread_mutex_lock(&model.lock);
	note_broken(arg[0]);
	shutdown(model.socks[arg[0]].fd, how[arg[1]]);
	pthread_mutex_unlock(&model.lock);
}

void do_closesock(int step, const __s64 *arg)
{
	(void)step;
	if (arg[0] >= SOCKS)
		return;
	pthread_mutex_lock(&model.lock);
	if (model.socks[arg[0]].fd >= 0) {
		note_broken(arg[0]);
		if (arg[1] == CLOSE_RESET)
			close_with_reset(model.socks[arg[0]].fd);
		else
			close(model.socks[arg[0]].fd);
		model.socks[arg[0]].fd = -1;
	}
	pthread_mutex_unlock(&model.lock);
}

/* Under the lock, for the model reads these buffers too. */
void do_memory(int step, const __s64 *arg)
{
	int which = model.slots[arg[0]];
	struct op *op = &model.ops[which];

	(void)step;
	if (which < 0 || !op->buffer || op->kind == BUF_BAD)
		return;
	pthread_mutex_lock(&model.lock);
	op->tricked = true;
	switch (arg[1]) {
	case TRICK_UNMAP:
		mmap(room_of(which), ROOM, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
		break;
	case TRICK_READONLY:
		mprotect(room_of(which), ROOM, PROT_READ);
		break;
	default:
		op->lost_content = true;
		madvise(room_of(which), ROOM - PAGE, MADV_DONTNEED);
	}
	pthread_mutex_unlock(&model.lock);
}

static void child(int fd)
{
	struct cancelio_info info = { .size = sizeof(info) };
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	__u32 all[64] = { 64 };
	int nr;

	if (cio_ioctl(fd, CANCELIO_INFO, &info) != -EPERM)
		_exit(1);
	for (nr = 1; nr <= 12; nr++)
		if (cio_ioctl(fd, _IO(CANCELIO_IOC, nr), all) != -EPERM)
			_exit(2);
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED || errno != EPERM)
		_exit(3);
	if (poll(&poll_fd, 1, 0) != 1 || !(poll_fd.revents & POLLERR))
		_exit(4);
	close(fd);
	_exit(0);
}

/* Another process gets nothing but EPERM, and disturbs nothing. */
void do_child(int step, const __s64 *arg)
{
	int fd, status;
	pid_t pid;

	pthread_mutex_lock(&model.lock);
	fd = model.contexts[arg[0]].fd;
	pthread_mutex_unlock(&model.lock);
	if (fd < 0)
		return;
	pid = fork();
	if (!pid)
		child(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* Unless it was closed meanwhile. */
	if (model.contexts[arg[0]].fd == fd &&
	    (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status)))
		broken("step %d: a child may do number %d", step, WEXITSTATUS(status));
}

void do_signal(int step, const __s64 *arg)
{
	(void)step;
	if (threads[arg[0]])
		pthread_kill(threads[arg[0]], SIGUSR1);
}

void do_sleep(int step, const __s64 *arg)
{
	(void)step;
	usleep(arg[0]);
}

/* All of it ends at this moment, with what is pending. */
void do_exit(int step, const __s64 *arg)
{
	(void)step;
	if (arg[0] == EXIT_KILL)
		kill(getpid(), SIGKILL);
	if (arg[0] == EXIT_EXEC)
		execl("/proc/self/exe", "fuzz", "nothing", NULL);
	_exit(0);
}

static void allow_raw(struct allowed *set, const struct context *context, __s64 nr,
		      __s64 size, const __s64 *arg)
{
	const struct published *call = &published[nr];
	bool poked = call->always || arg[4] == 1;

	if (context->fd < 0)
		allow(set, -EBADF);
	else if (nr >= IOCTLS)
		allow(set, -ENOTTY);
	else if (arg[3] == POINTER_NULL || arg[3] == POINTER_BAD)
		allow(set, -EFAULT);
	else if (size < (call->first ?: call->size) || size > PAGE)
		allow(set, -EINVAL);
	else if (arg[3] == POINTER_EDGE)
		allow(set, -EFAULT);
	else if (size > call->size && arg[4] == 2)
		allow(set, -E2BIG);
	else if (nr && !allow_common(set, context, call->after_shutdown))
		return;
	else if (poked && call->reserved)
		allow(set, -EINVAL);
	else
		allow(set, call->error);
	/* A CALL of zeros is a RECV, by no connection. */
	if (nr == 5 && (context->refused_ops | context->refused_sides) & 1)
		allow(set, -EACCES);
}

/* A structure of zeros but for its size, and for one field or what follows it. */
void do_raw(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	__u32 words[2 * PAGE / 4] = { 0 };
	void *pointer = words;
	struct allowed set = {};
	struct turn turn;
	__s64 size;
	int ret;

	pthread_mutex_lock(&model.lock);
	/* A context that is not set up would be by zeros. */
	size = arg[1] < IOCTLS ? published[arg[1]].size + arg[2] : 8;
	if (arg[1] == 1 && !context->live) {
		pthread_mutex_unlock(&model.lock);
		return;
	}
	words[0] = size < 0 ? 0 : size;
	if (arg[1] < IOCTLS && (arg[4] == 1 || published[arg[1]].always))
		words[published[arg[1]].reserved / 4] |= published[arg[1]].reserved ? 1U << 31 : 0;
	if (arg[1] < IOCTLS && arg[4] == 2)
		words[published[arg[1]].size / 4] = 1;
	if (arg[3] == POINTER_NULL)
		pointer = NULL;
	else if (arg[3] == POINTER_BAD)
		pointer = bad_page();
	else if (arg[3] == POINTER_EDGE)
		pointer = memcpy(edge_of(step) - 4, words, 4);
	turn_begin(&turn, step);
	allow_raw(&set, context, arg[1], words[0], arg);
	pthread_mutex_unlock(&model.lock);
	ret = cio_ioctl(context->fd, _IO(CANCELIO_IOC, arg[1]), pointer);
	pthread_mutex_lock(&model.lock);
	turn_end(&turn);
	check_return(&turn, "raw ioctl", &set, ret);
	pthread_mutex_unlock(&model.lock);
}
