/* SPDX-License-Identifier: GPL-2.0 */
/* What the two engines have in common: how a blocked operation learns. */
#ifndef CIO_ENGINE_H
#define CIO_ENGINE_H

struct cio_conn;

/**
 * struct cio_engine - a way to wait for a socket
 * @attach: start to watch the conn's socket; may sleep.  -EEXIST when the
 *	context watches that socket already
 * @detach: stop; once it has returned nothing more is reported; may sleep
 *
 * While a conn is attached the engine reports every event on its socket by
 * cio_side_event(), which never sleeps.
 */
struct cio_engine {
	int (*attach)(struct cio_conn *conn);
	void (*detach)(struct cio_conn *conn);
};

extern const struct cio_engine cio_engine_poll;

#endif /* CIO_ENGINE_H */
