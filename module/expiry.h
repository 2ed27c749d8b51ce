/* SPDX-License-Identifier: GPL-2.0 */
/* Ends by time and by a close. */
#ifndef CIO_EXPIRY_H
#define CIO_EXPIRY_H

#include "conn.h"

extern const struct cio_timer_actions cio_side_timer_actions;

int cio_side_set_deadlines(struct cio_conn *conn,
			   const struct cancelio_set_deadline *set);
void cio_side_close(struct cio_conn *conn);

#endif /* CIO_EXPIRY_H */
