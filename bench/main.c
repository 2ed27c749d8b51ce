// SPDX-License-Identifier: GPL-2.0
/*
 * bench [-q] [-r ROW]... [-p PEER]: measure all rows, the quick ones (-q) or those named,
 * with all peers or one.  Prints a line for each figure, its fields separated by tabs:
 *
 *   figure ROW PEER NUMBER
 *   absent ROW PEER WHY
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "peers.h"

#define MAX_ROWS 32
#define NOFILE 1048576

const struct peer *const peers[] = {
	&peer_bare,
	&peer_ppoll,
	&peer_rcvtimeo,
	&peer_epoll_timerfd,
	&peer_epoll_wheel,
	&peer_uring,
	&peer_uring_link,
	&peer_uring_defer,
	&peer_uring_defer_link,
	&peer_uring_defer_wheel,
	&peer_uring_multishot,
	&peer_cancelio,
	&peer_cancelio_thread,
	NULL
};

static const struct row *const groups[] = {
	ready_rows, echo_rows, scale_rows, expiry_rows, million_rows, NULL
};

char buffers[BUFFERS][ROOM];

/* What the options leave. */
static const char *wanted[MAX_ROWS];
static unsigned int nr_wanted;
static const char *wanted_peer;
static bool quick;

void give_up(const char *what, int error)
{
	printf("fatal\t%s\t%s\n", what, error ? strerror(error) : "");
	fflush(stdout);
	_exit(1);
}

static bool is_wanted(const struct row *row)
{
	unsigned int i;

	for (i = 0; i < nr_wanted; i++)
		if (!strcmp(wanted[i], row->name))
			return true;
	return !nr_wanted && (row->quick || !quick);
}

static void run_row(const struct row *row)
{
	unsigned int i;

	for (i = 0; peers[i]; i++) {
		if (wanted_peer && strcmp(peers[i]->name, wanted_peer))
			continue;
		row->run(peers[i]);
	}
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "qr:p:")) != -1) {
		if (option == 'q')
			quick = true;
		else if (option == 'r' && nr_wanted < MAX_ROWS)
			wanted[nr_wanted++] = optarg;
		else if (option == 'p')
			wanted_peer = optarg;
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	struct rlimit limit = { NOFILE, NOFILE };
	unsigned int ran = 0;
	const struct row *row;
	int i;

	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	memset(buffers, 1, sizeof(buffers));
	if (setrlimit(RLIMIT_NOFILE, &limit))
		give_up("RLIMIT_NOFILE", errno);
	/* A fresh machine has things to do for a while. */
	settle();
	for (i = 0; groups[i]; i++) {
		for (row = groups[i]; row->name; row++) {
			if (!is_wanted(row))
				continue;
			printf("# row %s\n", row->name);
			run_row(row);
			ran++;
		}
	}
	if (ran < nr_wanted || !ran)
		give_up("no such row", 0);
	return 0;
}
