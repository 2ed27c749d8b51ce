/* SPDX-License-Identifier: GPL-2.0 */
/* One non-blocking attempt of an operation on its socket. */
#ifndef CIO_IO_H
#define CIO_IO_H

#include "conn.h"

/* It made progress and is not done: try again, after a look at the rest. */
#define CIO_IO_MORE 1
/* It would wait, but the socket is no less ready: it will not report the end. */
#define CIO_IO_LATER 2

int cio_io_try(struct cio_conn *conn, struct cio_op *op);
int cio_io_check(const struct cancelio_op *req);
u64 cio_io_busy_poll_ns(const struct cio_conn *conn);
void cio_io_busy_poll(const struct cio_conn *conn);

#endif /* CIO_IO_H */
