// SPDX-License-Identifier: GPL-2.0
/* The interface itself: sizes, pointers, the order of set-up (C60, C61). */
#include "engine_fixture.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Bytes of its structure now, and as first published. */
struct command {
	unsigned int number;
	__u32 size;
	__u32 first;
};

#define COMMAND(_number, _struct) {				\
	.number = CANCELIO_##_number,				\
	.size = sizeof(struct cancelio_##_struct),		\
	.first = sizeof(struct cancelio_##_struct),		\
}

/* The field @_new was the first one to come later. */
#define GROWN(_number, _struct, _new) {				\
	.number = CANCELIO_##_number,				\
	.size = sizeof(struct cancelio_##_struct),		\
	.first = offsetof(struct cancelio_##_struct, _new),	\
}

static const struct command commands[] = {
	COMMAND(INFO, info),
	GROWN(SETUP, setup, cpus),
	COMMAND(ATTACH, attach),
	COMMAND(DETACH, detach),
	COMMAND(SUBMIT, submit),
	COMMAND(CALL, call),
	COMMAND(WAIT, wait),
	COMMAND(WAIT_OP, wait_op),
	COMMAND(CANCEL, cancel),
	COMMAND(SET_DEADLINE, set_deadline),
	COMMAND(SHUTDOWN, shutdown),
	COMMAND(EVENTFD, eventfd),
	COMMAND(RESTRICT, restrict),
	COMMAND(STATS, stats),
};

#define COMMANDS ((int)ARRAY_SIZE(commands))

/* A context without an attached socket, and what the module says it can do. */
FIXTURE(context) {
	int fd;
	struct cancelio_info info;
};

FIXTURE_VARIANT(context) VARIANT_FIELDS;
FIXTURE_VARIANT_ADD(context, poll) POLL_IPV4;
FIXTURE_VARIANT_ADD(context, thread) THREAD_IPV4;

FIXTURE_SETUP(context)
{
	self->fd = cio_context(variant->engine, 0);
	if (self->fd == -EOPNOTSUPP)
		SKIP(return, "engine %u is not there", variant->engine);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, cio_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(context)
{
	close(self->fd);
}

static bool has_command(const struct cancelio_info *info, int i)
{
	return info->ioctls & (1U << _IOC_NR(commands[i].number));
}

TEST_F(context, C60_info_says_what_the_module_has)
{
	struct cancelio_info *info = &self->info;
	__u32 ops = 1U << CANCELIO_OP_RECV | 1U << CANCELIO_OP_SEND |
		    1U << CANCELIO_OP_RECVMSG | 1U << CANCELIO_OP_SENDMSG |
		    1U << CANCELIO_OP_WAIT_READY;
	__u32 flags = CANCELIO_OP_DEADLINE | CANCELIO_OP_TIMEOUT | CANCELIO_OP_NOWAIT |
		      CANCELIO_OP_WORKER | CANCELIO_OP_HOLD;

	EXPECT_EQ(sizeof(*info), info->size);
	EXPECT_EQ(CANCELIO_ABI, info->abi);
	EXPECT_EQ(1, info->engines & 1U << CANCELIO_ENGINE_POLL);
	EXPECT_EQ(ops, info->ops & ops);
	EXPECT_EQ(0x3fffU, info->ioctls & 0x3fffU);
	EXPECT_EQ(flags, info->op_flags);
	EXPECT_EQ(CANCELIO_MAX_ENTRIES, info->max_entries);
	EXPECT_EQ(CANCELIO_MAX_BATCH, info->max_batch);
	EXPECT_LT(0, info->max_workers);
	EXPECT_EQ(CANCELIO_SOCKET_TCP | CANCELIO_SOCKET_UDP | CANCELIO_SOCKET_UNIX,
		  info->sockets);
}

TEST_F(context, C60_unknown_ioctl_is_ENOTTY)
{
	char argument[LARGEST_PAGE] = {};
	int number;

	for (number = COMMANDS; number < 256; number++)
		EXPECT_EQ(-ENOTTY, cio_ioctl(self->fd, _IO(CANCELIO_IOC, number), argument));
	for (number = 0; number < COMMANDS; number++) {
		EXPECT_EQ(-ENOTTY, cio_ioctl(self->fd, _IO('c', number), argument));
		EXPECT_EQ(-ENOTTY, cio_ioctl(self->fd, _IOWR(CANCELIO_IOC, number, int),
					     argument));
	}
}

TEST_F(context, C60_what_info_denies_is_EOPNOTSUPP)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = CANCELIO_ENGINE_THREAD,
	};
	int fd = cio_open();

	ASSERT_LE(0, fd);
	if (!(self->info.engines & 1U << CANCELIO_ENGINE_THREAD))
		EXPECT_EQ(-EOPNOTSUPP, cio_setup(fd, &setup));
	close(fd);
}

TEST_F(context, C60_size_out_of_range_is_EINVAL)
{
	union {
		__u32 size;
		char bytes[2 * LARGEST_PAGE];
	} argument = {};
	int i;

	for (i = 0; i < COMMANDS; i++) {
		if (!has_command(&self->info, i))
			continue;
		argument.size = 0;
		EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, commands[i].number, &argument));
		argument.size = commands[i].first - 1;
		EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, commands[i].number, &argument));
		argument.size = PAGE_BYTES + 1;
		EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, commands[i].number, &argument));
		argument.size = ~0U;
		EXPECT_EQ(-EINVAL, cio_ioctl(self->fd, commands[i].number, &argument));
	}
}

