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
#include <unistd.h>

/* Descriptors that are no connections: the three of every program, listener, ring and such. */
#define OTHER_FDS	16
#define STACK		(CHUNK + 65536)
#define LONGEST_MS	3600000
#define MOST_CONNECTIONS 500000
#define NUMBERS		4

struct settings settings;

/* The options: what they are, what they may be, and where nothing is said are. */
static const struct number {
	const char *name, *what;
	unsigned int least, most, otherwise;
	unsigned int *value;
} numbers[NUMBERS + 1] = {
	{ "port", "of 127.0.0.1, 0: a free one", 0, 65535, 7007, &settings.port },
	{ "idle", "ms from one message to the next", 1, LONGEST_MS, 60000, &settings.idle_ms },
	{ "write", "ms until an answer is taken", 1, LONGEST_MS, 10000, &settings.write_ms },
	{ "connections", "at once", 1, MOST_CONNECTIONS, 4096, &settings.connections },
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
	const struct number *number;

	fprintf(to, "%s [--OPTION N]...\n", program_invocation_short_name);
	for (number = numbers; number->name; number++)
		fprintf(to, "  --%-12s %s: %u to %u (%u)\n", number->name, number->what,
			number->least, number->most, number->otherwise);
	exit(to == stdout ? 0 : 2);
}

static unsigned int number_of(const struct number *number, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && !*end && n >= number->least && n <= number->most)
		return n;
	fprintf(stderr, "%s: --%s %s: a number from %u to %u is wanted\n",
		program_invocation_short_name, number->name, text, number->least, number->most);
	exit(2);
}

static void parse(int argc, char **argv)
{
	struct option options[NUMBERS + 2] = { };
	int option, i;

	for (i = 0; i < NUMBERS; i++) {
		options[i] = (struct option){ numbers[i].name, required_argument, NULL, i };
		*numbers[i].value = numbers[i].otherwise;
	}
	options[NUMBERS] = (struct option){ "help", no_argument, NULL, NUMBERS };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == NUMBERS || option == '?')
			usage(option == '?' ? stderr : stdout);
		*numbers[option].value = number_of(&numbers[option], optarg);
	}
	if (optind < argc) {
		fprintf(stderr, "%s: %s: an option is wanted\n", program_invocation_short_name,
			argv[optind]);
		usage(stderr);
	}
	if (settings.write_ms > settings.idle_ms) {
		fprintf(stderr, "%s: --write %u: at most --idle, which is %u, is wanted\n",
			program_invocation_short_name, settings.write_ms, settings.idle_ms);
		exit(2);
	}
}

/* So that accepting does not fail for want of a descriptor of this process. */
static void allow_connections(void)
{
	static const char text[] =
		"%s: --connections %u: with %u others more than `ulimit -Hn` allows, %lu\n";
	struct rlimit limit;

	/* What was inherited is nobody's here. */
	close_range(STDERR_FILENO + 1, ~0U, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < settings.connections + OTHER_FDS) {
		fprintf(stderr, text, program_invocation_short_name, settings.connections,
			OTHER_FDS, (unsigned long)limit.rlim_max);
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
	char what[80];
	int one = 1;

	if (fd < 0)
		die("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&address, &len)) {
		snprintf(what, sizeof(what), "--port %u%s", settings.port,
			 errno == EACCES ? ": below 1024 CAP_NET_BIND_SERVICE is wanted" : "");
		die(what, errno);
	}
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

bool server_thread(void *(*run)(void *argument), void *argument)
{
	static const char limits[] = "a thread is not to be had (`ulimit -u`, pids.max)";
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	error = pthread_create(&thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	if (error)
		fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, limits,
			strerror(error));
	return !error;
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

bool accept_is_short(int error)
{
	if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM)
		return false;
	fprintf(stderr, "%s: accept: again in %lld ms: %s\n", program_invocation_short_name,
		ACCEPT_PAUSE / MS, strerror(error));
	return true;
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
