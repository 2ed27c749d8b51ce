/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the C programs of failures share; see emit.c.  Each call prints what it returned,
 * and completions are printed when they are taken.
 */
#ifndef CANCELIO_FUZZ_REPRO_H
#define CANCELIO_FUZZ_REPRO_H

#include "../selftests/util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS	40
#define ROOM	0x50000
#define PAGE	4096

static int context[2] = { -1, -1 }, sock[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
static struct cancelio_ring *ring[2];
static __u64 conn[6], id[STEPS];
static int slot[10];
static __u8 *rooms;
static int uffd = -1;
static pthread_t thread[3];
static pthread_barrier_t barrier;

static struct cancelio_op batch[3][8];
static int batch_step[3][8], batch_slot[3][8], batch_count[3];
static struct cancelio_msg message[STEPS];
static struct cancelio_iovec iov[STEPS][2];
static char control[STEPS][64];

static inline void say(int step, const char *what, long ret)
{
	printf("step %d: %s: %ld\n", step, what, ret);
}

static inline void say_completion(const struct cancelio_completion *result)
{
	int step = STEPS;

	while (step && id[step - 1] != result->id)
		step--;
	printf("step %d ends: reason %d, error %d, %u bytes\n", step - 1, result->reason,
	       result->error, result->bytes);
}

static inline __u8 *room(int step)
{
	return rooms + (size_t)step * ROOM;
}

/* A step's buffer: the end of an "edge" is not there, a "bad" one nowhere. */
static inline __u8 *buffer(int step, const char *kind, size_t len, bool sends)
{
	struct uffdio_register held = {
		.range = { .start = (unsigned long)room(step), .len = ROOM - PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	__u8 *at = room(step);
	size_t i;

	if (!strcmp(kind, "bad"))
		return at + ROOM - PAGE;
	if (!strcmp(kind, "held")) {
		madvise(at, ROOM - PAGE, MADV_DONTNEED);
		ioctl(uffd, UFFDIO_REGISTER, &held);
		return at;
	}
	if (!strcmp(kind, "edge")) {
		len /= 2;
		at += ROOM - PAGE - len;
	}
	for (i = 0; i < len; i++)
		at[i] = sends ? 1 + (step * 37 + i * 7 + (i >> 8) * 11 + (i >> 16)) % 251 : POISON;
	if (!strcmp(kind, "readonly"))
		mprotect(room(step), ROOM - PAGE, PROT_READ);
	return at;
}

static inline void *fault_main(void *unused)
{
	static alignas(PAGE) __u8 page[PAGE];
	struct uffd_msg event;

	while (read(uffd, &event, sizeof(event)) == sizeof(event)) {
		struct uffdio_copy copy = {
			.dst = event.arg.pagefault.address & ~(PAGE - 1ULL),
			.src = (__u64)page, .len = PAGE,
		};

		usleep(3000);
		if (ioctl(uffd, UFFDIO_COPY, &copy))
			ioctl(uffd, UFFDIO_WAKE, &(struct uffdio_range){ copy.dst, PAGE });
	}
	return unused;
}

static inline void on_signal(int signal)
{
	(void)signal;
}

static inline void prepare(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct uffdio_api api = { .api = UFFD_API };
	pthread_t faults;
	int i;

	setbuf(stdout, NULL);
	sigaction(SIGUSR1, &action, NULL);
	memset(slot, -1, sizeof(slot));
	rooms = mmap(NULL, (size_t)STEPS * ROOM, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (i = 0; i < STEPS; i++)
		mprotect(room(i) + ROOM - PAGE, PAGE, PROT_NONE);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ioctl(uffd, UFFDIO_API, &api);
	pthread_create(&faults, NULL, fault_main, NULL);
	pthread_barrier_init(&barrier, NULL, 3);
}

/* Two buffers, and for odd slots control data: a descriptor, or room for some. */
static inline struct cancelio_msg *message_for(int step, bool odd, __u8 *base, size_t len,
					       bool sends, bool is_unix)
{
	struct cmsghdr *header = (struct cmsghdr *)control[step];
	int null = 0;

	iov[step][0] = iovec_of(base, len / 3);
	iov[step][1] = iovec_of(base + len / 3, len - len / 3);
	message[step].iov = (__u64)iov[step];
	message[step].iov_count = 2;
	if (odd && !sends)
		message[step].control_len = sizeof(control[step]);
	if (odd && sends && is_unix) {
		header->cmsg_len = CMSG_LEN(sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(header), &null, sizeof(null));
		message[step].control_len = CMSG_SPACE(sizeof(int));
	}
	message[step].control = message[step].control_len ? (__u64)control[step] : 0;
	return &message[step];
}

static inline void submit(int t, int c)
{
	__u64 ids[8] = { 0 };
	int i, ret, error = 0;

	if (!batch_count[t])
		return;
	ret = cio_submit(context[c], batch[t], batch_count[t], (void *)ids, &error);
	for (i = 0; i < ret; i++) {
		id[batch_step[t][i]] = ids[i];
		slot[batch_slot[t][i]] = batch_step[t][i];
	}
	say(batch_step[t][0], "SUBMIT", ret);
	batch_count[t] = 0;
}

static inline void add(int t, int step, int s, struct cancelio_op op)
{
	batch_step[t][batch_count[t]] = step;
	batch_slot[t][batch_count[t]] = s;
	batch[t][batch_count[t]++] = op;
}

static inline void call(int step, int c, int s, struct cancelio_op op)
{
	struct cancelio_completion result;
	__u64 its = 0;
	int ret = cio_call(context[c], &op, &its, &result);

	id[step] = its;
	if (its)
		slot[s] = step;
	say(step, "CALL", ret);
	if (!ret)
		say_completion(&result);
}

static inline __u64 id_of(int s)
{
	return slot[s] < 0 ? 0xdead : id[slot[s]];
}

static inline void wait_for(int step, int c, int min, int max, __s64 us)
{
	struct cancelio_completion results[10];
	bool copies = !ring[c] || max == 9;
	int i, ret = cio_wait(context[c], min, copies ? results : NULL, copies ? max : 0,
			      now() + us * 1000);

	say(step, "WAIT", ret);
	for (i = 0; copies && i < ret; i++)
		say_completion(&results[i]);
}

static inline void wait_op(int step, int c, int s, __s64 us)
{
	struct cancelio_completion result;
	int ret = cio_wait_op(context[c], id_of(s), now() + us * 1000, &result);

	say(step, "WAIT_OP", ret);
	if (!ret)
		say_completion(&result);
}

/* An ioctl on a structure of zeros, but for its size and one word. */
static inline void raw(int step, int c, int nr, __s64 size, const char *pointer, int word,
		       __u32 value)
{
	static __u32 words[2 * PAGE / 4];
	void *at = words;

	memset(words, 0, sizeof(words));
	words[0] = size;
	words[word] |= value;
	if (!strcmp(pointer, "null"))
		at = NULL;
	else if (!strcmp(pointer, "bad"))
		at = room(step) + ROOM - PAGE;
	else if (!strcmp(pointer, "edge"))
		at = memcpy(room(step) + ROOM - PAGE - 4, words, 4);
	say(step, "raw ioctl", cio_ioctl(context[c], _IO(CANCELIO_IOC, nr), at));
}

static inline void child(int step, int c)
{
	pid_t pid = fork();

	if (!pid)
		_exit(cio_shutdown(context[c]) != -EPERM);
	waitpid(pid, NULL, 0);
	say(step, "child", pid);
}

static inline void memory(int s, const char *trick)
{
	if (slot[s] < 0)
		return;
	if (!strcmp(trick, "unmap"))
		mmap(room(slot[s]), ROOM, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
	else if (!strcmp(trick, "readonly"))
		mprotect(room(slot[s]), ROOM, PROT_READ);
	else
		madvise(room(slot[s]), ROOM - PAGE, MADV_DONTNEED);
}

static inline void take_all(int c)
{
	struct cancelio_completion result;

	while (ring[c] && ring_pop(ring[c], &result))
		say_completion(&result);
	while (!ring[c] && cio_wait(context[c], 0, &result, 1, 0) == 1)
		say_completion(&result);
}

static inline int finish(void)
{
	int i;

	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 2; i++) {
		if (context[i] < 0)
			continue;
		take_all(i);
		say(STEPS, "the last SHUTDOWN", cio_shutdown(context[i]));
		take_all(i);
	}
	return 0;
}

#endif
