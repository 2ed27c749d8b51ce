/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * cancelio - socket reads and writes that can be interrupted at any moment
 *
 * This header is the specification of /dev/cancelio, with <linux/cancelio_setup.h>,
 * which has the structures of INFO, SETUP and STATS.  It is unstable until version 1.0:
 * until then a structure may change, and a program checks &struct cancelio_info.abi
 * against %CANCELIO_ABI before anything else.
 */
#ifndef _UAPI_LINUX_CANCELIO_H
#define _UAPI_LINUX_CANCELIO_H

#include <linux/cancelio_setup.h>
#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Words
 *
 * A *context* is one open of /dev/cancelio.  Its *owner* is the process (thread group
 * and address space) that opened it.  A *connection* is a socket attached to a context;
 * it has a read *side* and a write *side*.  An *operation* is one accepted request; one
 * at a time runs on a side, the others of that side wait, first in, first out, and the
 * two sides never wait for each other.
 *
 * An operation ends exactly once, with a *reason*: it did its work (%CANCELIO_DONE), the
 * socket failed (%CANCELIO_ERROR), its deadline passed (%CANCELIO_DEADLINE), it was
 * canceled (%CANCELIO_CANCELED), or its connection or context was closed
 * (%CANCELIO_CLOSED).
 */

/**
 * DOC: How structures grow
 *
 * Every ioctl takes a pointer to one structure whose first field, size, holds the
 * caller's sizeof of it, in bytes.  New fields are only ever added at the end, and zero
 * in a new field means what the older structure did.
 *
 * - A caller older than the kernel passes a smaller size: the kernel takes the missing
 *   fields as zero and writes no byte beyond the caller's size.
 * - A caller newer than the kernel passes a larger size: the kernel accepts it when
 *   every byte that it does not know is zero, else -E2BIG.
 * - A size below the structure's first published size, or above one page, is -EINVAL.
 *
 * Arrays of operations carry the size of their entries beside their address, and
 * the entries grow by the same rule; completions have the one size that they were
 * published with.  All types have a fixed size and natural alignment, there is no implicit
 * padding, and a 32-bit program on a 64-bit kernel uses the same layout.  Addresses are __u64.
 */

/**
 * DOC: Errors common to every ioctl
 *
 * =========== ===============================================================
 * -ENOTTY     the number is not one of this header's
 * -EFAULT     the structure cannot be read or written; nothing happened
 * -EINVAL     size out of range, an unknown flag, a reserved field not zero
 * -E2BIG      the structure is larger than the kernel's and not zero there
 * -EPERM      the caller is not the owner (a child after fork, a process that
 *             was handed the descriptor, another thread group)
 * -ENXIO      the context was not set up yet (not for INFO and SETUP)
 * -ESHUTDOWN  the context was shut down (not for INFO, STATS, WAIT and WAIT_OP)
 * -EOPNOTSUPP the module does not have this yet; INFO says what it has
 * =========== ===============================================================
 *
 * -EINTR and the kernel's internal codes never stand in a completion, and no operation
 * ever raises a signal (SIGPIPE) in the program.
 */

/**
 * DOC: Times
 *
 * All times are signed 64-bit nanoseconds of CLOCK_MONOTONIC, in the time namespace that
 * the owner was in at SETUP.  A deadline is absolute, unless a flag of the operation
 * makes it relative to its submission.  %CANCELIO_NEVER is no deadline; every other value
 * is a deadline, and one that is not in the future (the present, zero, negative values)
 * has passed.  A relative time that would not fit the clock is clamped to the last
 * instant before %CANCELIO_NEVER, never wrapped.
 *
 * A deadline is never early.  How late it was stands in the completion.
 */
#define CANCELIO_NEVER		0x7fffffffffffffffLL

#define CANCELIO_ABI		2

/* The device node, and the magic of its ioctls. */
#define CANCELIO_DEVICE		"/dev/cancelio"
#define CANCELIO_IOC		0xCA

