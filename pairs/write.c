// SPDX-License-Identifier: GPL-2.0
/*
 * The bytes of writes: each operation's are its chunk's, from the chunk's begin on, and
 * arrive in the order in which operations moved them.
 */
#include <string.h>
#include <sys/socket.h>

#include "pairs.h"

/* The operation has moved so many bytes; its chunk was changed behind these. */
void write_account(int which, size_t moved)
{
	size_t changed = CHUNK - moved < BUFFER ? CHUNK - moved : BUFFER;
	struct segment *segment;

	bytes_fill(stage->chunks[which] + moved, changed, which * CHUNK + moved);
	if (!moved)
		return;
	if (stage->end_segment - stage->first_segment == SEGMENTS)
		violation("writes go on without end");
	segment = &stage->segments[stage->end_segment++ % SEGMENTS];
	*segment = (struct segment){ .which = which, .len = moved };
	stage->outstanding += moved;
}

/* Compares what has been drained with what was written. */
void write_compare(void)
{
	size_t place = 0;

	while (place < stage->drained) {
		struct segment *segment = &stage->segments[stage->first_segment % SEGMENTS];
		size_t len = stage->drained - place;

		if (stage->first_segment == stage->end_segment)
			violation("%zu bytes more than the counted ones arrive", len);
		if (len > segment->len - segment->offset)
			len = segment->len - segment->offset;
		if (memcmp(stage->drain + place, stage->chunks[segment->which] + segment->offset,
			   len))
			violation("other bytes than were written arrive");
		place += len;
		segment->offset += len;
		if (segment->offset == segment->len)
			stage->first_segment++;
	}
	stage->outstanding -= place;
	stage->drained = 0;
}

/* All that was written arrives, and no more. */
void write_drain_all(void)
{
	__u8 more;

	while (stage->outstanding) {
		drain_some(stage->outstanding, 0);
		if (!stage->drained)
			violation("%zu bytes are lost", stage->outstanding);
		write_compare();
	}
	if (recv(stage->peer, &more, 1, MSG_DONTWAIT) > 0)
		violation("more than the counted bytes arrive");
}
