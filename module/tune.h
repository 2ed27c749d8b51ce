/* SPDX-License-Identifier: GPL-2.0 */
/* How the threads of a context are scheduled, as SETUP asks for. */
#ifndef CIO_TUNE_H
#define CIO_TUNE_H

#include <linux/cancelio.h>
#include <linux/cpumask.h>
#include <linux/sched.h>

/**
 * struct cio_tune - the scheduling of a context's threads; constant from SETUP on
 * @cpus: the processors for workers, or NULL for where the kernel puts its threads
 * @policy: the workers' policy
 * @priority: their real-time priority
 * @nice: their nice value
 * @spin: ns for which a thread of the program spins before it sleeps
 * @is_set: the program has chosen the policy
 * @hard_expiry: deadlines are kept by a thread of that policy (PREEMPT_RT)
 */
struct cio_tune {
	struct cpumask *cpus;
	u32 policy;
	u32 priority;
	s32 nice;
	u32 spin;
	bool is_set;
	bool hard_expiry;
};

int cio_tune_check(const struct cancelio_setup *setup);
int cio_tune_init(struct cio_tune *tune, const struct cancelio_setup *setup);
void cio_tune_free(struct cio_tune *tune);
void cio_tune_schedule(const struct cio_tune *tune, struct task_struct *task,
		       u32 policy);
void cio_tune_place(const struct cio_tune *tune, struct task_struct *task);

#endif /* CIO_TUNE_H */
