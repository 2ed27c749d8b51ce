/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * cancelio - what the module can do, how a context is set up, and what it has counted
 *
 * A part of <linux/cancelio.h>, which includes it.
 */
#ifndef _UAPI_LINUX_CANCELIO_SETUP_H
#define _UAPI_LINUX_CANCELIO_SETUP_H

#include <linux/types.h>

/* Kinds of sockets: TCP and UDP over IPv4 and IPv6, and AF_UNIX of all types. */
#define CANCELIO_SOCKET_TCP	(1U << 0)
#define CANCELIO_SOCKET_UDP	(1U << 1)
#define CANCELIO_SOCKET_UNIX	(1U << 2)

/**
 * struct cancelio_info - what the module can do
 * @size: sizeof this structure
 * @abi: out: %CANCELIO_ABI of the module
 * @engines: out: a bit (1 << engine) for each &enum cancelio_engine it has
 * @ops: out: a bit (1 << opcode) for each &enum cancelio_opcode it has
 * @ioctls: out: a bit (1 << number) for each ioctl of this header it has
 * @op_flags: out: the CANCELIO_OP_* flags it knows
 * @max_entries: out: the most entries of a ring
 * @max_batch: out: the most operations of one SUBMIT
 * @max_workers: out: the most worker threads of a context
 * @sockets: out: the CANCELIO_SOCKET_* kinds that can be attached
 *
 * CANCELIO_INFO needs no SETUP and has only the common errors.
 */
struct cancelio_info {
	__u32 size;
	__u32 abi;
	__u32 engines;
	__u32 ops;
	__u32 ioctls;
	__u32 op_flags;
	__u32 max_entries;
	__u32 max_batch;
	__u32 max_workers;
	__u32 sockets;
};

/* Flags of struct cancelio_setup. */

/* The fields policy, priority and nice hold for the context's workers. */
#define CANCELIO_SETUP_POLICY		(1U << 0)
/*
 * On PREEMPT_RT: deadlines are kept by a thread of the context with its real-time policy
 * and priority, which the hard interrupt of the timer wakes, and not by the kernel's
 * thread for timers, which has others' to serve.  On other kernels deadlines are kept in
 * the hard interrupt anyway, and this changes nothing.  Needs CANCELIO_SETUP_POLICY with
 * SCHED_FIFO or SCHED_RR.
 */
#define CANCELIO_SETUP_HARD_EXPIRY	(1U << 1)

/* The most bytes at struct cancelio_setup.cpus. */
#define CANCELIO_MAX_CPUS_SIZE		1024
/* The longest time for which a thread spins before it sleeps, ns. */
#define CANCELIO_MAX_SPIN		1000000000U

/**
 * struct cancelio_setup - make the context usable
 * @size: sizeof this structure; it was first published up to its field @reserved
 * @flags: CANCELIO_SETUP_* flags
 * @engine: an &enum cancelio_engine
 * @entries: entries of the completion ring, 1 to %CANCELIO_MAX_ENTRIES, rounded
 *	up to a power of two; 0 is 256
 * @max_workers: the most worker threads, 1 to &struct cancelio_info.max_workers; 0
 *	is 4 on the poll engine, and 256 on the thread engine, where this is how many
 *	operations can sleep at once: others wait for a thread, and meet their
 *	deadline, cancel and close meanwhile
 * @slack: how far the timer may merge deadlines, ns, 0 to 1000000000: a deadline
 *	may be this much later, never earlier
 * @ring_bytes: out: bytes to mmap(2)
 * @conn_limit: out: how many sockets the process can have attached, over all its
 *	contexts
 * @reserved: zero
 * @cpus: address of an array of __u64: the workers run only on processors n whose
 *	bit n % 64 is set in entry n / 64.  Only those count that the calling thread may
 *	run on itself at that time.  When the process's cpuset changes later, workers run
 *	where it allows.  0: where the kernel puts its threads
 * @cpus_size: bytes at @cpus, a multiple of 8, up to %CANCELIO_MAX_CPUS_SIZE; 0 without
 *	it
 * @policy: with %CANCELIO_SETUP_POLICY, the workers' scheduling policy: SCHED_OTHER,
 *	SCHED_BATCH, SCHED_IDLE, SCHED_FIFO or SCHED_RR.  Without that flag 0, and
 *	workers are SCHED_BATCH on the poll engine and SCHED_OTHER on the thread engine,
 *	or SCHED_IDLE as the caller
 * @priority: with SCHED_FIFO and SCHED_RR 1 to 99, else 0
 * @nice: with the flag and other policies, the workers' nice value, -20 to 19, else 0.
 *	Without the flag they have the caller's
 * @spin: how long a thread that waits in WAIT, WAIT_OP, CALL or SUBMIT spins before
 *	each sleep, ns, 0 to %CANCELIO_MAX_SPIN.  It stops as soon as there is something to
 *	do or a signal, and lets other threads run as any thread that computes
 * @reserved2: zero
 *
 * CANCELIO_SETUP is done once per context, before anything but INFO.
 *
 * The memory of ring, operations and connections is charged to the caller's memory
 * cgroup; what does not fit there is -ENOMEM here, at ATTACH or at SUBMIT, and
 * nobody is killed for it.  The workers are kernel threads, of which a process has
 * 4096 at the most, over all its contexts, and not more than its RLIMIT_NPROC at
 * SETUP.  Each of them joins the cgroups that the process is in when the worker
 * starts, where the kernel lets it, so that its processor time is counted there.
 *
 * Real-time policies and lower nice values need what sched_setattr(2) needs for the
 * calling thread itself: RLIMIT_RTPRIO, RLIMIT_NICE or CAP_SYS_NICE.  Where RLIMIT_RTTIME
 * has a hard limit, which does not concern threads of the kernel, real-time policies need
 * CAP_SYS_NICE.
 *
 * A CALL or WAIT_OP on a socket with SO_BUSY_POLL spins for at least as long as that
 * says, and polls the socket's device queue meanwhile, as recv(2) does.
 *
 * -EBUSY: it was done already.  -EINVAL: a value out of range, no engine of this
 * header, a policy that is none of those above, or no processor of @cpus that counts.  -EPERM:
 * a policy, priority or nice value that the caller may not have.  -EFAULT: @cpus cannot be
 * read.  -EOPNOTSUPP: an engine that the module does not have.  -ENOMEM.  -EAGAIN: no
 * worker thread could be made, or the process has as many as it may.  -EINTR: a fatal
 * signal came meanwhile.
 */
