// SPDX-License-Identifier: GPL-2.0
/* A program as C, with the helpers of repro.h: for whoever hunts what it has shown. */
#define _GNU_SOURCE
#include "program.h"

#include <linux/cancelio.h>
#include <string.h>

/* The context and type that each connection has, as the program's text says it. */
struct emitter {
	FILE *to;
	const struct program *program;
	int context[CONNS];
	bool is_unix[CONNS];
};

static const char *word_of(enum kind kind, __s64 value)
{
	const struct word *word = kinds[kind].words;

	while (word->name && word->value != value)
		word++;
	return word->name;
}

static void find_conns(struct emitter *emitter)
{
	const struct program *program = emitter->program;
	int types[PAIRS + 1] = { 0 }, i;

	for (i = program->count - 1; i >= 0; i--)
		if (program->steps[i].verb == V_PAIR)
			types[program->steps[i].arg[0]] = program->steps[i].arg[1];
	for (i = program->count - 1; i >= 0; i--) {
		const __s64 *arg = program->steps[i].arg;

		if (program->steps[i].verb == V_ATTACH) {
			emitter->context[arg[0]] = arg[1];
			emitter->is_unix[arg[0]] = types[arg[2] / 2] >= UNIX_STREAM;
		}
	}
}

/* A time of the clock. */
static void emit_time(FILE *to, __s64 time)
{
	if (time == TIME_NEVER)
		fputs("CANCELIO_NEVER", to);
	else if (time == TIME_PAST)
		fputs("1", to);
	else
		fprintf(to, "now() + %lld", (long long)time * 1000);
}

static void emit_deadline(FILE *to, const __s64 *arg)
{
	if (arg[OP_TIME] == TIME_NEVER)
		fputs("CANCELIO_NEVER", to);
	else if (arg[OP_TIME] == TIME_PAST)
		fputs("INT64_MIN", to);
	else
		fprintf(to, "%s%lld", arg[OP_FLAGS] & CANCELIO_OP_DEADLINE ? "now() + " : "",
			(long long)arg[OP_TIME] * 1000);
}

static void emit_buffer(const struct emitter *emitter, int i)
{
	const struct step *step = &emitter->program->steps[i];
	const __s64 *arg = step->arg;
	bool sends = step->verb == V_SEND || step->verb == V_SENDMSG;
	bool is_message = step->verb == V_RECVMSG || step->verb == V_SENDMSG;
	FILE *to = emitter->to;

	if (step->verb == V_READY)
		return;
	fprintf(to, "\t\t.addr = (__u64)");
	if (is_message)
		fprintf(to, "message_for(%d, %s, ", i, arg[OP_SLOT] & 1 ? "true" : "false");
	fprintf(to, "buffer(%d, \"%s\", %lld, %s)", i, word_of(K_BUF, arg[OP_BUF]),
		(long long)arg[OP_LEN], sends ? "true" : "false");
	if (is_message)
		fprintf(to, ",\n\t\t\t%lld, %s, %s),\n", (long long)arg[OP_LEN],
			sends ? "true" : "false",
			emitter->is_unix[arg[OP_CONN]] ? "true" : "false");
	else
		fprintf(to, ", .len = %lld,\n", (long long)arg[OP_LEN]);
}

static void emit_op(const struct emitter *emitter, int i)
{
	static const char *const opcodes[] = {
		[V_RECV] = "RECV", [V_SEND] = "SEND", [V_RECVMSG] = "RECVMSG",
		[V_SENDMSG] = "SENDMSG", [V_READY] = "WAIT_READY",
	};
	const struct step *step = &emitter->program->steps[i];
	const __s64 *arg = step->arg;
	int context = emitter->context[arg[OP_CONN]];
	FILE *to = emitter->to;

	if (arg[OP_FLAGS] & FLAG_CALL)
		fprintf(to, "\tcall(%d, %d, %d, (struct cancelio_op){\n", i, context,
			(int)arg[OP_SLOT]);
	else
		fprintf(to, "\tadd(%d, %d, %d, (struct cancelio_op){\n", step->thread, i,
			(int)arg[OP_SLOT]);
	fprintf(to, "\t\t.opcode = CANCELIO_OP_%s, .flags = %#x, .conn = conn[%d] ?: 0xabcdef,\n",
		opcodes[step->verb], (int)(arg[OP_FLAGS] & 0xffff) |
		(arg[OP_FLAGS] & FLAG_JUNK ? 0x80 : 0), (int)arg[OP_CONN]);
	emit_buffer(emitter, i);
	fprintf(to, "\t\t.user_data = %d, .msg_flags = %#x, .deadline = ",
		100 + (int)arg[OP_SLOT] % 4, (unsigned int)arg[OP_MSG]);
	emit_deadline(to, arg);
	fprintf(to, ",\n\t});\n");
	if (!(arg[OP_FLAGS] & (FLAG_CALL | FLAG_MORE)))
		fprintf(to, "\tsubmit(%d, %d);\n", step->thread, context);
}

