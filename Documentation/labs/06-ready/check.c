// SPDX-License-Identifier: GPL-2.0
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void (*moment)(void);
void (*sleeps)(struct goroutine *g);

static void others_come(void)
{
	if (moment)
		moment();
}

uintptr_t word_load(struct word *word)
{
	uintptr_t value = atomic_load(&word->value);

	others_come();
	return value;
}

void word_store(struct word *word, uintptr_t new)
{
	atomic_store(&word->value, new);
	others_come();
}

uintptr_t word_swap(struct word *word, uintptr_t new)
{
	uintptr_t old = atomic_exchange(&word->value, new);

	others_come();
	return old;
}

bool word_cas(struct word *word, uintptr_t old, uintptr_t new)
{
	bool changed = atomic_compare_exchange_strong(&word->value, &old, new);

	others_come();
	return changed;
}

void g_park(struct goroutine *g, struct word *word)
{
	if (pd_commit(g, word))
		sleeps(g);
}

void g_ready(struct goroutine *g)
{
	g->posts++;
	sem_post(&g->sem);
}

void wrong(const char *format, ...)
{
	va_list args;

	printf("not passed: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

int main(void)
{
	check_orders();
	check_sockets();
	printf("passed\n");
	return 0;
}
