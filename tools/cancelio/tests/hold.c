// SPDX-License-Identifier: GPL-2.0
/*
 * hold ENGINE CONNS PENDING [shared]: a context on that engine with so many connections and
 * receives that wait, to be looked at; with shared its owner is a child of the process that
 * was started, which gets a copy.  Prints what the library says of it, as JSON on one line,
 * and once more after each line that it reads: "DONE MISSED", so many receives to be done,
 * and so many to miss their deadline.
 */
#define _GNU_SOURCE
#include <cancelio.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000LL

/* Pipes between the owner and the process that gets a copy. */
struct sharing {
	int told;
	int done;
};

static struct cancelio *context;
static __u64 *conns;
/* The last connection's other end: receives are done there, and none waits. */
static int peer;
static char bytes[64];

static void give_up(const char *what, int error)
{
	fprintf(stderr, "hold: %s: %s\n", what, strerror(error));
	exit(1);
}

static void attach(unsigned int i)
{
	int ends[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		give_up("sockets", errno);
	ret = cancelio_attach_fd(context, ends[0], &conns[i]);
	if (ret)
		give_up("attach", -ret);
	peer = ends[1];
}

static struct cancelio_op op_recv(__u64 conn)
{
	return (struct cancelio_op){
		.opcode = CANCELIO_OP_RECV,
		.conn = conn,
		.addr = (unsigned long)bytes,
		.len = sizeof(bytes),
	};
}

static void pend(__u64 conn)
{
	struct cancelio_op op = op_recv(conn);
	int ret = cancelio_submit(context, &op, 1, NULL, NULL);

	if (ret != 1)
		give_up("submit", -ret);
}

/* With a time-out in ns, or 0 for none. */
static void receive(__u64 conn, long long timeout, unsigned int reason)
{
	struct cancelio_op op = op_recv(conn);
	struct cancelio_completion end;
	int ret;

	op.flags = timeout ? CANCELIO_OP_TIMEOUT : 0;
	op.deadline = timeout;
	ret = cancelio_call(context, &op, NULL, &end);
	if (ret || end.reason != reason)
		give_up("receive", ret ? -ret : -end.error);
}

static void work(unsigned int done, unsigned int missed, __u64 conn)
{
	unsigned int i;

	for (i = 0; i < done; i++) {
		if (write(peer, "x", 1) != 1)
			give_up("write", errno);
		/* So that what is done, and what has met a deadline, are not as many. */
		receive(conn, i % 2 ? 60000 * MS : 0, CANCELIO_DONE);
	}
	for (i = 0; i < missed; i++)
		receive(conn, MS, CANCELIO_DEADLINE);
}

static void print_late(const __u64 *late)
{
	const char *comma = "";
	int i;

	printf("\"late\": [");
	for (i = 0; i < CANCELIO_BUCKETS; i++, comma = ", ")
		printf("%s%llu", comma, late[i]);
	printf("]");
}

static void print_counts(void)
{
	struct cancelio_stats stats;
	int ret = cancelio_read_stats(context, 0, &stats);

	if (ret)
		give_up("stats", -ret);
	printf("\"counts\": {\"submitted\": %llu, \"at_once\": %llu, \"done\": %llu, ",
	       stats.submitted, stats.at_once, stats.ended[CANCELIO_DONE]);
	printf("\"error\": %llu, \"deadline\": %llu, \"canceled\": %llu, \"closed\": %llu, ",
	       stats.ended[CANCELIO_ERROR], stats.ended[CANCELIO_DEADLINE],
	       stats.ended[CANCELIO_CANCELED], stats.ended[CANCELIO_CLOSED]);
	printf("\"met\": %llu, \"raced\": %llu, ", stats.met, stats.raced);
	print_late(stats.late);
	printf("}");
}

static void print_all(char **args)
{
	struct cancelio_info info;
	int ret = cancelio_info(context, &info);

	if (ret)
		give_up("info", -ret);
	printf("{\"pid\": %d, \"fd\": %d, \"engine\": \"%s\", \"connections\": %s, ", getpid(),
	       cancelio_fd(context), args[1], args[2]);
	printf("\"pending\": %s, \"info\": {\"abi\": %u, \"engines\": %u, \"operations\": %u, ",
	       args[3], info.abi, info.engines, info.ops);
	printf("\"ioctls\": %u, \"flags\": %u, \"sockets\": %u, \"entries\": %u, ", info.ioctls,
	       info.op_flags, info.sockets, info.max_entries);
	printf("\"batch\": %u, \"workers\": %u}, ", info.max_batch, info.max_workers);
	print_counts();
	printf("}\n");
	fflush(stdout);
}

/* The parent's end of sharing: it has the descriptor as long as the owner lives. */
static void have_copy(pid_t owner, int told, int done)
{
	int fd, status, pidfd = syscall(SYS_pidfd_open, owner, 0);

	if (read(told, &fd, sizeof(fd)) != sizeof(fd) ||
	    syscall(SYS_pidfd_getfd, pidfd, fd, 0) < 0 || write(done, "x", 1) != 1)
		give_up("a copy", errno);
	waitpid(owner, &status, 0);
	exit(status != 0);
}

/* Go on as a child; returns what share() needs. */
static struct sharing become_owner(void)
{
	int told[2], done[2];
	pid_t owner;

	if (pipe(told) || pipe(done))
		give_up("pipe", errno);
	owner = fork();
	if (owner < 0)
		give_up("fork", errno);
	if (owner) {
		close(told[1]);
		have_copy(owner, told[0], done[1]);
	}
	return (struct sharing){ .told = told[1], .done = done[0] };
}

static void share(const struct sharing *sharing)
{
	int fd = cancelio_fd(context);
	char byte;

	if (write(sharing->told, &fd, sizeof(fd)) != sizeof(fd) ||
	    read(sharing->done, &byte, 1) != 1)
		give_up("share", errno);
}

int main(int argc, char **argv)
{
	struct cancelio_setup setup = { .entries = 256 };
	struct sharing sharing = {};
	unsigned int count, pending, i, done, missed;
	int ret;

	if (argc < 4)
		give_up("usage: hold ENGINE CONNS PENDING [shared]", EINVAL);
	setup.engine = !strcmp(argv[1], "thread");
	count = atoi(argv[2]);
	pending = atoi(argv[3]);
	conns = calloc(count, sizeof(*conns));
	if (argc > 4)
		sharing = become_owner();
	ret = cancelio_open(&context, &setup);
	if (ret || !conns)
		give_up("open", ret ? -ret : ENOMEM);
	for (i = 0; i < count; i++)
		attach(i);
	for (i = 0; i < pending; i++)
		pend(conns[i % (count - 1)]);
	work(5, 3, conns[count - 1]);
	if (argc > 4)
		share(&sharing);
	print_all(argv);
	while (scanf("%u %u", &done, &missed) == 2) {
		work(done, missed, conns[count - 1]);
		print_all(argv);
	}
	cancelio_free(context);
	return 0;
}
