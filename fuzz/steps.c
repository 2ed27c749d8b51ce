// SPDX-License-Identifier: GPL-2.0
/* The steps on contexts and connections: their calls, and what may come of them. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Begins a turn, with the lock. */
static void begin(struct turn *turn, int step)
{
	pthread_mutex_lock(&model.lock);
	turn_begin(turn, step);
}

/* The call itself, without the lock. */
static int turn_ioctl(struct turn *turn, int fd, unsigned int command, void *argument)
{
	int ret;

	pthread_mutex_unlock(&model.lock);
	ret = cio_ioctl(fd, command, argument);
	pthread_mutex_lock(&model.lock);
	turn_end(turn);
	return ret;
}

static __u32 round_up(__u32 entries)
{
	__u32 power = 1;

	if (!entries)
		return 256;
	while (power < entries)
		power *= 2;
	return power;
}

static void do_open(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	struct cancelio_setup setup = {
		.size = sizeof(setup), .engine = arg[1], .entries = arg[2], .max_workers = arg[3],
	};
	struct cancelio_info info = { .size = sizeof(info) };
	struct allowed set = {};
	struct turn turn;
	int ret;

	begin(&turn, step);
	if (context->fd >= 0 || context->closed) {
		turn_end(&turn);
		pthread_mutex_unlock(&model.lock);
		return;
	}
	context->fd = fresh_fd(open(CANCELIO_DEVICE, O_RDWR | O_CLOEXEC));
	cio_info(context->fd, &info);
	ret = turn_ioctl(&turn, context->fd, CANCELIO_SETUP, &setup);
	if (arg[2] < 0 || arg[2] > info.max_entries || arg[3] < 0 || arg[3] > info.max_workers)
		allow(&set, -EINVAL);
	else
		allow(&set, 0);
	check_return(&turn, "SETUP", &set, ret);
	context->engine = arg[1];
	context->entries = round_up(arg[2]);
	context->live = !ret;
	context->few = arg[1] == CANCELIO_ENGINE_THREAD && arg[3] && arg[3] < MAX_STEPS;
	pthread_mutex_unlock(&model.lock);
}

static void do_map(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	size_t bytes = sizeof(struct cancelio_ring) +
		       context->entries * sizeof(struct cancelio_completion);
	struct turn turn;
	void *ring;

	pthread_mutex_lock(&model.lock);
	if (context->live && context->fd >= 0 && !context->ring) {
		turn_begin(&turn, step);
		ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, context->fd, 0);
		turn_end(&turn);
		if (ring == MAP_FAILED)
			broken("step %d: mmap fails with %d", step, errno);
		context->ring = ring;
		context->mapped = true;
		if (context->ring->entries != context->entries)
			broken("step %d: the ring has %u entries, not %u", step,
			       context->ring->entries, context->entries);
	}
	pthread_mutex_unlock(&model.lock);
}

static bool attached_already(int context, int sock)
{
	int i;

	for (i = 0; i < CONNS; i++)
		if (model.conns[i].id && !model.conns[i].closing &&
		    model.conns[i].context == context && model.conns[i].sock == sock)
			return true;
	return false;
}

static void do_attach(int step, const __s64 *arg)
{
	struct conn *conn = &model.conns[arg[0]];
	struct context *context = &model.contexts[arg[1]];
	struct cancelio_attach attach = { .size = sizeof(attach), .fd = -1 };
	static int other = -1;
	struct allowed set = {};
	struct turn turn;
	int i, ret;

	if (other < 0)
		other = fresh_fd(eventfd(0, EFD_CLOEXEC));
	begin(&turn, step);
	if (arg[2] < SOCKS)
		attach.fd = model.socks[arg[2]].fd;
	else if (arg[2] == SOCK_OTHER)
		attach.fd = other;
	if (allow_common(&set, context, false)) {
		if (attach.fd < 0)
			allow(&set, -EBADF);
		else if (attach.fd == other)
			allow(&set, -ENOTSOCK);
		else if (attached_already(arg[1], arg[2]))
			allow(&set, -EEXIST);
		else
			allow(&set, 0);
	}
	/* A connection's number is for one in a program. */
	if (conn->id) {
		turn_end(&turn);
		pthread_mutex_unlock(&model.lock);
		return;
	}
	ret = turn_ioctl(&turn, context->fd, CANCELIO_ATTACH, &attach);
	check_return(&turn, "ATTACH", &set, ret);
	for (i = 0; !ret && i < CONNS; i++)
		if (!attach.conn || (model.conns[i].id == attach.conn &&
				     model.conns[i].context == arg[1]))
			broken("step %d: conn %llu again", step, (unsigned long long)attach.conn);
	if (!ret && !conn->id) {
		conn->context = arg[1];
		conn->sock = arg[2];
		conn->id = attach.conn;
		conn->closing = context->shut;
	}
	pthread_mutex_unlock(&model.lock);
}

