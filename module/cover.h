/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a worker does for a program, told to that program's KCOV: for make fuzz, on a
 * kernel with CONFIG_KCOV.  On others there is nothing of it.
 */
#ifndef CIO_COVER_H
#define CIO_COVER_H

#include <linux/kcov.h>

/**
 * struct cio_cover - whom to tell
 * @handle: of the thread that set the context up, 0 for nobody
 */
struct cio_cover {
#ifdef CONFIG_KCOV
	u64 handle;
#endif
};

static inline void cio_cover_init(struct cio_cover *cover)
{
#ifdef CONFIG_KCOV
	cover->handle = kcov_common_handle();
#endif
}

/* From here to cio_cover_stop() a worker's code counts. */
static inline void cio_cover_start(const struct cio_cover *cover)
{
#ifdef CONFIG_KCOV
	kcov_remote_start_common(cover->handle);
#endif
}

static inline void cio_cover_stop(void)
{
#ifdef CONFIG_KCOV
	kcov_remote_stop();
#endif
}

#endif /* CIO_COVER_H */
