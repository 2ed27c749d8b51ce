/* SPDX-License-Identifier: GPL-2.0 */
/* WAIT, WAIT_OP, and the wait inside CALL. */
#ifndef CIO_WAIT_H
#define CIO_WAIT_H

#include "conn.h"

int cio_wait_min(struct cio_ctx *ctx, u32 min, ktime_t time);
int cio_wait(struct cio_ctx *ctx, const struct cancelio_wait *wait);
int cio_wait_op(struct cio_ctx *ctx, const struct cancelio_wait_op *wait,
		struct cancelio_wait_op __user *out);
int cio_wait_call(struct cio_side *side, struct cio_op *op,
		  struct cio_call *call, ktime_t time);

#endif /* CIO_WAIT_H */