static bool concerns_conn(const struct op *op)
{
	return model.conns[op->conn].closing;
}

static void do_detach(int step, const __s64 *arg)
{
	struct conn *conn = &model.conns[arg[0]];
	struct cancelio_detach detach = { .size = sizeof(detach) };
	struct context *context;
	struct allowed set = {};
	struct turn turn;
	int ret;

	begin(&turn, step);
	context = &model.contexts[conn->context];
	detach.conn = conn->id ?: NO_CONN;
	if (allow_common(&set, context, false))
		allow(&set, conn->id && !conn->closing ? 0 : -EBADF);
	if (conn->id)
		mark_closed(context, arg[0]);
	ret = turn_ioctl(&turn, context->fd, CANCELIO_DETACH, &detach);
	check_return(&turn, "DETACH", &set, ret);
	if (!ret)
		mark_closed(context, arg[0]);
	if (turn.alone && !ret)
		check_ended(context, "DETACH", concerns_conn);
	pthread_mutex_unlock(&model.lock);
}

bool concerns_all(const struct op *op)
{
	(void)op;
	return true;
}

static void do_shutdown(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	struct cancelio_shutdown shutdown = { .size = sizeof(shutdown) };
	struct allowed set = {};
	struct turn turn;
	int ret;

	begin(&turn, step);
	if (allow_common(&set, context, false))
		allow(&set, 0);
	if (context->live && context->fd >= 0) {
		mark_closed(context, -1);
		context->shut = true;
	}
	ret = turn_ioctl(&turn, context->fd, CANCELIO_SHUTDOWN, &shutdown);
	check_return(&turn, "SHUTDOWN", &set, ret);
	if (!ret)
		mark_closed(context, -1);
	if (turn.alone && !ret)
		check_ended(context, "SHUTDOWN", concerns_all);
	pthread_mutex_unlock(&model.lock);
}

static __s64 absolute(__s64 time)
{
	if (time == TIME_NEVER)
		return CANCELIO_NEVER;
	return time == TIME_PAST ? 1 : now() + time * 1000;
}

static void add_move(struct conn *conn, int side, const struct turn *turn, __s64 time)
{
	struct move move = { .from = turn->from, .time = time };

	conn->moves[side][conn->nr_moves[side]++] = move;
}

static void do_deadline(int step, const __s64 *arg)
{
	struct conn *conn = &model.conns[arg[0]];
	struct context *context;
	struct cancelio_set_deadline set_deadline = { .size = sizeof(set_deadline) };
	struct allowed set = {};
	struct turn turn;
	__u32 sides = arg[1];
	int ret, side, count[2];
	__s64 *times[2] = { NULL, NULL };
	__s64 read = absolute(arg[2]), write = absolute(arg[3]);

	times[0] = &read;
	times[1] = &write;
	begin(&turn, step);
	context = &model.contexts[conn->context];
	set_deadline.sides = sides;
	set_deadline.conn = conn->id ?: NO_CONN;
	set_deadline.read = sides & 1 || arg[2] == TIME_NEVER ? read : 0;
	set_deadline.write = sides & 2 || arg[3] == TIME_NEVER ? write : 0;
	if (allow_common(&set, context, false)) {
		if (!sides || sides & ~3U || (!(sides & 1) && set_deadline.read) ||
		    (!(sides & 2) && set_deadline.write))
			allow(&set, -EINVAL);
		else
			allow(&set, conn->id && !conn->closing ? 0 : -EBADF);
	}
	for (side = 0; side < 2; side++) {
		count[side] = conn->nr_moves[side];
		if (sides & 1U << side)
			add_move(conn, side, &turn, *times[side]);
	}
	ret = turn_ioctl(&turn, context->fd, CANCELIO_SET_DEADLINE, &set_deadline);
	check_return(&turn, "SET_DEADLINE", &set, ret);
	for (side = 0; side < 2; side++) {
		if (!(sides & 1U << side))
			continue;
		if (!ret)
			conn->moves[side][count[side]].to = turn.to;
		else if (turn.alone)
			conn->nr_moves[side] = count[side];
	}
	if (!turn.alone)
		conn->vague = true;
	pthread_mutex_unlock(&model.lock);
}

