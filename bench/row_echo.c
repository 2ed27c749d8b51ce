// SPDX-License-Identifier: GPL-2.0
/*
 * Rows of a server that answers each message with the same, and renews the connection's read
 * deadline.  Its client is another process, which sends on all connections and then
 * receives on all; with one connection that is ping-pong.  It waits for the last answer
 * first: else the scheduler, which lets it run after one answer or after many, would
 * account for more of the differences than the servers do.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define WARM_UP	4
#define BLOCKS	21
/* A block has so many messages, or one for each connection. */
#define MESSAGES 640

static double *figure;

static void receive_from(const struct set *set, unsigned int i)
{
	char message[ROOM];

	if (recv(set->far[i], message, sizeof(message), 0) != MESSAGE)
		_exit(1);
}

static void client(const struct set *set, unsigned int rounds)
{
	unsigned int block, round, i;

	for (block = 0; block < WARM_UP + BLOCKS; block++) {
		__s64 begin = now();

		if (block == WARM_UP)
			profile_begin();
		for (round = 0; round < rounds; round++) {
			for (i = 0; i < set->count; i++)
				send_to(set, i);
			for (i = set->count; i--; )
				receive_from(set, i);
		}
		if (block >= WARM_UP)
			block_note(now() - begin);
	}
	profile_end();
	*figure = block_mean() / (rounds * set->count);
}

static void echo(const struct peer *peer, unsigned int connections, const char *row)
{
	struct set set = sockets_pairs(connections);
	unsigned int rounds = connections < MESSAGES ? MESSAGES / connections : 1;
	int status;
	pid_t pid;

	if (!peer->serve)
		return;
	if (!peer->open(peer, &set)) {
		report_absent(row, peer, "not on this kernel");
		return;
	}
	figure = mmap(NULL, sizeof(*figure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (figure == MAP_FAILED)
		give_up("mmap", errno);
	pid = fork();
	if (!pid) {
		client(&set, rounds);
		_exit(0);
	}
	peer->serve((unsigned long)(WARM_UP + BLOCKS) * rounds * connections);
	if (waitpid(pid, &status, 0) != pid || status)
		give_up("the client failed", 0);
	peer->close();
	report(row, peer, *figure);
	munmap(figure, sizeof(*figure));
}

static void echo_1(const struct peer *peer)
{
	echo(peer, 1, "echo-1");
}

static void echo_64(const struct peer *peer)
{
	echo(peer, 64, "echo-64");
}

static void echo_1000(const struct peer *peer)
{
	echo(peer, 1000, "echo-1000");
}

const struct row echo_rows[] = {
	{ "echo-1", true, echo_1 },
	{ "echo-64", true, echo_64 },
	{ "echo-1000", false, echo_1000 },
	{ }
};
