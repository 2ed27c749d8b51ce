// SPDX-License-Identifier: GPL-2.0
/*
 * Opening /dev/cancelio, and what to do where that fails.
 */
#include "device.h"

#include <errno.h>

#include "server.h"

struct cancelio *device_open(struct cancelio_setup *setup)
{
	struct cancelio *context;
	int error = cancelio_open(&context, setup);

	switch (error) {
	case 0:
		return context;
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		die(CANCELIO_DEVICE " is missing, load the module: modprobe cancelio", -error);
	case -EACCES:
		die(CANCELIO_DEVICE " may not be opened by this user, at first only by root",
		    -error);
	case -EPROTO:
		die("the module is of another version than the library", -error);
	default:
		die(CANCELIO_DEVICE, -error);
	}
}
