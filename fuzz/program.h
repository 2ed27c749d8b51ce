/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program of the fuzzer: a list of steps, each a call of the interface, a call of
 * an ordinary socket or a trick with memory, in one of a few threads.
 *
 * As text, the form of fuzz/corpus, a step is a line: "[THREAD:] VERB ARGUMENT...".
 * Documentation/fuzzing.rst explains the verbs.
 */
#ifndef CANCELIO_FUZZ_PROGRAM_H
#define CANCELIO_FUZZ_PROGRAM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_STEPS	40
#define MAX_ARGS	7
#define THREADS		3
#define CONTEXTS	2
#define PAIRS		3
#define SOCKS		(2 * PAIRS)
#define CONNS		6
#define SLOTS		10
/* In place of a socket: a closed descriptor, and an open one of another kind. */
#define SOCK_CLOSED	SOCKS
#define SOCK_OTHER	(SOCKS + 1)
/* The longest buffer: more than two sockets with small buffers hold. */
#define MAX_LEN		300000

/* Times, in us from now on, and these. */
#define TIME_NEVER	INT64_MAX
#define TIME_PAST	INT64_MIN

enum verb {
	V_OPEN, V_PAIR, V_ATTACH, V_MAP, V_RECV, V_SEND, V_RECVMSG, V_SENDMSG, V_READY,
	V_WAIT, V_WAITOP, V_CANCEL, V_DEADLINE, V_DETACH, V_SHUTDOWN, V_EVENTFD, V_RESTRICT,
	V_RAW, V_POLL, V_CLOSE, V_CHILD, V_WRITE, V_READ, V_SHUT, V_CLOSESOCK, V_MEMORY,
	V_SCRIBBLE, V_SIGNAL, V_SLEEP, V_SYNC, V_EXIT,
	VERBS
};

/* The arguments of the verbs that submit an operation; READY has events for MSG. */
enum { OP_SLOT, OP_CONN, OP_LEN, OP_BUF, OP_FLAGS, OP_MSG, OP_TIME };

/* Beside the flags of the interface: by CALL, together with the next one, an unknown one. */
#define FLAG_CALL	0x10000
#define FLAG_MORE	0x20000
#define FLAG_JUNK	0x40000

enum buffer { BUF_OK, BUF_EDGE, BUF_BAD, BUF_READONLY, BUF_HELD };
enum trick { TRICK_UNMAP, TRICK_READONLY, TRICK_DROP };
enum pair_type { TCP4, TCP6, UDP4, UDP6, UNIX_STREAM, UNIX_SEQPACKET, UNIX_DGRAM };
enum scope { SCOPE_ID, SCOPE_COOKIE, SCOPE_CONN, SCOPE_ALL, SCOPE_JUNK };
enum pointer { POINTER_OK, POINTER_NULL, POINTER_BAD, POINTER_EDGE };
enum shut { SHUT_READ, SHUT_WRITE, SHUT_BOTH };
enum how_close { CLOSE_PLAIN, CLOSE_RESET };
enum how_exit { EXIT_PLAIN, EXIT_KILL, EXIT_EXEC };

struct step {
	__u8 verb;
	__u8 thread;
	__s64 arg[MAX_ARGS];
};

struct program {
	int count;
	struct step steps[MAX_STEPS];
};

/* What an argument can be. */
enum kind {
	K_NONE, K_CTX, K_PAIR, K_TYPE, K_CONN, K_SOCK, K_SLOT, K_ENGINE, K_ENTRIES, K_WORKERS,
	K_LEN, K_BUF, K_FLAGS, K_RECVFLAGS, K_SENDFLAGS, K_EVENTS, K_TIME, K_WAITTIME, K_COUNT,
	K_SCOPE, K_TARGET, K_SIDES, K_OPS, K_NR, K_SIZE, K_POINTER, K_POKE, K_ONOFF, K_SHUT,
	K_CLOSE, K_TRICK, K_WORD, K_VALUE, K_THREAD, K_PAUSE, K_EXIT,
	KINDS
};

/* A value by name; in a list of them, the first ones are the usual ones. */
struct word {
	const char *name;
	__s64 value;
};

struct kind_info {
	const struct word *words;	/* values by name, or NULL */
	bool bits;			/* any sum of them */
	const __s64 *usual;		/* or these, ended by -77 */
	__s64 below;			/* or from 0 up to here */
};

#define USUAL_END (-77)

extern const struct kind_info kinds[KINDS];

struct verb_info {
	const char *name;
	enum kind args[MAX_ARGS];
	int weight;			/* how often the generator takes it */
};

extern const struct verb_info verbs[VERBS];

/* An ioctl as it was published, and what it says of a structure of zeros. */
struct published {
	__u32 size;
	__u32 first;			/* the size it was first published with, 0: the same */
	__u32 reserved;			/* a field that is zero, 0: none; see do_raw() */
	int error;
	bool after_shutdown;
	bool always;			/* the field is always set: zeros would do much */
};

#define IOCTLS 14

extern const struct published published[IOCTLS];

int verb_args(enum verb verb);
/* Whether the verb submits an operation. */
bool verb_submits(enum verb verb);
void program_print(FILE *to, const struct program *program);
void step_print(FILE *to, const struct step *step);
/* Returns the number of a line that is none, or 0. */
int program_parse(FILE *from, struct program *program);
/* Makes arguments that would wait for ever wait for a while. */
void program_settle(struct program *program);

/* Pseudo-random numbers: the same for the same seed. */
struct rng {
	__u64 state;
};

__u64 rng_next(struct rng *rng);
/* Below @below. */
__u32 rng_below(struct rng *rng, __u32 below);

void program_generate(struct program *program, struct rng *rng);
/* @other is where steps may be taken from. */
void program_mutate(struct program *program, const struct program *other, struct rng *rng);
void program_remove(struct program *program, int at);

/* Prints the program as C, with @why as its comment. */
void program_emit(FILE *to, const struct program *program, const char *why);

/* Byte @i of what step @step sends. */
static inline __u8 content(int step, __u64 i)
{
	return 1 + (step * 37 + i * 7 + (i >> 8) * 11 + (i >> 16)) % 251;
}

#endif
