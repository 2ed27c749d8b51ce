// SPDX-License-Identifier: GPL-2.0
/*
 * A module with one bug of each kind, to show that the debug kernels report it.
 * Loading it with bug=NAME does the harm; detectors/check has the names and what
 * is to be reported.  Never load it on a machine that you want to keep.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *bug = "";
module_param(bug, charp, 0);
MODULE_PARM_DESC(bug, "what to do wrong");

#define SIZE 40

static noinline void broken_use_after_free(void)
{
	char *memory = kmalloc(SIZE, GFP_KERNEL);

	kfree(memory);
	WRITE_ONCE(memory[1], 1);
}

static noinline void broken_out_of_bounds(void)
{
	char *memory = kmalloc(SIZE, GFP_KERNEL);

	WRITE_ONCE(memory[SIZE], 1);
	kfree(memory);
}

static noinline void broken_double_free(void)
{
	char *memory = kmalloc(SIZE, GFP_KERNEL);

	kfree(memory);
	kfree(memory);
}

static enum hrtimer_restart broken_timer_fire(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static noinline void broken_active_timer(void)
{
	struct hrtimer *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = broken_timer_fire;
	hrtimer_start(timer, ms_to_ktime(60 * MSEC_PER_SEC), HRTIMER_MODE_REL);
	kfree(timer);
}

static int broken_bits = 40;

static noinline void broken_shift(void)
{
	pr_info("shifted: %d\n", 1 << READ_ONCE(broken_bits));
}

static noinline void broken_leak(void)
{
	char *memory = kmalloc(SIZE, GFP_KERNEL);

	/* Nothing points to it any more, here or on the stack. */
	memory[0] = 1;
	OPTIMIZER_HIDE_VAR(memory);
	memory = NULL;
	OPTIMIZER_HIDE_VAR(memory);
}

static noinline void broken_list(void)
{
	LIST_HEAD(list);
	LIST_HEAD(entry);

	list_add(&entry, &list);
	list_del(&entry);
	list_del(&entry);
}

static DEFINE_SPINLOCK(broken_lock);
static DEFINE_MUTEX(broken_first);
static DEFINE_MUTEX(broken_second);

static noinline void broken_lock_order(void)
{
	mutex_lock(&broken_first);
	mutex_lock(&broken_second);
	mutex_unlock(&broken_second);
	mutex_unlock(&broken_first);

	mutex_lock(&broken_second);
	mutex_lock(&broken_first);
	mutex_unlock(&broken_first);
	mutex_unlock(&broken_second);
}

static noinline void broken_atomic_sleep(void)
{
	spin_lock(&broken_lock);
	msleep(20);
	spin_unlock(&broken_lock);
}

static noinline void broken_irq_lock(void)
{
	unsigned long flags;

	/* As in an interrupt, and then with interrupts on. */
	local_irq_save(flags);
	lockdep_hardirq_enter();
	spin_lock(&broken_lock);
	spin_unlock(&broken_lock);
	lockdep_hardirq_exit();
	local_irq_restore(flags);

	spin_lock(&broken_lock);
	spin_unlock(&broken_lock);
}

static noinline void broken_refcount(void)
{
	refcount_t refs = REFCOUNT_INIT(0);

	refcount_inc(&refs);
}

static noinline void broken_rcu(void)
{
	/* Sleeping inside of a critical section. */
	rcu_read_lock();
	msleep(20);
	rcu_read_unlock();
}

static int broken_shared[2];

/* Whoever does it alone races with a thread that does it too. */
static int broken_racer(void *data)
{
	while (!kthread_should_stop()) {
		broken_shared[0]++;
		cond_resched();
	}
	return 0;
}

static noinline void broken_data_race(void)
{
	struct task_struct *other = kthread_run(broken_racer, NULL, "racer");
	unsigned long end = jiffies + 5 * HZ;

	while (time_before(jiffies, end)) {
		broken_shared[0]++;
		cond_resched();
	}
	kthread_stop(other);
}

/*
 * A message whose flag is set without a barrier: only reordering shows it.  KCSAN
 * delays some write of a function past what it does later: hence many of them, and
 * something later, while the receiver is about to read.
 */
static noinline void broken_send(void)
{
	int i;

	for (i = 0; i < 256; i++) {
		broken_shared[0]++;
		/* Else the compiler adds once. */
		barrier();
	}
	WRITE_ONCE(broken_shared[1], 1);
	while (READ_ONCE(broken_shared[1]))
		cond_resched();
}

static int broken_receiver(void *data)
{
	while (!kthread_should_stop()) {
		if (READ_ONCE(broken_shared[1])) {
			usleep_range(100, 200);
			broken_shared[0]++;
			/* Pairs with the sender's acquire. */
			smp_store_release(&broken_shared[1], 0);
		}
		cond_resched();
	}
	return 0;
}

static noinline void broken_barrier(void)
{
	struct task_struct *other = kthread_run(broken_receiver, NULL, "receiver");
	unsigned long end = jiffies + 10 * HZ;

	while (time_before(jiffies, end)) {
		/* Pairs with the receiver's release. */
		if (!smp_load_acquire(&broken_shared[1]))
			broken_send();
	}
	kthread_stop(other);
}

static const struct broken_bug {
	const char *name;
	void (*commit)(void);
} broken_bugs[] = {
	{ "use-after-free", broken_use_after_free },
	{ "out-of-bounds", broken_out_of_bounds },
	{ "double-free", broken_double_free },
	{ "active-timer", broken_active_timer },
	{ "shift", broken_shift },
	{ "leak", broken_leak },
	{ "list", broken_list },
	{ "lock-order", broken_lock_order },
	{ "irq-lock", broken_irq_lock },
	{ "atomic-sleep", broken_atomic_sleep },
	{ "refcount", broken_refcount },
	{ "rcu", broken_rcu },
	{ "data-race", broken_data_race },
	{ "barrier", broken_barrier },
};

static int __init broken_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(broken_bugs); i++) {
		if (!strcmp(bug, broken_bugs[i].name)) {
			broken_bugs[i].commit();
			return 0;
		}
	}
	return -EINVAL;
}

static void __exit broken_exit(void)
{
}

module_init(broken_init);
module_exit(broken_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("One bug of each kind, for the detectors to find");