/* The most operations in one SUBMIT. */
#define CANCELIO_MAX_BATCH	4096
/* The most entries of a completion ring. */
#define CANCELIO_MAX_ENTRIES	(1U << 20)
/* Operations that a context has at the most, beyond the entries of its ring. */
#define CANCELIO_MAX_HELD	65536
/* The most bytes of control data that SENDMSG takes. */
#define CANCELIO_MAX_CONTROL	20480
/* The most bytes that one operation moves; a larger len is -EINVAL. */
#define CANCELIO_MAX_LEN	0x7ffff000U

/**
 * enum cancelio_engine - how a blocked operation waits
 * @CANCELIO_ENGINE_POLL: parked on the socket's readiness, as in Go's network
 *	poller; no thread sleeps for it
 * @CANCELIO_ENGINE_THREAD: asleep in a kernel thread of its own, which a
 *	deadline or a cancel interrupts by a signal, as in Plan 9
 */
enum cancelio_engine {
	CANCELIO_ENGINE_POLL	= 0,
	CANCELIO_ENGINE_THREAD	= 1,
};

/**
 * enum cancelio_opcode - what an operation does
 * @CANCELIO_OP_RECV: receive into one buffer, as recv(2); read side
 * @CANCELIO_OP_SEND: send one buffer, as send(2); write side.  On a stream it
 *	goes on until all bytes are accepted or it ends otherwise; a datagram is
 *	sent whole or not at all
 * @CANCELIO_OP_RECVMSG: receive by &struct cancelio_msg, as recvmsg(2), into
 *	several buffers, with the sender's address and control data; read side
 * @CANCELIO_OP_SENDMSG: send by &struct cancelio_msg, as sendmsg(2), from several
 *	buffers, to an address, with control data; write side, and goes on as SEND
 * @CANCELIO_OP_WAIT_READY: wait until the socket is readable (read side) or
 *	writable (write side), moving nothing
 */
enum cancelio_opcode {
	CANCELIO_OP_RECV	= 0,
	CANCELIO_OP_SEND	= 1,
	CANCELIO_OP_RECVMSG	= 2,
	CANCELIO_OP_SENDMSG	= 3,
	CANCELIO_OP_WAIT_READY	= 4,
};

/* Flags of struct cancelio_op. */

/* The deadline field holds an absolute time. */
#define CANCELIO_OP_DEADLINE	(1U << 0)
/* The deadline field holds a time from submission on. */
#define CANCELIO_OP_TIMEOUT	(1U << 1)
/*
 * Try once and do not wait: ERROR with -EAGAIN where it would wait, with the
 * bytes that a stream moved before.
 */
#define CANCELIO_OP_NOWAIT	(1U << 2)
/*
 * Run in a kernel worker, never in the submitting or a waiting thread.  Refused
 * with -EOPNOTSUPP where it must not, see "AF_UNIX".
 */
#define CANCELIO_OP_WORKER	(1U << 3)
/* Keep the completion for WAIT_OP: it does not appear in the ring. */
#define CANCELIO_OP_HOLD	(1U << 4)

