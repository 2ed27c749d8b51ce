// SPDX-License-Identifier: GPL-2.0
/* The verbs and their arguments, and programs as text. */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <linux/cancelio.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define USUAL(_name, ...) static const __s64 _name[] = { __VA_ARGS__, USUAL_END }

static const struct word engine_words[] = {
	{ "poll", 0 }, { "thread", 1 }, { .name = NULL },
};

static const struct word type_words[] = {
	{ "tcp4", TCP4 }, { "tcp6", TCP6 }, { "udp4", UDP4 }, { "udp6", UDP6 },
	{ "stream", UNIX_STREAM }, { "seqpacket", UNIX_SEQPACKET }, { "dgram", UNIX_DGRAM },
	{ .name = NULL },
};

static const struct word buffer_words[] = {
	{ "ok", BUF_OK }, { "edge", BUF_EDGE }, { "bad", BUF_BAD }, { "readonly", BUF_READONLY },
	{ "held", BUF_HELD }, { .name = NULL },
};

static const struct word flag_words[] = {
	{ "timeout", CANCELIO_OP_TIMEOUT }, { "worker", CANCELIO_OP_WORKER },
	{ "hold", CANCELIO_OP_HOLD }, { "call", FLAG_CALL }, { "more", FLAG_MORE },
	{ "deadline", CANCELIO_OP_DEADLINE }, { "nowait", CANCELIO_OP_NOWAIT },
	{ "junk", FLAG_JUNK }, { .name = NULL },
};

static const struct word recv_words[] = {
	{ "waitall", MSG_WAITALL }, { "peek", MSG_PEEK }, { "trunc", MSG_TRUNC },
	{ "nosignal", MSG_NOSIGNAL }, { "cloexec", MSG_CMSG_CLOEXEC }, { "oob", MSG_OOB },
	{ .name = NULL },
};

static const struct word send_words[] = {
	{ "more", MSG_MORE }, { "eor", MSG_EOR }, { "nosignal", MSG_NOSIGNAL },
	{ "dontwait", MSG_DONTWAIT }, { .name = NULL },
};

static const struct word event_words[] = {
	{ "in", POLLIN }, { "out", POLLOUT }, { "rdhup", POLLRDHUP }, { "pri", POLLPRI },
	{ "err", POLLERR }, { .name = NULL },
};

static const struct word time_words[] = {
	{ "never", TIME_NEVER }, { "past", TIME_PAST }, { .name = NULL },
};

static const struct word scope_words[] = {
	{ "id", SCOPE_ID }, { "cookie", SCOPE_COOKIE }, { "conn", SCOPE_CONN },
	{ "all", SCOPE_ALL }, { "junk", SCOPE_JUNK }, { .name = NULL },
};

static const struct word side_words[] = {
	{ "read", CANCELIO_READ }, { "write", CANCELIO_WRITE }, { "junk", 4 }, { .name = NULL },
};

static const struct word ops_words[] = {
	{ "recv", 1 }, { "send", 2 }, { "recvmsg", 4 }, { "sendmsg", 8 }, { "ready", 16 },
	{ "junk", 32 }, { .name = NULL },
};

static const struct word pointer_words[] = {
	{ "ok", POINTER_OK }, { "null", POINTER_NULL }, { "bad", POINTER_BAD },
	{ "edge", POINTER_EDGE }, { .name = NULL },
};

static const struct word on_words[] = {
	{ "off", 0 }, { "on", 1 }, { .name = NULL },
};

static const struct word shut_words[] = {
	{ "read", SHUT_READ }, { "write", SHUT_WRITE }, { "both", SHUT_BOTH }, { .name = NULL },
};

static const struct word close_words[] = {
	{ "plain", CLOSE_PLAIN }, { "reset", CLOSE_RESET }, { .name = NULL },
};

static const struct word trick_words[] = {
	{ "unmap", TRICK_UNMAP }, { "readonly", TRICK_READONLY }, { "drop", TRICK_DROP },
	{ .name = NULL },
};

static const struct word ring_words[] = {
	{ "head", 0 }, { "tail", 1 }, { "entries", 2 }, { "offset", 3 }, { "size", 4 },
	{ .name = NULL },
};

static const struct word exit_words[] = {
	{ "plain", EXIT_PLAIN }, { "kill", EXIT_KILL }, { "exec", EXIT_EXEC }, { .name = NULL },
};

