// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "watch.h"

#include "util.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRACING	"/sys/kernel/tracing"

/* The head of a file; returns its length, or -1. */
static ssize_t read_head(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, text, size - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return got;
}

/* Its name begins with @name; its stat is "PID (NAME) STATE ...". */
static bool thread_matches(const char *pid, const char *name, char state)
{
	char path[64], text[256], *end;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	if (read_head(path, text, sizeof(text)) <= 0)
		return false;
	if (strncmp(text, name, strlen(name)))
		return false;
	if (!state)
		return true;
	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (read_head(path, text, sizeof(text)) <= 0)
		return false;
	end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] == state;
}

static int find_threads(const char *name, char state, pid_t *pids, int max)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	if (!proc)
		return -1;
	while ((entry = readdir(proc))) {
		if (!isdigit(entry->d_name[0]) || !thread_matches(entry->d_name, name, state))
			continue;
		if (count < max)
			pids[count] = atoi(entry->d_name);
		count++;
	}
	closedir(proc);
	return count;
}

int kernel_threads(const char *engine, char state, pid_t *pids, int max)
{
	char name[64];

	snprintf(name, sizeof(name), "cancelio/%d-%s", getpid(), engine);
	return find_threads(name, state, pids, max);
}

bool await_no_thread(void)
{
	__s64 end = after(LONG_ENOUGH);
	int count;

	while ((count = find_threads("cancelio/", 0, NULL, 0)) > 0 && now() < end)
		sleep_until(after(MS));
	return !count;
}

int await_threads(const char *engine, char state, int least, int most)
{
	__s64 end = after(LONG_ENOUGH);
	int count;

	do {
		count = kernel_threads(engine, state, NULL, 0);
		if (count >= least && count <= most)
			break;
		sleep_until(after(MS));
	} while (now() < end);
	return count;
}

bool await_in_ioctl(pid_t *thread)
{
	__s64 end = after(LONG_ENOUGH);
	char path[64], text[64];
	bool there = false;

	while (!there && now() < end) {
		pid_t tid = __atomic_load_n(thread, __ATOMIC_ACQUIRE);

		sleep_until(after(MS));
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
		/* The number, or "running". */
		there = tid && read_head(path, text, sizeof(text)) > 0 &&
			atoi(text) == SYS_ioctl;
	}
	return there;
}

bool await_fdinfo(pid_t pid, int fd, const char *line)
{
	__s64 end = after(LONG_ENOUGH);
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	while (read_head(path, text, sizeof(text)) > 0 && !strstr(text, line)) {
		if (now() > end)
			return false;
		sleep_until(after(MS));
	}
	return strstr(text, line);
}

static bool trace_write(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

static bool trace_set(const char *event, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), TRACING "/events/%.60s/enable", event);
	return trace_write(path, value);
}

bool trace_on(const char *event)
{
	if (access(TRACING "/trace", W_OK) && mount("tracefs", TRACING, "tracefs", 0, NULL))
		return false;
	return trace_write(TRACING "/trace", "") && trace_write(TRACING "/tracing_on", "1") &&
		trace_set(event, "1");
}

void trace_off(const char *event)
{
	trace_set(event, "0");
}

char *trace_text(void)
{
	size_t size = 1 << 16, len = 0;
	char *text = malloc(size), *more;
	int fd = open(TRACING "/trace", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	while (text && (got = read(fd, text + len, size - len - 1)) > 0) {
		len += got;
		if (size - len > 1)
			continue;
		size *= 2;
		more = realloc(text, size);
		if (!more)
			free(text);
		text = more;
	}
	close(fd);
	if (text)
		text[len] = '\0';
	return text;
}

/* The first line from @text on that contains @one and @two; NULL: none.  @next is behind it. */
static const char *find_line(const char *text, const char *one, const char *two,
			     const char **next)
{
	for (; *text; text = *next) {
		size_t len = strcspn(text, "\n");

		*next = text + len + (text[len] == '\n');
		if (*text != '#' && memmem(text, len, one, strlen(one)) &&
		    memmem(text, len, two, strlen(two)))
			return text;
	}
	return NULL;
}

int trace_count(const char *text, const char *one, const char *two)
{
	int count = 0;

	while (find_line(text, one, two, &text))
		count++;
	return count;
}

__s64 trace_number(const char *text, const char *event, const char *key)
{
	const char *line = find_line(text, event, key, &text);

	return line ? atoll(strstr(line, key) + strlen(key)) : -1;
}
