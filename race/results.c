// SPDX-License-Identifier: GPL-2.0
/*
 * Operations and how they ended.  The ring is mapped, and looking at it enters
 * the kernel nowhere: what a script sees there, the kernel did on its own.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "script.h"

#define ENTRIES 64
/* Bytes are told apart by their value, so there are no more of them. */
#define MAX_SENT 255

int context, sock, peer;
__u64 conn;

static struct cancelio_ring *ring;
static struct result results[MAX_RESULTS];
/* Only ever grows, and is stored after what it counts. */
static int result_count;
static struct cancelio_completion stray;
static int strays;
static size_t sent;
/* No mutex: its waiters sleep in the kernel. */
static pthread_spinlock_t lock;

static int count(void)
{
	return __atomic_load_n(&result_count, __ATOMIC_ACQUIRE);
}

void results_open(__u32 workers, __u64 processors)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = engine, .entries = ENTRIES,
		.max_workers = workers,
		.cpus = (unsigned long)&processors, .cpus_size = sizeof(processors),
	};
	int ends[2], ret;

	pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
	context = cio_open();
	ret = context < 0 ? context : cio_setup(context, &setup);
	if (ret)
		fail("no context: %s", strerror(-ret));
	ring = cio_map(context, ENTRIES);
	if (!ring || tcp_pair(AF_INET, ends))
		fail("no ring, or no connection");
	sock = ends[0];
	peer = ends[1];
	if (cio_attach(context, sock, &conn))
		fail("the socket cannot be attached");
}

struct result *result_find(const char *name)
{
	int i;

	for (i = 0; i < count(); i++)
		if (!strcmp(results[i].name, name))
			return &results[i];
	fail("no operation is called \"%s\"", name);
}

struct result *result_new(const char *name)
{
	struct result *result;

	pthread_spin_lock(&lock);
	if (result_count == MAX_RESULTS)
		fail("too many operations");
	result = &results[result_count];
	snprintf(result->name, sizeof(result->name), "%s", name);
	memset(result->buffer, POISON, sizeof(result->buffer));
	__atomic_store_n(&result_count, result_count + 1, __ATOMIC_RELEASE);
	pthread_spin_unlock(&lock);
	return result;
}

static struct result *result_of(const struct cancelio_completion *end)
{
	int i;

	for (i = 0; i < count(); i++)
		if (results[i].id == end->id)
			return &results[i];
	return NULL;
}

void results_collect(void)
{
	struct cancelio_completion end;
	struct result *result;

	pthread_spin_lock(&lock);
	while (ring_pop(ring, &end)) {
		result = result_of(&end);
		if (!result) {
			stray = end;
			strays++;
			continue;
		}
		result->end = end;
		result->completions++;
	}
	pthread_spin_unlock(&lock);
}

void result_ended_by_call(struct result *result, const struct cancelio_completion *end)
{
	pthread_spin_lock(&lock);
	result->end = *end;
	result->completions++;
	pthread_spin_unlock(&lock);
}

bool result_ended(struct result *result)
{
	bool ended;

	results_collect();
	pthread_spin_lock(&lock);
	ended = result->completions;
	pthread_spin_unlock(&lock);
	return ended;
}

void result_await(struct result *result)
{
	__s64 end = after(PATIENCE);

	while (!result_ended(result)) {
		if (now() > end)
			fail("%s did not end", result->name);
		usleep(200);
	}
}

void peer_send(size_t len)
{
	unsigned char bytes[MAX_SENT];

	if (sent + len > MAX_SENT)
		fail("more than %d bytes in one script", MAX_SENT);
	pattern_fill(bytes, len, sent);
	sent += len;
	if (send(peer, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("the peer cannot send");
}

/* Add up which bytes of the stream the operation received. */
static size_t mark_received(const struct result *result, bool *seen)
{
	size_t place = result->buffer[0], i;

	if (result->opcode != CANCELIO_OP_RECV || !result->completions || !result->end.bytes)
		return 0;
	if (!pattern_holds(result->buffer, result->end.bytes, place) ||
	    place + result->end.bytes > sent)
		fail("%s got bytes that were not sent", result->name);
	for (i = place; i < place + result->end.bytes; i++) {
		if (seen[i])
			fail("%s got byte %zu for the second time", result->name, i);
		seen[i] = true;
	}
	return result->end.bytes;
}

static size_t received(void)
{
	bool seen[MAX_SENT + 1] = {};
	size_t total = 0;
	int i;

	for (i = 0; i < count(); i++)
		total += mark_received(&results[i], seen);
	return total;
}

static void cancel_pending(void)
{
	int i;

	for (i = 0; i < count(); i++) {
		struct result *result = &results[i];

		if (!result->id || result_ended(result))
			continue;
		if (cio_cancel(context, CANCELIO_CANCEL_ID, result->id, 0) != 1)
			fail("%s pends, and cannot be canceled", result->name);
		result_await(result);
	}
}

static void check_read(void)
{
	while (received() < sent) {
		struct result *fresh = result_new("a new read");
		struct cancelio_op op = op_recv(conn, fresh->buffer, sent - received());

		fresh->opcode = op.opcode;
		if (cio_submit(context, &op, 1, &fresh->id, NULL) != 1)
			fail("no new read is taken");
		result_await(fresh);
		if (fresh->end.reason != CANCELIO_DONE || !fresh->end.bytes)
			fail("a new read ended with %u and %u bytes", fresh->end.reason,
			     fresh->end.bytes);
	}
}

static void check_write(void)
{
	struct result *fresh = result_new("a new write");
	struct cancelio_op op = op_send(conn, fresh->buffer, 16);

	pattern_fill(fresh->buffer, 16, 0);
	fresh->opcode = op.opcode;
	if (cio_submit(context, &op, 1, &fresh->id, NULL) != 1)
		fail("no new write is taken");
	result_await(fresh);
	if (fresh->end.reason != CANCELIO_DONE || fresh->end.bytes != 16)
		fail("a new write ended with %u and %u bytes", fresh->end.reason,
		     fresh->end.bytes);
	if (pattern_read(peer, 16, 0) != 16)
		fail("the peer did not get what was written");
}

void results_check_usable(void)
{
	cancel_pending();
	if (cio_deadline(context, conn, CANCELIO_READ | CANCELIO_WRITE, CANCELIO_NEVER,
			 CANCELIO_NEVER))
		fail("the deadlines cannot be cleared");
	peer_send(16);
	check_read();
	check_write();
	if (cio_detach(context, conn))
		fail("the connection cannot be detached");
}

void results_check_count(void)
{
	int i;

	results_collect();
	if (strays)
		fail("%d completions of unknown operations, the last of %llx with reason %u",
		     strays, stray.id, stray.reason);
	for (i = 0; i < count(); i++)
		if (results[i].completions > 1)
			fail("%s has %d completions", results[i].name, results[i].completions);
}
