// SPDX-License-Identifier: GPL-2.0
/*
 * Control data in the layout of 32-bit programs (C60).  The structures of cancelio are
 * the same there; what the kernel's sockets define is not.  This program is a 64-bit
 * one that enters the kernel as a 32-bit one does, with memory below 4 GB.
 */
#define _GNU_SOURCE
#include "variants.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ioctl(2) in the 32-bit table of x86. */
#define NR32_IOCTL 54

/* Other processors have no such entry for a 64-bit program, and need no low memory. */
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

/* A struct cmsghdr there. */
struct cmsghdr32 {
	__u32 len;
	__s32 level;
	__s32 type;
	__s32 data[5];
};

#define LEN32(data)	(12 + (data))

/* All that is handed to the kernel. */
struct low {
	struct cancelio_submit submit;
	struct cancelio_wait wait;
	struct cancelio_op op;
	struct cancelio_msg message;
	struct cancelio_iovec iov;
	struct cancelio_completion result;
	char buffer[16];
	struct cmsghdr32 control[8];
};

FIXTURE(compat) {
	int fd;
	int sock;
	int peer;
	__u64 conn;
	struct low *low;
};

static int ioctl32(int fd, unsigned int command, void *argument)
{
#ifdef __x86_64__
	int ret;

	asm volatile ("int $0x80" : "=a" (ret)
		      : "a" (NR32_IOCTL), "b" (fd), "c" (command), "d" (argument)
		      : "memory", "r8", "r9", "r10", "r11");
	return ret;
#else
	return -EOPNOTSUPP;
#endif
}

/* A kernel without 32-bit programs answers the entry with a signal. */
static int try_entry(void *fd)
{
	struct cancelio_info *info = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	info->size = sizeof(*info);
	return ioctl32(*(int *)fd, CANCELIO_INFO, info) == -EPERM ? 0 : 1;
}

FIXTURE_VARIANT(compat) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(compat, poll) POLL_IPV4;

