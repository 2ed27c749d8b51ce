// SPDX-License-Identifier: GPL-2.0
/*
 * Options, listener, stop and account of the five servers.
 */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

/* Descriptors that are no connections: the three of every program, listener, ring and such. */
#define OTHER_FDS	16
#define STACK		(CHUNK + 65536)
#define LONGEST_MS	3600000
#define MOST_CONNECTIONS 500000

struct settings settings = {
	.port = 7007, .idle_ms = 60000, .write_ms = 10000, .connections = 4096,
};

static const char *const names[ENDS] = {
	[CLOSED] = "closed", [IDLE] = "idle", [STUCK] = "stuck", [RESET] = "reset",
	[STOPPED] = "stopped", [REFUSED] = "refused", [FAILED] = "failed",
};

/* All below are of threads that may end at once. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_open = PTHREAD_COND_INITIALIZER;
static unsigned long begun, ended[ENDS];
static unsigned int nr_open;

void die(const char *what, int error)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(error));
	exit(1);
}

long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static noreturn void usage(FILE *to)
{
	fprintf(to, "%s [--port N] [--idle MS] [--write MS] [--connections N]\n"
		"defaults: port %u (0: a free one), idle %u ms, write %u ms, %u connections\n",
		program_invocation_short_name, settings.port, settings.idle_ms, settings.write_ms,
		settings.connections);
	exit(to == stdout ? 0 : 2);
}

static unsigned int number_of(const char *option, unsigned int least, unsigned int most)
{
	char *end;
	unsigned long n = strtoul(optarg, &end, 10);

	if (*optarg >= '0' && *optarg <= '9' && !*end && n >= least && n <= most)
		return n;
	fprintf(stderr, "%s: --%s %s: a number from %u to %u is wanted\n",
		program_invocation_short_name, option, optarg, least, most);
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "idle", required_argument, NULL, 'i' },
		{ "write", required_argument, NULL, 'w' },
		{ "connections", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			settings.port = number_of("port", 0, 65535);
		else if (option == 'i')
			settings.idle_ms = number_of("idle", 1, LONGEST_MS);
		else if (option == 'w')
			settings.write_ms = number_of("write", 1, LONGEST_MS);
		else if (option == 'c')
			settings.connections = number_of("connections", 1, MOST_CONNECTIONS);
		else
			usage(option == 'h' ? stdout : stderr);
	}
	if (optind < argc)
		usage(stderr);
	if (settings.write_ms > settings.idle_ms) {
		fprintf(stderr, "%s: --write %u: at most --idle, which is %u, is wanted\n",
			program_invocation_short_name, settings.write_ms, settings.idle_ms);
		exit(2);
	}
}

/* So that accepting never fails for want of a descriptor. */
static void allow_connections(void)
{
	static const char wanted[] = "a number from 1 to what `ulimit -Hn` allows is wanted";
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < settings.connections + OTHER_FDS) {
		fprintf(stderr, "%s: --connections %u: %s, which is %ld\n",
			program_invocation_short_name, settings.connections, wanted,
			(long)limit.rlim_max - OTHER_FDS);
		exit(2);
	}
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static sigset_t stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return set;
}

/* What is set here holds for the connections too: no answer waits for others. */
int server_listen(int flags)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(settings.port),
	};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int one = 1;

	if (fd < 0)
		die("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		die("listen", errno);
	printf("listening on port %u\n", ntohs(address.sin_port));
	return fd;
}

void server_begin(int argc, char **argv)
{
	sigset_t set = stop_signals();

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	allow_connections();
	/* Huge pages would fill the parts of buffers that nobody uses. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int server_stop_fd(void)
{
	sigset_t set = stop_signals();
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		die("signalfd", errno);
	return fd;
}

void server_await_stop(void)
{
	sigset_t set = stop_signals();
	int signal;

	sigwait(&set, &signal);
}

void server_thread(void *(*run)(void *argument), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	error = pthread_create(&thread, &attributes, run, argument);
	if (error)
		die("pthread_create", error);
	pthread_attr_destroy(&attributes);
}

int server_report(void)
{
	unsigned long sum = 0;
	int how;

	pthread_mutex_lock(&lock);
	printf("connections %lu", begun);
	for (how = CLOSED; how < ENDS; how++) {
		printf(", %s %lu", names[how], ended[how]);
		sum += ended[how];
	}
	printf("\n");
	return ended[FAILED] || sum != begun;
}

bool connection_begins(void)
{
	bool fits;

	pthread_mutex_lock(&lock);
	begun++;
	fits = nr_open < settings.connections;
	if (fits)
		nr_open++;
	else
		ended[REFUSED]++;
	pthread_mutex_unlock(&lock);
	return fits;
}

/* What a client does not take would stay in the kernel's memory for long. */
void connection_ending(int fd, enum end how)
{
	struct linger reset = { .l_onoff = 1 };

	if (how == STUCK)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

void connection_ended(enum end how)
{
	pthread_mutex_lock(&lock);
	ended[how]++;
	if (!--nr_open)
		pthread_cond_signal(&none_open);
	pthread_mutex_unlock(&lock);
}

enum end connection_error(int error)
{
	switch (error) {
	case ECONNRESET:
	case EPIPE:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return RESET;
	default:
		fprintf(stderr, "%s: a connection fails: %s\n", program_invocation_short_name,
			strerror(error));
		return FAILED;
	}
}

unsigned int connections_open(void)
{
	return nr_open;
}

void connections_await_none(void)
{
	pthread_mutex_lock(&lock);
	while (nr_open)
		pthread_cond_wait(&none_open, &lock);
	pthread_mutex_unlock(&lock);
}
