// SPDX-License-Identifier: GPL-2.0
#include "msg.h"

#include "memory.h"

#include <linux/compat.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* Read the program's array of buffers; returns the bytes of all, or an error. */
static s64 msg_read_iov(struct cio_msg *msg, u64 addr)
{
	const struct cancelio_iovec __user *from = u64_to_user_ptr(addr);
	struct cancelio_iovec entry;
	u64 total = 0;
	u32 i;

	for (i = 0; i < msg->nr_segs; i++) {
		if (copy_from_user(&entry, from + i, sizeof(entry)))
			return -EFAULT;
		if (entry.len > CANCELIO_MAX_LEN - total)
			return -EINVAL;
		total += entry.len;
		msg->iov[i].iov_base = u64_to_user_ptr(entry.base);
		msg->iov[i].iov_len = entry.len;
		/* A bad buffer is an error of the attempt, as with RECV and SEND. */
		if (!access_ok(msg->iov[i].iov_base, entry.len))
			msg->bad = true;
	}
	return total;
}

/* The head of one control message in a 32-bit program. */
struct msg_cmsg32 {
	u32 len;
	s32 level;
	s32 type;
};

/*
 * Write control messages of the 32-bit layout, @left bytes at @from, in the
 * kernel's own.  Each takes at least 12 bytes and grows by up to 8: @to is twice
 * as large, and zeroed.  Returns the bytes written.
 */
static int msg_convert_control(char *to, const char *from, u32 left)
{
	struct msg_cmsg32 head;
	char *start = to;

	while (left >= sizeof(head)) {
		u32 data, step;

		memcpy(&head, from, sizeof(head));
		if (head.len < sizeof(head) || head.len > left)
			return -EINVAL;
		data = head.len - sizeof(head);
		*(struct cmsghdr *)to = (struct cmsghdr) {
			.cmsg_len = CMSG_LEN(data),
			.cmsg_level = head.level,
			.cmsg_type = head.type,
		};
		memcpy(CMSG_DATA(to), from + sizeof(head), data);
		to += CMSG_SPACE(data);
		step = min(ALIGN(head.len, sizeof(u32)), left);
		from += step;
		left -= step;
	}
	return to - start ?: -EINVAL;
}

static int msg_read_control32(struct cio_msg *msg)
{
	void *raw = msg->control;
	int ret;

	msg->control = kzalloc(2 * msg->control_len,
			       CIO_GFP);
	if (!msg->control) {
		kfree(raw);
		return -ENOMEM;
	}
	ret = msg_convert_control(msg->control, raw, msg->control_len);
	kfree(raw);
	if (ret < 0)
		return ret;
	msg->control_len = ret;
	return 0;
}

static int msg_read_control(struct cio_msg *msg, u64 addr)
{
	if (!msg->control_len)
		return 0;
	if (msg->control_len > CANCELIO_MAX_CONTROL)
		return -ENOBUFS;
	msg->control = kmalloc(msg->control_len,
			       CIO_GFP);
	if (!msg->control)
		return -ENOMEM;
	if (copy_from_user(msg->control, u64_to_user_ptr(addr),
			   msg->control_len))
		return -EFAULT;
	return msg->compat ? msg_read_control32(msg) : 0;
}

/* What SENDMSG reads beside its data. */
static int msg_read_send(struct cio_msg *msg, const struct cancelio_msg *header)
{
	if (msg->name_len > sizeof(msg->address))
		return -EINVAL;
	if (copy_from_user(&msg->address, u64_to_user_ptr(header->name),
			   msg->name_len))
		return -EFAULT;
	return msg_read_control(msg, header->control);
}

static int msg_write(struct cancelio_msg __user *user, u32 name_len,
		     u32 control_len, u32 flags)
{
	if (put_user(name_len, &user->name_len) ||
	    put_user(control_len, &user->control_len) ||
	    put_user(flags, &user->flags))
		return -EFAULT;
	return 0;
}

static struct cio_msg *msg_alloc(const struct cancelio_msg *header,
				 struct cancelio_msg __user *user)
{
	struct cio_msg *msg;

