// SPDX-License-Identifier: GPL-2.0
/*
 * STATS.  Nothing is ever set back to zero, which could lose what is counted at that
 * moment: a reset keeps what it has told, and later calls tell the difference.
 */
#include "stats.h"

#include "memory.h"

#include <linux/build_bug.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* The numbers of struct cancelio_stats, all of one type. */
#define STATS_FIRST offsetof(struct cancelio_stats, submitted)
#define STATS_WORDS ((sizeof(struct cancelio_stats) - STATS_FIRST) / sizeof(u64))

static_assert(offsetof(struct cancelio_stats, start) - STATS_FIRST ==
	      CIO_COUNTS * sizeof(u64));
static_assert(STATS_WORDS ==
	      CIO_COUNTS + (size_t)CIO_TIMES * CANCELIO_BUCKETS);

void cio_stats_init(struct cio_stats *stats)
{
	mutex_init(&stats->lock);
}

/* Before anything is counted. */
int cio_stats_start(struct cio_stats *stats)
{
	stats->counts = __alloc_percpu_gfp(CIO_COUNTS * sizeof(u64),
					   sizeof(u64), CIO_GFP);
	return stats->counts ? 0 : -ENOMEM;
}

void cio_stats_free(struct cio_stats *stats)
{
	free_percpu(stats->counts);
	stats->counts = NULL;
	kfree(stats->base);
	stats->base = NULL;
}

static u64 *stats_words(struct cancelio_stats *stats)
{
	return &stats->submitted;
}

/* What was counted of one thing since the beginning. */
static u64 stats_count(const struct cio_stats *stats, size_t count)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const u64 *counts = per_cpu_ptr(stats->counts, cpu);

		/* Its processor counts on: any moment's number will do. */
		sum += data_race(counts[count]);
	}
	return sum;
}

/* All of it. */
static void stats_sum(struct cio_stats *stats, struct cancelio_stats *sum)
{
	u64 *words = stats_words(sum);
	size_t i, j;

	for (i = 0; i < CIO_COUNTS; i++)
		words[i] = stats_count(stats, i);
	for (i = 0; i < CIO_TIMES; i++)
		for (j = 0; j < CANCELIO_BUCKETS; j++)
			*(words + CIO_COUNTS + i * CANCELIO_BUCKETS + j) =
				atomic64_read(&stats->times[i][j]);
}

/* Tell what was counted since @base, which may be NULL. */
static int stats_copy(struct cancelio_stats *sum, struct cancelio_stats *base,
		      struct cancelio_stats __user *out)
{
	u64 __user *to = &out->submitted;
	u64 told;
	size_t i;

	for (i = 0; i < STATS_WORDS; i++) {
		told = stats_words(sum)[i] - (base ? stats_words(base)[i] : 0);
		if (put_user(told, to + i))
			return -EFAULT;
	}
	return 0;
}

int cio_stats_tell(struct cio_stats *stats, const struct cancelio_stats *req,
		   struct cancelio_stats __user *out)
{
	struct cancelio_stats *sum;
	int ret;

	if (req->flags & ~CANCELIO_STATS_RESET)
		return -EINVAL;
	sum = kzalloc(sizeof(*sum), CIO_GFP);
	if (!sum)
		return -ENOMEM;
	ret = mutex_lock_killable(&stats->lock);
	if (ret)
		goto out;
	if (stats->counts)
		stats_sum(stats, sum);
	ret = stats_copy(sum, stats->base, out);
	/* Memory that could not be written was told nothing. */
	if (!ret && req->flags & CANCELIO_STATS_RESET)
		swap(stats->base, sum);
	mutex_unlock(&stats->lock);
out:
	kfree(sum);
	return ret;
}

static const char *const stats_reasons[] = {
	[CANCELIO_DONE] = "done",
	[CANCELIO_ERROR] = "error",
	[CANCELIO_DEADLINE] = "deadline",
	[CANCELIO_CANCELED] = "canceled",
	[CANCELIO_CLOSED] = "closed",
};

static const char *const stats_times[] = {
	[CIO_TIME_START] = "start",
	[CIO_TIME_LATE] = "late",
	[CIO_TIME_WAKE] = "wake",
	[CIO_TIME_CANCEL] = "cancel",
};

/* A histogram's entries in which there is something. */
static void stats_show_time(struct seq_file *to, const char *key, const atomic64_t *times)
{
	const char *space = "";
	unsigned int i;

	seq_printf(to, "%s:\t", key);
	for (i = 0; i < CANCELIO_BUCKETS; i++) {
		u64 count = atomic64_read(&times[i]);

		if (!count)
			continue;
		seq_printf(to, "%s%u=%llu", space, i, count);
		space = " ";
	}
	seq_putc(to, '\n');
}

/* Lines of fdinfo: all since the beginning, whatever was told by resets. */
void cio_stats_show(const struct cio_stats *stats, struct seq_file *to)
{
	size_t i;

	seq_printf(to, "submitted:\t%llu\n", stats_count(stats, CIO_COUNT_SUBMITTED));
	seq_printf(to, "at_once:\t%llu\n", stats_count(stats, CIO_COUNT_AT_ONCE));
	seq_puts(to, "ended:\t");
	for (i = 0; i < ARRAY_SIZE(stats_reasons); i++)
		seq_printf(to, "%s%s=%llu", i ? " " : "", stats_reasons[i],
			   stats_count(stats, CIO_COUNT_ENDED + i));
	seq_putc(to, '\n');
	seq_printf(to, "met:\t%llu\n", stats_count(stats, CIO_COUNT_MET));
	seq_printf(to, "raced:\t%llu\n", stats_count(stats, CIO_COUNT_RACED));
	for (i = 0; i < CIO_TIMES; i++)
		stats_show_time(to, stats_times[i], stats->times[i]);
}
