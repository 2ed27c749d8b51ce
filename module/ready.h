/* SPDX-License-Identifier: GPL-2.0 */
/* Who runs a side. */
#ifndef CIO_READY_H
#define CIO_READY_H

#include "end.h"

struct cio_op *cio_ready_op(struct cio_side *side);
bool cio_ready_by_threads(const struct cio_conn *conn);
bool cio_ready_may_run(const struct cio_conn *conn, const struct cio_op *op,
		       enum cio_pool_kind who);
void cio_ready(struct cio_conn *conn, struct cio_side *side,
	       struct cio_kick *kick);
void cio_ready_joined(struct cio_conn *conn, struct cio_side *side,
		      struct cio_kick *kick);

#endif /* CIO_READY_H */
