// SPDX-License-Identifier: GPL-2.0
/*
 * cio-proxy: a TCP proxy whose every wait has a deadline, and whose every connection ends
 * with a line that says why.  Exits with 0 after SIGTERM or SIGINT, with 2 after an error of
 * usage, and with 1 when it cannot begin or go on.
 */
#include <stdio.h>

#include "proxy.h"

int main(int argc, char **argv)
{
	static struct proxy proxy;

	setlinebuf(stdout);
	options_parse(&proxy, argc, argv);
	ring_open(&proxy);
	pairs_open(&proxy);
	signals_open(&proxy);
	listener_open(&proxy);
	printf("listening on %s, upstream %s\n", proxy.listen.text, proxy.upstream.text);
	while (!proxy.draining || proxy.live)
		ring_turn(&proxy);
	printf("ended: %llu connections\n", proxy.accepted);
	cancelio_free(proxy.context);
	return 0;
}
