/* SPDX-License-Identifier: GPL-2.0 */
/* What a context counts. */
#ifndef CIO_STATS_H
#define CIO_STATS_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/cancelio.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/percpu.h>

struct seq_file;

/**
 * enum cio_count - what every operation counts, in the order of struct cancelio_stats
 * @CIO_COUNT_SUBMITTED: accepted
 * @CIO_COUNT_AT_ONCE: ended in the call that submitted them
 * @CIO_COUNT_ENDED: ended, this and the following by reason
 * @CIO_COUNT_MET: DONE before their deadline
 * @CIO_COUNT_RACED: DONE after it
 */
enum cio_count {
	CIO_COUNT_SUBMITTED,
	CIO_COUNT_AT_ONCE,
	CIO_COUNT_ENDED,
	CIO_COUNT_MET = CIO_COUNT_ENDED + CANCELIO_CLOSED + 1,
	CIO_COUNT_RACED,
	CIO_COUNTS,
};

/**
 * enum cio_time - the histograms, in their order in struct cancelio_stats
 * @CIO_TIME_START: from submission to the first attempt
 * @CIO_TIME_LATE: from a deadline to the end that it makes
 * @CIO_TIME_WAKE: from such an end until a thread that slept runs
 * @CIO_TIME_CANCEL: from a cancel to the end of what was in a thread's hands
 */
enum cio_time {
	CIO_TIME_START,
	CIO_TIME_LATE,
	CIO_TIME_WAKE,
	CIO_TIME_CANCEL,
	CIO_TIMES,
};

/**
 * struct cio_stats - what a context has counted
 * @counts: of each processor, so that no operation waits for another one's count
 * @times: the histograms; only what has waited counts there
 * @lock: taken to tell them; held while the program's memory is written, so by
 *	nobody else
 * @base: what the last reset told, or NULL; @lock
 */
struct cio_stats {
	u64 __percpu *counts;
	atomic64_t times[CIO_TIMES][CANCELIO_BUCKETS];
	struct mutex lock;	/* base */
	struct cancelio_stats *base;
};

void cio_stats_init(struct cio_stats *stats);
int cio_stats_start(struct cio_stats *stats);
void cio_stats_free(struct cio_stats *stats);
int cio_stats_tell(struct cio_stats *stats, const struct cancelio_stats *req,
		   struct cancelio_stats __user *out);
void cio_stats_show(const struct cio_stats *stats, struct seq_file *to);

/* Count one more. */
static inline void cio_stats_count(struct cio_stats *stats, unsigned int count)
{
	this_cpu_inc(stats->counts[count]);
}

static inline void cio_stats_time(struct cio_stats *stats, enum cio_time time,
				  s64 ns)
{
	unsigned int bucket = fls64(max_t(s64, ns, 0));

	bucket = min_t(unsigned int, bucket, CANCELIO_BUCKETS - 1);
	atomic64_inc(&stats->times[time][bucket]);
}

#endif /* CIO_STATS_H */
