/* SPDX-License-Identifier: GPL-2.0 */
/* Waiting operations by their cookie, for the cancel by cookie. */
#ifndef CIO_COOKIE_H
#define CIO_COOKIE_H

#include "op.h"

struct cio_cookies;

struct cio_cookies *cio_cookies_create(u32 entries);
void cio_cookies_free(struct cio_cookies *cookies);
void cio_cookie_add(struct cio_cookies *cookies, struct cio_op *op);
void cio_cookie_remove(struct cio_cookies *cookies, struct cio_op *op);
u64 cio_cookie_find(struct cio_cookies *cookies, u64 cookie, bool cancelled);

#endif /* CIO_COOKIE_H */