/**
 * struct cancelio_op - one request
 * @opcode: an &enum cancelio_opcode
 * @flags: CANCELIO_OP_* flags; DEADLINE and TIMEOUT exclude each other
 * @conn: the connection, from ATTACH
 * @user_data: the caller's cookie, returned in the completion
 * @addr: address of the buffer (RECV, SEND) or of a &struct cancelio_msg
 *	(RECVMSG, SENDMSG); 0 for WAIT_READY
 * @len: bytes of the buffer, 0 to %CANCELIO_MAX_LEN; 0 for the others
 * @msg_flags: flags of recv(2) and send(2).  RECV and RECVMSG take MSG_PEEK or
 *	MSG_WAITALL (not both), MSG_TRUNC, MSG_CMSG_CLOEXEC; SEND and SENDMSG
 *	MSG_MORE and MSG_EOR; all take MSG_NOSIGNAL, which is implied; all other
 *	flags are -EINVAL.  For WAIT_READY the poll(2) events to wait for:
 *	POLLIN, POLLPRI and POLLRDHUP (read side) or POLLOUT (write side), not
 *	both sides at once
 * @deadline: the operation's own deadline, ns, see the two flags; 0 without
 *	them.  The earlier of it and the side's deadline counts
 * @reserved: zero
 *
 * The checks at an operation's start go in this order: closed, deadline, I/O.  One whose
 * deadline has passed at its start moves nothing, even when data is there.  A zero-length
 * RECV on a stream, or RECVMSG with no room for data, returns 0 at once, unqueued, also
 * past its deadline.
 *
 * The socket's O_NONBLOCK, SO_RCVTIMEO and SO_SNDTIMEO do not matter.
 *
 * The buffer belongs to the kernel from the submission until the completion is
 * visible, or the cancel that ended the operation has returned.
 *
 * A write on a socket that calls itself writable and takes nothing (AF_UNIX datagrams,
 * unconnected, to a full queue) is tried again after 1 ms, then after 2, and so on up to
 * every 64 ms, and when an event comes.
 */
struct cancelio_op {
	__u32 opcode;
	__u32 flags;
	__u64 conn;
	__u64 user_data;
	__u64 addr;
	__u32 len;
	__u32 msg_flags;
	__s64 deadline;
	__u64 reserved[2];
};

/**
 * struct cancelio_iovec - one buffer of a message
 * @base: its address
 * @len: its length, bytes
 */
struct cancelio_iovec {
	__u64 base;
	__u64 len;
};

/**
 * struct cancelio_msg - a message header in a layout of fixed size
 * @name: address of a socket address, or 0
 * @iov: address of an array of &struct cancelio_iovec
 * @control: address of the control data, or 0
 * @name_len: bytes at @name, 0 without it; RECVMSG writes the address's full length
 *	here, which may be more, and 0 where there is none
 * @iov_count: entries of @iov, 0 to 1024
 * @control_len: bytes at @control, 0 without it, and for SENDMSG at most
 *	%CANCELIO_MAX_CONTROL; RECVMSG writes the bytes used here
 * @flags: not read; written by RECVMSG: MSG_TRUNC, MSG_CTRUNC and MSG_EOR, as
 *	recvmsg(2)
 *
 * The header and @iov are read at submission, once, and so are the address and the
 * control data that SENDMSG sends: they belong to the program again when the call
 * returns.  The buffers of @iov, and those at @name and @control that RECVMSG
 * writes, belong to the kernel until the operation has ended, as does the header:
 * RECVMSG writes @name_len, @control_len and @flags there, before its completion is
 * visible, when it is DONE or has moved data; else they stay as they were.  With
 * MSG_WAITALL the first two tell of the last part of the data, and @flags of all.
 *
 * Control data has the layout of the submitting program's struct cmsghdr, which
 * differs between 32-bit and 64-bit programs.  With a stream it goes with the first
 * byte of a SENDMSG; descriptors in it are looked up when that is sent.  MSG_WAITALL
 * ends early behind data that came with control data over AF_UNIX, if there was a
 * buffer for it, for what follows may be another sender's.
 *
 * A bad header refuses the operation, and nothing happened:
 *
 * ============ ============================================================
 * -EFAULT      the header or @iov, or for SENDMSG the address or the control
 *              data, cannot be read
 * -EINVAL      @iov_count out of range; the buffers together are longer than
 *              %CANCELIO_MAX_LEN; @name_len without @name, or for SENDMSG
 *              above sizeof(struct sockaddr_storage); @control_len without
 *              @control; control data of a 32-bit program that is malformed
 * -ENOBUFS     SENDMSG: @control_len above %CANCELIO_MAX_CONTROL
 * -ENOMEM      no memory for the copy
 * ============ ============================================================
 *
 * A buffer that cannot be read or written is an ERROR with -EFAULT, as for RECV and
 * SEND.  So are results that RECVMSG cannot write: the data has then been taken
 * from the socket, and the completion says how much.
 */
