// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz run SECONDS SEED [FILE...]   make up programs and run them, beginning with these
 * fuzz seek SECONDS SEED [FILE...]  the same until the first failure, which stays as it is
 * fuzz replay TIMES FILE...         run these
 * fuzz merge FILE...                print which of these reach what the ones before do not
 * fuzz emit FILE [WHY]              print this one as C
 *
 * Every program is printed before it runs, for after a panic of the kernel nothing else
 * is left of it.  The output is read by fuzz/check: "== run", "== new NAME" and "== fail WHY"
 * begin a program, which "==" ends; lines with "fuzz:" are for people.
 */
#include "cover.h"
#include "run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CORPUS 2000
/* The longest that a program may take; it never waits for ever. */
#define PROGRAM_LIMIT (6 * PATIENCE)
/* Between two lines of figures. */
#define PROGRESS (10 * SECOND)
/* Failures after which a run ends. */
#define MAX_FAILURES 5
/* Runs of a program that is to fail again. */
#define TRIES 5

static struct program corpus[MAX_CORPUS];
static int nr_corpus;
static struct covered total;
static bool guided, seeking;
static __s64 begun;
static unsigned long nr_programs, nr_calls, nr_failures, nr_new;

static const struct hooks hooks = { .process = cover_process, .thread = cover_thread };

static void say(const char *head, const struct program *program)
{
	printf("== %s\n", head);
	program_print(stdout, program);
	printf("==\n");
	fflush(stdout);
}

static void figures(void)
{
	printf("fuzz: %lld s, %lu programs, %lu calls", (now() - begun) / SECOND, nr_programs,
	       nr_calls);
	if (guided)
		printf(", %u places, %u edges", total.places.count, total.edges.count);
	printf(", %d in the corpus, %lu failures\n", nr_corpus, nr_failures);
	fflush(stdout);
}

/* What the threads of a process do in the kernel: for a program that hangs. */
static void show_stacks(pid_t pid)
{
	char command[200];

	snprintf(command, sizeof(command), "cd /proc; head -n 40 %d/task/*/comm %d/task/*/stack; "
		 "head -n 40 $(grep -l ^cancelio/ */comm | sed s,comm,stack,)", pid, pid);
	if (system(command))
		printf("fuzz: not all stacks could be shown\n");
	fflush(stdout);
}

/* Waits for the process, SIGCHLD being blocked; false when it took too long and was killed. */
static bool await(pid_t pid, int *status)
{
	struct timespec limit = { .tv_sec = PROGRAM_LIMIT / SECOND };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	/* The signal waits, blocked, also when it came before. */
	while (waitpid(pid, status, WNOHANG) != pid) {
		if (sigtimedwait(&set, NULL, &limit) >= 0)
			continue;
		show_stacks(pid);
		kill(pid, SIGKILL);
		waitpid(pid, status, 0);
		return false;
	}
	return true;
}

/* Contexts of programs that have ended go away, with their workers. */
static bool module_is_idle(void)
{
	__s64 end = now() + PATIENCE;
	int count;

	do {
		FILE *file = fopen("/sys/module/cancelio/refcnt", "r");

		if (!file || fscanf(file, "%d", &count) != 1)
			count = 0;
		if (file)
			fclose(file);
		if (!count)
			return true;
		usleep(1000);
	} while (now() < end);
	show_stacks(getpid());
	return false;
}

static bool ends_itself(const struct program *program)
{
	int i;

	for (i = 0; i < program->count; i++)
		if (program->steps[i].verb == V_EXIT)
			return true;
	return false;
}

/* Runs a program in a process of its own; false when a promise was broken. */
static bool execute(const struct program *program, struct covered *covered)
{
	int status = 0;
	pid_t pid;

	say("run", program);
	nr_programs++;
	nr_calls += program->count;
	cover_clear();
	verdict[0] = 0;
	pid = fork();
	if (!pid)
		run_program(program, &hooks);
	if (pid < 0)
		snprintf(verdict, VERDICT_SIZE, "no process can be made");
	else if (!await(pid, &status))
		snprintf(verdict, VERDICT_SIZE, "the program hangs");
	else if (WIFSIGNALED(status) && !(WTERMSIG(status) == SIGKILL && ends_itself(program)))
		sprintf(verdict, "the program dies of signal %d", WTERMSIG(status));
	else if (!module_is_idle())
		snprintf(verdict, VERDICT_SIZE, "the module is still in use afterwards");
	if (covered)
		cover_read(covered);
	return !verdict[0];
}

/* Numbers aside, the same failure. */
static void kind_of(const char *why, char *kind)
{
	do {
		if (*why < '0' || *why > '9')
			*kind++ = *why;
	} while (*why++);
}

static bool fails_as(const struct program *program, const char *kind)
{
	char this[VERDICT_SIZE];
	int i;

	for (i = 0; i < TRIES; i++) {
		if (execute(program, NULL))
			continue;
		kind_of(verdict, this);
		if (!strcmp(this, kind))
			return true;
	}
	return false;
}

/* The fewest steps that fail so; one that fails at times stays as it is. */
static void minimise_failure(struct program *program)
{
	char kind[VERDICT_SIZE], why[VERDICT_SIZE], head[VERDICT_SIZE + 10];
	struct program less;
	int i;

	snprintf(why, sizeof(why), "%s", verdict);
	kind_of(why, kind);
	for (i = program->count - 1; i >= 0; i--) {
		less = *program;
		program_remove(&less, i);
		if (fails_as(&less, kind)) {
			*program = less;
			snprintf(why, sizeof(why), "%s", verdict);
		}
	}
	sprintf(head, "fail %s", why);
	say(head, program);
}

