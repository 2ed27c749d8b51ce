/* SPDX-License-Identifier: GPL-2.0 */
/* The worker threads of a context. */
#ifndef CIO_WORKER_H
#define CIO_WORKER_H

#include "end.h"

#define CIO_WORKERS_MAX		1024

/**
 * struct cio_workers - the threads that a context has from SETUP on
 * @first: the first worker
 * @timer: keeps deadlines, or NULL
 */
struct cio_workers {
	struct task_struct *first;
	struct task_struct *timer;
};

int cio_workers_create(struct cio_ctx *ctx, struct cio_workers *workers);
void cio_workers_start(struct cio_ctx *ctx, const struct cio_workers *workers);
int cio_worker_spawn(struct cio_ctx *ctx);
void cio_workers_kill(struct cio_ctx *ctx);
enum hrtimer_restart cio_worker_reminder(struct hrtimer *timer);
bool cio_worker_enter(struct cio_ctx *ctx);
void cio_worker_leave(struct cio_ctx *ctx);
int cio_run_ready(struct cio_ctx *ctx, enum cio_pool_kind who, int budget,
		  struct cio_kick *kick);

#endif /* CIO_WORKER_H */
