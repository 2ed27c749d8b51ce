// SPDX-License-Identifier: GPL-2.0
/* What is left of a context, as seen from outside. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

/* References to the module: one of each context, one of each of its threads. */
int module_references(void)
{
	static int fd = -1;
	char text[16] = "";

	if (fd < 0)
		fd = open("/sys/module/cancelio/refcnt", O_RDONLY | O_CLOEXEC);
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		violation("no count of references: %s", strerror(errno));
	return atoi(text);
}

static bool is_named(const char *pid, const char *prefix)
{
	char path[300], name[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, name, sizeof(name) - 1) < 0)
		name[0] = 0;
	close(fd);
	return !strncmp(name, prefix, strlen(prefix));
}

/* Whether no thread of a process's contexts is left. */
bool context_is_gone(int pid)
{
	char prefix[32];
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	bool gone = true;

	if (!proc)
		violation("no /proc: %s", strerror(errno));
	snprintf(prefix, sizeof(prefix), "cancelio/%d-", pid);
	while (gone && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			gone = !is_named(entry->d_name, prefix);
	closedir(proc);
	return gone;
}

/* Nobody has a context any more, and soon nothing holds the module. */
void await_unused(void)
{
	__s64 limit = after(PATIENCE);

	while (module_references()) {
		if (now() > limit)
			violation("%d contexts and threads are left", module_references());
		sleep_until(after(20 * MS));
	}
}
