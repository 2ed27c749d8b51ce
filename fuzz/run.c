// SPDX-License-Identifier: GPL-2.0
/* A program from its begin to its end: threads, memory, and what must be true at last. */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long the program holds a page back. */
#define HOLD_US 3000
/* Deadlines that a program's end waits for, ns. */
#define SOON (50 * MS)

pthread_t threads[THREADS];

static __u8 *rooms;
static void *nothing;
static int uffd = -1;
static pthread_barrier_t barrier;
static int nr_threads;
static const struct hooks *hooks;

__u8 *room_of(int step)
{
	return rooms + (size_t)step * ROOM;
}

void *bad_page(void)
{
	return nothing;
}

int fresh_fd(int fd)
{
	static int next = 100;
	int fresh;

	if (fd < 0)
		broken("a descriptor cannot be opened (%d)", errno);
	fresh = fcntl(fd, F_DUPFD_CLOEXEC, __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED));
	close(fd);
	return fresh;
}

static void make_rooms(void)
{
	rooms = mmap(NULL, (size_t)MAX_STEPS * ROOM, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	nothing = forbidden_page();
	if (rooms == MAP_FAILED || !nothing)
		broken("no memory");
}

__u8 *edge_of(int step)
{
	__u8 *edge = room_of(step) + ROOM - PAGE;

	mprotect(edge, PAGE, PROT_NONE);
	return edge;
}

/* A huge page of what was touched nearby may have brought these pages too. */
bool hold_room(int step)
{
	struct uffdio_register held = {
		.range = { .start = (unsigned long)room_of(step), .len = ROOM - PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (uffd < 0 || madvise(room_of(step), ROOM - PAGE, MADV_DONTNEED))
		return false;
	return !ioctl(uffd, UFFDIO_REGISTER, &held);
}

static void give_page(__u64 address)
{
	static alignas(PAGE) __u8 page[PAGE];
	__u64 place = (address - (__u64)rooms) & ~(__u64)(PAGE - 1);
	int step = place / ROOM, i;
	enum verb verb = model.program->steps[step].verb;
	struct uffdio_copy copy = {
		.dst = (__u64)rooms + place, .src = (__u64)page, .len = PAGE,
	};

	for (i = 0; i < PAGE; i++)
		page[i] = verb == V_SEND || verb == V_SENDMSG ?
			  content(step, place % ROOM + i) : POISON;
	usleep(HOLD_US);
	/* A page that is there for nobody any more: whoever waits looks again. */
	if (ioctl(uffd, UFFDIO_COPY, &copy))
		ioctl(uffd, UFFDIO_WAKE, &(struct uffdio_range){ copy.dst, PAGE });
}

/* The first thread of the process lets faults go on, and waits for the end. */
static noreturn void serve_faults(void)
{
	struct uffd_msg message;

	for (;;) {
		if (uffd < 0)
			pause();
		else if (read(uffd, &message, sizeof(message)) == sizeof(message) &&
			 message.event == UFFD_EVENT_PAGEFAULT)
			give_page(message.arg.pagefault.address);
	}
}

static void prepare_faults(const struct program *program)
{
	struct uffdio_api api = { .api = UFFD_API };
	int i;

	for (i = 0; i < program->count; i++) {
		if (verb_submits(program->steps[i].verb) &&
		    program->steps[i].arg[OP_BUF] == BUF_HELD)
			break;
	}
	if (i == program->count)
		return;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api)) {
		close(uffd);
		uffd = -1;
	}
}

void collect(struct context *context)
{
	struct cancelio_completion results[16];
	int i, count;

	if (!context->live || context->fd < 0)
		return;
	if (context->mapped) {
		if (context->spoiled)
			return;
		while (ring_pop(context->ring, &results[0]))
			op_complete(context, &results[0], false);
		return;
	}
	do {
		count = cio_wait(context->fd, 0, results, 16, 0);
		for (i = 0; i < count; i++)
			op_complete(context, &results[i], false);
	} while (count > 0);
}

/* Fetches the result of a held operation, if it has ended. */
static void collect_held(struct context *context, struct op *op)
{
	struct cancelio_completion result;

	if (op->state == OP_PENDING && op->held && !op->completed &&
	    !cio_wait_op(context->fd, op->id, 0, &result))
		op_complete(context, &result, true);
}

static bool ended(struct context *context, struct op *op)
{
	if (op->state != OP_PENDING || &model.contexts[op->context] != context)
		return true;
	collect_held(context, op);
	return op->completed || (context->spoiled && !op->held);
}

void check_ended(struct context *context, const char *why, bool (*concerns)(const struct op *))
{
	int i;

	if (context->fd < 0)
		return;
	collect(context);
	for (i = 0; i < MAX_STEPS; i++)
		if (model.ops[i].state == OP_PENDING && concerns(&model.ops[i]) &&
		    !ended(context, &model.ops[i]))
			broken("op %d: still pending after %s", i, why);
}

/* Whether the socket is as the operation wants it. */
static bool could_go_on(const struct op *op)
{
	struct pollfd poll_fd = {
		.fd = model.socks[model.conns[op->conn].sock].fd,
	};
	int wanted = op_side(op) ? POLLOUT : POLLIN;

	if (op->req.opcode == CANCELIO_OP_WAIT_READY)
		wanted = op->req.msg_flags;
	poll_fd.events = wanted;
	if (poll_fd.fd < 0 || poll(&poll_fd, 1, 0) != 1)
		return false;
	return poll_fd.revents & (wanted | POLLERR | POLLHUP);
}

/* All that are pending on a side could go on: then the first one does. */
static bool side_is_due(int conn, int side)
{
	bool any = false;
	int i;

	for (i = 0; i < MAX_STEPS; i++) {
		struct op *op = &model.ops[i];

		if (op->state != OP_PENDING || op->conn != conn || op_side(op) != side ||
		    ended(&model.contexts[op->context], op))
			continue;
		if (!could_go_on(op))
			return false;
		any = true;
	}
	return any;
}

/* What ought to have happened by now, or is to happen soon; -1 when nothing. */
static int due(void)
{
	int i;

	for (i = 0; i < MAX_STEPS; i++) {
		struct op *op = &model.ops[i];
		struct context *context = &model.contexts[op->context];

		if (op->state != OP_PENDING || context->spoiled || context->closed ||
		    ended(context, op))
			continue;
		if (op_deadline(op) <= after(SOON) ||
		    (!context->few && side_is_due(op->conn, op_side(op))))
			return i;
	}
	return -1;
}

/* Everything that can happen does, by itself. */
static void settle(void)
{
	__s64 end = now() + PATIENCE;
	int i, which;

	do {
		for (i = 0; i < CONTEXTS; i++) {
			struct context *context = &model.contexts[i];

			/* What only a thread of the program may run. */
			if (context->live && context->fd >= 0)
				cio_wait(context->fd, 0, NULL, 0, 0);
			collect(context);
		}
		which = due();
		if (which < 0)
			return;
		usleep(500);
	} while (now() < end);
	broken("op %d: does not end, %s", which,
	       op_deadline(&model.ops[which]) <= now() ? "though its deadline has passed" :
	       "though its socket is ready");
}

static void end_context(struct context *context)
{
	__u64 count;
	int ret;

	if (!context->live || context->fd < 0)
		return;
	mark_closed(context, -1);
	ret = cio_shutdown(context->fd);
	if (ret && !(ret == -ESHUTDOWN && context->shut))
		broken("at the end: SHUTDOWN returns %d", ret);
	context->shut = true;
	check_ended(context, "the last SHUTDOWN", concerns_all);
	if (!context->cancels_vague && !context->spoiled && context->canceled != context->cancels)
		broken("%d operations were canceled, the calls say %d", context->canceled,
		       context->cancels);
	if (context->eventfd >= 0 && wait_events(context->eventfd, POLLIN) != POLLIN)
		broken("the eventfd was not signalled");
	if (context->eventfd >= 0 && read(context->eventfd, &count, sizeof(count)) < 0)
		broken("the eventfd has nothing");
}

/* Streams of operations whose end nobody knows cannot be counted. */
static void note_unknown(void)
{
	int i, sock;

	for (i = 0; i < MAX_STEPS; i++) {
		if (model.ops[i].state != OP_PENDING || model.ops[i].completed)
			continue;
		sock = model.conns[model.ops[i].conn].sock;
		model.directions[sock].unknown = true;
		model.directions[sock ^ 1].unknown = true;
	}
}

static void finish(void)
{
	int i;

	pthread_mutex_lock(&model.lock);
	settle();
	for (i = 0; i < CONTEXTS; i++)
		end_context(&model.contexts[i]);
	note_unknown();
	check_streams();
	check_canaries();
	check_order();
	_exit(0);
}

static void run_steps(int thread)
{
	const struct program *program = model.program;
	int i;

	for (i = 0; i < program->count; i++) {
		const struct step *step = &program->steps[i];

		if (step->verb == V_SYNC) {
			submit_flush(thread);
			pthread_barrier_wait(&barrier);
		} else if (step->thread != thread) {
			continue;
		} else if (verb_submits(step->verb)) {
			submit_step(i);
		} else {
			submit_flush(thread);
			run_step(i);
		}
	}
	submit_flush(thread);
}

static void *thread_main(void *argument)
{
	int thread = (long)argument, i;

	hooks->thread(thread);
	/* All of them are there before the first begins. */
	pthread_barrier_wait(&barrier);
	run_steps(thread);
	if (!thread) {
		for (i = 1; i < nr_threads; i++)
			pthread_join(threads[i], NULL);
		finish();
	}
	return NULL;
}

static int count_threads(const struct program *program)
{
	int i, last = 0;

	for (i = 0; i < program->count; i++)
		if (program->steps[i].thread > last)
			last = program->steps[i].thread;
	return last + 1;
}

static void interrupted(int signal)
{
	(void)signal;
}

void run_program(const struct program *program, const struct hooks *with)
{
	struct sigaction action = { .sa_handler = interrupted };
	long i;

	hooks = with;
	hooks->process();
	model_init(program);
	make_rooms();
	prepare_faults(program);
	sigaction(SIGUSR1, &action, NULL);
	nr_threads = count_threads(program);
	pthread_barrier_init(&barrier, NULL, nr_threads);
	for (i = nr_threads - 1; i >= 0; i--)
		if (pthread_create(&threads[i], NULL, thread_main, (void *)i))
			broken("no thread");
	serve_faults();
}
