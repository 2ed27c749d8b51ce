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

/**
 * struct cio_counts - what every operation counts, as in struct cancelio_stats
 * @submitted: accepted
 * @at_once: ended in the call that submitted them
 * @ended: ended, by reason
 * @met: DONE before their deadline
 * @raced: DONE after it
 */
struct cio_counts {
	u64 submitted;
	u64 at_once;
	u64 ended[CANCELIO_CLOSED + 1];
	u64 met;
	u64 raced;
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
	struct cio_counts __percpu *counts;
	atomic64_t times[CIO_TIMES][CANCELIO_BUCKETS];
	struct mutex lock;	/* base */
	struct cancelio_stats *base;
};

void cio_stats_init(struct cio_stats *stats);
int cio_stats_start(struct cio_stats *stats);
void cio_stats_free(struct cio_stats *stats);
int cio_stats_tell(struct cio_stats *stats, const struct cancelio_stats *req,
		   struct cancelio_stats __user *out);

static inline void cio_stats_time(struct cio_stats *stats, enum cio_time time,
				  s64 ns)
{
	unsigned int bucket = fls64(max_t(s64, ns, 0));

	bucket = min_t(unsigned int, bucket, CANCELIO_BUCKETS - 1);
	atomic64_inc(&stats->times[time][bucket]);
}

#endif /* CIO_STATS_H */
