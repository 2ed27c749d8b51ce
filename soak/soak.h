/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Load and endurance.  See Documentation/soak.rst.
 *
 * One process supervises.  It has workers, each of which holds hundreds of connections in
 * a context of its own, and peers, which have their other ends and know plain sockets
 * only.  All of them share one piece of memory: a record for each connection, by which
 * both ends compare what they sent with what came, and the counts.
 */
#ifndef CANCELIO_SOAK_H
#define CANCELIO_SOAK_H

#include "../selftests/util.h"

#include <pthread.h>
#include <stdio.h>
#include <stdnoreturn.h>

#define WORKERS		8
#define PEERS		2
/* Records of a worker: more than it has connections, for peers look later. */
#define SLOTS		1536
/* Bytes of one read and of one write at the most. */
#define RECV_MAX	4096
#define SEND_MAX	49152
/* Nothing takes so long on a machine that is loaded. */
#define PATIENCE	(120 * SECOND)
/* How long a read may wait beside its data. */
#define STALL		(10 * SECOND)

enum family { IPV4, IPV6, UNIX, FAMILIES };

/* What a worker is short of. */
enum limit { NO_LIMIT, OF_MEMORY, OF_FILES };

struct kind {
	const char *name;
	__u32 engine;
	enum limit limit;
	bool mapped;
	int families;
	int conns;
	__u32 entries;
	__u32 threads;
};

enum count {
	MADE, EXACT, ABORTED, RESETS, KILLED,
	DONE, ERRORS, DEADLINES, CANCELS, CLOSES,
	UP, DOWN, CALLS, INTERRUPTED, MOVES, REATTACHED,
	KILLS, OOM_KILLS, MEMORY_MAX,
	NOMEM_SETUP, NOMEM_ATTACH, NOMEM_SUBMIT, EMFILE_ATTACH, EMFILE_SOCKET,
	AGAIN_RING, AGAIN_THREADS,
	COUNTS,
};

/**
 * struct record - a connection, as both of its ends see it
 * @used: somebody has it; the rest is set anew before
 * @generation: stands in what the worker says first
 * @stream: names the patterns of both directions
 * @seen: the peer has it
 * @stop: the worker asks the peer to end its stream
 * @stopped: the peer has ended its stream, and @down_sent is final
 * @reset: the peer resets the connection
 * @finished: the worker sends nothing more, and @sent is final
 * @aborted: the worker leaves without having read to the end
 * @orphan: the worker was killed
 * @left: the worker has closed it
 * @judged: the peer has closed it, and found it right
 * @asked: bytes that the worker gave to writes, all in all those it can have sent
 * @sent: bytes that its writes' completions report
 * @received: bytes that the peer got
 * @down_sent: bytes that the peer sent
 */
struct record {
	bool used;
	__u32 generation;
	__u32 stream;
	bool seen;
	bool stop;
	bool stopped;
	bool reset;
	bool finished;
	bool aborted;
	bool orphan;
	bool left;
	bool judged;
	__u64 asked;
	__u64 sent;
	__u64 received;
	__u64 down_sent;
};

/* What a worker says first on a connection. */
struct hello {
	__u32 record;
	__u32 generation;
};

struct shared {
	__u64 seed;
	bool ending;
	bool quit;
	int violations;
	int most;
	__s64 begin;
	__u32 streams;
	__s64 late;
	__s64 gone;
	bool open[WORKERS];
	__u64 counts[COUNTS];
	__u32 beats[WORKERS];
	struct record records[WORKERS * SLOTS];
};

/* The operations that a connection has at a time. */
enum which { FIRST_RECV, SECOND_RECV, SEND, OPS };

/**
 * struct slot - an operation that is pending, or could be
 * @id: the kernel's name
 * @order: its number among those of its connection
 * @since: when it was submitted
 * @due: its own deadline is not before this time
 * @absolute: its own deadline is just this time
 * @side_due: nor is that of its side, as far as it is known
 * @cancels: how many cancels that can concern it were over by then
 * @must: why it ends, or -1
 * @closing: its connection is being detached
 * @stalled: since when it has waited beside its data, or 0
 * @bytes: where its data goes, RECV_MAX bytes
 */
struct slot {
	bool pending;
	bool waitall;
	bool nowait;
	bool absolute;
	__u64 id;
	__u64 order;
	__u32 len;
	__s64 since;
	__s64 due;
	__s64 side_due;
	__u64 cancels;
	int must;
	bool closing;
	__s64 stalled;
	__u8 *bytes;
};

/* How many calls to cancel have begun, and how many have returned. */
struct cancels {
	__u64 begun;
	__u64 over;
};