TEST_F(context, C60_larger_structure_with_unknown_bytes_set_is_E2BIG)
{
	union {
		__u32 size;
		char bytes[LARGEST_PAGE];
	} argument;
	int i;

	for (i = 0; i < COMMANDS; i++) {
		if (!has_command(&self->info, i))
			continue;
		memset(&argument, 0, sizeof(argument));
		argument.size = PAGE_BYTES;
		argument.bytes[PAGE_BYTES - 1] = 1;
		EXPECT_EQ(-E2BIG, cio_ioctl(self->fd, commands[i].number, &argument));
		argument.bytes[PAGE_BYTES - 1] = 0;
		argument.bytes[commands[i].size] = 1;
		EXPECT_EQ(-E2BIG, cio_ioctl(self->fd, commands[i].number, &argument));
	}
}

TEST_F(context, C60_larger_structure_of_zeros_is_taken)
{
	union {
		struct cancelio_info info;
		struct cancelio_setup setup;
		struct cancelio_wait wait;
		struct cancelio_detach detach;
		char bytes[LARGEST_PAGE];
	} argument = {};
	int fd = cio_open();
	unsigned int i;

	ASSERT_LE(0, fd);
	argument.info.size = PAGE_BYTES;
	EXPECT_EQ(0, cio_ioctl(fd, CANCELIO_INFO, &argument));
	EXPECT_EQ(CANCELIO_ABI, argument.info.abi);
	for (i = sizeof(argument.info); i < PAGE_BYTES; i++)
		ASSERT_EQ(0, argument.bytes[i]);
	memset(&argument, 0, sizeof(argument));
	argument.setup.size = sizeof(argument.setup) + 8;
	EXPECT_EQ(0, cio_ioctl(fd, CANCELIO_SETUP, &argument));
	EXPECT_LT(0, argument.setup.ring_bytes);
	EXPECT_EQ(sizeof(argument.setup) + 8, argument.setup.size);
	memset(&argument, 0, sizeof(argument));
	argument.wait.size = sizeof(argument.wait) + 8;
	EXPECT_EQ(0, cio_ioctl(fd, CANCELIO_WAIT, &argument));
	memset(&argument, 0, sizeof(argument));
	argument.detach.size = sizeof(argument.detach) + 8;
	EXPECT_EQ(-EBADF, cio_ioctl(fd, CANCELIO_DETACH, &argument));
	close(fd);
}