struct canceled {
	int scope;
	__u64 target;
	__u32 sides;
};

static struct canceled canceled;

static bool concerns_canceled(const struct op *op)
{
	return cancel_matches(op, canceled.scope, canceled.target, canceled.sides);
}

static int count_pending(const struct context *context, bool (*concerns)(const struct op *))
{
	int i, count = 0;

	for (i = 0; i < MAX_STEPS; i++) {
		const struct op *op = &model.ops[i];

		count += op->state == OP_PENDING && !op->completed && concerns(op) &&
			 &model.contexts[op->context] == context;
	}
	return count;
}

static __u64 cancel_target(const __s64 *arg)
{
	int step = model.slots[arg[2] % SLOTS];

	switch (arg[1]) {
	case SCOPE_ID:
		return step >= 0 ? model.ops[step].id : 0xdead;
	case SCOPE_COOKIE:
		return 100 + arg[2] % 4;
	case SCOPE_CONN:
		return model.conns[arg[2] % CONNS].id ?: NO_CONN;
	default:
		return 0;
	}
}

static void allow_cancel(struct allowed *set, const struct context *context,
			 const struct canceled *what, __s64 number)
{
	const struct conn *conn = &model.conns[number % CONNS];
	bool is_conn = what->scope == SCOPE_CONN;

	if (!allow_common(set, context, false))
		return;
	if (what->scope == SCOPE_JUNK || what->sides & ~3U ||
	    !what->sides == is_conn) {
		allow(set, -EINVAL);
	} else if (is_conn && (!conn->id || conn->closing ||
						 &model.contexts[conn->context] != context)) {
		/* Its number may by chance be another one's of this context. */
		allow(set, -EBADF);
		allow(set, -ENOENT);
		allow(set, 0);
	} else {
		allow(set, -ENOENT);
		allow(set, 0);
	}
}

/* Its count is of those that it ended, and all that it concerned have ended. */
static void judge_cancel(struct context *context, const struct turn *turn,
			 const struct canceled *what, int pending, int ret)
{
	if (ret == -EINTR || !turn->alone) {
		context->cancels_vague = true;
		mark_canceled(context, what->scope, what->target, what->sides);
	}
	if (ret > 0)
		context->cancels += ret;
	if (!turn->alone)
		return;
	if (ret > pending && !context->spoiled)
		broken("step %d: cancel ends %d, of %d that were pending", turn->step, ret,
		       pending);
	if (!ret)
		broken("step %d: cancel returns 0", turn->step);
	if (ret > 0 || ret == -ENOENT) {
		canceled = *what;
		check_ended(context, "CANCEL", concerns_canceled);
	}
}

static void do_cancel(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	struct canceled what = { .scope = arg[1], .sides = arg[3] };
	struct cancelio_cancel cancel = { .size = sizeof(cancel) };
	struct allowed set = {};
	struct turn turn;
	int pending, ret;

	begin(&turn, step);
	what.target = cancel_target(arg);
	cancel.scope = what.scope == SCOPE_JUNK ? 9 : what.scope;
	cancel.target = what.target;
	cancel.sides = what.sides;
	canceled = what;
	pending = count_pending(context, concerns_canceled);
	allow_cancel(&set, context, &what, arg[2]);
	mark_canceled(context, what.scope, what.target, what.sides);
	context->canceling++;
	ret = turn_ioctl(&turn, context->fd, CANCELIO_CANCEL, &cancel);
	context->canceling--;
	check_return(&turn, "CANCEL", &set, ret);
	if (ret >= 0 || ret == -EINTR || ret == -ENOENT)
		judge_cancel(context, &turn, &what, pending, ret);
	pthread_mutex_unlock(&model.lock);
}