USUAL(entries_usual, 8, 1, 2, 0, 64, 3, 1048577);
USUAL(workers_usual, 0, 1, 2, 100000);
USUAL(len_usual, 1, 100, 0, 4096, 10, 5000, 40000, MAX_LEN, 66000);
USUAL(time_usual, 500, 3000, 0, 10000, -1000, 100000000);
USUAL(wait_usual, 0, 1000, 5000, 15000);
USUAL(size_usual, 0, -4, 8, -1000, 16, 5000, 4);
USUAL(value_usual, 0, 1, -1, 2, 0x7fffffff, 1000);
USUAL(pause_usual, 100, 1000, 5000);

#define BY_WORDS(_words) { .words = _words }
#define BY_BITS(_words) { .words = _words, .bits = true }
#define BY_USUAL(_usual) { .usual = _usual }
#define BY_RANGE(_below) { .below = _below }

const struct kind_info kinds[KINDS] = {
	[K_CTX] = BY_RANGE(CONTEXTS),
	[K_PAIR] = BY_RANGE(PAIRS),
	[K_TYPE] = BY_WORDS(type_words),
	[K_CONN] = BY_RANGE(CONNS),
	[K_SOCK] = BY_RANGE(SOCKS + 2),
	[K_SLOT] = BY_RANGE(SLOTS),
	[K_ENGINE] = BY_WORDS(engine_words),
	[K_ENTRIES] = BY_USUAL(entries_usual),
	[K_WORKERS] = BY_USUAL(workers_usual),
	[K_LEN] = BY_USUAL(len_usual),
	[K_BUF] = BY_WORDS(buffer_words),
	[K_FLAGS] = BY_BITS(flag_words),
	[K_RECVFLAGS] = BY_BITS(recv_words),
	[K_SENDFLAGS] = BY_BITS(send_words),
	[K_EVENTS] = BY_BITS(event_words),
	[K_TIME] = { .words = time_words, .usual = time_usual },
	[K_WAITTIME] = BY_USUAL(wait_usual),
	[K_COUNT] = BY_RANGE(10),
	[K_SCOPE] = BY_WORDS(scope_words),
	[K_TARGET] = BY_RANGE(SLOTS),
	[K_SIDES] = BY_BITS(side_words),
	[K_OPS] = BY_BITS(ops_words),
	[K_NR] = BY_RANGE(15),
	[K_SIZE] = BY_USUAL(size_usual),
	[K_POINTER] = BY_WORDS(pointer_words),
	[K_POKE] = BY_RANGE(3),
	[K_ONOFF] = BY_WORDS(on_words),
	[K_SHUT] = BY_WORDS(shut_words),
	[K_CLOSE] = BY_WORDS(close_words),
	[K_TRICK] = BY_WORDS(trick_words),
	[K_WORD] = BY_WORDS(ring_words),
	[K_VALUE] = BY_USUAL(value_usual),
	[K_THREAD] = BY_RANGE(THREADS),
	[K_PAUSE] = BY_USUAL(pause_usual),
	[K_EXIT] = BY_WORDS(exit_words),
};

#define OP_ARGS(_flags) { K_SLOT, K_CONN, K_LEN, K_BUF, K_FLAGS, _flags, K_TIME }

