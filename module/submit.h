/* SPDX-License-Identifier: GPL-2.0 */
/* SUBMIT and CALL. */
#ifndef CIO_SUBMIT_H
#define CIO_SUBMIT_H

#include "ctx.h"

u32 cio_submit_op_flags(void);
int cio_submit_restrict(struct cio_ctx *ctx,
			const struct cancelio_restrict *keep);
int cio_submit(struct cio_ctx *ctx, struct cancelio_submit *submit,
	       struct cancelio_submit __user *out);
int cio_call(struct cio_ctx *ctx, struct cancelio_call *call,
	     struct cancelio_call __user *out);

#endif /* CIO_SUBMIT_H */
