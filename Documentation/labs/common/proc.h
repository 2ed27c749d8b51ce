/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc says of a sleeping process, for the labs' programs. */
#ifndef LAB_PROC_H
#define LAB_PROC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* What a file of /proc/PID holds; empty when it cannot be read. */
static inline void read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t len = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "r");
	if (file) {
		len = fread(text, 1, size - 1, file);
		fclose(file);
	}
	text[len] = 0;
}

/* The letter that ps shows. */
static inline char state_of(pid_t pid)
{
	char stat[256], *end;

	read_proc(pid, "stat", stat, sizeof(stat));
	end = strrchr(stat, ')');
	return end ? end[2] : 0;
}

/* The system call that it sleeps in, or -1 where it does not sleep. */
static inline long asleep_in(pid_t pid)
{
	char state = state_of(pid);
	char text[128], *end;
	long number;

	if (!state || !strchr("SDI", state))
		return -1;
	/* "running", unless it has left its processor. */
	read_proc(pid, "syscall", text, sizeof(text));
	number = strtol(text, &end, 10);
	return end == text ? -1 : number;
}

/* How often it has gone to sleep so far. */
static inline long times_slept(pid_t pid)
{
	char status[4096], *line;

	read_proc(pid, "status", status, sizeof(status));
	line = strstr(status, "\nvoluntary_ctxt_switches:");
	return line ? strtol(strchr(line, '\t'), NULL, 10) : -1;
}

#endif