struct cancelio_msg {
	__u64 name;
	__u64 iov;
	__u64 control;
	__u32 name_len;
	__u32 iov_count;
	__u32 control_len;
	__u32 flags;
};

/**
 * enum cancelio_reason - why an operation ended
 * @CANCELIO_DONE: it did its work; error is 0
 * @CANCELIO_ERROR: the socket, the memory or a permission failed; error says how
 * @CANCELIO_DEADLINE: its deadline passed; error is -ETIME
 * @CANCELIO_CANCELED: it was canceled; error is -ECANCELED
 * @CANCELIO_CLOSED: its connection was detached, or its context ended; error is
 *	-EBADF
 */
enum cancelio_reason {
	CANCELIO_DONE		= 0,
	CANCELIO_ERROR		= 1,
	CANCELIO_DEADLINE	= 2,
	CANCELIO_CANCELED	= 3,
	CANCELIO_CLOSED		= 4,
};

/**
 * enum cancelio_which - which deadline ended an operation
 * @CANCELIO_WHICH_NONE: none did
 * @CANCELIO_WHICH_OP: its own
 * @CANCELIO_WHICH_SIDE: its side's
 */
enum cancelio_which {
	CANCELIO_WHICH_NONE	= 0,
	CANCELIO_WHICH_OP	= 1,
	CANCELIO_WHICH_SIDE	= 2,
};

/**
 * struct cancelio_completion - how one operation ended
 * @user_data: the cookie of the submission
 * @id: the kernel's name of the operation, never used for another one of the
 *	same context
 * @conn: the connection
 * @bytes: bytes moved.  A RECV that ended by DEADLINE, CANCELED or CLOSED has
 *	taken nothing (with MSG_WAITALL: exactly the bytes it put in the
 *	buffer); a SEND that did has this many bytes accepted by the socket
 * @error: 0, or -errno, see below
 * @reason: an &enum cancelio_reason
 * @which: an &enum cancelio_which
 * @opcode: the operation's &enum cancelio_opcode
 * @events: the flags of the received message (MSG_TRUNC, MSG_CTRUNC, MSG_EOR), with
 *	MSG_WAITALL those of all its parts, or for WAIT_READY the ready poll(2) events
 * @ended: when it ended, ns: on the thread engine when that was decided, and the
 *	thread that sleeps for it tells a little later
 * @late: for DEADLINE how long after the deadline it ended, ns; 0 else
 * @reserved: zero
 *
 * DONE with 0 bytes is end of file for a RECV of more than 0 bytes on a stream.  On a
 * datagram socket it is an empty datagram, or the read side was shut down; of
 * SOCK_SEQPACKET it may be either.
 *
 * Errors of ERROR are those of recv(2), send(2), recvmsg(2), sendmsg(2) and the
 * protocol, among them:
 *
 * ============== ==========================================================
 * -EFAULT        the buffer cannot be read or written, or RECVMSG's results not
 *                be written
 * -EAGAIN        NOWAIT, and the operation would wait
 * -ENOTCONN      the socket is not connected
 * -ECONNRESET    the peer reset the connection; both sides learn of it
 * -EPIPE         the write side or the peer is closed; no signal is raised
 * -ETIMEDOUT     TCP's own time-out, never a deadline
 * -EMSGSIZE      the datagram is too large
 * -ECONNREFUSED  a datagram's peer answered that nobody listens
 * -EINVAL        control data that the protocol does not take
 * -EBADF         control data has a descriptor that is not open
 * -EPERM         control data has credentials that the caller may not show
 * ============== ==========================================================
 */
struct cancelio_completion {
	__u64 user_data;
	__u64 id;
	__u64 conn;
	__u32 bytes;
	__s32 error;
	__u8  reason;
	__u8  which;
	__u16 opcode;
	__u32 events;
	__s64 ended;
	__s64 late;
	__u64 reserved;
};

