/* SPDX-License-Identifier: GPL-2.0 */
/* The module and its device, as far as this process can see and open them. */
#ifndef CANCELIO_TOOL_DEVICE_H
#define CANCELIO_TOOL_DEVICE_H

#include <linux/cancelio.h>
#include <stdbool.h>
#include <sys/stat.h>

/**
 * struct trouble - what stands in the way
 * @what: a sentence; empty where nothing does
 * @remedy: what to do about it
 */
struct trouble {
	char what[256];
	char remedy[256];
};

/**
 * struct device - /dev/cancelio
 * @exists: it is there
 * @usable: it could be opened, and speaks this program's ABI
 * @node: what it is, where it is there
 * @info: what the module says it can do; abi 0 where it could not be asked
 * @trouble: why it is not usable
 */
struct device {
	bool exists;
	bool usable;
	struct stat node;
	struct cancelio_info info;
	struct trouble trouble;
};

/* Whether the module is there. */
bool module_is_loaded(void);
/* A line of a file below /sys/module/cancelio; empty where there is none. */
void module_read(const char *file, char *line, size_t size);
/* The number of its device; 0 where there is none. */
dev_t module_device(void);
/* That the module is not there, and what to do. */
void trouble_not_loaded(struct trouble *trouble);
/* Open the device, ask it, and close it again. */
void device_look(struct device *device);
/* Tell of it, on stderr. */
void trouble_print(const char *who, const struct trouble *trouble);

#endif
