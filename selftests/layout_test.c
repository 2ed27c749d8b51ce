// SPDX-License-Identifier: GPL-2.0
/*
 * The layout of every structure, in numbers: the same for 64-bit and 32-bit programs
 * (C60).  Each field is checked, so that a hole in one of the two would show.
 */
#include "harness.h"

#define HAS_SIZE(type, bytes)	EXPECT_EQ(bytes, sizeof(struct type))
#define HAS_OFFSET(type, field, bytes) EXPECT_EQ(bytes, offsetof(struct type, field))

TEST(C60_structures_have_their_published_sizes)
{
	HAS_SIZE(cancelio_op, 64);
	HAS_SIZE(cancelio_iovec, 16);
	HAS_SIZE(cancelio_msg, 40);
	HAS_SIZE(cancelio_completion, 64);
	HAS_SIZE(cancelio_ring, 64);
	HAS_SIZE(cancelio_info, 40);
	HAS_SIZE(cancelio_setup, 72);
	HAS_SIZE(cancelio_attach, 24);
	HAS_SIZE(cancelio_detach, 16);
	HAS_SIZE(cancelio_submit, 48);
	HAS_SIZE(cancelio_call, 144);
	HAS_SIZE(cancelio_wait, 40);
	HAS_SIZE(cancelio_wait_op, 88);
	HAS_SIZE(cancelio_cancel, 24);
	HAS_SIZE(cancelio_set_deadline, 32);
	HAS_SIZE(cancelio_shutdown, 8);
	HAS_SIZE(cancelio_eventfd, 8);
	HAS_SIZE(cancelio_restrict, 16);
	HAS_SIZE(cancelio_stats, 1104);
}

TEST(C60_fields_of_operations_and_messages_are_at_their_published_offsets)
{
	HAS_OFFSET(cancelio_op, opcode, 0);
	HAS_OFFSET(cancelio_op, flags, 4);
	HAS_OFFSET(cancelio_op, conn, 8);
	HAS_OFFSET(cancelio_op, user_data, 16);
	HAS_OFFSET(cancelio_op, addr, 24);
	HAS_OFFSET(cancelio_op, len, 32);
	HAS_OFFSET(cancelio_op, msg_flags, 36);
	HAS_OFFSET(cancelio_op, deadline, 40);
	HAS_OFFSET(cancelio_op, reserved, 48);

	HAS_OFFSET(cancelio_iovec, base, 0);
	HAS_OFFSET(cancelio_iovec, len, 8);

	HAS_OFFSET(cancelio_msg, name, 0);
	HAS_OFFSET(cancelio_msg, iov, 8);
	HAS_OFFSET(cancelio_msg, control, 16);
	HAS_OFFSET(cancelio_msg, name_len, 24);
	HAS_OFFSET(cancelio_msg, iov_count, 28);
	HAS_OFFSET(cancelio_msg, control_len, 32);
	HAS_OFFSET(cancelio_msg, flags, 36);
}

TEST(C60_fields_of_completions_and_their_ring_are_at_their_published_offsets)
{
	HAS_OFFSET(cancelio_completion, user_data, 0);
	HAS_OFFSET(cancelio_completion, id, 8);
	HAS_OFFSET(cancelio_completion, conn, 16);
	HAS_OFFSET(cancelio_completion, bytes, 24);
	HAS_OFFSET(cancelio_completion, error, 28);
	HAS_OFFSET(cancelio_completion, reason, 32);
	HAS_OFFSET(cancelio_completion, which, 33);
	HAS_OFFSET(cancelio_completion, opcode, 34);
	HAS_OFFSET(cancelio_completion, events, 36);
	HAS_OFFSET(cancelio_completion, ended, 40);
	HAS_OFFSET(cancelio_completion, late, 48);
	HAS_OFFSET(cancelio_completion, reserved, 56);

	HAS_OFFSET(cancelio_ring, head, 0);
	HAS_OFFSET(cancelio_ring, tail, 4);
	HAS_OFFSET(cancelio_ring, entries, 8);
	HAS_OFFSET(cancelio_ring, completions_offset, 12);
	HAS_OFFSET(cancelio_ring, completion_size, 16);
	HAS_OFFSET(cancelio_ring, reserved, 20);
}

