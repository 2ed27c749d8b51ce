// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the device can be used, and if not, what is wrong and what to do: the number that
 * open(2) fails with does not say that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "device.h"

#define MODULE "/sys/module/cancelio"
#define GROUPS 256

#define SAY(to, ...) snprintf(to, sizeof(to), __VA_ARGS__)

bool module_is_loaded(void)
{
	return !access(MODULE, F_OK);
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *in = fopen(path, "re");
	bool read = in && fgets(line, size, in);

	if (in)
		fclose(in);
	if (!read)
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	return read;
}

void module_read(const char *file, char *line, size_t size)
{
	char path[512];

	SAY(path, MODULE "/%s", file);
	read_line(path, line, size);
}

dev_t module_device(void)
{
	unsigned int major, minor;
	char line[64];

	if (read_line("/sys/class/misc/cancelio/dev", line, sizeof(line)) &&
	    sscanf(line, "%u:%u", &major, &minor) == 2)
		return makedev(major, minor);
	return 0;
}

/* Whether modprobe would find it. */
static bool is_installed(const char *release)
{
	char path[256], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *in;

	SAY(path, "/lib/modules/%s/modules.dep", release);
	in = fopen(path, "re");
	while (in && !found && getline(&line, &size, in) > 0)
		found = strstr(line, "/cancelio.ko") || !strncmp(line, "cancelio.ko", 11);
	if (in)
		fclose(in);
	free(line);
	return found;
}

void trouble_not_loaded(struct trouble *trouble)
{
	struct utsname kernel;

	uname(&kernel);
	if (is_installed(kernel.release)) {
		SAY(trouble->what, "the module cancelio is not loaded");
		SAY(trouble->remedy, "as root, run: modprobe cancelio");
		return;
	}
	SAY(trouble->what, "the module cancelio is not loaded, and not installed for the kernel %s",
	    kernel.release);
	SAY(trouble->remedy,
	    "install cancelio-dkms, or in the source run: make && sudo make install; then, as root: modprobe cancelio");
}

static void trouble_no_node(struct trouble *trouble)
{
	SAY(trouble->what, "the module cancelio is loaded, but %s is not there", CANCELIO_DEVICE);
	SAY(trouble->remedy,
	    "a container has to be given it (--device %s); elsewhere, as root, run: modprobe -r cancelio; modprobe cancelio",
	    CANCELIO_DEVICE);
}

static void trouble_old_node(struct trouble *trouble, const struct stat *node)
{
	dev_t number = module_device();

	SAY(trouble->what, "%s has the number %u:%u, the module's device %u:%u", CANCELIO_DEVICE,
	    major(node->st_rdev), minor(node->st_rdev), major(number), minor(number));
	SAY(trouble->remedy, "as root, run: rm %s; modprobe -r cancelio; modprobe cancelio",
	    CANCELIO_DEVICE);
}

/* Whether the user is in the group by now, though the processes of this session are not. */
static bool is_new_member(const char *user, gid_t primary, gid_t group)
{
	gid_t groups[GROUPS];
	int count = GROUPS, i;

	if (getgrouplist(user, primary, groups, &count) < 0)
		return false;
	for (i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

static void trouble_permission(struct trouble *trouble, const struct stat *node)
{
	struct passwd *user = getpwuid(geteuid());
	struct group *group = getgrgid(node->st_gid);
	const char *name = user ? user->pw_name : "this user";

	SAY(trouble->what, "%s may not open %s", name, CANCELIO_DEVICE);
	if (!group || !node->st_gid || (node->st_mode & 060) != 060)
		SAY(trouble->remedy,
		    "only root may; as root, give it to a group: groupadd -r cancelio; chgrp cancelio %s; chmod 660 %s",
		    CANCELIO_DEVICE, CANCELIO_DEVICE);
	else if (user && is_new_member(name, user->pw_gid, node->st_gid))
		SAY(trouble->remedy,
		    "the group %s may, and %s is in it since this session began: log in again",
		    group->gr_name, name);
	else
		SAY(trouble->remedy,
		    "the group %s may: as root, run: usermod -aG %s %s; then log in again",
		    group->gr_name, group->gr_name, name);
}

static void trouble_open(struct device *device, int error)
{
	struct trouble *trouble = &device->trouble;

	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		if (!module_is_loaded())
			trouble_not_loaded(trouble);
		else if (device->exists)
			trouble_old_node(trouble, &device->node);
		else
			trouble_no_node(trouble);
		break;
	case EACCES:
		trouble_permission(trouble, &device->node);
		break;
	case EPERM:
		SAY(trouble->what, "%s is refused to the control group of this process",
		    CANCELIO_DEVICE);
		SAY(trouble->remedy,
		    "let the container or unit have it: --device %s, DeviceAllow=%s",
		    CANCELIO_DEVICE, CANCELIO_DEVICE);
		break;
	default:
		SAY(trouble->what, "%s cannot be opened: %s", CANCELIO_DEVICE, strerror(error));
		SAY(trouble->remedy, "see open(2) for what that means");
	}
}

/* The device is open: whether it is one that this program understands. */
static void ask(struct device *device, int fd)
{
	struct trouble *trouble = &device->trouble;

	device->info.size = sizeof(device->info);
	if (ioctl(fd, CANCELIO_INFO, &device->info)) {
		device->info.abi = 0;
		SAY(trouble->what, "%s is no device of cancelio: %s", CANCELIO_DEVICE,
		    strerror(errno));
		SAY(trouble->remedy,
		    "as root, remove it, and run: modprobe -r cancelio; modprobe cancelio");
	} else if (device->info.abi != CANCELIO_ABI) {
		SAY(trouble->what, "the module speaks ABI %u, this program ABI %u",
		    device->info.abi, CANCELIO_ABI);
		SAY(trouble->remedy, "install both of the same version, and load the module again");
	} else {
		device->usable = true;
	}
}

void device_look(struct device *device)
{
	int fd;

	*device = (struct device){};
	device->exists = !stat(CANCELIO_DEVICE, &device->node);
	fd = open(CANCELIO_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		trouble_open(device, errno);
		return;
	}
	ask(device, fd);
	close(fd);
}

void trouble_print(const char *who, const struct trouble *trouble)
{
	if (trouble->what[0])
		fprintf(stderr, "%s: %s\n%s: %s\n", who, trouble->what, who, trouble->remedy);
}
