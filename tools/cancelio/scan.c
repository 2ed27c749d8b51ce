// SPDX-License-Identifier: GPL-2.0
/*
 * Finds contexts in /proc: descriptors that are open on the module's device, by its number,
 * for a container may call it otherwise.  A context that several processes have, or one
 * of them several times, is found once, with its owner if that can be seen.  Nothing is
 * asked of a context but its fdinfo, which concerns nobody.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "context.h"

#define PF_KTHREAD	0x00200000U
#define USERS		64

const char *user_name(uid_t uid)
{
	static struct {
		uid_t uid;
		char name[33];
	} known[USERS];
	static unsigned int count;
	const struct passwd *user;
	unsigned int i;

	for (i = 0; i < count; i++)
		if (known[i].uid == uid)
			return known[i].name;
	/* Where there are that many, the last place is for all others. */
	count = i < USERS ? i + 1 : USERS;
	known[count - 1].uid = uid;
	user = getpwuid(uid);
	if (user)
		snprintf(known[count - 1].name, sizeof(known[0].name), "%s", user->pw_name);
	else
		snprintf(known[count - 1].name, sizeof(known[0].name), "%u", uid);
	return known[count - 1].name;
}

static void *grow(void *array, size_t count, size_t size)
{
	array = reallocarray(array, count, size);
	if (!array) {
		perror("cancelio top");
		exit(1);
	}
	return array;
}

/* The file of that name of a process, opened for reading. */
static FILE *open_file(int process, const char *name)
{
	int fd = openat(process, name, O_RDONLY | O_CLOEXEC);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !in)
		close(fd);
	return in;
}

/* A thread of the kernel has no descriptors to be hidden. */
static bool is_kernel_thread(int process)
{
	FILE *in = open_file(process, "stat");
	char line[1024], *behind_name = NULL;
	unsigned int flags = 0;

	if (in && fgets(line, sizeof(line), in))
		behind_name = strrchr(line, ')');
	if (behind_name)
		sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %u", &flags);
	if (in)
		fclose(in);
	return flags & PF_KTHREAD;
}

static void hide(struct round *round, int process)
{
	struct stat owner;
	size_t i;

	if (fstat(process, &owner) || is_kernel_thread(process))
		return;
	for (i = 0; i < round->nr_hidden; i++)
		if (round->hidden[i].uid == owner.st_uid)
			break;
	if (i == round->nr_hidden) {
		round->hidden = grow(round->hidden, ++round->nr_hidden, sizeof(*round->hidden));
		round->hidden[i] = (struct hidden){ .uid = owner.st_uid };
	}
	round->hidden[i].processes++;
}

/* Its name may have bytes that a terminal takes for orders. */
static void take_name(struct context *context, int process)
{
	FILE *in = open_file(process, "comm");
	size_t len = in ? fread(context->process, 1, sizeof(context->process) - 1, in) : 0, i;

	for (i = 0; i < len; i++) {
		unsigned char byte = context->process[i];

		if (byte == '\n' && i == len - 1)
			context->process[i] = 0;
		else if (!isascii(byte) || !isprint(byte))
			context->process[i] = '?';
	}
	if (in)
		fclose(in);
}

/* Rather with its owner than with one that inherited it. */
static void add(struct round *round, const struct context *context)
{
	size_t i;

	for (i = 0; context->number && i < round->count; i++) {
		struct context *known = &round->contexts[i];

		if (known->number != context->number)
			continue;
		if (known->pid != known->owner && context->pid == context->owner)
			*known = *context;
		return;
	}
	if (round->count == round->room) {
		round->room = 2 * round->room + 16;
		round->contexts = grow(round->contexts, round->room, sizeof(*round->contexts));
	}
	round->contexts[round->count++] = *context;
}

static void look_at(struct round *round, int process, const char *pid, const char *fd)
{
	struct context context = { .pid = strtoull(pid, NULL, 10), .fd = strtoull(fd, NULL, 10) };
	struct stat owner;
	char name[64];
	FILE *text;

	snprintf(name, sizeof(name), "fdinfo/%s", fd);
	text = open_file(process, name);
	if (!text)
		return;
	if (context_parse(&context, text) && !fstat(process, &owner)) {
		context.uid = owner.st_uid;
		take_name(&context, process);
		add(round, &context);
	}
	fclose(text);
}

/* Only what stands below /dev is looked at closer, for other files can be far away. */
static bool is_context(int fds, const char *fd, dev_t number)
{
	struct stat file;
	char path[64];
	ssize_t len = readlinkat(fds, fd, path, sizeof(path));

	if (len < 0)
		return false;
	return len > 5 && !strncmp(path, "/dev/", 5) && !fstatat(fds, fd, &file, 0) &&
		S_ISCHR(file.st_mode) && file.st_rdev == number;
}

/* Who may list descriptors need not be allowed to see what they are. */
static void scan_fds(struct round *round, int process, const char *pid, DIR *dir, dev_t number)
{
	const struct dirent *entry;
	int fds = dirfd(dir);

	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		errno = 0;
		if (is_context(fds, entry->d_name, number)) {
			look_at(round, process, pid, entry->d_name);
		} else if (errno == EACCES || errno == EPERM) {
			hide(round, process);
			return;
		}
	}
}

static void scan_process(struct round *round, int proc, const char *pid, dev_t number)
{
	int process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fds;
	DIR *dir;

	if (process < 0)
		return;
	fds = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fds < 0 ? NULL : fdopendir(fds);
	if (dir) {
		scan_fds(round, process, pid, dir, number);
		closedir(dir);
	} else if (errno == EACCES || errno == EPERM) {
		hide(round, process);
	}
	close(process);
}

void round_scan(struct round *round, dev_t number)
{
	const struct dirent *entry;
	struct timespec time;
	DIR *proc = opendir("/proc");

	clock_gettime(CLOCK_MONOTONIC, &time);
	*round = (struct round){ .time = time.tv_sec * 1000000000LL + time.tv_nsec };
	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			scan_process(round, dirfd(proc), entry->d_name, number);
	if (proc)
		closedir(proc);
}