	msg = kmalloc(struct_size(msg, iov, header->iov_count),
		      CIO_GFP);
	if (!msg)
		return NULL;
	msg->user = user;
	msg->name = u64_to_user_ptr(header->name);
	msg->control_user = u64_to_user_ptr(header->control);
	msg->control = NULL;
	msg->name_len = header->name_len;
	msg->control_len = header->control_len;
	msg->flags = header->flags;
	msg->nr_segs = header->iov_count;
	msg->compat = in_compat_syscall();
	msg->bad = false;
	return msg;
}

/*
 * Read the message of an operation that only the caller knows, and set its
 * length.  What cannot be read refuses the operation; also after an error
 * cio_msg_free() is the caller's.
 */
int cio_msg_create(struct cio_op *op, u64 addr)
{
	struct cancelio_msg __user *user = u64_to_user_ptr(addr);
	struct cancelio_msg header;
	s64 total;

	if (copy_from_user(&header, user, sizeof(header)))
		return -EFAULT;
	if (header.iov_count > UIO_MAXIOV ||
	    (!header.name && header.name_len) ||
	    (!header.control && header.control_len))
		return -EINVAL;
	op->msg = msg_alloc(&header, user);
	if (!op->msg)
		return -ENOMEM;
	total = msg_read_iov(op->msg, header.iov);
	if (total < 0)
		return total;
	op->len = total;
	return op->opcode == CANCELIO_OP_SENDMSG ?
		msg_read_send(op->msg, &header) : 0;
}

/* From any context. */
void cio_msg_free(struct cio_msg *msg)
{
	if (!msg)
		return;
	kfree(msg->control);
	kfree(msg);
}

/* What is left of the buffers, which are not bad. */
void cio_msg_import(const struct cio_op *op, int direction,
		    struct iov_iter *iter)
{
	const struct cio_msg *msg = op->msg;

	iov_iter_init(iter, direction, msg->iov, msg->nr_segs, op->len);
	iov_iter_advance(iter, op->done);
}

/* @address is for the attempt's time. */
void cio_msg_recv_begin(const struct cio_op *op, struct msghdr *hdr,
			struct sockaddr_storage *address)
{
	const struct cio_msg *msg = op->msg;

	if (msg->name)
		hdr->msg_name = address;
	hdr->msg_control_is_user = true;
	hdr->msg_control_user = msg->control_user;
	hdr->msg_controllen = msg->control_len;
	hdr->msg_flags = op->msg_flags & MSG_CMSG_CLOEXEC;
	if (msg->compat)
		hdr->msg_flags |= MSG_CMSG_COMPAT;
}

/* Whether control data came, into a buffer for it; also some that was cut off. */
bool cio_msg_got_control(const struct cio_msg *msg, const struct msghdr *hdr)
{
	return msg->control_len && (hdr->msg_controllen < msg->control_len ||
				    (hdr->msg_flags & MSG_CTRUNC));
}

/* Write the results into the program's header; @flags are of all that was received. */
int cio_msg_recv_end(const struct cio_msg *msg, const struct msghdr *hdr,
		     u32 flags)
{
	u32 len = min_t(u32, hdr->msg_namelen, msg->name_len);

	if (copy_to_user(msg->name, hdr->msg_name, len))
		return -EFAULT;
	return msg_write(msg->user, hdr->msg_namelen,
			 msg->control_len - hdr->msg_controllen, flags);
}

/* The results of a read that ends without an attempt. */
int cio_msg_recv_nothing(const struct cio_msg *msg)
{
	return msg_write(msg->user, 0, 0, 0);
}

/* The operation is refused after all: its header is again as it was read. */
void cio_msg_recv_undo(const struct cio_msg *msg)
{
	/* What cannot be written now was not written before. */
	msg_write(msg->user, msg->name_len, msg->control_len, msg->flags);
}

/*
 * The address is copied once more, for a BPF program may change what the socket
 * is handed.
 */
void cio_msg_send_begin(const struct cio_op *op, struct msghdr *hdr,
			struct sockaddr_storage *address, bool control)
{
	const struct cio_msg *msg = op->msg;

	if (msg->name_len) {
		memcpy(address, &msg->address, msg->name_len);
		hdr->msg_name = address;
		hdr->msg_namelen = msg->name_len;
	}
	if (control) {
		hdr->msg_control = msg->control;
		hdr->msg_controllen = msg->control_len;
	}
}