/* As a program that was built before it grew: what comes behind is not looked at. */
TEST_F(context, C60_smaller_structure_of_before_is_taken_and_nothing_written_behind)
{
	union {
		struct cancelio_setup setup;
		char bytes[LARGEST_PAGE];
	} argument;
	const __u32 first = offsetof(struct cancelio_setup, cpus);
	int fd = cio_open();
	unsigned int i;

	ASSERT_LE(0, fd);
	memset(&argument, POISON, sizeof(argument));
	memset(&argument, 0, first);
	argument.setup.size = first;
	EXPECT_EQ(0, cio_ioctl(fd, CANCELIO_SETUP, &argument));
	EXPECT_LT(0, argument.setup.ring_bytes);
	/* It can be used again. */
	EXPECT_EQ(first, argument.setup.size);
	for (i = first; i < PAGE_BYTES; i++)
		ASSERT_EQ((char)POISON, argument.bytes[i]);
	close(fd);
}

TEST_F(context, C60_structure_that_cannot_be_read_is_EFAULT)
{
	char *pages = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u32 *size;
	int i;

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_NONE));
	for (i = 0; i < COMMANDS; i++) {
		if (!has_command(&self->info, i))
			continue;
		EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, commands[i].number, NULL));
		EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, commands[i].number, pages + PAGE_BYTES));
		size = (__u32 *)(pages + PAGE_BYTES - sizeof(*size));
		*size = commands[i].size;
		EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, commands[i].number, size));
	}
}

TEST_F(context, C60_structure_that_cannot_be_written_is_EFAULT_and_nothing_happened)
{
	struct cancelio_attach attach = { .size = sizeof(attach) };
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	ASSERT_NE(MAP_FAILED, page);
	attach.fd = sock;
	memcpy(page, &attach, sizeof(attach));
	ASSERT_EQ(0, mprotect(page, PAGE_BYTES, PROT_READ));
	EXPECT_EQ(-EFAULT, cio_ioctl(self->fd, CANCELIO_ATTACH, page));
	/* Attached in spite of that, the socket would be -EEXIST now. */
	EXPECT_EQ(0, cio_attach(self->fd, sock, NULL));
	close(sock);
}

struct flipper {
	void *page;
	int stop;
};

static void *flip(void *argument)
{
	struct flipper *flipper = argument;

	while (!__atomic_load_n(&flipper->stop, __ATOMIC_ACQUIRE)) {
		mprotect(flipper->page, PAGE_BYTES, PROT_READ);
		mprotect(flipper->page, PAGE_BYTES, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

/* The memory was writable at the beginning of the call and is not any more at its end. */
TEST_F(context, C60_attach_whose_result_cannot_be_written_leaves_nothing_attached)
{
	struct cancelio_attach attach = { .size = sizeof(attach) }, *shared;
	struct flipper flipper = {};
	int sock = socket(AF_INET, SOCK_DGRAM, 0), i, ret;
	pthread_t thread;
	__u64 conn;

	flipper.page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, flipper.page);
	shared = flipper.page;
	attach.fd = sock;
	*shared = attach;
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &flipper));
	for (i = 0; i < 3000; i++) {
		ret = cio_ioctl(self->fd, CANCELIO_ATTACH, shared);
		if (ret == -EFAULT)
			ret = cio_attach(self->fd, sock, &conn);
		else
			conn = shared->conn;
		ASSERT_EQ(0, ret);
		ASSERT_EQ(0, cio_detach(self->fd, conn));
	}
	__atomic_store_n(&flipper.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	close(sock);
}

TEST(C61_before_setup_everything_is_ENXIO)
{
	union {
		__u32 size;
		struct cancelio_attach attach;
		char bytes[LARGEST_PAGE];
	} argument;
	struct cancelio_info info;
	int fd = cio_open();
	int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_info(fd, &info));
	for (i = 2; i < COMMANDS; i++) {
		if (!has_command(&info, i))
			continue;
		memset(&argument, 0, sizeof(argument));
		argument.size = commands[i].size;
		EXPECT_EQ(-ENXIO, cio_ioctl(fd, commands[i].number, &argument));
	}
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_EQ(ENXIO, errno);
	close(fd);
}