static void emit_cancel(FILE *to, int i, const __s64 *arg)
{
	fprintf(to, "\tsay(%d, \"CANCEL\", cio_cancel(context[%d], %d, ", i, (int)arg[0],
		arg[1] == SCOPE_JUNK ? 9 : (int)arg[1]);
	if (arg[1] == SCOPE_ID)
		fprintf(to, "id_of(%d)", (int)arg[2]);
	else if (arg[1] == SCOPE_COOKIE)
		fprintf(to, "%d", 100 + (int)arg[2] % 4);
	else if (arg[1] == SCOPE_CONN)
		fprintf(to, "conn[%d]", (int)arg[2] % CONNS);
	else
		fputc('0', to);
	fprintf(to, ", %d));\n", (int)arg[3]);
}

static void emit_pair(FILE *to, const __s64 *arg)
{
	static const char *const calls[] = {
		[TCP4] = "tcp_pair(AF_INET", [TCP6] = "tcp_pair(AF_INET6",
		[UDP4] = "udp_pair(AF_INET", [UDP6] = "udp_pair(AF_INET6",
		[UNIX_STREAM] = "unix_pair(SOCK_STREAM",
		[UNIX_SEQPACKET] = "unix_pair(SOCK_SEQPACKET",
		[UNIX_DGRAM] = "unix_pair(SOCK_DGRAM",
	};
	int one = 2 * arg[0], other = one + 1;

	fprintf(to, "\t%s, &sock[%d]);\n", calls[arg[1]], one);
	fprintf(to, "\tshrink_buffers(sock[%d], sock[%d]);\n", one, other);
	fprintf(to, "\tshrink_buffers(sock[%d], sock[%d]);\n", other, one);
}

static void emit_open(FILE *to, int i, const __s64 *arg)
{
	fprintf(to, "\tcontext[%d] = cio_open();\n", (int)arg[0]);
	fprintf(to, "\tsay(%d, \"SETUP\", cio_setup(context[%d], &(struct cancelio_setup){\n", i,
		(int)arg[0]);
	fprintf(to, "\t\t.size = sizeof(struct cancelio_setup), .engine = %d,\n", (int)arg[1]);
	fprintf(to, "\t\t.entries = %lld, .max_workers = %lld }));\n", (long long)arg[2],
		(long long)arg[3]);
}

static void emit_map(const struct emitter *emitter, const __s64 *arg)
{
	const struct step *step = emitter->program->steps;
	unsigned int entries = 1;
	int i;

	for (i = 0; i < emitter->program->count; i++)
		if (step[i].verb == V_OPEN && step[i].arg[0] == arg[0] && entries == 1)
			while (entries < (step[i].arg[2] ?: 256) && entries < 1 << 20)
				entries *= 2;
	fputc('\t', emitter->to);
	fprintf(emitter->to, "ring[%d] = cio_map(context[%d], %u);\n", (int)arg[0], (int)arg[0],
		entries);
}

static void emit_deadlines(FILE *to, int i, int context, const __s64 *arg)
{
	fprintf(to, "\tsay(%d, \"SET_DEADLINE\", cio_deadline(context[%d], conn[%d], %d, ", i,
		context, (int)arg[0], (int)arg[1]);
	if (arg[1] & CANCELIO_READ || arg[2] == TIME_NEVER)
		emit_time(to, arg[2]);
	else
		fputc('0', to);
	fputs(", ", to);
	if (arg[1] & CANCELIO_WRITE || arg[3] == TIME_NEVER)
		emit_time(to, arg[3]);
	else
		fputc('0', to);
	fprintf(to, "));\n");
}

