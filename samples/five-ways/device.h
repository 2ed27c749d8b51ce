/* SPDX-License-Identifier: GPL-2.0 */
/* What the servers on libcancelio share. */
#ifndef FIVE_WAYS_DEVICE_H
#define FIVE_WAYS_DEVICE_H

#include <cancelio.h>

/* Open a context, or say what is missing and end the server. */
struct cancelio *device_open(struct cancelio_setup *setup);

#endif
