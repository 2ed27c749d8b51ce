// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "script.h"

#define POINTS "/sys/kernel/debug/cancelio/race"
#define COURSE "/sys/kernel/debug/cancelio/course"

void points_check_there(void)
{
	if (access(POINTS, W_OK) < 0) {
		fprintf(stderr, "race: no %s: the module is no debug build, see module/race.c\n",
			POINTS);
		exit(2);
	}
}

void points_command(const char *format, ...)
{
	char text[256];
	va_list arguments;
	int fd = open(POINTS, O_WRONLY | O_CLOEXEC);
	ssize_t len, written;

	va_start(arguments, format);
	len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	written = write(fd, text, len);
	close(fd);
	if (written != len)
		fail("the module does not take \"%s\"", text);
}

static void points_read(char *text, size_t size)
{
	int fd = open(POINTS, O_RDONLY | O_CLOEXEC);
	ssize_t got, len = 0;

	while ((got = read(fd, text + len, size - 1 - len)) > 0)
		len += got;
	text[len] = '\0';
	close(fd);
}

unsigned int points_arrived(const char *point)
{
	char text[4096], name[64], *line;

	points_read(text, sizeof(text));
	snprintf(name, sizeof(name), "point %s ", point);
	line = strstr(text, name);
	if (!line)
		fail("no point is called \"%s\"", point);
	return strtoul(line + strlen(name), NULL, 10);
}

void points_await(const char *point, unsigned int arrivals)
{
	__s64 end = after(PATIENCE);

	while (points_arrived(point) < arrivals) {
		if (now() > end)
			fail_scene("nobody came to %s", point);
		usleep(200);
	}
}

static bool holds_stand(void)
{
	unsigned int standing, sum = 0;
	char text[4096], *line;

	points_read(text, sizeof(text));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "hold %*s %*u %u", &standing) == 1)
			sum += standing;
	return sum;
}

bool points_held_out(void)
{
	unsigned int held_out, sum = 0;
	char text[4096], *line;

	points_read(text, sizeof(text));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "hold %*s %*u %*u %u", &held_out) == 1)
			sum += held_out;
	return sum;
}

/* A hold that nobody came to, or that was held out, shows nothing. */
void points_check_holds(void)
{
	unsigned int reached, standing, held_out;
	char text[4096], name[64], *line;
	__s64 end = after(PATIENCE);

	while (holds_stand() && now() < end)
		usleep(200);
	points_read(text, sizeof(text));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "hold %63s %u %u %u", name, &reached, &standing, &held_out) != 4)
			continue;
		if (!reached)
			fail_scene("nobody came to the hold at %s", name);
		if (held_out)
			fail_scene("held out at %s", name);
		if (standing)
			fail("somebody still stands at %s", name);
	}
}

void points_print_course(void)
{
	char line[256];
	FILE *file = fopen(COURSE, "r");

	while (file && fgets(line, sizeof(line), file))
		printf("  %s", line);
	if (file)
		fclose(file);
}
