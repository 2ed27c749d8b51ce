// SPDX-License-Identifier: GPL-2.0
/*
 * soak [-t SECONDS] [-S SEED] [-f FILE]: the kill of a process with 100,000 operations,
 * and then load for so long (3600; 0: none).  Writes its figures to the file, a line
 * each.  Exits with 1 at a violation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "soak.h"

#define FILES		65536
/* Of one round, seconds; and how many there are in a short run. */
#define ROUND_MAX	100
#define ROUND_MIN	12
#define ROUNDS		8
/* Fewer say nothing about memory. */
#define ROUNDS_MIN	4

struct options {
	int seconds;
	__u64 seed;
	const char *figures;
};

static void parse(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt(argc, argv, "t:S:f:")) != -1) {
		if (option == 't')
			options->seconds = atoi(optarg);
		else if (option == 'S')
			options->seed = strtoull(optarg, NULL, 10);
		else if (option == 'f')
			options->figures = optarg;
		else
			exit(2);
	}
}

static void set_sysctl(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		violation("%s: %s", file, strerror(errno));
	close(fd);
}

/* Sockets that only wait for their time to be over would count as memory in use. */
static void prepare(void)
{
	struct rlimit files = { .rlim_cur = FILES, .rlim_max = FILES };

	if (setrlimit(RLIMIT_NOFILE, &files))
		violation("no more files: %s", strerror(errno));
	set_sysctl("/proc/sys/net/ipv4/tcp_max_tw_buckets", "16");
	set_sysctl("/proc/sys/net/core/somaxconn", "4096");
	pattern_init();
}

static void load(int seconds)
{
	__s64 end = after(seconds * SECOND);
	int length = seconds / ROUNDS, rounds = 0;

	if (length > ROUND_MAX)
		length = ROUND_MAX;
	if (length < ROUND_MIN)
		length = ROUND_MIN;
	limits_prepare();
	peers_start();
	memory_baseline();
	do {
		round_play(length);
	} while (++rounds < ROUNDS_MIN || now() < end);
	peers_stop();
}

static void before_exit(void)
{
	all_stop();
	report_stop();
}

int main(int argc, char **argv)
{
	struct options options = { .seconds = 3600, .seed = 1, .figures = "/dev/null" };
	FILE *figures;
	bool flat = true;

	parse(argc, argv, &options);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	figures = fopen(options.figures, "we");
	if (shared == MAP_FAILED || !figures) {
		perror("soak");
		return 2;
	}
	shared->seed = options.seed;
	shared->begin = now();
	before_violation = before_exit;
	printf("soak: seed %llu\n", options.seed);
	prepare();
	kill_scenes(figures);
	if (options.seconds) {
		load(options.seconds);
		flat = memory_is_flat(figures);
		shared->violations += !flat;
	}
	report_end(figures);
	fclose(figures);
	return shared->violations ? 1 : 0;
}