/**
 * struct cancelio_ring - the head of the mapped completion ring
 * @head: the next entry to read; stored by the program (release) in a context
 *	whose ring is mapped, else by the kernel
 * @tail: the next entry to be written; stored by the kernel (release)
 * @entries: number of entries, a power of two
 * @completions_offset: bytes from this structure to the first entry
 * @completion_size: bytes of an entry
 * @reserved: zero
 *
 * mmap(2) of the context at offset 0, MAP_SHARED, of up to
 * &struct cancelio_setup.ring_bytes gives this structure and the entries.  @head
 * and @tail count freely and wrap at 2^32; entry i stands at i modulo @entries.
 * The program copies entries between head (its own) and tail (load-acquire),
 * then stores the new head.  The kernel reads nothing here but @head, so that a
 * wrong value there spoils only the program's own view.
 *
 * From the first mmap on, the program alone reaps: WAIT copies nothing.  poll(2) says
 * POLLIN and POLLRDNORM exactly while head and tail differ or a thread of the program is
 * needed (see "AF_UNIX"), POLLHUP once the context was shut down, and POLLERR to anybody
 * but the owner and before SETUP.
 *
 * mmap errors: -EPERM, -ENXIO as above, -EINVAL for a range outside of the ring or a
 * private or executable mapping.  It is not inherited by fork(2) and cannot be extended.
 */
struct cancelio_ring {
	__u32 head;
	__u32 tail;
	__u32 entries;
	__u32 completions_offset;
	__u32 completion_size;
	__u32 reserved[11];
};

/**
 * DOC: AF_UNIX
 *
 * What is sent over AF_UNIX shows its peer who sent it (SO_PASSCRED,
 * SO_PASSPIDFD), and descriptors are taken from, and put into, the table of whoever
 * sends and receives them.  So on these sockets SEND, SENDMSG, and RECVMSG with
 * @control_len above 0 run only in threads of the program: in the one that submits,
 * or in one that waits by WAIT, or by CALL or WAIT_OP for an operation of that side.
 *
 * While such an operation could go on and no thread is there, poll(2) says POLLIN
 * though the ring may be empty: a WAIT, with min 0 if it is not to sleep, runs it.
 * Its deadline, cancel and close need nobody.
 *
 * With %CANCELIO_OP_WORKER, and on %CANCELIO_ENGINE_THREAD, such operations are
 * refused with -EOPNOTSUPP.
 */

/**
 * struct cancelio_attach - attach a socket
 * @size: sizeof this structure
 * @fd: the socket's file descriptor
 * @flags: zero
 * @reserved: zero
 * @conn: out: the connection, never 0, and never given again by this context
 *
 * The connection holds the socket open until DETACH or the context's end: closing @fd
 * alone sends no FIN.  It starts without deadlines.  One socket can be attached to
 * several contexts, but to each of them once.
 *
 * -EBADF: @fd is not open.  -ENOTSOCK: not a socket.  -EPROTONOSUPPORT: a
 * family or protocol that is not TCP, UDP or AF_UNIX.  -EEXIST: attached already.
 * -EMFILE: the process has RLIMIT_NOFILE sockets attached, over all its contexts; one
 * that was detached counts until its last operation has ended.  -ENOMEM.
 */
struct cancelio_attach {
	__u32 size;
	__s32 fd;
	__u32 flags;
	__u32 reserved;
	__u64 conn;
};

/**
 * struct cancelio_detach - detach a connection
 * @size: sizeof this structure
 * @flags: zero
 * @conn: the connection
 *
 * Ends the operations of both sides with CLOSED, waits until none is in flight, and
 * drops the socket.
 *
 * -EBADF: no such connection, or detached already.  -EINTR: a signal came while an
 * operation was running; it ends with CLOSED soon, and the socket is dropped then.
 */
struct cancelio_detach {
	__u32 size;
	__u32 flags;
	__u64 conn;
};

