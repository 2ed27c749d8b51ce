// SPDX-License-Identifier: GPL-2.0
/*
 * What went into a socket comes out of its peer: no byte is lost, doubled or moved,
 * and no packet but of UDP.  Buffers of ended operations are not written any more.
 *
 * Moves of bytes are in order when they are of one connection, by the times at which
 * they ended, or when one had ended before the other began.  Where it is not known the
 * bytes are only counted.
 */
#include "model.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void note_send(int sock, struct event event)
{
	struct direction *direction = &model.directions[sock ^ 1];

	direction->sends[direction->nr_sends++] = event;
}

void note_recv(int sock, struct event event)
{
	struct direction *direction = &model.directions[sock];

	direction->recvs[direction->nr_recvs++] = event;
}

void note_broken(int sock)
{
	model.directions[sock].broken = true;
	model.directions[sock ^ 1].broken = true;
}

static int compare_events(const void *a, const void *b)
{
	const struct event *one = a, *other = b;

	return one->to < other->to ? -1 : one->to > other->to;
}

static bool in_order(struct event *events, int count)
{
	int i, j;

	qsort(events, count, sizeof(*events), compare_events);
	for (i = 0; i < count; i++)
		for (j = i + 1; j < count; j++)
			if ((events[i].conn != events[j].conn || events[i].conn < 0) &&
			    events[i].to >= events[j].from)
				return false;
	return true;
}

static __u64 sum(const struct event *events, int count)
{
	__u64 bytes = 0;

	while (count--)
		bytes += events[count].bytes;
	return bytes;
}

static void check_bytes(int sock, const struct direction *direction)
{
	int send = 0, recv;
	__u32 at = 0, i;

	for (recv = 0; recv < direction->nr_recvs; recv++) {
		const struct event *event = &direction->recvs[recv];

		for (i = 0; i < event->bytes; i++, at++) {
			while (send < direction->nr_sends && at == direction->sends[send].bytes) {
				send++;
				at = 0;
			}
			if (send == direction->nr_sends)
				broken("socket %d: byte %u of step %d was not sent", sock, i,
				       event->step);
			if (event->data &&
			    event->data[i] != content(direction->sends[send].step, at))
				broken("socket %d: byte %u of step %d is not byte %u of step %d",
				       sock, i, event->step, at, direction->sends[send].step);
		}
	}
}

static bool packet_is(const struct event *recv, const struct event *send)
{
	__u32 i, there = recv->bytes < recv->room ? recv->bytes : recv->room;

	if (there > send->bytes || (!recv->truncated && recv->bytes != send->bytes) ||
	    (recv->truncated && send->bytes <= recv->room))
		return false;
	for (i = 0; recv->data && i < there; i++)
		if (recv->data[i] != content(send->step, i))
			return false;
	return true;
}

/* Of UDP some may be missing. */
static void check_packets(int sock, const struct direction *direction, bool may_miss)
{
	int send = 0, recv;

	for (recv = 0; recv < direction->nr_recvs; recv++) {
		const struct event *event = &direction->recvs[recv];

		/* Nothing is also how a shut socket reads. */
		if (!event->bytes && direction->broken)
			continue;
		while (may_miss && send < direction->nr_sends &&
		       !packet_is(event, &direction->sends[send]))
			send++;
		if (send == direction->nr_sends || !packet_is(event, &direction->sends[send]))
			broken("socket %d: what step %d received is not what was sent", sock,
			       event->step);
		send++;
	}
	if (!may_miss && send < direction->nr_sends)
		broken("socket %d: the packet of step %d is lost", sock,
		       direction->sends[send].step);
}

/* What is still there, by ordinary calls; a stream gives all of what was sent. */
static void drain(int sock, struct direction *direction)
{
	bool stream = is_stream(model.socks[sock].type);
	struct pollfd poll_fd = { .fd = model.socks[sock].fd, .events = POLLIN };
	static __u8 buffer[MAX_LEN];
	__s64 end = now() + PATIENCE;
	ssize_t got;

	while (direction->nr_recvs < MAX_STEPS + 7) {
		bool more = stream && !direction->broken &&
			    sum(direction->recvs, direction->nr_recvs) <
			    sum(direction->sends, direction->nr_sends);
		struct event event = { .from = now(), .conn = -1, .step = MAX_STEPS,
				       .room = sizeof(buffer) };

		if (more)
			poll(&poll_fd, 1, PATIENCE / MS);
		got = recv(poll_fd.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (got < 0 || (!got && stream)) {
			if (more && now() < end)
				continue;
			break;
		}
		event.bytes = got;
		event.data = malloc(got + 1);
		memcpy(event.data, buffer, got);
		event.to = now();
		/* A stream's pieces are one, however many. */
		if (stream && direction->nr_recvs &&
		    direction->recvs[direction->nr_recvs - 1].step == MAX_STEPS) {
			struct event *last = &direction->recvs[direction->nr_recvs - 1];

			last->data = realloc(last->data, last->bytes + got + 1);
			memcpy(last->data + last->bytes, buffer, got);
			last->bytes += got;
			last->to = event.to;
			free(event.data);
			continue;
		}
		direction->recvs[direction->nr_recvs++] = event;
	}
}

static void check_direction(int sock)
{
	struct direction *direction = &model.directions[sock];
	bool stream = is_stream(model.socks[sock].type);
	__u64 sent, received;
	bool ordered;

	if (direction->unknown)
		return;
	if (model.socks[sock].fd >= 0)
		drain(sock, direction);
	else
		direction->broken = true;
	sent = sum(direction->sends, direction->nr_sends);
	received = sum(direction->recvs, direction->nr_recvs);
	if (stream && (received > sent || (received < sent && !direction->broken)))
		broken("socket %d: %llu bytes were sent to it, %llu received", sock,
		       (unsigned long long)sent, (unsigned long long)received);
	ordered = in_order(direction->sends, direction->nr_sends) &&
		  in_order(direction->recvs, direction->nr_recvs);
	if (!ordered || direction->loose)
		return;
	if (stream)
		check_bytes(sock, direction);
	else if (direction->nr_recvs < MAX_STEPS + 7)
		check_packets(sock, direction, direction->broken ||
			      direction->gaps || !is_unix(model.socks[sock].type));
}

void check_streams(void)
{
	int i;

	for (i = 0; i < SOCKS; i++)
		if (model.socks[i].there)
			check_direction(i);
}

void check_canaries(void)
{
	__u32 i;
	int step;

	for (step = 0; step < MAX_STEPS; step++) {
		const struct op *op = &model.ops[step];

		for (i = 0; op->canary && !op->tricked && i < op->reach; i++)
			if (op->buffer[i] != CANARY)
				broken("op %d: byte %u is written after its end", step, i);
	}
}