const struct verb_info verbs[VERBS] = {
	[V_OPEN] = { "open", { K_CTX, K_ENGINE, K_ENTRIES, K_WORKERS }, 2 },
	[V_PAIR] = { "pair", { K_PAIR, K_TYPE }, 3 },
	[V_ATTACH] = { "attach", { K_CONN, K_CTX, K_SOCK }, 5 },
	[V_MAP] = { "map", { K_CTX }, 2 },
	[V_RECV] = { "recv", OP_ARGS(K_RECVFLAGS), 16 },
	[V_SEND] = { "send", OP_ARGS(K_SENDFLAGS), 16 },
	[V_RECVMSG] = { "recvmsg", OP_ARGS(K_RECVFLAGS), 6 },
	[V_SENDMSG] = { "sendmsg", OP_ARGS(K_SENDFLAGS), 6 },
	[V_READY] = { "ready", OP_ARGS(K_EVENTS), 6 },
	[V_WAIT] = { "wait", { K_CTX, K_COUNT, K_COUNT, K_WAITTIME }, 10 },
	[V_WAITOP] = { "waitop", { K_SLOT, K_WAITTIME }, 4 },
	[V_CANCEL] = { "cancel", { K_CTX, K_SCOPE, K_TARGET, K_SIDES }, 10 },
	[V_DEADLINE] = { "deadline", { K_CONN, K_SIDES, K_TIME, K_TIME }, 10 },
	[V_DETACH] = { "detach", { K_CONN }, 3 },
	[V_SHUTDOWN] = { "shutdown", { K_CTX }, 1 },
	[V_EVENTFD] = { "eventfd", { K_CTX, K_ONOFF }, 1 },
	[V_RESTRICT] = { "restrict", { K_CTX, K_OPS, K_SIDES }, 1 },
	[V_RAW] = { "raw", { K_CTX, K_NR, K_SIZE, K_POINTER, K_POKE }, 4 },
	[V_POLL] = { "poll", { K_CTX }, 2 },
	[V_CLOSE] = { "close", { K_CTX }, 1 },
	[V_CHILD] = { "child", { K_CTX }, 1 },
	[V_WRITE] = { "write", { K_SOCK, K_LEN }, 12 },
	[V_READ] = { "read", { K_SOCK, K_LEN }, 10 },
	[V_SHUT] = { "shut", { K_SOCK, K_SHUT }, 2 },
	[V_CLOSESOCK] = { "closesock", { K_SOCK, K_CLOSE }, 2 },
	[V_MEMORY] = { "memory", { K_SLOT, K_TRICK }, 3 },
	[V_SCRIBBLE] = { "scribble", { K_CTX, K_WORD, K_VALUE }, 1 },
	[V_SIGNAL] = { "signal", { K_THREAD }, 2 },
	[V_SLEEP] = { "sleep", { K_PAUSE }, 5 },
	[V_SYNC] = { "sync", { K_NONE }, 2 },
	[V_EXIT] = { "exit", { K_EXIT }, 1 },
};

const struct published published[IOCTLS] = {
	{ sizeof(struct cancelio_info), 0, 0, 0, true, false },
	{ sizeof(struct cancelio_setup), offsetof(struct cancelio_setup, cpus), 4, -EBUSY,
	  false, false },
	{ sizeof(struct cancelio_attach), 0, 8, -ENOTSOCK, false, false },
	{ sizeof(struct cancelio_detach), 0, 4, -EBADF, false, false },
	{ sizeof(struct cancelio_submit), 0, 28, -EINVAL, false, false },
	{ sizeof(struct cancelio_call), 0, 4, -EBADF, false, false },
	{ sizeof(struct cancelio_wait), 0, 4, 0, true, false },
	{ sizeof(struct cancelio_wait_op), 0, 4, -ENOENT, true, false },
	{ sizeof(struct cancelio_cancel), 0, 20, -ENOENT, false, false },
	{ sizeof(struct cancelio_set_deadline), 0, 0, -EINVAL, false, false },
	{ sizeof(struct cancelio_shutdown), 0, 4, 0, false, true },
	{ sizeof(struct cancelio_eventfd), 0, 0, -EINVAL, false, false },
	{ sizeof(struct cancelio_restrict), 0, 12, 0, false, true },
	{ sizeof(struct cancelio_stats), 0, 4, 0, true, false },
};

int verb_args(enum verb verb)
{
	int count = 0;

	while (count < MAX_ARGS && verbs[verb].args[count] != K_NONE)
		count++;
	return count;
}

bool verb_submits(enum verb verb)
{
	return verb >= V_RECV && verb <= V_READY;
}

static void print_bits(FILE *to, const struct word *word, __s64 value)
{
	const char *between = "";

	for (; word->name; word++) {
		if (!(value & word->value))
			continue;
		fprintf(to, "%s%s", between, word->name);
		between = "+";
		value &= ~word->value;
	}
	if (!*between)
		fputc('0', to);
}

static void print_value(FILE *to, const struct kind_info *kind, __s64 value)
{
	const struct word *word = kind->words;

	if (kind->bits) {
		print_bits(to, word, value);
		return;
	}
	for (; word && word->name; word++) {
		if (word->value == value) {
			fputs(word->name, to);
			return;
		}
	}
	fprintf(to, "%lld", (long long)value);
}

