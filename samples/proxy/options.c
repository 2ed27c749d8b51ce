// SPDX-License-Identifier: GPL-2.0
/*
 * The command line.  What is wrong with it is said with the option's name and what it may
 * be, and ends the program with 2.
 */
#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy.h"

/* Where the values of options begin in what getopt_long() returns, beyond all characters. */
#define FIRST	256
#define ADDRESS	"ADDRESS:PORT, an IPv4 address or [an IPv6 address], and a port of 1 to 65535"

/* An option without a range is an address. */
static const struct {
	const char *name;
	const char *what;
	unsigned int preset;
	unsigned int most;
	const char *unit;
} table[OPTIONS] = {
	{ "connect-timeout", "until the upstream is connected", 3000, 600000, "ms" },
	{ "first-byte-timeout", "that nothing moves before the upstream's first byte",
	  30000, 3600000, "ms" },
	{ "idle-timeout", "that nothing moves after it", 60000, 86400000, "ms" },
	{ "lifetime", "from accepting to the end", 3600000, 604800000, "ms" },
	{ "drain-timeout", "for what is left after SIGTERM", 30000, 3600000, "ms" },
	{ "max-connections", "at a time", 1000, 100000, "connections" },
	{ "listen", "where clients come in", 0, 0, NULL },
	{ "upstream", "where they are connected to", 0, 0, NULL },
};

/* What an option may be. */
static const char *allowed(int option)
{
	static char range[64];

	if (!table[option].most)
		return ADDRESS;
	snprintf(range, sizeof(range), "1 to %u %s", table[option].most, table[option].unit);
	return range;
}

static void usage(FILE *to)
{
	int i;

	fputs("cio-proxy --listen ADDRESS:PORT --upstream ADDRESS:PORT [--OPTION N]...\n", to);
	for (i = 0; i < OPTIONS; i++) {
		fprintf(to, "  --%-19s %s: %s", table[i].name, table[i].what, allowed(i));
		if (table[i].preset)
			fprintf(to, " (%u)", table[i].preset);
		fputc('\n', to);
	}
}

static void refuse(int option, const char *value)
{
	if (value)
		errx(2, "--%s is %s, not '%s'", table[option].name, allowed(option), value);
	errx(2, "--%s is %s, and it is missing", table[option].name, allowed(option));
}

static bool parse_number(const char *text, unsigned int most, unsigned int *value)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*value = n;
	return *text >= '0' && *text <= '9' && !*end && n && n <= most;
}

static bool parse_address(const char *text, struct address *address)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->socket;
	struct sockaddr_in *in = (struct sockaddr_in *)&address->socket;
	char host[INET6_ADDRSTRLEN];
	unsigned int port;
	int len = 0;

	address->text = text;
	/* The width is that of the longest address. */
	if (sscanf(text, "[%45[^]]]:%n", host, &len) == 1 && len) {
		address->len = sizeof(*in6);
		in6->sin6_family = AF_INET6;
		if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
			return false;
	} else if (sscanf(text, "%15[^:]:%n", host, &len) == 1 && len) {
		address->len = sizeof(*in);
		in->sin_family = AF_INET;
		if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
			return false;
	}
	if (!len || !parse_number(text + len, 65535, &port))
		return false;
	/* It stands at the same place in both. */
	in->sin_port = htons(port);
	return true;
}

static void take(struct proxy *proxy, int option, const char *value)
{
	bool is_good;

	if (option < NUMBERS)
		is_good = parse_number(value, table[option].most, &proxy->set[option]);
	else
		is_good = parse_address(value, option == LISTEN ? &proxy->listen :
								  &proxy->upstream);
	if (!is_good)
		refuse(option, value);
}

void options_parse(struct proxy *proxy, int argc, char **argv)
{
	struct option names[OPTIONS + 2] = { 0 };
	int i, got;

	for (i = 0; i < OPTIONS; i++)
		names[i] = (struct option){ table[i].name, required_argument, NULL, FIRST + i };
	names[OPTIONS] = (struct option){ "help", no_argument, NULL, 'h' };
	for (i = 0; i < NUMBERS; i++)
		proxy->set[i] = table[i].preset;
	opterr = 0;
	for (i = optind; i < argc; i = optind) {
		got = getopt_long(argc, argv, "+:", names, NULL);
		if (got == 'h') {
			usage(stdout);
			exit(0);
		} else if (got == ':') {
			refuse(optopt - FIRST, NULL);
		} else if (got < FIRST) {
			warnx("there is no option '%s'; there are:", argv[i]);
			usage(stderr);
			exit(2);
		}
		take(proxy, got - FIRST, optarg);
	}
	if (!proxy->listen.text)
		refuse(LISTEN, NULL);
	if (!proxy->upstream.text)
		refuse(UPSTREAM_AT, NULL);
}
