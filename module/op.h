/* SPDX-License-Identifier: GPL-2.0 */
/* The operation: its memory, its id, and the word that decides how it ends. */
#ifndef CIO_OP_H
#define CIO_OP_H

#include <linux/atomic.h>
#include <linux/cancelio.h>
#include <linux/cred.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/xarray.h>

struct cio_conn;
struct cio_msg;

/**
 * enum cio_op_state - the states of an operation
 * @CIO_FREE: in a free list; nobody may touch anything but the word
 * @CIO_NEW: given to a submitter, which alone knows it
 * @CIO_QUEUED: in its side's queue and nobody's: whoever moves it on by
 *	compare-and-swap has won it
 * @CIO_RUNNING: in its side's queue, and in the hands of one runner, which
 *	alone may end it or queue it again, under the conn's lock
 * @CIO_ENDING: won by somebody who will publish its completion
 * @CIO_HELD: ended; its result waits in it for WAIT_OP
 * @CIO_TAKING: won by a WAIT_OP, which hands out the result
 * @CIO_BLOCKED: as QUEUED, and a thread sleeps for it: whoever wins it says why
 *	it ends and interrupts the thread, which ends it (thread engine)
 *
 * FREE -> NEW               a submitter takes it
 * NEW -> FREE               it is refused before it starts
 * NEW -> RUNNING            a submitter tries it at once      (conn's lock)
 * NEW -> QUEUED             it waits behind others            (conn's lock)
 * NEW -> ENDING             it is decided without an attempt  (conn's lock)
 * QUEUED -> RUNNING         a runner takes it                 (conn's lock, cas)
 * RUNNING -> QUEUED         it would wait                     (conn's lock)
 * RUNNING -> ENDING         its runner ends it                (conn's lock)
 * QUEUED -> ENDING          deadline (timer queue's lock), cancel, detach or
 *                           moved deadline (conn's lock)      (cas)
 * QUEUED -> BLOCKED         its thread goes to sleep          (conn's lock, cas)
 * BLOCKED -> QUEUED         its thread is awake again         (conn's lock, cas)
 * BLOCKED -> ENDING         as from QUEUED                    (cas)
 * ENDING -> FREE or HELD    its completion is published       (conn's lock)
 * HELD -> TAKING            WAIT_OP takes the result          (cas)
 * TAKING -> FREE or HELD    it could be handed out, or not
 *
 * Out of QUEUED and BLOCKED there are several doors, and the compare-and-swap
 * lets exactly one contender through one of them.  The losers do not touch the
 * operation.
 */
enum cio_op_state {
	CIO_FREE	= 0,
	CIO_NEW		= 1,
	CIO_QUEUED	= 2,
	CIO_RUNNING	= 3,
	CIO_ENDING	= 4,
	CIO_HELD	= 5,
	CIO_TAKING	= 6,
	CIO_BLOCKED	= 7,
};

#define CIO_STATE_MASK		0x07ULL
/* On a RUNNING operation: end it with CANCELED where it would wait. */
#define CIO_CANCEL		0x08ULL
#define CIO_GEN_SHIFT		8

/* An id is the generation over the slot. */
#define CIO_SLOT_BITS		24
#define CIO_SLOT_MASK		((1ULL << CIO_SLOT_BITS) - 1)
#define CIO_GEN_MAX		((1ULL << (64 - CIO_SLOT_BITS)) - 1)

/**
 * struct cio_call - a thread that waits for one operation
 * @task: the thread; it sleeps interruptibly and looks at the two flags
 * @done: the operation ended, @result is its completion
 * @turn: the operation's side is ready and this thread is to run it
 * @keep: leave the result in the operation, as HELD
 * @fired: once @done, when its deadline ended it, else 0
 * @result: valid once @done, without @keep
 * @node: in its side's list of calls, once the operation has waited
 *
 * Lives on the thread's stack.  Protected by the conn's lock; the thread takes
 * that lock once more before it leaves, so that nobody still wakes it then.
 */
struct cio_call {
	struct task_struct *task;
	bool done;
	bool turn;
	bool keep;
	ktime_t fired;
	struct cancelio_completion result;
	struct list_head node;
};

/* @result is written when it is there: not to be cleared before costs less. */
static inline void cio_call_init(struct cio_call *call, bool keep)
{
	call->task = current;
	call->done = false;
	call->turn = false;
	call->keep = keep;
	call->fired = 0;
	INIT_LIST_HEAD(&call->node);
}

/*
 * Beside the program's flags: only a thread of the owner may run it, for it shows
 * the runner's identity to a peer, or opens descriptors for it (C45).
 */
#define CIO_OP_OWNER		BIT(15)
/* It waited before its first attempt, which has not been: @queued_at is valid. */
#define CIO_OP_UNTRIED		BIT(14)

/**
 * struct cio_op - one operation
 * @word: the arbiter: generation << CIO_GEN_SHIFT | CIO_CANCEL | state.  The
 *	memory of operations is freed only with the context, so that anybody
 *	with an id may look at the word at any time; the generation in it makes
 *	the compare-and-swap of a late comer fail
 * @conn: its connection, from RUNNING, QUEUED or ENDING on; see cio_op_conn()
 * @slot: its place among the context's operations, constant
 * @opcode: an enum cancelio_opcode
 * @flags: CANCELIO_OP_*, and CIO_OP_*
 * @queue: in its side's queue; conn's lock
 * @timer: in the context's timer queue when it has a deadline and has waited;
 *	timer queue's lock
 * @cookie_node: in the context's cookie table once it has waited; table's lock
 * @result: when HELD
 * @free: when FREE
 * @user_data: the caller's cookie
 * @addr: user address of the buffer; RECV and SEND
 * @msg: the message; RECVMSG and SENDMSG
 * @len: bytes of the buffer, or of the message's buffers
 * @done: bytes moved so far
 * @msg_flags: message flags, or events for WAIT_READY
 * @events: message flags or events to report
 * @queued_at: when it began to wait, while UNTRIED, in units of 1024 ns
 * @deadline: its own deadline, host time, KTIME_MAX for none
 * @cred: of the submitter, once it has waited; NULL before
 * @call: the thread that waits for it, or NULL; conn's lock
 */
