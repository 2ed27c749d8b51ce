/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture "engine": nothing is made; for tests that make their own contexts, of
 * the engine that the variant names.
 */
#ifndef CANCELIO_SELFTESTS_ENGINE_FIXTURE_H
#define CANCELIO_SELFTESTS_ENGINE_FIXTURE_H

#include "variants.h"

FIXTURE(engine) {
	struct cancelio_info info;
};

FIXTURE_VARIANT(engine) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(engine, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(engine, thread) THREAD_IPV4;

FIXTURE_SETUP(engine)
{
	int fd = cio_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_info(fd, &self->info));
	close(fd);
	if (!(self->info.engines & 1U << variant->engine))
		SKIP(return, "engine %u is not there", variant->engine);
}

FIXTURE_TEARDOWN(engine)
{
}

#endif
