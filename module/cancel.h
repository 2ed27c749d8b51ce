/* SPDX-License-Identifier: GPL-2.0 */
/* CANCEL. */
#ifndef CIO_CANCEL_H
#define CIO_CANCEL_H

#include "ctx.h"

int cio_cancel(struct cio_ctx *ctx, const struct cancelio_cancel *cancel);

#endif /* CIO_CANCEL_H */