TEST_F(context, C61_second_setup_is_EBUSY)
{
	struct cancelio_setup setup = { .size = sizeof(setup) };

	EXPECT_EQ(-EBUSY, cio_setup(self->fd, &setup));
}

TEST_F(context, C61_setup_with_a_value_out_of_range_is_EINVAL_and_changes_nothing)
{
	const struct cancelio_setup good = { .size = sizeof(good) };
	struct cancelio_setup bad[] = { good, good, good, good, good };
	struct cancelio_setup setup = good;
	int fd = cio_open();
	int i;

	ASSERT_LE(0, fd);
	bad[0].flags = 1U << 31;
	bad[1].entries = CANCELIO_MAX_ENTRIES + 1;
	bad[2].max_workers = self->info.max_workers + 1;
	bad[3].slack = SECOND + 1;
	bad[4].reserved = 1;
	for (i = 0; i < 5; i++)
		EXPECT_EQ(-EINVAL, cio_setup(fd, &bad[i]));
	setup.engine = 99;
	EXPECT_EQ(-EINVAL, cio_setup(fd, &setup));
	EXPECT_EQ(-ENXIO, cio_shutdown(fd));
	setup = good;
	EXPECT_EQ(0, cio_setup(fd, &setup));
	close(fd);
}

TEST_F(engine, C60_setup_rounds_entries_up_to_a_power_of_two)
{
	static const __u32 asked[] = { 0, 1, 2, 5, 255, 4097 };
	static const __u32 given[] = { 256, 1, 2, 8, 256, 8192 };
	struct cancelio_ring *ring;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		fd = cio_context(variant->engine, asked[i]);
		ASSERT_LE(0, fd);
		ring = cio_map(fd, given[i]);
		ASSERT_NE(NULL, ring);
		EXPECT_EQ(given[i], ring->entries);
		EXPECT_EQ(sizeof(struct cancelio_completion), ring->completion_size);
		EXPECT_LE(sizeof(*ring), ring->completions_offset);
		EXPECT_EQ(0, ring->head);
		EXPECT_EQ(0, ring->tail);
		EXPECT_EQ(0, munmap(ring, cio_ring_bytes(given[i])));
		close(fd);
	}
}

TEST_F(engine, C60_setup_reports_ring_bytes_and_conn_limit)
{
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = variant->engine, .entries = 512,
	};
	int fd = cio_open();
	void *ring;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cio_setup(fd, &setup));
	EXPECT_LE(cio_ring_bytes(512), setup.ring_bytes);
	EXPECT_GT(1 << 20, setup.ring_bytes);
	EXPECT_LT(0, setup.conn_limit);
	EXPECT_NE(0xA5A5A5A5U, setup.conn_limit);
	ring = mmap(NULL, setup.ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT_NE(MAP_FAILED, ring);
	close(fd);
}

TEST_F(context, C61_mmap_refuses_what_is_not_the_ring)
{
	size_t bytes = cio_ring_bytes(256);
	size_t beyond = (bytes + 2 * PAGE_BYTES) & ~(PAGE_BYTES - 1UL);

	EXPECT_EQ(MAP_FAILED, mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, beyond, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, self->fd, 1 << 20));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(context, C61_mapping_can_be_neither_extended_nor_made_executable)
{
	size_t bytes = (cio_ring_bytes(256) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1UL);
	struct cancelio_ring *ring = cio_map(self->fd, 256);

	ASSERT_NE(NULL, ring);
	EXPECT_EQ(MAP_FAILED, mremap(ring, bytes, bytes + PAGE_BYTES, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, mprotect(ring, bytes, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_HARNESS_MAIN