static void note_failure(const struct program *program)
{
	struct program least = *program;

	printf("fuzz: %lld s, program %lu: %s\n", (now() - begun) / SECOND, nr_programs, verdict);
	nr_failures++;
	if (!seeking)
		minimise_failure(&least);
}

static bool still_covers(const struct program *program, const struct covered *what)
{
	struct covered covered;

	return execute(program, &covered) && cover_has(&covered.places, &what->places) &&
	       cover_has(&covered.edges, &what->edges);
}

/* What of @covered is new, and is reached again. */
static bool is_new(const struct program *program, struct covered *covered)
{
	struct covered again;

	cover_subtract(&covered->places, &total.places);
	cover_subtract(&covered->edges, &total.edges);
	if (!execute(program, &again))
		return false;
	cover_intersect(&covered->places, &again.places);
	cover_intersect(&covered->edges, &again.edges);
	return cover_new(&covered->places, &total.places, false) ||
	       cover_new(&covered->edges, &total.edges, false);
}

/* Keeps a program that reaches what none did, without the steps that it needs not. */
static void keep(const struct program *program, struct covered *covered)
{
	struct program kept = *program, less;
	struct covered all = *covered;
	char head[40];
	int i;

	if (is_new(program, covered) && nr_corpus < MAX_CORPUS) {
		for (i = kept.count - 1; i >= 0; i--) {
			less = kept;
			program_remove(&less, i);
			if (still_covers(&less, covered))
				kept = less;
		}
		corpus[nr_corpus++] = kept;
		sprintf(head, "new %lu", ++nr_new);
		say(head, &kept);
	}
	cover_new(&all.places, &total.places, true);
	cover_new(&all.edges, &total.edges, true);
}

static void try(const struct program *program)
{
	struct covered covered;

	if (!execute(program, &covered))
		note_failure(program);
	else if (cover_new(&covered.places, &total.places, false) ||
		 cover_new(&covered.edges, &total.edges, false))
		keep(program, &covered);
}

static bool load(const char *name, struct program *program)
{
	FILE *file = fopen(name, "r");
	int line;

	if (!file) {
		fprintf(stderr, "fuzz: cannot read %s\n", name);
		return false;
	}
	line = program_parse(file, program);
	fclose(file);
	if (line)
		fprintf(stderr, "fuzz: %s:%d: this is no step\n", name, line);
	return !line;
}

static int fuzz(__s64 seconds, __u64 seed, char **files)
{
	struct rng rng = { .state = seed };
	struct covered covered;
	__s64 shown = now();

	for (; *files && nr_corpus < MAX_CORPUS && !(seeking && nr_failures); files++) {
		if (!load(*files, &corpus[nr_corpus]))
			return 2;
		if (!execute(&corpus[nr_corpus], &covered))
			note_failure(&corpus[nr_corpus]);
		cover_new(&covered.places, &total.places, true);
		cover_new(&covered.edges, &total.edges, true);
		nr_corpus++;
	}
	figures();
	while (now() - begun < seconds * SECOND && nr_failures < MAX_FAILURES &&
	       !(seeking && nr_failures)) {
		struct program program;

		if (nr_corpus && rng_below(&rng, 5)) {
			/* The newest are the most promising. */
			int back = rng_below(&rng, 1 + rng_below(&rng, nr_corpus));

			program = corpus[nr_corpus - 1 - back];
			program_mutate(&program, &corpus[rng_below(&rng, nr_corpus)], &rng);
		} else {
			program_generate(&program, &rng);
		}
		try(&program);
		if (now() - shown > PROGRESS) {
			shown = now();
			figures();
		}
	}
	figures();
	return nr_failures > 0;
}

static int replay(int times, char **files)
{
	int i;

	for (; *files; files++) {
		struct program program;

		if (!load(*files, &program))
			return 2;
		for (i = 0; i < times; i++) {
			if (execute(&program, NULL))
				continue;
			printf("fuzz: %s: %s\n", *files, verdict);
			nr_failures++;
			break;
		}
	}
	figures();
	return nr_failures > 0;
}

/* By places alone: edges are too many, and come and go. */
static int merge(char **files)
{
	for (; *files; files++) {
		struct covered covered;
		struct program program;

		if (!load(*files, &program))
			return 2;
		if (execute(&program, &covered) && cover_new(&covered.places, &total.places, true))
			printf("fuzz: keep %s\n", *files);
	}
	figures();
	return 0;
}

static int emit(const char *file, const char *why)
{
	struct program program;

	if (!load(file, &program))
		return 2;
	program_emit(stdout, &program, why);
	return 0;
}

static int refuse(void)
{
	fprintf(stderr, "fuzz: see the head of fuzz.c for what can be asked\n");
	return 2;
}

int main(int argc, char **argv)
{
	sigset_t set;

	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc >= 3 && !strcmp(argv[1], "emit"))
		return emit(argv[2], argc > 3 ? argv[3] : "");
	if (argc < 3)
		return refuse();
	verdict = mmap(NULL, VERDICT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	begun = now();
	guided = cover_init();
	printf("fuzz: %s\n", guided ? "guided by KCOV" : "this kernel has no KCOV: unguided");
	seeking = !strcmp(argv[1], "seek");
	if (argc >= 4 && (seeking || !strcmp(argv[1], "run")))
		return fuzz(atoll(argv[2]), strtoull(argv[3], NULL, 0), argv + 4);
	if (argc >= 4 && !strcmp(argv[1], "replay"))
		return replay(atoi(argv[2]), argv + 3);
	if (!strcmp(argv[1], "merge"))
		return merge(argv + 2);
	return refuse();
}
