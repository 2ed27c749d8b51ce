/* SPDX-License-Identifier: GPL-2.0 */
/* How an operation ends: the verdict, the completion, and who is told. */
#ifndef CIO_END_H
#define CIO_END_H

#include "conn.h"

/**
 * struct cio_kick - whom to wake once no lock is held
 * @posted: a completion was posted
 * @ended: something ended that somebody may wait for
 * @caller: a side became ready that only a thread of the owner may run, and
 *	none was there
 */
struct cio_kick {
	bool posted;
	bool ended;
	bool caller;
};

/**
 * struct cio_outcome - why an operation ends
 * @reason: an enum cancelio_reason
 * @which: an enum cancelio_which
 * @error: 0 or -errno
 * @late: ns after the deadline
 * @now: when, host time
 */
struct cio_outcome {
	u8 reason;
	u8 which;
	int error;
	s64 late;
	ktime_t now;
};

/**
 * struct cio_cancel_req - one cancel call, on its way to operations that run, or
 *	that a thread sleeps for
 * @refs: one of the call, one of each note
 * @pending: operations in the hands of a thread that have not ended yet
 * @ended: operations that it ended
 * @begun: when it came, host time
 */
struct cio_cancel_req {
	refcount_t refs;
	atomic_t pending;
	atomic_t ended;
	ktime_t begun;
};

/**
 * struct cio_cancel_note - a cancel call at such an operation
 * @next: another call that wants the same
 * @req: the call
 */
struct cio_cancel_note {
	struct cio_cancel_note *next;
	struct cio_cancel_req *req;
};

bool cio_end_verdict(const struct cio_conn *conn, const struct cio_side *side,
		     const struct cio_op *op, struct cio_outcome *out);
void cio_end_op(struct cio_conn *conn, struct cio_side *side,
		struct cio_op *op, const struct cio_outcome *out,
		struct cio_kick *kick);

int cio_cancel_note_add(struct cio_side *side, struct cio_cancel_req *req);
void cio_cancel_notes_settle(struct cio_side *side, bool canceled,
			     struct cio_kick *kick);
void cio_cancel_req_put(struct cio_cancel_req *req);

static inline void cio_kick_flush(struct cio_ctx *ctx, struct cio_kick *kick)
{
	if (kick->posted || kick->caller)
		cio_ctx_wake_completions(ctx);
	if (kick->ended)
		cio_ctx_wake_ends(ctx);
	*kick = (struct cio_kick){};
}

#endif /* CIO_END_H */