/**
 * struct cancelio_submit - submit an array of operations, and wait if wanted
 * @size: sizeof this structure
 * @op_size: sizeof &struct cancelio_op
 * @ops: address of the array
 * @ids: address of an array of __u64 that gets the operations' ids, or 0
 * @count: entries of @ops, 1 to %CANCELIO_MAX_BATCH
 * @flags: zero
 * @error: out: why operation number (return value) was refused; 0 when none was, or
 *	how the wait for @min ended without them: -ETIME, -EINTR, -ESHUTDOWN as of WAIT
 * @min: where all were taken, return when this many completions are in the ring, as
 *	WAIT without copying does, 0 to its entries (else -EINVAL); 0: do not wait
 * @time: do not wait longer than to this absolute time, ns; 0 without @min
 *
 * Takes the operations in order, and stops at the first one it must refuse.  Returns how
 * many it took; the rest was not looked at.  When it took none it returns the reason
 * instead.  A taken operation may have completed already.
 *
 * Reasons to refuse an operation:
 *
 * ============ ============================================================
 * -EAGAIN      no completion entry can be reserved, or the context has about
 *              entries + %CANCELIO_MAX_HELD operations: reap, and submit the
 *              rest again
 * -EBADF       no such connection, or it is detached
 * -EINVAL      unknown opcode, flag or message flag, a reserved field not zero,
 *              len out of range, a bad header of a message
 * -EOPNOTSUPP  not by a worker, and not on this engine: see "AF_UNIX"
 * -EFAULT      the entry, or its message, cannot be read, or its id not be
 *              written
 * -ENOBUFS     a message has too much control data
 * -E2BIG       the entry is larger than the kernel's and not zero there
 * -EACCES      RESTRICT has taken the operation away
 * -EINTR       a fatal signal came
 * -ENOMEM      no memory
 * ============ ============================================================
 */
struct cancelio_submit {
	__u32 size;
	__u32 op_size;
	__u64 ops;
	__u64 ids;
	__u32 count;
	__u32 flags;
	__s32 error;
	__u32 min;
	__s64 time;
};

/**
 * struct cancelio_call - submit one operation and wait for it
 * @size: sizeof this structure
 * @flags: zero
 * @op: the operation; HOLD is implied
 * @id: out: its id; 0 when it was refused
 * @result: out: its completion
 *
 * Returns 0 with @result when the operation ended, however it ended; it takes no entry
 * of the ring, and others that reap the ring do not see it.
 *
 * Errors of SUBMIT for one operation.  -EINTR: a signal came while it was
 * pending; it goes on, and its result is to be fetched by WAIT_OP with @id.
 * -EFAULT: @result cannot be written.
 */
struct cancelio_call {
	__u32 size;
	__u32 flags;
	struct cancelio_op op;
	__u64 id;
	struct cancelio_completion result;
};

/**
 * struct cancelio_wait - wait for completions
 * @size: sizeof this structure
 * @flags: zero
 * @min: return when this many completions are in the ring, 0 to its entries; 0:
 *	look once, run what is ready, return
 * @max: entries at @completions
 * @completions: where completions are copied to; 0 in a context whose ring is
 *	mapped, and to copy none
 * @completion_size: sizeof &struct cancelio_completion, else -EINVAL; 0 with
 *	@completions 0
 * @reserved: zero
 * @time: return at this absolute time, ns; %CANCELIO_NEVER: none
 *
 * Returns how many completions it copied, or with @completions 0 how many are in
 * the ring (bounded by its entries); what lies behind those that it copied, as far as
 * @max, is undefined.  While it waits, the thread runs operations that became ready, at
 * most 128 in a turn.
 *
 * -ETIME: @time came and fewer than @min are there (none was copied).  -EINTR: a signal
 * came first, likewise.  -EBUSY: the ring is mapped and @completions is not 0.
 * -EINVAL: @min is above the ring's entries, or (where it copies) above @max.
 * -ESHUTDOWN: the context was shut down, everything has ended, and fewer than @min are
 * left; with @min 0 what is left is still copied.  -EFAULT: @completions cannot be
 * written; those not copied stay in the ring.
 */