FIXTURE_SETUP(compat)
{
	self->fd = cio_context(variant->engine, 0);
	ASSERT_LE(0, self->fd);
	if (in_child(try_entry, &self->fd))
		SKIP(return, "no entry of 32-bit programs here");
	self->low = mmap(NULL, sizeof(*self->low), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	self->low->iov = iovec_of(self->low->buffer, 1);
	self->low->message = message_of(&self->low->iov, 1);
	self->low->message.control = (unsigned long)self->low->control;
	self->sock = -1;
	self->peer = -1;
}

FIXTURE_TEARDOWN(compat)
{
	close(self->fd);
	close(self->sock);
	close(self->peer);
}

/* Submits the low operation; returns 1, or why not. */
static int submit32(int fd, struct low *low)
{
	low->submit = (struct cancelio_submit) {
		.size = sizeof(low->submit), .op_size = sizeof(low->op), .count = 1,
		.ops = (unsigned long)&low->op,
	};
	return ioctl32(fd, CANCELIO_SUBMIT, &low->submit);
}

static int reap32(int fd, struct low *low)
{
	low->wait = (struct cancelio_wait) {
		.size = sizeof(low->wait), .min = 1, .max = 1, .time = after(LONG_ENOUGH),
		.completions = (unsigned long)&low->result,
		.completion_size = sizeof(low->result),
	};
	return ioctl32(fd, CANCELIO_WAIT, &low->wait);
}

/* Two control messages, the first of which needs padding in one layout and not the other. */
TEST_F(compat, C60_sendmsg_takes_control_data_in_the_32_bit_layout)
{
	union {
		struct cmsghdr head;
		char bytes[2 * CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr got = { .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr32 *to = self->low->control;
	struct cmsghdr *head;
	int on = 1, ends[2], value, seen = 0;

	ASSERT_EQ(0, udp_pair(AF_INET, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	ASSERT_EQ(0, setsockopt(self->peer, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)));
	ASSERT_EQ(0, setsockopt(self->peer, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)));
	to->len = LEN32(4);
	to->level = IPPROTO_IP;
	to->type = IP_TTL;
	to->data[0] = 55;
	/* The next one begins 16 bytes behind, where 64-bit programs begin it after 24. */
	to = (struct cmsghdr32 *)&to->data[1];
	to->len = LEN32(4);
	to->level = IPPROTO_IP;
	to->type = IP_TOS;
	to->data[0] = 0x10;
	self->low->message.control_len = 32;
	self->low->op = op_sendmsg(self->conn, &self->low->message);
	ASSERT_EQ(1, submit32(self->fd, self->low));
	ASSERT_EQ(1, reap32(self->fd, self->low));
	EXPECT_DONE(self->low->result, 1);
	ASSERT_EQ(0, recvmsg(self->peer, &got, 0));
	for (head = CMSG_FIRSTHDR(&got); head; head = CMSG_NXTHDR(&got, head)) {
		value = *(__u8 *)CMSG_DATA(head);
		EXPECT_EQ(head->cmsg_type == IP_TTL ? 55 : 0x10, value);
		seen++;
	}
	EXPECT_EQ(2, seen);
}

TEST_F(compat, C60_malformed_control_data_in_the_32_bit_layout_is_refused)
{
	struct cmsghdr32 *to = self->low->control;
	__u32 lens[] = { 0, 11, LEN32(5), ~0U, 0x80000000, LEN32(4) };
	int ends[2];
	unsigned int i;

	ASSERT_EQ(0, udp_pair(AF_INET, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	self->low->op = op_sendmsg(self->conn, &self->low->message);
	to->level = IPPROTO_IP;
	to->type = IP_TTL;
	to->data[0] = 55;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		to->len = lens[i];
		self->low->message.control_len = LEN32(4);
		EXPECT_EQ(lens[i] == LEN32(4) ? 1 : -EINVAL, submit32(self->fd, self->low))
			TH_LOG("length %u", lens[i]);
	}
	ASSERT_EQ(1, reap32(self->fd, self->low));
	EXPECT_DONE(self->low->result, 1);
	/* Less than the head of one. */
	self->low->message.control_len = 11;
	EXPECT_EQ(-EINVAL, submit32(self->fd, self->low));
}

static bool same_file(int one, int other)
{
	struct stat a, b;

	return !fstat(one, &a) && !fstat(other, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* Both ways over one pair: sent in that layout, received in it, also when it had to wait. */
TEST_F(compat, C60_descriptors_pass_in_the_32_bit_layout)
{
	struct cmsghdr32 *control = self->low->control;
	int ends[2], fd;
	__u64 other;

	ASSERT_EQ(0, unix_pair(SOCK_STREAM, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	ASSERT_EQ(0, cio_attach(self->fd, self->peer, &other));
	control->len = LEN32(4);
	control->level = SOL_SOCKET;
	control->type = SCM_RIGHTS;
	control->data[0] = self->peer;
	self->low->message.control_len = LEN32(4);
	self->low->op = op_sendmsg(self->conn, &self->low->message);
	ASSERT_EQ(1, submit32(self->fd, self->low));
	ASSERT_EQ(1, reap32(self->fd, self->low));
	EXPECT_DONE(self->low->result, 1);
	memset(control, POISON, sizeof(*control));
	self->low->message.control_len = sizeof(*control);
	self->low->op = op_recvmsg(other, &self->low->message);
	ASSERT_EQ(1, submit32(self->fd, self->low));
	ASSERT_EQ(1, reap32(self->fd, self->low));
	EXPECT_DONE(self->low->result, 1);
	EXPECT_EQ(LEN32(4), control->len);
	EXPECT_EQ(SOL_SOCKET, control->level);
	EXPECT_EQ(SCM_RIGHTS, control->type);
	EXPECT_EQ(LEN32(4), self->low->message.control_len);
	fd = control->data[0];
	EXPECT_TRUE(same_file(self->peer, fd));
	close(fd);
}

/* One that had to wait is run by a worker, which is no 32-bit program. */
TEST_F(compat, C60_pending_recvmsg_keeps_the_32_bit_layout)
{
	struct cmsghdr32 *control = self->low->control;
	int ends[2], on = 1;

	ASSERT_EQ(0, udp_pair(AF_INET, ends));
	self->sock = ends[0];
	self->peer = ends[1];
	ASSERT_EQ(0, cio_attach(self->fd, self->sock, &self->conn));
	ASSERT_EQ(0, setsockopt(self->sock, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)));
	self->low->message.control_len = sizeof(*control);
	self->low->op = op_recvmsg(self->conn, &self->low->message);
	ASSERT_EQ(1, submit32(self->fd, self->low));
	ASSERT_EQ(1, write(self->peer, "x", 1));
	ASSERT_NE(0, wait_events(self->fd, POLLIN));
	ASSERT_EQ(1, reap32(self->fd, self->low));
	EXPECT_DONE(self->low->result, 1);
	EXPECT_EQ(LEN32(4), control->len);
	EXPECT_EQ(IPPROTO_IP, control->level);
	EXPECT_EQ(IP_TTL, control->type);
	EXPECT_EQ(64, control->data[0]);
	EXPECT_EQ(LEN32(4), self->low->message.control_len);
}

TEST_HARNESS_MAIN
