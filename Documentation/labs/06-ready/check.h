/* SPDX-License-Identifier: GPL-2.0 */
/* The two parts of the check, and the words and goroutines that they share. */
#ifndef LAB_READY_CHECK_H
#define LAB_READY_CHECK_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdnoreturn.h>
#include "ready.h"

struct word {
	atomic_uintptr_t value;
};

/* @posts counts who was woken, for the part that has one thread only. */
struct goroutine {
	sem_t sem;
	int posts;
};

/* Called at each change of and each look at a word. */
extern void (*moment)(void);
/* Called where a goroutine would sleep. */
extern void (*sleeps)(struct goroutine *g);

void g_ready(struct goroutine *g);

/* Says what is wrong, and ends. */
noreturn void wrong(const char *format, ...);

/* Each order of two, in one thread. */
void check_orders(void);
/* Sockets, threads and epoll. */
void check_sockets(void);

#endif