struct cio_op {
	atomic64_t word;
	struct cio_conn *conn;
	u32 slot;
	u16 opcode;
	u16 flags;
	union {
		struct {
			struct list_head queue;
			struct timerqueue_node timer;
			struct hlist_node cookie_node;
		};
		struct cancelio_completion result;
		struct llist_node free;
	};
	u64 user_data;
	union {
		u64 addr;
		struct cio_msg *msg;
	};
	u32 len;
	u32 done;
	u32 msg_flags;
	union {
		u32 events;
		u32 queued_at;
	};
	ktime_t deadline;
	const struct cred *cred;
	struct cio_call *call;
};

/**
 * struct cio_ops - the operations of a context
 * @limit: the most operations: set by SETUP, and one more for each side, which
 *	may keep one to itself
 * @chunks: a page of operations each, by number; freed with the context only
 * @nr_chunks: how many; @grow
 * @grow: taken to add a chunk
 * @free: those that are free; added to without a lock, from any context
 * @lock: taken to remove from @free (a list without a lock has one remover)
 */
struct cio_ops {
	atomic_t limit;
	struct xarray chunks;
	u32 nr_chunks;
	struct mutex grow;	/* nr_chunks */
	struct llist_head free;
	spinlock_t lock;	/* removal from free */
};

void cio_ops_init(struct cio_ops *ops);
void cio_ops_free(struct cio_ops *ops);
struct cio_op *cio_op_alloc(struct cio_ops *ops);
void cio_op_recycle(struct cio_ops *ops, struct cio_op *op);
void cio_op_retire(struct cio_op *op);
bool cio_op_reusable(const struct cio_op *op);
u32 cio_ops_slots(const struct cio_ops *ops);
struct cio_op *cio_op_find(struct cio_ops *ops, u64 id);

static inline u64 cio_word_gen(u64 word)
{
	return word >> CIO_GEN_SHIFT;
}

static inline enum cio_op_state cio_word_state(u64 word)
{
	return word & CIO_STATE_MASK;
}

static inline u64 cio_op_word(const struct cio_op *op)
{
	return atomic64_read(&op->word);
}

static inline u64 cio_op_id(const struct cio_op *op)
{
	return cio_word_gen(cio_op_word(op)) << CIO_SLOT_BITS | op->slot;
}

static inline u64 cio_id_gen(u64 id)
{
	return id >> CIO_SLOT_BITS;
}

static inline bool cio_word_pending(u64 word)
{
	enum cio_op_state state = cio_word_state(word);

	return state == CIO_QUEUED || state == CIO_BLOCKED ||
	       state == CIO_RUNNING || state == CIO_ENDING;
}

/*
 * The conn of a pending operation of generation @gen, or NULL; under RCU.  A
 * pending operation keeps its conn, so that one whose pointer is read here was
 * not freed before the reader's critical section began, and what the pointer
 * leads to stays for its length, even if the operation ends meanwhile.
 */
static inline struct cio_conn *cio_op_conn(const struct cio_op *op, u64 gen)
{
	/* Pairs with cio_op_set_state(): the conn before the state. */
	u64 word = atomic64_read_acquire(&op->word);

	if (cio_word_gen(word) != gen || !cio_word_pending(word))
		return NULL;
	return READ_ONCE(op->conn);
}

/* Store a new state where no one else may change the word. */
static inline void cio_op_set_state(struct cio_op *op, enum cio_op_state state)
{
	u64 gen = cio_word_gen(cio_op_word(op));

	atomic64_set_release(&op->word, gen << CIO_GEN_SHIFT | state);
}

/* Contend for an operation of generation @gen: from state @from to state @to. */
static inline bool cio_op_win(struct cio_op *op, u64 gen,
			      enum cio_op_state from, enum cio_op_state to)
{
	u64 old = gen << CIO_GEN_SHIFT | from;

	return atomic64_cmpxchg(&op->word, old, gen << CIO_GEN_SHIFT | to) ==
	       old;
}

/* As cio_op_win(), for one that cannot be recycled meanwhile. */
static inline bool cio_op_take(struct cio_op *op, enum cio_op_state from,
			       enum cio_op_state to)
{
	return cio_op_win(op, cio_word_gen(cio_op_word(op)), from, to);
}

/* Nobody has it, whether a thread sleeps for it or not. */
static inline bool cio_op_waits(const struct cio_op *op)
{
	enum cio_op_state state = cio_word_state(cio_op_word(op));

	return state == CIO_QUEUED || state == CIO_BLOCKED;
}

/*
 * Win an operation that waits.  One that begins or ceases to be slept for
 * meanwhile is not lost for that.
 */
static inline bool cio_op_take_waiting(struct cio_op *op)
{
	while (cio_op_waits(op))
		if (cio_op_take(op, CIO_QUEUED, CIO_ENDING) ||
		    cio_op_take(op, CIO_BLOCKED, CIO_ENDING))
			return true;
	return false;
}

#endif /* CIO_OP_H */
