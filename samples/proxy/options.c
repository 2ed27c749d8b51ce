// SPDX-License-Identifier: GPL-2.0
/*
 * The command line.  What is wrong with it is said with the option's name and what it may
 * be, and ends the program with 2.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

#define ADDRESS	"ADDRESS:PORT, an IPv4 address or [an IPv6 address], and a port of 1 to 65535"

/* In the order of enum setting. */
static const struct number {
	const char *name;
	const char *unit;
	unsigned int most;
	unsigned int preset;
	const char *what;
} numbers[SETTINGS] = {
	{ "connect-timeout", "ms", 600000, 3000, "until the upstream is connected" },
	{ "first-byte-timeout", "ms", 3600000, 30000,
	  "that nothing moves before the upstream's first byte" },
	{ "idle-timeout", "ms", 86400000, 60000, "that nothing moves after it" },
	{ "lifetime", "ms", 604800000, 3600000, "from accepting to the end" },
	{ "drain-timeout", "ms", 3600000, 30000, "for what is left after SIGTERM" },
	{ "max-connections", "connections", 100000, 1000, "at a time" },
};

static void usage(FILE *to)
{
	const struct number *number;

	fputs("cio-proxy --listen ADDRESS:PORT --upstream ADDRESS:PORT [--OPTION N]...\n", to);
	for (number = numbers; number < numbers + SETTINGS; number++)
		fprintf(to, "  --%-20s %s, 1 to %u (%u): %s\n", number->name, number->unit,
			number->most, number->preset, number->what);
	fputs("An address is an IPv4 address, or an IPv6 address in brackets.\n", to);
}

/* What option number @index of the command line may be, where it is not, or has no @value. */
static void refuse(int index, const char *value)
{
	const char *name = index == SETTINGS ? "listen" : "upstream";

	if (index < SETTINGS)
		fprintf(stderr, "cio-proxy: --%s is 1 to %u %s", numbers[index].name,
			numbers[index].most, numbers[index].unit);
	else
		fprintf(stderr, "cio-proxy: --%s is %s", name, ADDRESS);
	if (value)
		fprintf(stderr, ", not '%s'\n", value);
	else
		fputs(", and it is missing\n", stderr);
	exit(2);
}

static bool parse_number(const char *text, unsigned int most, unsigned int *value)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*value = n;
	return *text >= '0' && *text <= '9' && !*end && n && n <= most;
}

static bool parse_address(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	const char *colon = strrchr(text, ':');
	char host[ADDRESS_LEN];
	size_t len = colon ? colon - text : 0;
	unsigned int port;

	if (len < 3 || len >= sizeof(host) || !parse_number(colon + 1, 65535, &port))
		return false;
	memset(address, 0, sizeof(*address));
	if (*text == '[' && colon[-1] == ']') {
		snprintf(host, sizeof(host), "%.*s", (int)len - 2, text + 1);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
	}
	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

socklen_t address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						sizeof(struct sockaddr_in);
}

void address_text(const struct sockaddr_storage *address, char text[ADDRESS_LEN])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	bool is_in6 = address->ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(address->ss_family, is_in6 ? (const void *)&in6->sin6_addr : &in->sin_addr,
		  host, sizeof(host));
	snprintf(text, ADDRESS_LEN, is_in6 ? "[%s]:%u" : "%s:%u", host,
		 ntohs(is_in6 ? in6->sin6_port : in->sin_port));
}

static void take(struct options *options, int index, const char *value)
{
	bool is_good;

	if (index < SETTINGS)
		is_good = parse_number(value, numbers[index].most, &options->set[index]);
	else
		is_good = parse_address(value, index == SETTINGS ? &options->listen :
								   &options->upstream);
	if (!is_good)
		refuse(index, value);
}

static void refuse_word(const char *word)
{
	fprintf(stderr, "cio-proxy: there is no option '%s'; there are:\n", word);
	usage(stderr);
	exit(2);
}

void options_parse(struct options *options, int argc, char **argv)
{
	struct option names[SETTINGS + 4] = { 0 };
	int i, index;

	for (i = 0; i < SETTINGS; i++) {
		names[i] = (struct option){ numbers[i].name, required_argument, NULL, 'n' };
		options->set[i] = numbers[i].preset;
	}
	names[SETTINGS] = (struct option){ "listen", required_argument, NULL, 'n' };
	names[SETTINGS + 1] = (struct option){ "upstream", required_argument, NULL, 'n' };
	names[SETTINGS + 2] = (struct option){ "help", no_argument, NULL, 'h' };
	opterr = 0;
	for (i = optind; i < argc; i = optind) {
		switch (getopt_long(argc, argv, "+:", names, &index)) {
		case 'n':
			take(options, index, optarg);
			continue;
		case 'h':
			usage(stdout);
			exit(0);
		case ':':
			/* The name is whole or a part that stands for one. */
			for (index = 0; strncmp(names[index].name, argv[i] + 2,
						strlen(argv[i] + 2)); index++)
				continue;
			refuse(index, NULL);
			continue;
		default:
			refuse_word(argv[i]);
		}
	}
	if (!options->listen.ss_family)
		refuse(SETTINGS, NULL);
	if (!options->upstream.ss_family)
		refuse(SETTINGS + 1, NULL);
}