struct cancelio_wait {
	__u32 size;
	__u32 flags;
	__u32 min;
	__u32 max;
	__u64 completions;
	__u32 completion_size;
	__u32 reserved;
	__s64 time;
};

/**
 * struct cancelio_wait_op - wait for one held operation
 * @size: sizeof this structure
 * @flags: zero
 * @id: an operation submitted with HOLD, or a CALL that returned -EINTR
 * @time: return at this absolute time, ns; %CANCELIO_NEVER: none
 * @result: out: its completion
 *
 * Returns 0 with @result, once: the id is then no longer valid.
 *
 * -ENOENT: no such operation, or its result was taken.  -EINVAL: it is not a held one.
 * -EBUSY: another thread waits for it.  -ETIME, -EINTR: @time or a signal came first;
 * the operation goes on.  -EFAULT: @result cannot be written; the result is kept.
 */
struct cancelio_wait_op {
	__u32 size;
	__u32 flags;
	__u64 id;
	__s64 time;
	struct cancelio_completion result;
};

/* Sides, in struct cancelio_cancel and struct cancelio_set_deadline. */
#define CANCELIO_READ		(1U << 0)
#define CANCELIO_WRITE		(1U << 1)

/**
 * enum cancelio_scope - what a cancel ends
 * @CANCELIO_CANCEL_ID: the operation with the id @target
 * @CANCELIO_CANCEL_COOKIE: all pending operations whose user_data is @target; one
 *	whose SUBMIT or CALL is at its first attempt is not pending yet
 * @CANCELIO_CANCEL_CONN: all of the connection @target, on the sides of @sides
 * @CANCELIO_CANCEL_ALL: all of the context
 */
enum cancelio_scope {
	CANCELIO_CANCEL_ID	= 0,
	CANCELIO_CANCEL_COOKIE	= 1,
	CANCELIO_CANCEL_CONN	= 2,
	CANCELIO_CANCEL_ALL	= 3,
};

/**
 * struct cancelio_cancel - end pending operations
 * @size: sizeof this structure
 * @scope: an &enum cancelio_scope
 * @target: id, cookie or connection; 0 for ALL
 * @sides: CANCELIO_READ and CANCELIO_WRITE, one or both, for CONN; 0 else
 * @flags: zero
 *
 * Ends what is pending with CANCELED, and leaves no mark: the next operation
 * works.  Returns how many it ended; when it returns, the kernel touches none of
 * their memory again and their completions are visible.  It needs no completion
 * entry, and costs the same however much else is pending.
 *
 * -ENOENT: nothing matched, or what matched had in fact finished and reports
 * that.  -EBADF: CONN and no such connection.  -EINTR: a signal came while it
 * waited for an operation that is running; the cancel stays requested.  -ENOMEM.
 */
struct cancelio_cancel {
	__u32 size;
	__u32 scope;
	__u64 target;
	__u32 sides;
	__u32 flags;
};

/**
 * struct cancelio_set_deadline - move a connection's deadlines
 * @size: sizeof this structure
 * @sides: CANCELIO_READ and CANCELIO_WRITE: which of the two are moved, both
 *	at once and atomically when both are given
 * @conn: the connection
 * @read: the read side's deadline, ns, or %CANCELIO_NEVER; 0 when not moved
 * @write: the write side's, likewise
 *
 * Deadlines persist and hold for pending and future operations of their side.
 * Expiry is sticky: every later operation of that side ends with DEADLINE at
 * once, until the deadline is moved.  As SetDeadline in Go's net package.
 *
 * -EBADF: no such connection, or it is detached.
 */
struct cancelio_set_deadline {
	__u32 size;
	__u32 sides;
	__u64 conn;
	__s64 read;
	__s64 write;
};