static void allow_wait(struct allowed *set, const struct context *context,
		       const struct cancelio_wait *wait, bool copies)
{
	if (!allow_common(set, context, true))
		return;
	if (wait->min > context->entries || (copies && wait->min > wait->max)) {
		allow(set, -EINVAL);
		return;
	}
	allow(set, 0);
	if (wait->min)
		allow(set, -ETIME);
	if (wait->min && context->shut)
		allow(set, -ESHUTDOWN);
}

/* In a context whose ring is mapped it copies nothing, and is asked to with MAX 9. */
static void do_wait(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	struct cancelio_completion results[10];
	struct cancelio_wait wait = { .size = sizeof(wait), .min = arg[1] };
	bool copies = !context->mapped || arg[2] == 9;
	struct allowed set = {};
	struct turn turn;
	int i, ret;

	if (copies) {
		wait.max = arg[2];
		wait.completions = (__u64)results;
		wait.completion_size = sizeof(results[0]);
	}
	memset(results, POISON, sizeof(results));
	wait.time = now() + arg[3] * 1000;
	begin(&turn, step);
	allow_wait(&set, context, &wait, copies);
	if (context->mapped && copies && is_allowed(&set, 0)) {
		set.count = 0;
		allow(&set, -EBUSY);
	}
	ret = turn_ioctl(&turn, context->fd, CANCELIO_WAIT, &wait);
	check_return(&turn, "WAIT", &set, ret);
	if (ret == -ETIME && turn.to < wait.time)
		broken("step %d: WAIT ends before its time", step);
	if (ret >= 0 && (ret < (int)wait.min || (copies && ret > (int)wait.max)))
		broken("step %d: WAIT returns %d, not %u to %u", step, ret, wait.min, wait.max);
	for (i = 0; copies && i < ret; i++)
		op_complete(context, &results[i], false);
	pthread_mutex_unlock(&model.lock);
}

static void allow_wait_op(struct allowed *set, const struct context *context, const struct op *op)
{
	if (!allow_common(set, context, true))
		return;
	if (!op || op->completed || op->state == OP_NONE) {
		allow(set, -ENOENT);
		if (op && op->state != OP_NONE && !op->held)
			allow(set, -EINVAL);
	} else if (!op->held) {
		/* It may have ended, and be in the ring. */
		allow(set, -EINVAL);
		allow(set, -ENOENT);
	} else {
		allow(set, 0);
		allow(set, -ETIME);
	}
}

static void do_waitop(int step, const __s64 *arg)
{
	int which = model.slots[arg[0]];
	struct op *op = which >= 0 ? &model.ops[which] : NULL;
	struct context *context = &model.contexts[op ? op->context : 0];
	struct cancelio_wait_op wait = { .size = sizeof(wait) };
	struct allowed set = {};
	struct turn turn;
	int ret;

	wait.time = now() + arg[1] * 1000;
	memset(&wait.result, POISON, sizeof(wait.result));
	begin(&turn, step);
	wait.id = op ? op->id : 0xdead;
	allow_wait_op(&set, context, op);
	ret = turn_ioctl(&turn, context->fd, CANCELIO_WAIT_OP, &wait);
	check_return(&turn, "WAIT_OP", &set, ret);
	if (ret == -ETIME && turn.to < wait.time)
		broken("step %d: WAIT_OP ends before its time", step);
	if (!ret)
		op_complete(context, &wait.result, true);
	pthread_mutex_unlock(&model.lock);
}

static void do_eventfd(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	struct cancelio_eventfd eventfd_of = { .size = sizeof(eventfd_of), .fd = -1 };
	struct allowed set = {};
	struct turn turn;
	int ret;

	if (arg[1])
		eventfd_of.fd = fresh_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	begin(&turn, step);
	if (allow_common(&set, context, false))
		allow(&set, 0);
	ret = turn_ioctl(&turn, context->fd, CANCELIO_EVENTFD, &eventfd_of);
	check_return(&turn, "EVENTFD", &set, ret);
	if (!ret)
		context->eventfd = turn.alone ? eventfd_of.fd : -1;
	pthread_mutex_unlock(&model.lock);
}

