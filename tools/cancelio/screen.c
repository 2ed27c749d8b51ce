// SPDX-License-Identifier: GPL-2.0
/* Draws rounds on a terminal, as much of them as fits, and hears keys meanwhile. */
#define _GNU_SOURCE
#include <curses.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

#define HELP "q ends  sort by: p pending  c conns  e ended  m missed  i pid  up/down scrolls"

static SCREEN *screen;
static int stopped;
/* The first context that is shown. */
static size_t first;

static void stop(int sig)
{
	__atomic_store_n(&stopped, sig, __ATOMIC_RELAXED);
}

bool screen_open(void)
{
	struct sigaction action = { .sa_handler = stop };

	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	curs_set(0);
	return true;
}

/* The signal that ends the program; 0 for none. */
static int stopped_by(void)
{
	return __atomic_load_n(&stopped, __ATOMIC_RELAXED);
}

/* A program that was ended by a signal is to be seen as such. */
void screen_close(void)
{
	endwin();
	delscreen(screen);
	if (!stopped_by())
		return;
	signal(stopped_by(), SIG_DFL);
	raise(stopped_by());
}

/*
 * How much fits, beside summary, heading, what is missing and the line of keys: contexts have
 * half of it, bars and their title the other one, and either what the other does not need.
 */
static struct view view_of(const struct round *round)
{
	size_t lines = LINES > 4 ? LINES - 4 : 0, bars = report_bars(round), half, room;
	struct view view;

	half = (lines + 1) / 2;
	room = lines - (round->count < half ? round->count : half);
	room = room ? room - 1 : 0;
	view.bars = bars < room ? bars : room;
	view.rows = lines - (view.bars ? view.bars + 1 : 0);
	if (first + view.rows > round->count)
		first = round->count > view.rows ? round->count - view.rows : 0;
	view.first = first;
	return view;
}

static void draw(const struct round *round)
{
	struct view view = view_of(round);
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	int row = 0;

	if (!to)
		return;
	report_text(to, round, &view);
	fclose(to);
	erase();
	for (rest = text; row < LINES - 1 && (line = strsep(&rest, "\n")); row++) {
		if (row == 1 && round->count)
			attron(A_REVERSE);
		mvaddnstr(row, 0, line, COLS);
		attroff(A_REVERSE);
	}
	mvaddnstr(LINES - 1, 0, HELP, COLS - 1);
	refresh();
	free(text);
}

static int time_left(long long until)
{
	struct timespec time;
	long long left;

	clock_gettime(CLOCK_MONOTONIC, &time);
	left = until - (time.tv_sec * 1000000000LL + time.tv_nsec);
	if (left <= 0)
		return 0;
	left = left / 1000000 + 1;
	return left < INT_MAX ? left : INT_MAX;
}

/* What a key changes; false where it is the end. */
static bool act(int key, enum sort_key *sort)
{
	static const char letters[] = "pcemi";
	const char *letter = key > 0 && key < 128 ? strchr(letters, key) : NULL;

	if (key == 'q' || key == 'Q')
		return false;
	if (letter)
		*sort = letter - letters;
	else if (key == KEY_DOWN)
		first++;
	else if (key == KEY_UP && first)
		first--;
	return true;
}

/* Where the terminal is gone there are no keys, and no waiting for them. */
static bool is_gone(void)
{
	struct pollfd terminal = { .fd = STDIN_FILENO };

	return poll(&terminal, 1, 0) > 0 && terminal.revents & (POLLHUP | POLLERR | POLLNVAL);
}

bool screen_show(struct round *round, enum sort_key *key, long long until)
{
	for (;;) {
		int left, pressed;

		round_sort(round, *key);
		draw(round);
		left = time_left(until);
		if (stopped_by() || !left)
			return !stopped_by();
		timeout(left);
		pressed = getch();
		if (stopped_by() || (pressed == ERR && is_gone()) || !act(pressed, key))
			return false;
	}
}