/**
 * struct cancelio_shutdown - end the context
 * @size: sizeof this structure
 * @flags: zero
 *
 * Ends everything pending with CLOSED and detaches every connection, as the
 * last close does.  Completions can still be reaped.  -EINTR: a signal came while
 * an operation was running; it ends with CLOSED soon.
 */
struct cancelio_shutdown {
	__u32 size;
	__u32 flags;
};

/**
 * struct cancelio_eventfd - signal an eventfd for completions
 * @size: sizeof this structure
 * @fd: an eventfd(2), or -1 to stop
 *
 * From then on 1 is added to the eventfd's counter
 *
 * - after each batch of completions was put in the ring, also when the ring was
 *   not empty, and at once when completions are there now;
 * - when an operation could go on and needs a thread of the program (see
 *   "AF_UNIX"), and at once when one does now;
 * - once when the context is shut down, and once when everything of it has ended;
 *   at once when it was shut down while this was called.
 *
 * The counter is no number of completions.  A program that reads the eventfd
 * first, then reaps all there is, misses none; it may find none.  Completions that go
 * to a CALL or are kept for WAIT_OP do not signal.
 *
 * A context has one eventfd: setting another one replaces it, and once this has
 * returned, the old one is not signalled any more.  An eventfd can serve several
 * contexts.  Closing @fd ends nothing: the context keeps the eventfd until it is
 * replaced or the context is gone.
 *
 * -EBADF: @fd is not open.  -EINVAL: it is not an eventfd, or below -1.
 */
struct cancelio_eventfd {
	__u32 size;
	__s32 fd;
};

/**
 * struct cancelio_restrict - give up operations, for good
 * @size: sizeof this structure
 * @ops: the opcodes that stay allowed, a bit (1 << opcode) each
 * @sides: the sides that stay allowed, CANCELIO_READ and CANCELIO_WRITE
 * @flags: zero
 *
 * SUBMIT and CALL then refuse every other operation with -EACCES, after all checks
 * of the operation itself and before they look for its connection.  The side of a
 * WAIT_READY is that of its events.  A second call can only remove more, and there
 * is no way back.  Nothing may be left.
 *
 * It concerns operations, and those of this context alone: what was accepted
 * before goes on; attaching, deadlines, cancel and the rest stay; the program's own
 * recv(2) and send(2) are not touched, and neither is what INFO says.
 *
 * A seccomp filter sees only ioctl(2); this is the finer one.
 *
 * -EINVAL: an opcode or a side that this header does not have.
 */
struct cancelio_restrict {
	__u32 size;
	__u32 ops;
	__u32 sides;
	__u32 flags;
};

#define CANCELIO_INFO		_IO(CANCELIO_IOC, 0)
#define CANCELIO_SETUP		_IO(CANCELIO_IOC, 1)
#define CANCELIO_ATTACH		_IO(CANCELIO_IOC, 2)
#define CANCELIO_DETACH		_IO(CANCELIO_IOC, 3)
#define CANCELIO_SUBMIT		_IO(CANCELIO_IOC, 4)
#define CANCELIO_CALL		_IO(CANCELIO_IOC, 5)
#define CANCELIO_WAIT		_IO(CANCELIO_IOC, 6)
#define CANCELIO_WAIT_OP	_IO(CANCELIO_IOC, 7)
#define CANCELIO_CANCEL		_IO(CANCELIO_IOC, 8)
#define CANCELIO_SET_DEADLINE	_IO(CANCELIO_IOC, 9)
#define CANCELIO_SHUTDOWN	_IO(CANCELIO_IOC, 10)
#define CANCELIO_EVENTFD	_IO(CANCELIO_IOC, 11)
#define CANCELIO_RESTRICT	_IO(CANCELIO_IOC, 12)
#define CANCELIO_STATS		_IO(CANCELIO_IOC, 13)

#endif /* _UAPI_LINUX_CANCELIO_H */