/**
 * struct conn - a worker's end of a connection
 * @worker: whose it is
 * @index: its place there, from which its cookies are made
 * @id: 0 while it is not attached
 * @sock: -1 where the worker has closed its own descriptor
 * @ending: it is to be read to its end, and then to be closed
 * @read_end: it was read to its end
 * @broken: the peer has reset it
 * @cancels: of operations on it
 * @canceled: how many of them ended for that
 * @begun: how many operations there were
 * @last_read: the order of the last read that was done
 * @deadlines: of the read side and of the write side
 */
struct conn {
	struct worker *worker;
	struct record *record;
	int index;
	enum family family;
	__u64 id;
	int sock;
	bool ending;
	bool read_end;
	bool broken;
	struct cancels cancels;
	__u64 canceled;
	__u64 begun;
	__u64 last_read;
	__u64 sent;
	__u64 received;
	__s64 deadlines[2];
	struct slot slots[OPS];
};

#define CALLERS		2
#define CALLER_CONNS	8

/* A thread that waits for each of its operations. */
struct caller {
	struct worker *worker;
	pthread_t thread;
	__u64 random;
	struct conn *conns;
};

/**
 * struct worker - all of a worker process
 * @number: among the workers
 * @random: of the main thread
 * @fd: the context
 * @ring: where it is mapped
 * @conns: those of the main thread, then those of the callers
 * @cancels: of all operations
 * @leave: the callers are to come to their end
 * @group: its control group's files, or -1
 */
struct worker {
	const struct kind *kind;
	int number;
	__u64 random;
	int fd;
	struct cancelio_ring *ring;
	struct conn *conns;
	struct caller callers[CALLERS];
	struct cancels cancels;
	bool leave;
	int memory_max;
	int memory_current;
};

extern struct shared *shared;
extern const struct kind kinds[WORKERS];
/* What this process is called where it finds something wrong. */
extern char self[32];
/* In the supervisor: ends all others. */
extern void (*before_violation)(void);

/* record.c */
noreturn void violation(const char *format, ...);
void count_add(enum count which, __u64 number);
__u64 count_of(enum count which);
__u64 random_next(__u64 *state);
__u32 random_below(__u64 *state, __u32 limit);
bool one_in(__u64 *state, __u32 chances);
void raise_to(__s64 *most, __s64 value);
void pattern_init(void);
const __u8 *pattern_at_place(__u32 stream, __u64 place);
bool pattern_is(const __u8 *bytes, size_t len, __u32 stream, __u64 place);
struct record *record_take(int worker);
void record_leave(struct record *record);
int records_used(int worker);

static inline void cancel_begins(struct cancels *cancels)
{
	__atomic_add_fetch(&cancels->begun, 1, __ATOMIC_SEQ_CST);
}

static inline void cancel_is_over(struct cancels *cancels)
{
	__atomic_add_fetch(&cancels->over, 1, __ATOMIC_SEQ_CST);
}

static inline bool flag_get(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void flag_set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* peer.c */
void peers_listen(void);
int peer_connect(int peer, enum family family);
noreturn void peer_run(int number);

/* conn.c */
int conn_open(struct conn *conn, __u64 *random);
int conn_attach(struct conn *conn);
void conn_close(struct conn *conn);
void conn_finish_writing(struct conn *conn);
bool conn_idle(const struct conn *conn);
void conn_move_deadline(struct conn *conn, __u64 *random);
void conn_clear_deadlines(struct conn *conn);
void conn_begin(struct conn *conn, enum which which, __u64 *random, struct cancelio_op *op);
void conn_refused(struct conn *conn, enum which which, int error);
void conn_judge(struct conn *conn, enum which which, const struct cancelio_completion *end);

/* act.c */
void worker_act(struct worker *worker);
int worker_reap(struct worker *worker, __u32 min, __s64 time);
void worker_flush(struct worker *worker);
void worker_drain(struct worker *worker);
void worker_end_conn(struct worker *worker, struct conn *conn);
void worker_finish_conn(struct worker *worker, struct conn *conn);

/* worker.c */
noreturn void worker_run(int number, __u64 seed);

/* caller.c */
void callers_start(struct worker *worker);
void callers_disturb(struct worker *worker);
void callers_end(struct worker *worker);

/* limit.c */
void limits_prepare(void);
void limits_join(struct worker *worker);
void limits_tighten(struct worker *worker);
void limits_loosen(struct worker *worker);
void limits_hit(struct worker *worker);
void limits_read_events(void);

/* memory.c */
void memory_baseline(void);
void memory_sample(void);
bool memory_is_flat(FILE *figures);

/* round.c */
void peers_start(void);
void peers_stop(void);
void round_play(int seconds);
void all_stop(void);

/* watch.c */
int module_references(void);
bool context_is_gone(int pid);
void await_unused(void);

/* kill.c */
void kill_scenes(FILE *figures);

/* report.c */
void report_now(void);
void report_stop(void);
void report_end(FILE *figures);

#endif
