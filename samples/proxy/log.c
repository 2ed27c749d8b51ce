// SPDX-License-Identifier: GPL-2.0
/*
 * The log, on standard output: a line for each connection, when it has ended.
 */
#include <stdio.h>
#include <string.h>

#include "proxy.h"

static const char * const names[] = { "client", "upstream", "proxy" };

void log_start(const struct options *options)
{
	char listen[ADDRESS_LEN], upstream[ADDRESS_LEN];

	address_text(&options->listen, listen);
	address_text(&options->upstream, upstream);
	printf("listening on %s, upstream %s\n", listen, upstream);
	fflush(stdout);
}

/* Of a direction: what has arrived, and what the proxy still had. */
static void print_flow(const char *name, const struct flow *flow)
{
	printf(" %s=%llu", name, flow->moved);
	if (flow->start < flow->end)
		printf("+%u", flow->end - flow->start);
}

void log_pair(const struct pair *pair)
{
	printf("conn=%llu client=%s by=%s why=%s", pair->number, pair->client, names[pair->by],
	       pair->why);
	print_flow("to-upstream", &pair->flow[CLIENT]);
	print_flow("to-client", &pair->flow[UPSTREAM]);
	printf(" ms=%lld", (cancelio_now() - pair->begun) / MS);
	if (pair->late)
		printf(" awaits=%s late-us=%lld",
		       pair->awaited == PROXY ? "both" : names[pair->awaited], pair->late / 1000);
	if (pair->error)
		printf(" error=%s", strerrorname_np(-pair->error));
	putchar('\n');
}

/* One that was accepted, and not served. */
void log_limit(const struct sockaddr_storage *client)
{
	char text[ADDRESS_LEN];

	address_text(client, text);
	printf("conn=0 client=%s by=proxy why=max-connections to-upstream=0 to-client=0 ms=0\n",
	       text);
}

void log_cancel(int operations)
{
	printf("canceled: %d operations\n", operations > 0 ? operations : 0);
}

void log_drain(const struct proxy *proxy)
{
	printf("draining: %u connections, at most %u ms\n", proxy->live,
	       proxy->options.set[DRAIN_TIMEOUT]);
}

void log_summary(const struct proxy *proxy)
{
	printf("ended: %llu connections, %llu of them cut\n", proxy->accepted, proxy->cuts);
	fflush(stdout);
}