/* The word that is set, see do_raw() in tricks.c. */
static void emit_raw(FILE *to, int i, const __s64 *arg)
{
	static const struct published unknown = { .size = 8 };
	int nr = arg[1];
	const struct published *call = nr < IOCTLS ? &published[nr] : &unknown;
	long long size = call->size + (nr < IOCTLS ? arg[2] : 0);
	bool poked = (arg[4] == 1 || call->always) && call->reserved;

	fprintf(to, "\traw(%d, %d, %d, %lld, \"%s\", %d, %s);\n", i, (int)arg[0], nr,
		size < 0 ? 0 : size, word_of(K_POINTER, arg[3]),
		(int)(arg[4] == 2 ? call->size : call->reserved) / 4,
		arg[4] == 2 ? "1" : poked ? "1U << 31" : "0");
}

static void emit_socket(FILE *to, int i, const struct step *step)
{
	static const char *const how[] = { "SHUT_RD", "SHUT_WR", "SHUT_RDWR" };
	int sock = step->arg[0], arg = step->arg[1];

	switch (step->verb) {
	case V_WRITE:
		fprintf(to, "\tsay(%d, \"send\", send(sock[%d], buffer(%d, \"ok\", %d, true), %d,\n"
			"\t\tMSG_DONTWAIT | MSG_NOSIGNAL));\n", i, sock, i, arg, arg);
		break;
	case V_READ:
		fprintf(to, "\tsay(%d, \"recv\", recv(sock[%d], room(%d), %d, MSG_DONTWAIT));\n", i,
			sock, i, arg);
		break;
	case V_SHUT:
		fprintf(to, "\tshutdown(sock[%d], %s);\n", sock, how[arg]);
		break;
	default:
		fprintf(to, "\t%s(sock[%d]);\n\tsock[%d] = -1;\n",
			arg == CLOSE_RESET ? "close_with_reset" : "close", sock, sock);
	}
}

static void emit_other(FILE *to, int i, const struct step *step)
{
	static const char *const exits[] = {
		[EXIT_PLAIN] = "_exit(0)", [EXIT_KILL] = "kill(getpid(), SIGKILL)",
		[EXIT_EXEC] = "execl(\"/bin/true\", \"true\", NULL)",
	};
	const __s64 *arg = step->arg;
	int context = arg[0];

	switch (step->verb) {
	case V_SHUTDOWN:
		fprintf(to, "\tsay(%d, \"SHUTDOWN\", cio_shutdown(context[%d]));\n", i, context);
		break;
	case V_EVENTFD:
		fprintf(to, "\tsay(%d, \"EVENTFD\", cio_eventfd(context[%d], %s));\n", i, context,
			arg[1] ? "eventfd(0, EFD_NONBLOCK)" : "-1");
		break;
	case V_RESTRICT:
		fprintf(to, "\tsay(%d, \"RESTRICT\", cio_restrict(context[%d], %d, %d));\n", i,
			context, (int)arg[1], (int)arg[2]);
		break;
	case V_POLL:
		fprintf(to, "\tpoll(&(struct pollfd){ context[%d], POLLIN, 0 }, 1, 0);\n", context);
		break;
	case V_CLOSE:
		fprintf(to, "\tclose(context[%d]);\n\tcontext[%d] = -1;\n", context, context);
		break;
	case V_CHILD:
		fprintf(to, "\tchild(%d, %d);\n", i, context);
		break;
	case V_MEMORY:
		fprintf(to, "\tmemory(%d, \"%s\");\n", context, word_of(K_TRICK, arg[1]));
		break;
	case V_SCRIBBLE:
		fprintf(to, "\tif (ring[%d])\n\t\t((__u32 *)ring[%d])[%d] = %lld;\n",
			context, context, (int)arg[1], (long long)arg[2]);
		break;
	case V_SIGNAL:
		fprintf(to, "\tpthread_kill(thread[%d], SIGUSR1);\n", context);
		break;
	case V_SLEEP:
		fprintf(to, "\tusleep(%d);\n", context);
		break;
	case V_EXIT:
		fprintf(to, "\t%s;\n", exits[arg[0]]);
		break;
	}
}

/* The slot's operation, as far as the text tells, is of this context. */
static int context_of_slot(const struct emitter *emitter, int before, __s64 slot)
{
	const struct step *steps = emitter->program->steps;

	while (before--)
		if (verb_submits(steps[before].verb) && steps[before].arg[OP_SLOT] == slot)
			return emitter->context[steps[before].arg[OP_CONN]];
	return 0;
}

static void emit_attach(FILE *to, int i, const __s64 *arg)
{
	fprintf(to, "\tif (!conn[%d])\n\t\tsay(%d, \"ATTACH\", cio_attach(context[%d], ",
		(int)arg[0], i, (int)arg[1]);
	if (arg[2] == SOCK_OTHER)
		fputs("eventfd(0, 0)", to);
	else
		fprintf(to, "sock[%d]", (int)arg[2]);
	fprintf(to, ", (void *)&conn[%d]));\n", (int)arg[0]);
}

