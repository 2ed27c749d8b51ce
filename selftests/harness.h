/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kselftest_harness.h, without the warnings that its own macros cause (operands
 * of different signedness, unused parameters, setjmp, 32-bit pointers), and what
 * every test expects of completions.
 */
#ifndef CANCELIO_SELFTESTS_HARNESS_H
#define CANCELIO_SELFTESTS_HARNESS_H

#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#if __SIZEOF_POINTER__ == 4
#pragma GCC diagnostic ignored "-Wpointer-to-int-cast"
#endif
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

#include "kselftest_harness.h"
#include "util.h"

#define EXPECT_ENDED(completion, why, err, count) do {		\
	const struct cancelio_completion *_end = &(completion);	\
	EXPECT_EQ(why, _end->reason);				\
	EXPECT_EQ(err, _end->error);				\
	EXPECT_EQ(count, _end->bytes);				\
} while (0)

#define EXPECT_DONE(completion, count) \
	EXPECT_ENDED(completion, CANCELIO_DONE, 0, count)
#define EXPECT_ERROR(completion, err) \
	EXPECT_ENDED(completion, CANCELIO_ERROR, err, 0)
#define EXPECT_EXPIRED(completion) \
	EXPECT_ENDED(completion, CANCELIO_DEADLINE, -ETIME, 0)
#define EXPECT_CANCELED(completion) \
	EXPECT_ENDED(completion, CANCELIO_CANCELED, -ECANCELED, 0)
#define EXPECT_CLOSED(completion) \
	EXPECT_ENDED(completion, CANCELIO_CLOSED, -EBADF, 0)

#endif
