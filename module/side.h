/* SPDX-License-Identifier: GPL-2.0 */
/* The side: starts, runs, queues, cancels and ends operations. */
#ifndef CIO_SIDE_H
#define CIO_SIDE_H

#include "end.h"

/* Operations ended under one hold of the lock, or by one timer. */
#define CIO_SWEEP 16

int cio_side_start(struct cio_conn *conn, struct cio_op *op,
		   struct cio_kick *kick);
void cio_side_run(struct cio_side *side, enum cio_pool_kind who, int *budget,
		  struct cio_kick *kick);
u64 cio_side_run_kept(struct cio_side *side, int *budget,
		      struct cio_kick *kick);
void cio_side_pass_on(struct cio_side *side);
void cio_side_event(struct cio_conn *conn, __poll_t events);
int cio_side_cancel(struct cio_conn *conn, struct cio_side *side,
		    struct cio_cancel_req *req);
int cio_side_cancel_op(struct cio_conn *conn, struct cio_op *op, u64 gen,
		       struct cio_cancel_req *req, struct cio_kick *kick);
u64 cio_side_ending(struct cio_conn *conn, struct cio_side *side);

void cio_side_end_won(struct cio_conn *conn, struct cio_side *side,
		      struct cio_op *op, const struct cio_outcome *out,
		      struct cio_kick *kick);
void cio_side_try_again(struct cio_conn *conn, struct cio_side *side,
			struct cio_kick *kick);

/* The earlier of the side's deadline and its next try. */
static inline ktime_t cio_side_timer_expires(const struct cio_side *side)
{
	return min(side->deadline, side->retry);
}

#endif /* CIO_SIDE_H */
