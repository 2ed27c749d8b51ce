// SPDX-License-Identifier: GPL-2.0
/*
 * A TCP echo server with deadlines and cancel: a thread per connection in blocking
 * style, all in one context.  It prints a timeline, and at the end a summary.
 *
 * It exits with 0 after the command quit, when all that cancelio promises was kept.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo.h"

struct options {
	struct in_addr address;
	unsigned short port;
	unsigned short control_port;
	unsigned int read_ms;
	unsigned int write_ms;
};

static void usage(FILE *to)
{
	fputs("echo [--address IPV4] [--port N] [--control-port N]\n"
	      "     [--read-deadline MS] [--write-deadline MS]\n"
	      "defaults: 127.0.0.1, 7007, 7008, 300 ms, 1000 ms\n", to);
}

static unsigned int number(const char *text, unsigned int most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > most) {
		fprintf(stderr, "echo: %s is not in the range 1 to %u\n", text,
			most);
		exit(2);
	}
	return n;
}

static void take_option(struct options *options, int name)
{
	switch (name) {
	case 'a':
		if (inet_pton(AF_INET, optarg, &options->address) == 1)
			return;
		fprintf(stderr, "echo: %s is not an IPv4 address\n", optarg);
		exit(2);
	case 'p':
		options->port = number(optarg, 65535);
		return;
	case 'c':
		options->control_port = number(optarg, 65535);
		return;
	case 'r':
		options->read_ms = number(optarg, 3600000);
		return;
	case 'w':
		options->write_ms = number(optarg, 3600000);
		return;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "port", required_argument, NULL, 'p' },
		{ "control-port", required_argument, NULL, 'c' },
		{ "read-deadline", required_argument, NULL, 'r' },
		{ "write-deadline", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int name;

	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
		take_option(options, name);
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(error));
	exit(1);
}

static struct cancelio_conn *listen_on(struct cancelio *context,
				       struct in_addr address,
				       unsigned short port)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = address,
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct cancelio_conn *listener;
	int one = 1;
	int error;

	if (fd < 0)
		fail("socket", errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		fail("bind", errno);
	if (listen(fd, SOMAXCONN) < 0)
		fail("listen", errno);
	error = cancelio_attach(context, fd, &listener);
	if (error)
		fail("attach", -error);
	return listener;
}

static void open_server(struct server *server, const struct options *options)
{
	int error = cancelio_open(&server->context, NULL);

	if (error)
		fail(CANCELIO_DEVICE, -error);
	server->read_ms = options->read_ms;
	server->write_ms = options->write_ms;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->gone, NULL);
	server->listener = listen_on(server->context, options->address,
				     options->port);
	server->control = listen_on(server->context, options->address,
				    options->control_port);
}

/* Until quit closes the listener. */
static void accept_clients(struct server *server,
			   struct cancelio_conn *listener)
{
	struct cancelio_completion how;
	struct cancelio_conn *conn;
	struct sockaddr_in peer;
	socklen_t peer_len;

	for (;;) {
		peer_len = sizeof(peer);
		if (cancelio_accept(listener, &conn, (struct sockaddr *)&peer,
				    &peer_len, &how))
			break;
		client_start(server, conn, &peer);
	}
	if (how.reason != CANCELIO_CLOSED)
		fail("accept", -how.error);
}

static int run(struct server *server)
{
	/* Quit may close it just before the next accept begins. */
	struct cancelio_conn *listener = cancelio_ref(server->listener);
	pthread_t control;
	int error = pthread_create(&control, NULL, control_main, server);

	if (error)
		fail("pthread_create", error);
	accept_clients(server, listener);
	cancelio_unref(listener);
	client_end_all(server);
	pthread_join(control, NULL);
	cancelio_close(server->control);
	cancelio_free(server->context);
	return timeline_summary(server);
}

int main(int argc, char **argv)
{
	struct options options = {
		.address.s_addr = htonl(INADDR_LOOPBACK),
		.port = 7007,
		.control_port = 7008,
		.read_ms = 300,
		.write_ms = 1000,
	};
	static struct server server;

	setlinebuf(stdout);
	parse(&options, argc, argv);
	open_server(&server, &options);
	timeline_begin(&server);
	printf("listening on port %u, commands on port %u\n", options.port,
	       options.control_port);
	return run(&server);
}
