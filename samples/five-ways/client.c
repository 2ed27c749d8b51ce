// SPDX-License-Identifier: GPL-2.0
/*
 * A server as a child process, and clients in ordinary calls.
 */
#define _GNU_SOURCE
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_OPTIONS	16
/* At the most, bytes. */
#define PIECE		65536
/* After so many bytes a content begins anew: so that no two pieces are alike, a prime. */
#define PERIOD		65521
/* How often is looked at what gives no event. */
#define LOOK		(5 * MS)

long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

void sleep_until(long long time)
{
	struct timespec until = { time / SECOND, time % SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		continue;
}

static void become_server(const char *program, const char *const *options, int output)
{
	const char *arguments[MAX_OPTIONS] = { program, "--port", "0" };
	int i;

	for (i = 0; options[i]; i++)
		arguments[3 + i] = options[i];
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execv(program, (char *const *)arguments);
	perror(program);
	_exit(127);
}

/* One line of @fd, or what there is of it at its end. */
static void read_line(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && read(fd, text + len, 1) == 1 && text[len++] != '\n')
		continue;
	text[len] = '\0';
}

static unsigned int open_fds(pid_t pid)
{
	struct dirent *entry;
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

bool server_run(struct server *server, const char *program, const char *const *options)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return false;
	fflush(stdout);
	server->pid = fork();
	if (!server->pid)
		become_server(program, options, ends[1]);
	close(ends[1]);
	server->output = ends[0];
	return server->pid > 0;
}

bool server_start(struct server *server, const char *program, const char *const *options)
{
	char line[256];

	if (!server_run(server, program, options))
		return false;
	read_line(server->output, line, sizeof(line));
	server->fds = open_fds(server->pid);
	if (sscanf(line, "listening on port %hu", &server->port) == 1)
		return true;
	printf("# %s", line);
	return false;
}

void server_stop(const struct server *server)
{
	kill(server->pid, SIGTERM);
}

/* Its end is the end of its output, for which one can wait with a limit. */
int server_wait(struct server *server, char *text, size_t size)
{
	struct pollfd polled = { .fd = server->output, .events = POLLIN };
	long long limit = now() + PATIENCE;
	size_t len = 0;
	ssize_t n = -1;
	int status;

	while (len < size - 1 && now() < limit && poll(&polled, 1, PATIENCE / MS) == 1) {
		n = read(server->output, text + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	text[len] = '\0';
	if (n)
		kill(server->pid, SIGKILL);
	close(server->output);
	waitpid(server->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool server_has_connections(const struct server *server, unsigned int count)
{
	long long limit = now() + PATIENCE;

	while (open_fds(server->pid) != server->fds + count) {
		if (now() > limit)
			return false;
		sleep_until(now() + LOOK);
	}
	return true;
}

bool network_of_small_buffers(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	bool is_up, is_small;
	FILE *sizes;
	int fd;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	is_up = !ioctl(fd, SIOCSIFFLAGS, &loopback);
	close(fd);
	sizes = fopen("/proc/sys/net/ipv4/tcp_wmem", "w");
	is_small = sizes && fputs("4096 4096 4096\n", sizes) >= 0;
	return sizes && !fclose(sizes) && is_small && is_up;
}

int client_connect(const struct server *server, int buffer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(server->port),
	};
	struct timeval patience = { .tv_sec = PATIENCE / SECOND };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* The bytes of a content from a place on: all contents are the same, begun at another byte. */
static const unsigned char *content(unsigned int number, size_t place)
{
	static unsigned char bytes[PERIOD + PIECE];
	size_t i;

	if (!bytes[0]) {
		bytes[0] = 1;
		for (i = 1; i < PERIOD; i++)
			bytes[i] = bytes[i - 1] * 5 + (i >> 8) * 7 + 3;
		for (i = PERIOD; i < PERIOD + PIECE; i++)
			bytes[i] = bytes[i - PERIOD];
	}
	return bytes + (number * 977 + place) % PERIOD;
}

bool client_echo(int fd, unsigned int number, size_t len)
{
	const unsigned char *bytes = content(number, 0);
	unsigned char received[len];

	return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len &&
	       recv(fd, received, len, MSG_WAITALL) == (ssize_t)len &&
	       !memcmp(bytes, received, len);
}

bool client_sees_end(int fd)
{
	static char bytes[PIECE];
	ssize_t n;

	do {
		n = recv(fd, bytes, sizeof(bytes), 0);
	} while (n > 0);
	return !n;
}

void client_reset(int fd)
{
	struct linger reset = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

void client_clog(int fd, unsigned int ms)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };
	static char bytes[PIECE];

	while (poll(&polled, 1, ms) == 1 && !(polled.revents & POLLERR) &&
	       send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		continue;
}

bool client_trickle(int fd, size_t len)
{
	static char bytes[PIECE];
	ssize_t n;

	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		continue;
	n = recv(fd, bytes, len, MSG_DONTWAIT);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

bool stream_send(struct stream *stream)
{
	size_t rest = stream->total - stream->sent;
	ssize_t n;

	if (!rest)
		return false;
	n = send(stream->fd, content(stream->number, stream->sent), rest < PIECE ? rest : PIECE,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		stream->sent += n;
	if (stream->sent < stream->total)
		return true;
	if (stream->half)
		shutdown(stream->fd, SHUT_WR);
	return false;
}

/* What comes behind its last byte is the end, where that was asked for. */
bool stream_receive(struct stream *stream)
{
	static unsigned char bytes[PIECE];
	ssize_t n = recv(stream->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		stream->broken |= memcmp(bytes, content(stream->number, stream->received), n);
	else if (n < 0)
		stream->broken |= errno != EAGAIN;
	stream->received += n > 0 ? n : 0;
	return n && !stream->broken && (stream->half || stream->received < stream->total);
}

bool stream_is_whole(const struct stream *stream)
{
	return stream->received == stream->total && !stream->broken;
}

static void stream_step(struct stream *stream, struct pollfd *polled)
{
	if (polled->revents & POLLOUT && !stream_send(stream))
		polled->events = POLLIN;
	if (polled->revents & ~POLLOUT && !stream_receive(stream))
		polled->fd = -1;
}

unsigned int streams_run(struct stream *streams, unsigned int count)
{
	struct pollfd *polled = calloc(count, sizeof(*polled));
	unsigned int i, left, whole = 0;

	for (i = 0; i < count; i++)
		polled[i] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN | POLLOUT };
	do {
		left = 0;
		for (i = 0; i < count; i++) {
			stream_step(&streams[i], &polled[i]);
			left += polled[i].fd >= 0;
		}
	} while (left && poll(polled, count, PATIENCE / MS) > 0);
	for (i = 0; i < count; i++)
		whole += stream_is_whole(&streams[i]);
	free(polled);
	return whole;
}