static void do_restrict(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	struct cancelio_restrict keep = { .size = sizeof(keep), .ops = arg[1], .sides = arg[2] };
	struct allowed set = {};
	struct turn turn;
	int ret;

	begin(&turn, step);
	if (allow_common(&set, context, false))
		allow(&set, keep.ops > 31 || keep.sides > 3 ? -EINVAL : 0);
	ret = turn_ioctl(&turn, context->fd, CANCELIO_RESTRICT, &keep);
	check_return(&turn, "RESTRICT", &set, ret);
	if (!ret) {
		context->refused_ops |= ~keep.ops;
		context->refused_sides |= ~keep.sides;
	}
	pthread_mutex_unlock(&model.lock);
}

/* Whether an operation could be for a thread of the program to run. */
static bool wants_caller(int context)
{
	int i;

	for (i = 0; i < MAX_STEPS; i++) {
		const struct op *op = &model.ops[i];

		if (op->state == OP_PENDING && op->context == context &&
		    is_unix(model.socks[model.conns[op->conn].sock].type))
			return true;
	}
	return false;
}

static __u32 ring_there(const struct context *context)
{
	/* Acquire: what the kernel stored before the tail. */
	return __atomic_load_n(&context->ring->tail, __ATOMIC_ACQUIRE) - context->ring->head;
}

static void do_poll(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];
	struct pollfd poll_fd = { .events = POLLIN };
	bool before, known;
	struct turn turn;

	begin(&turn, step);
	known = context->ring && !context->spoiled;
	before = known && ring_there(context);
	poll_fd.fd = context->fd;
	poll(&poll_fd, 1, 0);
	turn_end(&turn);
	if (turn.alone && context->fd >= 0) {
		bool in = poll_fd.revents & POLLIN;

		if (!context->live != !!(poll_fd.revents & POLLERR))
			broken("step %d: poll says %#x", step, poll_fd.revents);
		if (context->live && context->shut != !!(poll_fd.revents & POLLHUP))
			broken("step %d: poll says %#x", step, poll_fd.revents);
		if (before && !in)
			broken("step %d: completions are there, and no POLLIN", step);
		if (known && in && !ring_there(context) && !wants_caller(arg[0]))
			broken("step %d: POLLIN, and no completion is there", step);
	}
	pthread_mutex_unlock(&model.lock);
}

static void do_close(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];

	(void)step;
	pthread_mutex_lock(&model.lock);
	/* Nobody is alone with it. */
	model.begun++;
	if (context->fd >= 0) {
		mark_closed(context, -1);
		context->shut = true;
		context->closed = true;
		close(context->fd);
		context->fd = -1;
	}
	pthread_mutex_unlock(&model.lock);
}

static void do_scribble(int step, const __s64 *arg)
{
	struct context *context = &model.contexts[arg[0]];

	(void)step;
	pthread_mutex_lock(&model.lock);
	model.begun++;
	if (context->ring) {
		context->spoiled = true;
		__atomic_store_n((__u32 *)context->ring + arg[1], arg[2], __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&model.lock);
}

void run_step(int step)
{
	static void (*const calls[VERBS])(int step, const __s64 *arg) = {
		[V_OPEN] = do_open, [V_MAP] = do_map, [V_ATTACH] = do_attach,
		[V_DETACH] = do_detach, [V_SHUTDOWN] = do_shutdown, [V_DEADLINE] = do_deadline,
		[V_CANCEL] = do_cancel, [V_WAIT] = do_wait, [V_WAITOP] = do_waitop,
		[V_EVENTFD] = do_eventfd, [V_RESTRICT] = do_restrict, [V_POLL] = do_poll,
		[V_CLOSE] = do_close, [V_SCRIBBLE] = do_scribble, [V_RAW] = do_raw,
		[V_PAIR] = do_pair, [V_WRITE] = do_write, [V_READ] = do_read,
		[V_SHUT] = do_shut, [V_CLOSESOCK] = do_closesock, [V_MEMORY] = do_memory,
		[V_CHILD] = do_child, [V_SIGNAL] = do_signal, [V_SLEEP] = do_sleep,
		[V_EXIT] = do_exit,
	};
	const struct step *s = &model.program->steps[step];

	calls[s->verb](step, s->arg);
}
