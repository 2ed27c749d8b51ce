/* SPDX-License-Identifier: GPL-2.0 */
/* The message of a RECVMSG or SENDMSG: its header, copied at submission. */
#ifndef CIO_MSG_H
#define CIO_MSG_H

#include "op.h"

#include <linux/socket.h>
#include <linux/uio.h>

/**
 * struct cio_msg - a message; all of it is constant
 * @user: the program's header, to which RECVMSG writes its results
 * @name: user address of the buffer for the address; RECVMSG
 * @control_user: user address of the buffer for control data; RECVMSG
 * @control: control data in the kernel's layout, or NULL; SENDMSG
 * @name_len: bytes of @name or @address
 * @control_len: bytes of @control_user or @control
 * @flags: what the program's header had; RECVMSG
 * @nr_segs: entries of @iov
 * @compat: the submitter is a 32-bit program: so is the layout of control data
 * @bad: one of @iov is no memory of a program
 * @address: where to send to; SENDMSG
 * @iov: the buffers
 *
 * The program's header, its array of buffers, the address and the control data
 * to be sent are read once, at submission (C53).
 */
struct cio_msg {
	struct cancelio_msg __user *user;
	void __user *name;
	void __user *control_user;
	void *control;
	u32 name_len;
	u32 control_len;
	u32 flags;
	u32 nr_segs;
	bool compat;
	bool bad;
	struct sockaddr_storage address;
	struct iovec iov[];
};

int cio_msg_create(struct cio_op *op, u64 addr);
void cio_msg_free(struct cio_msg *msg);

void cio_msg_import(const struct cio_op *op, int direction,
		    struct iov_iter *iter);
void cio_msg_recv_begin(const struct cio_op *op, struct msghdr *hdr,
			struct sockaddr_storage *address);
bool cio_msg_got_control(const struct cio_msg *msg, const struct msghdr *hdr);
int cio_msg_recv_end(const struct cio_msg *msg, const struct msghdr *hdr,
		     u32 flags);
int cio_msg_recv_nothing(const struct cio_msg *msg);
void cio_msg_recv_undo(const struct cio_msg *msg);
void cio_msg_send_begin(const struct cio_op *op, struct msghdr *hdr,
			struct sockaddr_storage *address, bool control);

/* Flags of a received message that are reported. */
#define CIO_MSG_FLAGS (MSG_TRUNC | MSG_CTRUNC | MSG_EOR)

static inline bool cio_opcode_has_msg(u32 opcode)
{
	return opcode == CANCELIO_OP_RECVMSG || opcode == CANCELIO_OP_SENDMSG;
}

static inline bool cio_op_has_msg(const struct cio_op *op)
{
	return cio_opcode_has_msg(op->opcode);
}

#endif /* CIO_MSG_H */
