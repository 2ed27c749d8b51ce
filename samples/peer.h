/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What plan9.c and netpoll.c share: the other end of their connections, in ordinary
 * blocking calls, and the lines that both print.
 */
#ifndef PEER_H
#define PEER_H

#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS	1000000LL

static int failures;

/* Says how something ended, by its bytes and its error, and counts it when not @is_so. */
static inline void check(const char *what, bool is_so, int bytes, int error)
{
	printf("%-4s %-40s %8d  %s\n", is_so ? "ok" : "NOT", what, bytes,
	       error ? strerror(-error) : "-");
	failures += !is_so;
}

/* A socket that listens on a free port of 127.0.0.1; @flags as in a socket's type. */
static inline int peer_listen(int flags)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8))
		return -1;
	return fd;
}

static inline int peer_dial(int listener)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	if (getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(fd, (struct sockaddr *)&addr, len))
		return -1;
	return fd;
}

static inline void peer_says(int fd, const char *text)
{
	send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static inline bool peer_hears(int fd, const char *text)
{
	char got[64];
	size_t len = strlen(text);

	return recv(fd, got, len, MSG_WAITALL) == (ssize_t)len && !memcmp(got, text, len);
}

/* Whether a thread of the thread engine is asleep (S) for this process; idle ones are I. */
static inline bool thread_sleeps(void)
{
	char stat[64], name[64], want[64], state = 0;
	bool found = false;
	glob_t all;

	snprintf(want, sizeof(want), "cancelio/%d-thread", getpid());
	if (glob("/proc/[0-9]*/stat", 0, NULL, &all))
		return false;
	for (size_t i = 0; i < all.gl_pathc && !found; i++) {
		FILE *file = fopen(all.gl_pathv[i], "r");

		if (!file)
			continue;
		found = fgets(stat, sizeof(stat), file) &&
			sscanf(stat, "%*d (%63[^)]) %c", name, &state) == 2 &&
			!strcmp(name, want) && state == 'S';
		fclose(file);
	}
	globfree(&all);
	return found;
}

#endif /* PEER_H */
