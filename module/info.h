/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc/PID/fdinfo tells of a context. */
#ifndef CIO_INFO_H
#define CIO_INFO_H

struct cio_ctx;
struct seq_file;

void cio_info_show(struct cio_ctx *ctx, struct seq_file *to);

#endif /* CIO_INFO_H */
