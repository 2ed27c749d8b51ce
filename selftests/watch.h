/* SPDX-License-Identifier: GPL-2.0 */
/* What can be seen of a context from outside: its threads in /proc, and tracepoints. */
#ifndef CANCELIO_SELFTESTS_WATCH_H
#define CANCELIO_SELFTESTS_WATCH_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The kernel threads of this process's contexts on @engine ("poll", "thread"), or with
 * @state only those in that state, as /proc/PID/stat has it: 'S' sleeps for an operation,
 * 'I' has nothing to do.  Returns how many; at most @max of them are stored.
 */
int kernel_threads(const char *engine, char state, pid_t *pids, int max);
/* Waits until there are at least @least and at most @most; returns how many there are. */
int await_threads(const char *engine, char state, int least, int most);
/* Waits until no context on the machine has a thread. */
bool await_no_thread(void);
/* Waits until a thread of this process sleeps in an ioctl. */
bool await_in_ioctl(pid_t *thread);
/* Waits until a process's context says so in its /proc/PID/fdinfo. */
bool await_fdinfo(pid_t pid, int fd, const char *line);

/*
 * Events are named as below tracing/events: "cancelio/cio_run".  Turning
 * one on empties the trace; false where there is none.
 */
bool trace_on(const char *event);
void trace_off(const char *event);
/* All lines so far; the caller frees them.  NULL when that fails. */
char *trace_text(void);
/* How many lines of @text contain both strings. */
int trace_count(const char *text, const char *one, const char *two);
/* The number after @key ("pid=") in the first line that contains @event; -1: none. */
__s64 trace_number(const char *text, const char *event, const char *key);

#endif
