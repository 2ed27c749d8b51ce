// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The life of a context: open, set up, end.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

int context_ioctl(const struct cancelio *context, unsigned long request,
		  void *argument)
{
	int value = ioctl(context->fd, request, argument);

	return value < 0 ? -errno : value;
}

void context_ref(struct cancelio *context)
{
	atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
}

void context_unref(struct cancelio *context)
{
	/* Acquire: what others did to the context comes before its end. */
	if (atomic_fetch_sub_explicit(&context->refs, 1,
				      memory_order_acq_rel) != 1)
		return;
	ring_unmap(context);
	close(context->fd);
	pthread_mutex_destroy(&context->map_lock);
	free(context);
}

static int check_abi(struct cancelio *context)
{
	struct cancelio_info info;
	int error = cancelio_info(context, &info);

	if (error)
		return error;
	return info.abi == CANCELIO_ABI ? 0 : -EPROTO;
}

static int set_up(struct cancelio *context, struct cancelio_setup *setup)
{
	struct cancelio_setup defaults = { 0 };
	int error;

	if (!setup)
		setup = &defaults;
	setup->size = sizeof(*setup);
	error = context_ioctl(context, CANCELIO_SETUP, setup);
	if (error)
		return error;
	context->ring_bytes = setup->ring_bytes;
	return 0;
}

int cancelio_open(struct cancelio **context, struct cancelio_setup *setup)
{
	struct cancelio *c = calloc(1, sizeof(*c));
	int error;

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->map_lock, NULL);
	atomic_init(&c->refs, 1);
	c->owner = getpid();
	c->fd = open(CANCELIO_DEVICE, O_RDWR | O_CLOEXEC);
	if (c->fd < 0) {
		error = -errno;
		goto err_open;
	}
	error = check_abi(c);
	if (error)
		goto err_setup;
	error = set_up(c, setup);
	if (error)
		goto err_setup;
	*context = c;
	return 0;

err_setup:
	close(c->fd);
err_open:
	pthread_mutex_destroy(&c->map_lock);
	free(c);
	return error;
}

void cancelio_free(struct cancelio *context)
{
	if (!context)
		return;
	/* Where it fails (a child, a second time), there is nothing to end. */
	cancelio_shutdown_context(context);
	context_unref(context);
}

int cancelio_fd(const struct cancelio *context)
{
	return context->fd;
}
