/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Races by pair: two events meet at one moment, again and again.  See
 * Documentation/pairs.rst.
 *
 * Two actors run a round: the leader, who also prepares and judges it, and the follower;
 * each is bound to a processor.  Where the second event is the kill of the owner, the
 * leader is a child that lives for one round.  All that they share is one stage.
 */
#ifndef CANCELIO_PAIRS_H
#define CANCELIO_PAIRS_H

#include "../selftests/util.h"

#include <stdnoreturn.h>

/*
 * The operation that waits before the actors act, what leader and follower submit, and
 * the one of a worker's exit.
 */
#define TARGET		0
#define SUBMITTED(who)	(1 + (who))
#define DECOY		3
#define OPS		4

#define ENTRIES		64
#define BUFFER		64
#define MESSAGE		8
/* More than the shrunk buffers of a connection take, bytes. */
#define CHUNK		(192U << 10)
/* Neither is in what is sent: it has 1 to 251. */
#define UNTOUCHED	0xff
#define GONE		0xfe
#define MARK		0
/* Buffers are used in turn, so that a late write is found rounds later too. */
#define BUFFERS		32
#define FILLERS		40
#define SEGMENTS	1024
/* How long one who waits spins, before it sleeps. */
#define SPIN		50000

enum event {
	DEADLINE,
	MUNMAP,
	WORKER_EXIT,
	SUBMIT,
	PEER_CLOSE,
	MOVE,
	CANCEL_ID,
	CANCEL_ALL,
	DETACH,
	SHUTDOWN,
	COMPLETE,
	KILL,
	EVENTS,
};

/* Bytes of one operation in a stream that has not been read yet. */
struct segment {
	int which;
	__u32 offset;
	__u32 len;
};

struct config {
	const char *name;
	__u32 engine;
	__u32 op_flags;
};

/* @cleaned: neither event ended it, and the judge canceled it; @order: among the ends. */
struct op_state {
	bool accepted;
	bool ended;
	bool held;
	bool cleaned;
	int order;
	__u64 id;
	__u8 *bytes;
	struct cancelio_completion end;
};

struct actor {
	enum event event;
	int ret;
	__s64 time;
	__s64 begin;
	__s64 end;
};

/* How far the second event is shifted against the first, ns, and how that is steered. */
struct aim {
	__s64 center;
	__s64 step;
	__s64 lead;
	int last;
};

/**
 * struct stage - all that the actors of a pair share
 * @round: its number, from 1 on; @config, @side, @seed and it name the round
 * @go: the round to which the follower is called
 * @arrived: the round for which it stands ready
 * @ready: the round that has been prepared
 * @acted: the round in which the follower has acted
 * @quit: the follower is to leave
 * @over: what is to end has ended
 * @told: what the owner says to its killer before it leaves early
 * @predicted: the id that the side's next operation gets
 * @sent: bytes that the peer has ever sent, a place in the pattern
 * @got: and how many of these were read
 * @segments: what was written and the peer has not read yet, in order
 * @outstanding: bytes of these
 * @drain: what the peer has read and is not compared yet
 * @seen: the owner has seen its target end
 */
struct stage {
	const struct config *config;
	__u32 side;
	__u64 seed;
	unsigned int round;
	unsigned int go;
	unsigned int arrived;
	unsigned int ready;
	unsigned int acted;
	bool quit;
	bool over;
	struct actor actors[2];
	struct aim aim;
	__s64 offset;

	int fd;
	int sock;
	int peer;
	__u64 conn;
	struct cancelio_ring *ring;
	bool mapped;
	int contexts;

	struct op_state ops[OPS];
	int ends;
	__u64 predicted;
	__u8 buffers[BUFFERS][BUFFER];
	__u8 chunks[3][CHUNK];
	size_t sent;
	size_t got;
	size_t drained;
	__u8 drain[5 * CHUNK];
	struct segment segments[SEGMENTS];
	unsigned int first_segment;
	unsigned int end_segment;
	size_t outstanding;

	int pid;
	bool seen;
	char told[128];

	int fillers[FILLERS][2];
	__u64 filler_conns[FILLERS];
	int nr_fillers;
	int uffd;
	__u8 *pages;
	__u64 decoy;
	int surplus;
	unsigned long exits;
};

/* A pair on one engine and side. */
struct cell {
	enum event events[2];
	const struct config *config;
	__u32 side;
	double weight;
};

/* How its rounds went. */
struct tally {
	unsigned long rounds;
	unsigned long won[2];
	unsigned long exits;
	__s64 time;
};

extern const struct config configs[];
extern const char *const event_names[];
extern struct stage *stage;
/* Where not 0, every offset is this one less 1. */
extern __s64 fixed_offset;
/* In the child that is to be killed: what is wrong there is told to the parent. */
extern bool is_owner;
/* Far longer than anything takes, ns. */
extern __s64 longest;
/* The seed that is played, or 0: then the rounds are those of make pairs. */
extern __u64 explored;

/* main.c; a violation says what was wrong in the round, and ends the program with 1. */
noreturn void violation(const char *format, ...);
const char *side_name(__u32 side);
void watch_start(void);
void cell_play(const struct cell *cell, unsigned long rounds, struct tally *tally);

/* explore.c */
struct exploration {
	__u64 first;
	__u64 seeds;
	unsigned int failures;
	bool quiet;
};

int explore(const struct exploration *plan, const struct cell *cells, int count);
void explore_begin(void);
void explore_round(void);
void explore_course(void);

/*
 * In a loop that waits for another processor: where both take turns by the instruction,
 * this is the other one's.
 */
static inline void yield_turn(void)
{
	if (explored)
		__builtin_ia32_pause();
}

/* event.c */
bool pair_has(enum event event);
bool ends_target(enum event event);
bool move_clears(int who);
bool deadline_is_own(void);
bool submit_joins(void);
void act(int who);
void drain_some(size_t most, int flags);
__u8 byte_at(size_t place);
void bytes_fill(__u8 *to, size_t len, size_t place);
bool bytes_hold(const __u8 *bytes, size_t len, size_t place);
bool stream_holds(const __u8 *bytes, size_t len, size_t place);
bool bytes_all(const __u8 *bytes, size_t len, __u8 value);
void submit_op(int which);

/* stage.c */
void stage_connect(void);
void stage_disconnect(void);
void stage_open(void);
void stage_close(void);
void stage_renew(void);
void stage_exchange(void);
int stage_references(void);
void await_references(int count);

/* worker.c */
void workers_open(int fillers);
void workers_close(void);
void workers_refill(void);
void workers_count(void);

/* round.c */
void bind_to(int processor);
void spin_until(__s64 time);
void let_others(void);
void publish(unsigned int *word, unsigned int value);
void round_begin(void);
bool await_word(unsigned int *word, unsigned int value, __s64 patience);
void round_call(void);
void round_prepare(void);
void rounds_play(unsigned long rounds, struct tally *tally);
void aim_reset(void);
void aim_next(void);
void aim_learn(int winner);

/* write.c */
void write_account(int which, size_t moved);
void write_compare(void);
void write_drain_all(void);

/* judge.c: returns who came first. */
int round_judge(void);

/* kill.c */
void kill_rounds_play(unsigned long rounds, struct tally *tally);

#endif