void step_print(FILE *to, const struct step *step)
{
	int i;

	if (step->thread)
		fprintf(to, "%d: ", step->thread);
	fputs(verbs[step->verb].name, to);
	for (i = 0; i < verb_args(step->verb); i++) {
		fputc(' ', to);
		print_value(to, &kinds[verbs[step->verb].args[i]], step->arg[i]);
	}
}

void program_print(FILE *to, const struct program *program)
{
	int i;

	for (i = 0; i < program->count; i++) {
		step_print(to, &program->steps[i]);
		fputc('\n', to);
	}
}

static bool parse_word(const struct word *word, const char *text, size_t len, __s64 *value)
{
	for (; word && word->name; word++) {
		if (strlen(word->name) == len && !strncmp(word->name, text, len)) {
			*value |= word->value;
			return true;
		}
	}
	return false;
}

static bool parse_value(const struct kind_info *kind, const char *text, __s64 *value)
{
	char *end;

	*value = 0;
	while (kind->bits && strchr(text, '+')) {
		size_t len = strchr(text, '+') - text;

		if (!parse_word(kind->words, text, len, value))
			return false;
		text += len + 1;
	}
	if (parse_word(kind->words, text, strlen(text), value))
		return true;
	/* Names are for what can be named; nothing of it is 0. */
	if (kind->words && !kind->usual && strcmp(text, "0"))
		return false;
	*value = strtoll(text, &end, 0);
	return end != text && !*end && (!kind->below || (*value >= 0 && *value < kind->below));
}

static bool parse_step(char *line, struct step *step)
{
	char *token = strtok(line, " \t\n");
	int i;

	memset(step, 0, sizeof(*step));
	if (strlen(token) == 2 && token[1] == ':') {
		step->thread = token[0] - '0';
		token = strtok(NULL, " \t\n");
	}
	if (step->thread >= THREADS || !token)
		return false;
	while (step->verb < VERBS && strcmp(verbs[step->verb].name, token))
		step->verb++;
	if (step->verb == VERBS)
		return false;
	for (i = 0; i < verb_args(step->verb); i++) {
		token = strtok(NULL, " \t\n");
		if (!token || !parse_value(&kinds[verbs[step->verb].args[i]], token,
					   &step->arg[i]))
			return false;
	}
	return !strtok(NULL, " \t\n");
}

int program_parse(FILE *from, struct program *program)
{
	char line[200];
	int number;

	program->count = 0;
	for (number = 1; fgets(line, sizeof(line), from); number++) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (program->count == MAX_STEPS ||
		    !parse_step(line, &program->steps[program->count]))
			return number;
		program->count++;
	}
	program_settle(program);
	return 0;
}

/* A CALL ends by itself, and is no part of a batch. */
static void settle_op(struct step *step)
{
	if (step->arg[OP_LEN] < 0 || step->arg[OP_LEN] > MAX_LEN)
		step->arg[OP_LEN] = MAX_LEN;
	if (step->verb == V_READY)
		step->arg[OP_LEN] = 0;
	if (!(step->arg[OP_FLAGS] & FLAG_CALL))
		return;
	step->arg[OP_FLAGS] &= ~(FLAG_MORE | CANCELIO_OP_HOLD | CANCELIO_OP_DEADLINE);
	step->arg[OP_FLAGS] |= CANCELIO_OP_TIMEOUT;
	if (step->arg[OP_TIME] > 15000)
		step->arg[OP_TIME] = 15000;
}

void program_settle(struct program *program)
{
	int i;

	for (i = 0; i < program->count; i++) {
		struct step *step = &program->steps[i];

		if (verb_submits(step->verb))
			settle_op(step);
		if (step->verb == V_SYNC)
			step->thread = 0;
		if ((step->verb == V_WRITE || step->verb == V_READ) &&
		    (step->arg[1] < 0 || step->arg[1] > MAX_LEN))
			step->arg[1] = MAX_LEN;
		if (step->verb == V_SLEEP && (step->arg[0] < 0 || step->arg[0] > 20000))
			step->arg[0] = 20000;
		if (step->verb == V_WAIT && step->arg[3] > 20000)
			step->arg[3] = 20000;
		if (step->verb == V_WAITOP && step->arg[1] > 20000)
			step->arg[1] = 20000;
	}
}