static void emit_step(const struct emitter *emitter, int i)
{
	const struct step *step = &emitter->program->steps[i];
	const __s64 *arg = step->arg;
	FILE *to = emitter->to;

	fprintf(to, "\t/* %d: ", i);
	step_print(to, step);
	fprintf(to, " */\n");
	switch (step->verb) {
	case V_OPEN:
		emit_open(to, i, arg);
		break;
	case V_PAIR:
		emit_pair(to, arg);
		break;
	case V_ATTACH:
		emit_attach(to, i, arg);
		break;
	case V_MAP:
		emit_map(emitter, arg);
		break;
	case V_WAIT:
		fprintf(to, "\twait_for(%d, %d, %d, %d, %lld);\n", i, (int)arg[0], (int)arg[1],
			(int)arg[2], (long long)arg[3]);
		break;
	case V_WAITOP:
		fprintf(to, "\twait_op(%d, %d, %d, %lld);\n", i,
			context_of_slot(emitter, i, arg[0]), (int)arg[0], (long long)arg[1]);
		break;
	case V_CANCEL:
		emit_cancel(to, i, arg);
		break;
	case V_DEADLINE:
		emit_deadlines(to, i, emitter->context[arg[0]], arg);
		break;
	case V_DETACH:
		fprintf(to, "\tsay(%d, \"DETACH\", cio_detach(context[%d], conn[%d]));\n", i,
			emitter->context[arg[0]], (int)arg[0]);
		break;
	case V_RAW:
		emit_raw(to, i, arg);
		break;
	case V_WRITE: case V_READ: case V_SHUT: case V_CLOSESOCK:
		emit_socket(to, i, step);
		break;
	case V_SYNC:
		fprintf(to, "\tpthread_barrier_wait(&barrier);\n");
		break;
	default:
		if (verb_submits(step->verb))
			emit_op(emitter, i);
		else
			emit_other(to, i, step);
	}
}

/* What was to go with a next operation goes now, when that is none for it. */
static void emit_flush(const struct emitter *emitter, const struct step *last,
		       const struct step *step)
{
	int context;

	if (!last || !verb_submits(last->verb) || !(last->arg[OP_FLAGS] & FLAG_MORE))
		return;
	context = emitter->context[last->arg[OP_CONN]];
	if (!step || !verb_submits(step->verb) || step->arg[OP_FLAGS] & FLAG_CALL ||
	    emitter->context[step->arg[OP_CONN]] != context)
		fprintf(emitter->to, "\tsubmit(%d, %d);\n", last->thread, context);
}

static void emit_thread(const struct emitter *emitter, int thread)
{
	const struct step *step, *last = NULL;
	int i;

	fprintf(emitter->to, "\nstatic void *thread_%d(void *unused)\n{\n", thread);
	fprintf(emitter->to, "\tpthread_barrier_wait(&barrier);\n");
	for (i = 0; i < emitter->program->count; i++) {
		step = &emitter->program->steps[i];
		if (step->thread != thread && step->verb != V_SYNC)
			continue;
		emit_flush(emitter, last, step);
		emit_step(emitter, i);
		last = step;
	}
	emit_flush(emitter, last, NULL);
	fprintf(emitter->to, "\treturn unused;\n}\n");
}

void program_emit(FILE *to, const struct program *program, const char *why)
{
	struct emitter emitter = { .to = to, .program = program };
	int t;

	find_conns(&emitter);
	fprintf(to, "// %s: GPL-2.0\n// %s\n//\n", "SPDX-License-Identifier", why);
	fprintf(to, "// cc -static -pthread -Iuapi -Ifuzz -o repro THIS selftests/util.c\n");
	fprintf(to, "// vm/run --add repro:/repro -- /repro\n");
	fprintf(to, "#define _GNU_SOURCE\n#include \"repro.h\"\n");
	for (t = 0; t < THREADS; t++)
		emit_thread(&emitter, t);
	fprintf(to, "\nint main(void)\n{\n\tprepare();\n");
	for (t = THREADS - 1; t >= 0; t--)
		fprintf(to, "\tpthread_create(&thread[%d], NULL, thread_%d, NULL);\n", t, t);
	fprintf(to, "\treturn finish();\n}\n");
}
