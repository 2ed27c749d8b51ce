// SPDX-License-Identifier: GPL-2.0
/*
 * race [-s] [-v] SCRIPT...: play the scripts, named without their .race, on each
 * engine that they name, and say how each went.  -v shows the course of all, else
 * that of those that failed is shown; -s soon gives up waiting.  The exit code is the worst
 * outcome (script.h); after one that does not end the rest is not played.
 */
#include <ctype.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script.h"

struct scene *scene;
__u32 engine;
bool impatient;

static void split_line(struct line *line)
{
	char *rest = line->storage, *word;

	if (isupper(rest[0]) && rest[1] == ':') {
		line->actor = rest[0];
		rest += 2;
	}
	for (word = strtok(rest, " \t"); word && line->count < MAX_WORDS;
	     word = strtok(NULL, " \t"))
		line->words[line->count++] = word;
}

void script_read(struct script *script, const char *file)
{
	FILE *stream = fopen(file, "r");
	char text[TEXT_LEN];
	int number = 0;

	while (stream && fgets(text, sizeof(text), stream)) {
		struct line *line = &script->lines[script->count];

		number++;
		text[strcspn(text, "\n#")] = '\0';
		if (!text[strspn(text, " \t")])
			continue;
		line->number = number;
		memcpy(line->text, text, sizeof(text));
		memcpy(line->storage, text, sizeof(text));
		split_line(line);
		if (!line->count || line->actor > 'A' + MAX_ACTORS - 1 ||
		    ++script->count == MAX_LINES) {
			fprintf(stderr, "%s:%d: not a line of a script\n", file, number);
			exit(2);
		}
	}
	if (!stream || !script->count) {
		fprintf(stderr, "%s: not a script\n", file);
		exit(2);
	}
	fclose(stream);
}

bool script_excludes(const struct script *script, const char *name)
{
	const struct line *line = &script->lines[0];
	int i;

	if (strcmp(line->words[0], "engine"))
		return false;
	for (i = 1; i < line->count; i++)
		if (!strcmp(line->words[i], name))
			return false;
	return true;
}

__u32 script_workers(const struct script *script)
{
	const struct line *line = &script->lines[0];
	int i;

	for (i = 1; i + 1 < line->count && !strcmp(line->words[0], "engine"); i++)
		if (!strcmp(line->words[i], "workers"))
			return strtoul(line->words[i + 1], NULL, 10);
	return 0;
}

/* Where everybody is, for one that does not end. */
static void describe_hang(void)
{
	size_t len = snprintf(scene->verdict, sizeof(scene->verdict), "it does not end:");
	int i;

	for (i = 0; i <= MAX_ACTORS; i++) {
		const struct line *line = __atomic_load_n(&scene->at[i], __ATOMIC_RELAXED);

		if (line && len < sizeof(scene->verdict))
			len += snprintf(scene->verdict + len, sizeof(scene->verdict) - len,
					" line %d: %s;", line->number, line->text);
	}
}

static enum outcome judge(pid_t player)
{
	__s64 end = after(SETUP);
	bool begun = false;
	int status;

	while (waitpid(player, &status, WNOHANG) != player) {
		int failed = __atomic_load_n(&scene->failed, __ATOMIC_SEQ_CST);

		if (!begun && __atomic_load_n(&scene->begun, __ATOMIC_SEQ_CST)) {
			begun = true;
			end = after(HANG);
		}
		if (failed == 2)
			end = end < after(SECOND) ? end : after(SECOND);
		if (now() > end) {
			/* Even this may not end it. */
			kill(player, SIGKILL);
			if (!failed)
				describe_hang();
			return HUNG;
		}
		usleep(1000);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) < HUNG)
		return WEXITSTATUS(status);
	snprintf(scene->verdict, sizeof(scene->verdict), "the player crashed");
	return FAILED;
}

static enum outcome play_once(const struct script *script, const char *name,
			      const char *engine_name)
{
	pid_t player;

	memset(scene, 0, sizeof(*scene));
	printf("race: playing %s on %s\n", name, engine_name);
	fflush(stdout);
	player = fork();
	if (!player)
		play(script);
	return judge(player);
}

static enum outcome play_on(const struct script *script, const char *name,
			    const char *engine_name, bool verbose)
{
	enum outcome outcome;
	int tries = TRIES;

	while ((outcome = play_once(script, name, engine_name)) == NOT_SET && --tries) {
		printf("race: %s on %s: again: %s\n", name, engine_name, scene->verdict);
		points_print_course();
	}
	if (outcome)
		printf("race: %s on %s: fails: %s\n", name, engine_name, scene->verdict);
	else
		printf("race: %s on %s: holds\n", name, engine_name);
	if (outcome || verbose)
		points_print_course();
	fflush(stdout);
	return outcome;
}

static bool engine_there(__u32 which)
{
	struct cancelio_info info;
	int fd = cio_open();
	bool there;

	there = fd >= 0 && !cio_info(fd, &info) && (info.engines & (1U << which));
	close(fd);
	return there;
}

static enum outcome play_script(char *path, bool verbose)
{
	static const char *const engines[] = { "poll", "thread" };
	static struct script script;
	const char *name = basename(path);
	enum outcome outcome, worst = HELD;
	char file[256];

	memset(&script, 0, sizeof(script));
	snprintf(file, sizeof(file), "%s.race", path);
	script_read(&script, file);
	for (engine = 0; engine < 2 && worst < HUNG; engine++) {
		if (script_excludes(&script, engines[engine]) || !engine_there(engine))
			continue;
		outcome = play_on(&script, name, engines[engine], verbose);
		worst = outcome > worst ? outcome : worst;
	}
	return worst;
}

int main(int argc, char **argv)
{
	int option, i, outcome, worst = 0;
	bool verbose = false;

	while ((option = getopt(argc, argv, "sv")) != -1) {
		if (option == '?')
			return 2;
		impatient |= option == 's';
		verbose |= option == 'v';
	}

	points_check_there();
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	for (i = optind; i < argc && worst < HUNG; i++) {
		outcome = play_script(argv[i], verbose);
		worst = outcome > worst ? outcome : worst;
	}
	return worst;
}