struct cancelio_setup {
	__u32 size;
	__u32 flags;
	__u32 engine;
	__u32 entries;
	__u32 max_workers;
	__u32 slack;
	__u64 ring_bytes;
	__u32 conn_limit;
	__u32 reserved;
	__u64 cpus;
	__u32 cpus_size;
	__u32 policy;
	__u32 priority;
	__s32 nice;
	__u32 spin;
	__u32 reserved2;
};

/* Flags of struct cancelio_stats. */

/* From now on count from zero: what this call tells is not counted again. */
#define CANCELIO_STATS_RESET	(1U << 0)

/* Entries of a histogram. */
#define CANCELIO_BUCKETS	32

/**
 * struct cancelio_stats - what a context has counted
 * @size: sizeof this structure
 * @flags: CANCELIO_STATS_RESET or 0
 * @submitted: out: operations that were accepted
 * @at_once: out: of these, such that ended in the call that submitted them, without
 *	having waited
 * @ended: out: operations that ended, by their &enum cancelio_reason; those that
 *	%CANCELIO_DEADLINE ended have missed their deadline
 * @met: out: operations with a deadline that were DONE before it
 * @raced: out: operations with a deadline that were DONE after it had passed, for they
 *	had moved their data
 * @start: out: how long operations waited behind others of their side, or for a worker,
 *	before their first attempt.  Of those tried at submission none is here.  Measured
 *	in steps of 1024 ns, up to 73 minutes
 * @late: out: how late deadlines were that ended operations
 * @wake: out: from the moment at which a deadline ended an operation until a thread that
 *	slept for it in WAIT, WAIT_OP, CALL or SUBMIT runs
 * @cancel: out: how long a cancel that met a running operation, or one that a thread
 *	slept for, waited for its end.  Others take no time
 *
 * Entry 0 of a histogram counts times below 1 ns, entry n those of 2^(n-1) ns and more
 * and below 2^n ns, the last entry all that are longer.
 *
 * The numbers are of slightly different moments where operations go on meanwhile.  With
 * %CANCELIO_STATS_RESET each event is told by exactly one of several calls.
 *
 * CANCELIO_STATS works after SHUTDOWN too.  -ENOMEM: no memory for the copy.  -EINTR: a
 * fatal signal came meanwhile.
 */
struct cancelio_stats {
	__u32 size;
	__u32 flags;
	__u64 submitted;
	__u64 at_once;
	__u64 ended[5];
	__u64 met;
	__u64 raced;
	__u64 start[CANCELIO_BUCKETS];
	__u64 late[CANCELIO_BUCKETS];
	__u64 wake[CANCELIO_BUCKETS];
	__u64 cancel[CANCELIO_BUCKETS];
};

#endif /* _UAPI_LINUX_CANCELIO_SETUP_H */
