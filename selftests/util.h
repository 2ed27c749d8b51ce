/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the selftests: the ioctls one by one, socket pairs, patterns, time.
 *
 * Every helper returns what the system call returned, or -errno.  What a call
 * is to write is poisoned before it.
 */
#ifndef CANCELIO_SELFTESTS_UTIL_H
#define CANCELIO_SELFTESTS_UTIL_H

#include <linux/cancelio.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#define POISON		0xA5
#define MS		1000000LL
#define SECOND		(1000 * MS)
/* Of the kernel that runs, and of any. */
#define PAGE_BYTES	((size_t)sysconf(_SC_PAGESIZE))
#define LARGEST_PAGE	65536
/* Far longer than anything takes, on the slowest machine too. */
#define LONG_ENOUGH	(20 * SECOND)
/* How long to watch that something does not happen. */
#define A_WHILE		(30 * MS)

/* More than all buffers between two shrunk sockets hold, bytes. */
#define MUCH		(2U << 20)

/* Flags that every op_*() below adds: how a fixture runs all its operations in a worker. */
extern __u32 common_op_flags;

/* CLOCK_MONOTONIC, ns. */
__s64 now(void);
/* The time from now on, as the clock says it. */
__s64 after(__s64 ns);
/* Sleeps until an absolute time: for tests whose subject is passing time. */
void sleep_until(__s64 time);

/* ioctl(2). */
int cio_ioctl(int fd, unsigned int command, void *argument);
/* Opens the device. */
int cio_open(void);
/* Opens the device and sets the context up with this engine and ring. */
int cio_context(__u32 engine, __u32 entries);
/* Maps the whole ring of a context made by cio_context(); NULL when that fails. */
struct cancelio_ring *cio_map(int fd, __u32 entries);
size_t cio_ring_bytes(__u32 entries);

int cio_info(int fd, struct cancelio_info *info);
int cio_setup(int fd, struct cancelio_setup *setup);
int cio_attach(int fd, int sock, __u64 *conn);
int cio_detach(int fd, __u64 conn);
/* @error gets why an operation was refused; it and @ids may be NULL. */
int cio_submit(int fd, const struct cancelio_op *ops, __u32 count, __u64 *ids, int *error);
/* The same, and @wait_error how its wait for @min completions ended. */
int cio_submit_and_wait(int fd, const struct cancelio_op *ops, __u32 count, __u32 min,
			__s64 time, int *wait_error);
int cio_call(int fd, const struct cancelio_op *op, __u64 *id, struct cancelio_completion *result);
int cio_wait(int fd, __u32 min, struct cancelio_completion *to, __u32 max, __s64 time);
int cio_wait_op(int fd, __u64 id, __s64 time, struct cancelio_completion *result);
int cio_cancel(int fd, __u32 scope, __u64 target, __u32 sides);
int cio_deadline(int fd, __u64 conn, __u32 sides, __s64 read, __s64 write);
int cio_shutdown(int fd);
int cio_eventfd(int fd, int eventfd);
int cio_restrict(int fd, __u32 ops, __u32 sides);
int cio_stats(int fd, __u32 flags, struct cancelio_stats *stats);

/* Submits one operation; returns 1, or why not. */
int submit_one(int fd, struct cancelio_op op);
/* Waits for one completion; returns 1, or -ETIME after LONG_ENOUGH. */
int reap(int fd, struct cancelio_completion *result);
/* Submits one operation and waits for its end by CALL; returns 0, or why not. */
int run(int fd, struct cancelio_op op, struct cancelio_completion *result);
/* Whether no completion comes for a while. */
bool stays_empty(int fd);

struct cancelio_iovec iovec_of(void *base, __u64 len);
/* A message of these buffers, with the fields that RECVMSG writes poisoned where it may. */
struct cancelio_msg message_of(struct cancelio_iovec *iov, __u32 count);
struct cancelio_op op_recv(__u64 conn, void *buffer, __u32 len);
struct cancelio_op op_send(__u64 conn, const void *buffer, __u32 len);
/* The message has to stay: RECVMSG writes to it. */
struct cancelio_op op_recvmsg(__u64 conn, struct cancelio_msg *message);
struct cancelio_op op_sendmsg(__u64 conn, const struct cancelio_msg *message);
struct cancelio_op op_ready(__u64 conn, __u32 events);
/* The same operation with a deadline of its own, absolute or from submission on. */
struct cancelio_op with_deadline(struct cancelio_op op, __s64 deadline);
struct cancelio_op with_timeout(struct cancelio_op op, __s64 timeout);
struct cancelio_op with_cookie(struct cancelio_op op, __u64 cookie);
struct cancelio_op with_flags(struct cancelio_op op, __u32 flags);
struct cancelio_op with_msg_flags(struct cancelio_op op, __u32 msg_flags);

/* Number of entries the program has not reaped yet. */
__u32 ring_count(const struct cancelio_ring *ring);
/* Takes the oldest entry, touching nothing but memory; false when there is none. */
bool ring_pop(struct cancelio_ring *ring, struct cancelio_completion *result);
/* Spins on memory alone until ring_pop() succeeds; false after LONG_ENOUGH. */
bool ring_spin(struct cancelio_ring *ring, struct cancelio_completion *result);

/* Two connected sockets over the loopback: sv[0] and sv[1]. */
int tcp_pair(int family, int sv[2]);
int udp_pair(int family, int sv[2]);
int unix_pair(int type, int sv[2]);
/* A listening TCP socket on the loopback. */
int tcp_listen(int family);
/* A connection to the address that @listener is bound to. */
int tcp_connect(int listener);
/* Makes a write of MUCH bytes from @sock to @peer block. */
int shrink_buffers(int sock, int peer);
/* Writes the pattern until @sock takes no more for good; returns how much it took. */
ssize_t fill(int sock);
/* Closes so that the peer gets a reset. */
int close_with_reset(int sock);
/* Waits until poll(2) reports one of @events; returns them, or 0 after LONG_ENOUGH. */
int wait_events(int fd, int events);

/* A stream's bytes by their place in it: what is lost, doubled or moved shows. */
char *pattern_new(size_t len);
void pattern_fill(void *buffer, size_t len, size_t place);
bool pattern_holds(const void *buffer, size_t len, size_t place);
/* Reads @len bytes, or to the end of file; -EILSEQ when they are not the pattern from @place on. */
ssize_t pattern_read(int sock, size_t len, size_t place);

/* Makes a signal interrupt system calls every few milliseconds, until stopped by false. */
int interrupt_often(bool on);
/* Whether a SIGPIPE came since the first call, which installs the handler. */
bool sigpipe_seen(void);
/* A page that may be neither read nor written. */
void *forbidden_page(void);
/* A page whose faults wait for whoever reads @uffd; NULL where that cannot be had. */
void *held_page(int *uffd);
/* Waits until somebody stands in such a fault. */
bool await_fault(int uffd);
/* Lets the fault in that page go on, with zeros. */
int release_page(int uffd, void *page);
/* Whether this kernel can hold back writes to memory that is there: on arm64 not before 6.10. */
bool can_hold_writes(void);
/* A page with @len bytes of @data, which can be read; who writes waits in a fault. */
void *write_held_page(int *uffd, const void *data, size_t len);
int release_writes(int uffd, void *page);
/* Writes a text to a file that is there, such as one of sysfs; returns 0, or why not. */
int write_file(const char *path, const char *text);
/* Runs @child in a forked process; returns its exit status, -1 when a signal ended it. */
int in_child(int (*child)(void *), void *argument);

#endif
