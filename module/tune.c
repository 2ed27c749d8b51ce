// SPDX-License-Identifier: GPL-2.0
/*
 * The scheduling of a context's threads.  A kernel thread has no limits of its own: so
 * whatever a program asks for is what the calling thread could have given to a thread of
 * its own (C52).  What it does not ask for is as with such a thread, too: its nice value,
 * and SCHED_IDLE.
 */
#include "tune.h"

#include "memory.h"

#include <linux/sched/prio.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/sched/types.h>

#define TUNE_FLAGS (CANCELIO_SETUP_POLICY | CANCELIO_SETUP_HARD_EXPIRY)

static bool tune_is_realtime(const struct cancelio_setup *setup)
{
	return setup->policy == SCHED_FIFO || setup->policy == SCHED_RR;
}

static bool tune_policy_is_valid(const struct cancelio_setup *setup)
{
	if (!(setup->flags & CANCELIO_SETUP_POLICY))
		return !setup->policy && !setup->priority && !setup->nice &&
		       !(setup->flags & CANCELIO_SETUP_HARD_EXPIRY);
	switch (setup->policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return setup->priority && setup->priority < MAX_RT_PRIO &&
		       !setup->nice;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return !setup->priority && setup->nice >= MIN_NICE &&
		       setup->nice <= MAX_NICE &&
		       !(setup->flags & CANCELIO_SETUP_HARD_EXPIRY);
	default:
		return false;
	}
}

/* Whether the values are valid, whoever asks. */
int cio_tune_check(const struct cancelio_setup *setup)
{
	if (setup->flags & ~TUNE_FLAGS || setup->reserved2 ||
	    setup->spin > CANCELIO_MAX_SPIN || !tune_policy_is_valid(setup))
		return -EINVAL;
	if (setup->cpus_size > CANCELIO_MAX_CPUS_SIZE ||
	    setup->cpus_size % sizeof(u64) || !setup->cpus != !setup->cpus_size)
		return -EINVAL;
	return 0;
}

/* The nice value of a thread that the calling thread makes. */
static int tune_own_nice(void)
{
	int nice = task_nice(current);

	return current->sched_reset_on_fork ? max(nice, 0) : nice;
}

/*
 * As sched_setattr(2) decides for the calling thread and its like.  How long a thread
 * may run without a sleep, RLIMIT_RTTIME, the kernel does not look at for ours: who has
 * that limit has to have no need of it.
 */
static bool tune_may(const struct cancelio_setup *setup)
{
	if (tune_is_realtime(setup)) {
		bool has = current->policy == setup->policy &&
			   current->rt_priority >= setup->priority &&
			   !current->sched_reset_on_fork;

		has |= setup->priority <= rlimit(RLIMIT_RTPRIO);
		has &= rlimit_max(RLIMIT_RTTIME) == RLIM_INFINITY;
		return has || capable(CAP_SYS_NICE);
	}
	if ((setup->nice < tune_own_nice() ||
	     (current->policy == SCHED_IDLE && setup->policy != SCHED_IDLE)) &&
	    !can_nice(current, setup->nice))
		return false;
	return true;
}

/* The program's mask, of which the caller has to have at least one processor. */
static int tune_read_cpus(struct cpumask *cpus,
			  const struct cancelio_setup *setup)
{
	const u64 __user *from = u64_to_user_ptr(setup->cpus);
	unsigned int bits = min(nr_cpu_ids, setup->cpus_size * BITS_PER_BYTE);
	unsigned int cpu;
	u64 word = 0;

	for (cpu = 0; cpu < bits; cpu++) {
		if (cpu % 64 == 0 && get_user(word, from + cpu / 64))
			return -EFAULT;
		if (word >> cpu % 64 & 1)
			cpumask_set_cpu(cpu, cpus);
	}
	return cpumask_and(cpus, cpus, current->cpus_ptr) ? 0 : -EINVAL;
}

static struct cpumask *tune_cpus(const struct cancelio_setup *setup)
{
	struct cpumask *cpus;
	int ret;

	if (!setup->cpus)
		return NULL;
	cpus = kzalloc(cpumask_size(), CIO_GFP);
	if (!cpus)
		return ERR_PTR(-ENOMEM);
	ret = tune_read_cpus(cpus, setup);
	if (ret) {
		kfree(cpus);
		return ERR_PTR(ret);
	}
	return cpus;
}

/* By what was checked; reads the program's memory, so without a lock. */
int cio_tune_init(struct cio_tune *tune, const struct cancelio_setup *setup)
{
	bool is_set = setup->flags & CANCELIO_SETUP_POLICY;
	struct cpumask *cpus;

	if (is_set && !tune_may(setup))
		return -EPERM;
	cpus = tune_cpus(setup);
	if (IS_ERR(cpus))
		return PTR_ERR(cpus);
	*tune = (struct cio_tune){
		.cpus = cpus,
		.policy = is_set ? setup->policy : current->policy,
		.priority = setup->priority,
		.nice = is_set ? setup->nice : tune_own_nice(),
		.spin = setup->spin,
		.is_set = is_set,
		.hard_expiry = setup->flags & CANCELIO_SETUP_HARD_EXPIRY,
	};
	return 0;
}

void cio_tune_free(struct cio_tune *tune)
{
	kfree(tune->cpus);
	tune->cpus = NULL;
}

/* Schedule a thread of ours as asked for, or with @policy. */
void cio_tune_schedule(const struct cio_tune *tune, struct task_struct *task,
		       u32 policy)
{
	struct sched_attr attr = {
		.sched_policy = policy,
		.sched_priority = tune->priority,
	};

	if (tune->is_set || tune->policy == SCHED_IDLE)
		attr.sched_policy = tune->policy;
	/* No thread of the kernel is refused this. */
	sched_setattr_nocheck(task, &attr);
	/* Which that call does not set for SCHED_IDLE. */
	set_user_nice(task, tune->nice);
}

/*
 * Put a worker, which is not started yet and is in the control groups of the current
 * thread, on its processors, as far as these have not lost them since: by its own mask
 * now, or by that of the current thread, for the kernel keeps new threads of its own away
 * from processors that are isolated.
 */
void cio_tune_place(const struct cio_tune *tune, struct task_struct *task)
{
	cpumask_var_t some;

	if (!tune->cpus || !alloc_cpumask_var(&some, CIO_GFP))
		return;
	cpumask_or(some, task->cpus_ptr, current->cpus_ptr);
	if (cpumask_and(some, some, tune->cpus))
		set_cpus_allowed_ptr(task, some);
	free_cpumask_var(some);
}