TEST(C60_fields_of_set_up_calls_are_at_their_published_offsets)
{
	HAS_OFFSET(cancelio_info, size, 0);
	HAS_OFFSET(cancelio_info, abi, 4);
	HAS_OFFSET(cancelio_info, engines, 8);
	HAS_OFFSET(cancelio_info, ops, 12);
	HAS_OFFSET(cancelio_info, ioctls, 16);
	HAS_OFFSET(cancelio_info, op_flags, 20);
	HAS_OFFSET(cancelio_info, max_entries, 24);
	HAS_OFFSET(cancelio_info, max_batch, 28);
	HAS_OFFSET(cancelio_info, max_workers, 32);
	HAS_OFFSET(cancelio_info, sockets, 36);

	HAS_OFFSET(cancelio_setup, size, 0);
	HAS_OFFSET(cancelio_setup, flags, 4);
	HAS_OFFSET(cancelio_setup, engine, 8);
	HAS_OFFSET(cancelio_setup, entries, 12);
	HAS_OFFSET(cancelio_setup, max_workers, 16);
	HAS_OFFSET(cancelio_setup, slack, 20);
	HAS_OFFSET(cancelio_setup, ring_bytes, 24);
	HAS_OFFSET(cancelio_setup, conn_limit, 32);
	HAS_OFFSET(cancelio_setup, reserved, 36);
	HAS_OFFSET(cancelio_setup, cpus, 40);
	HAS_OFFSET(cancelio_setup, cpus_size, 48);
	HAS_OFFSET(cancelio_setup, policy, 52);
	HAS_OFFSET(cancelio_setup, priority, 56);
	HAS_OFFSET(cancelio_setup, nice, 60);
	HAS_OFFSET(cancelio_setup, spin, 64);
	HAS_OFFSET(cancelio_setup, reserved2, 68);

	HAS_OFFSET(cancelio_stats, size, 0);
	HAS_OFFSET(cancelio_stats, flags, 4);
	HAS_OFFSET(cancelio_stats, submitted, 8);
	HAS_OFFSET(cancelio_stats, at_once, 16);
	HAS_OFFSET(cancelio_stats, ended, 24);
	HAS_OFFSET(cancelio_stats, met, 64);
	HAS_OFFSET(cancelio_stats, raced, 72);
	HAS_OFFSET(cancelio_stats, start, 80);
	HAS_OFFSET(cancelio_stats, late, 336);
	HAS_OFFSET(cancelio_stats, wake, 592);
	HAS_OFFSET(cancelio_stats, cancel, 848);

	HAS_OFFSET(cancelio_attach, size, 0);
	HAS_OFFSET(cancelio_attach, fd, 4);
	HAS_OFFSET(cancelio_attach, flags, 8);
	HAS_OFFSET(cancelio_attach, reserved, 12);
	HAS_OFFSET(cancelio_attach, conn, 16);

	HAS_OFFSET(cancelio_detach, size, 0);
	HAS_OFFSET(cancelio_detach, flags, 4);
	HAS_OFFSET(cancelio_detach, conn, 8);
}

TEST(C60_fields_of_submitting_and_waiting_calls_are_at_their_published_offsets)
{
	HAS_OFFSET(cancelio_submit, size, 0);
	HAS_OFFSET(cancelio_submit, op_size, 4);
	HAS_OFFSET(cancelio_submit, ops, 8);
	HAS_OFFSET(cancelio_submit, ids, 16);
	HAS_OFFSET(cancelio_submit, count, 24);
	HAS_OFFSET(cancelio_submit, flags, 28);
	HAS_OFFSET(cancelio_submit, error, 32);
	HAS_OFFSET(cancelio_submit, min, 36);
	HAS_OFFSET(cancelio_submit, time, 40);

	HAS_OFFSET(cancelio_call, size, 0);
	HAS_OFFSET(cancelio_call, flags, 4);
	HAS_OFFSET(cancelio_call, op, 8);
	HAS_OFFSET(cancelio_call, id, 72);
	HAS_OFFSET(cancelio_call, result, 80);

	HAS_OFFSET(cancelio_wait, size, 0);
	HAS_OFFSET(cancelio_wait, flags, 4);
	HAS_OFFSET(cancelio_wait, min, 8);
	HAS_OFFSET(cancelio_wait, max, 12);
	HAS_OFFSET(cancelio_wait, completions, 16);
	HAS_OFFSET(cancelio_wait, completion_size, 24);
	HAS_OFFSET(cancelio_wait, reserved, 28);
	HAS_OFFSET(cancelio_wait, time, 32);

	HAS_OFFSET(cancelio_wait_op, size, 0);
	HAS_OFFSET(cancelio_wait_op, flags, 4);
	HAS_OFFSET(cancelio_wait_op, id, 8);
	HAS_OFFSET(cancelio_wait_op, time, 16);
	HAS_OFFSET(cancelio_wait_op, result, 24);
}

TEST(C60_fields_of_ending_calls_are_at_their_published_offsets)
{
	HAS_OFFSET(cancelio_cancel, size, 0);
	HAS_OFFSET(cancelio_cancel, scope, 4);
	HAS_OFFSET(cancelio_cancel, target, 8);
	HAS_OFFSET(cancelio_cancel, sides, 16);
	HAS_OFFSET(cancelio_cancel, flags, 20);

	HAS_OFFSET(cancelio_set_deadline, size, 0);
	HAS_OFFSET(cancelio_set_deadline, sides, 4);
	HAS_OFFSET(cancelio_set_deadline, conn, 8);
	HAS_OFFSET(cancelio_set_deadline, read, 16);
	HAS_OFFSET(cancelio_set_deadline, write, 24);

	HAS_OFFSET(cancelio_shutdown, size, 0);
	HAS_OFFSET(cancelio_shutdown, flags, 4);

	HAS_OFFSET(cancelio_eventfd, size, 0);
	HAS_OFFSET(cancelio_eventfd, fd, 4);

	HAS_OFFSET(cancelio_restrict, size, 0);
	HAS_OFFSET(cancelio_restrict, ops, 4);
	HAS_OFFSET(cancelio_restrict, sides, 8);
	HAS_OFFSET(cancelio_restrict, flags, 12);
}

TEST_HARNESS_MAIN
