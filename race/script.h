/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A race script: what it says, how it goes.  See Documentation/races.rst for the
 * language.
 *
 * The judge forks the player.  The player runs the lines, each actor's in a thread
 * of its own, and stops at the first that fails; the judge sees that, or that
 * nothing comes any more, in the memory that they share.
 */
#ifndef CANCELIO_RACE_SCRIPT_H
#define CANCELIO_RACE_SCRIPT_H

#include <stdnoreturn.h>

#include "../selftests/util.h"

#define MAX_LINES	64
#define MAX_WORDS	16
#define MAX_ACTORS	3
#define MAX_RESULTS	16
#define TEXT_LEN	128

/* How long a line may wait, a whole script, and what is done before; held out is after 2 s. */
#define PATIENCE	((impatient ? 3 : 10) * SECOND)
#define HANG		((impatient ? 6 : 20) * SECOND)
#define SETUP		(30 * SECOND)
/* How often a script is played until its moment comes. */
#define TRIES		3

/* One line; its actor is a letter, or 0 for those that are nobody's. */
struct line {
	int number;
	char actor;
	int count;
	char *words[MAX_WORDS + 1];
	char text[TEXT_LEN];
	char storage[TEXT_LEN];
};

struct script {
	int count;
	struct line lines[MAX_LINES];
};

/*
 * What player and judge share: the outcome, and the line each actor is at.  @begun is set
 * when the first line is run; @failed is 1 once somebody failed, 2 once @verdict says how.
 */
struct scene {
	int begun;
	int failed;
	char verdict[2 * TEXT_LEN];
	const struct line *at[MAX_ACTORS + 1];
};

extern struct scene *scene;
extern __u32 engine;
extern bool impatient;

/* The lines of a file; complains and exits when it is none. */
void script_read(struct script *script, const char *file);
/* Whether engines are named, and this one is not. */
bool script_excludes(const struct script *script, const char *name);
/* How many workers the context may have; 0: as many as it has by default. */
__u32 script_workers(const struct script *script);
/* Run it; ends the process. */
noreturn void play(const struct script *script);

/* How the player ends. */
enum outcome {
	HELD,
	FAILED,
	/* It did not come to the moment that the script is about: the machine was too slow. */
	NOT_SET,
	/* The judge's: it does not end at all. */
	HUNG,
};

/* Ends the player: the current line, or what was found at the end, is wrong. */
noreturn void fail(const char *format, ...);
/* Likewise: the moment did not come. */
noreturn void fail_scene(const char *format, ...);

/* verbs.c */
void verb_run(char **words);

/* points.c: the module's pause points. */
void points_command(const char *format, ...);
unsigned int points_arrived(const char *point);
void points_await(const char *point, unsigned int arrivals);
void points_check_holds(void);
bool points_held_out(void);
void points_print_course(void);
void points_check_there(void);

/* results.c: operations by the names that the script gives them. */
struct result {
	char name[16];
	__u64 id;
	__u64 cookie;
	__u32 opcode;
	int completions;
	struct cancelio_completion end;
	unsigned char buffer[256];
};

/* Opens the context, with one end of a connection attached; bits of processors. */
void results_open(__u32 workers, __u64 processors);
struct result *result_new(const char *name);
struct result *result_find(const char *name);
/* Take what the ring has; memory only. */
void results_collect(void);
bool result_ended(struct result *result);
void result_ended_by_call(struct result *result, const struct cancelio_completion *end);
void result_await(struct result *result);
void peer_send(size_t len);
/* The connection works as ever, and no byte is lost or doubled. */
void results_check_usable(void);
/* No operation has two completions, and none is there of an unknown one. */
void results_check_count(void);

extern int context, sock, peer;
extern __u64 conn;

/* connect.c: the library's connect. */
void library_open(void);
void library_connect(struct result *result, __s64 deadline);
void library_exchange(void);

#endif
