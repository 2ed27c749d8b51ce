/* SPDX-License-Identifier: GPL-2.0 */
/* The watch over a conn's socket. */
#ifndef CIO_WATCH_H
#define CIO_WATCH_H

struct cio_conn;

int cio_watch_start(struct cio_conn *conn);
void cio_watch_stop(struct cio_conn *conn);

#endif /* CIO_WATCH_H */
