// SPDX-License-Identifier: GPL-2.0
/*
 * STATS.  Nothing is ever set back to zero, which could lose what is counted at that
 * moment: a reset keeps what it has told, and later calls tell the difference.
 */
#include "stats.h"

#include "memory.h"

#include <linux/build_bug.h>
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

/* All that was counted since the beginning. */
static void stats_sum(struct cio_stats *stats, struct cancelio_stats *sum)
{
	u64 *words = stats_words(sum);
	size_t i, j;
	int cpu;

	for_each_possible_cpu(cpu) {
		const u64 *counts = per_cpu_ptr(stats->counts, cpu);

		for (i = 0; i < CIO_COUNTS; i++) {
			/* Its processor counts on: any moment's number will do. */
			words[i] += data_race(counts[i]);
		}
	}
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
