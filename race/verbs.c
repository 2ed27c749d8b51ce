// SPDX-License-Identifier: GPL-2.0
/* What a line of a script can say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

struct number_name {
	const char *name;
	long number;
};

static const struct number_name errors[] = {
	{ "EAGAIN", -EAGAIN }, { "EBADF", -EBADF }, { "ECANCELED", -ECANCELED },
	{ "ECONNRESET", -ECONNRESET }, { "EINTR", -EINTR }, { "EINVAL", -EINVAL },
	{ "ENOENT", -ENOENT }, { "EPIPE", -EPIPE }, { "ESHUTDOWN", -ESHUTDOWN },
	{ "ETIME", -ETIME }, { NULL, 0 },
};

static const struct number_name reasons[] = {
	{ "DONE", CANCELIO_DONE }, { "ERROR", CANCELIO_ERROR },
	{ "DEADLINE", CANCELIO_DEADLINE }, { "CANCELED", CANCELIO_CANCELED },
	{ "CLOSED", CANCELIO_CLOSED }, { NULL, 0 },
};

static const char *next(char **words)
{
	if (!*words)
		fail("a word is missing");
	return *words;
}

static long long_of(const char *word)
{
	char *end;
	long value = strtol(word, &end, 10);

	if (end == word || *end)
		fail("\"%s\" is no number", word);
	return value;
}

static long number_or_name(const struct number_name *table, const char *word)
{
	for (; table->name; table++)
		if (!strcmp(table->name, word))
			return table->number;
	return long_of(word);
}

static const char *name_of(const struct number_name *table, long value)
{
	for (; table->name; table++)
		if (table->number == value)
			return table->name;
	return "?";
}

/* none, now, past, or milliseconds from now on as in 20ms. */
static __s64 time_of(const char *word)
{
	char *end;
	long value = strtol(word, &end, 10);

	if (!strcmp(word, "none"))
		return CANCELIO_NEVER;
	if (!strcmp(word, "now"))
		return now();
	if (!strcmp(word, "past"))
		return after(-SECOND);
	if (end == word || strcmp(end, "ms"))
		fail("\"%s\" is no time", word);
	return after(value * MS);
}

/* LEN [deadline T] [cookie N] [worker] [held] as NAME */
static struct result *parse_recv(char **words, struct cancelio_op *op)
{
	struct result *result;
	long len = long_of(next(words++));

	*op = op_recv(conn, NULL, len);
	while (*words && strcmp(*words, "as")) {
		if (!strcmp(*words, "deadline"))
			*op = with_deadline(*op, time_of(next(++words)));
		else if (!strcmp(*words, "cookie"))
			*op = with_cookie(*op, long_of(next(++words)));
		else if (!strcmp(*words, "worker"))
			*op = with_flags(*op, CANCELIO_OP_WORKER);
		else if (!strcmp(*words, "held"))
			*op = with_flags(*op, CANCELIO_OP_HOLD);
		else
			fail("a read has no \"%s\"", *words);
		words++;
	}
	next(words);
	result = result_new(next(words + 1));
	if (len < 0 || len > (long)sizeof(result->buffer))
		fail("too long");
	result->opcode = op->opcode;
	op->addr = (unsigned long)result->buffer;
	return result;
}

static void verb_recv(char **words)
{
	struct cancelio_op op;
	struct result *result = parse_recv(words, &op);
	int ret = cio_submit(context, &op, 1, &result->id, NULL);

	if (ret != 1)
		fail("the read is refused: %s", strerror(-ret));
}

/* call recv ... */
static void verb_call(char **words)
{
	struct cancelio_completion end;
	struct cancelio_op op;
	struct result *result;
	int ret;

	if (strcmp(next(words), "recv"))
		fail("only recv can be called");
	result = parse_recv(words + 1, &op);
	ret = cio_call(context, &op, NULL, &end);
	if (ret)
		fail("the call failed: %s", strerror(-ret));
	result_ended_by_call(result, &end);
}

static void verb_wait_op(char **words)
{
	struct result *result = result_find(next(words));
	struct cancelio_completion end;
	int ret = cio_wait_op(context, result->id, after(PATIENCE), &end);

	if (ret)
		fail("it gives %d (%s)", ret, name_of(errors, ret));
	result_ended_by_call(result, &end);
}

/* connect [deadline T] as NAME */
static void verb_connect(char **words)
{
	__s64 deadline = CANCELIO_NEVER;

	/* Takes long the first time, which is not the deadline's. */
	library_open();
	if (!strcmp(next(words), "deadline")) {
		deadline = time_of(next(words + 1));
		words += 2;
	}
	next(words);
	library_connect(result_new(next(words + 1)), deadline);
}

static void verb_exchange(char **words)
{
	(void)words;
	library_exchange();
}

/* As the script says behind "gives", or what a call of its kind may return. */
static void check_given(char **words, int ret, bool plausible)
{
	if (!*words) {
		if (!plausible)
			fail("it gives %d (%s)", ret, name_of(errors, ret));
		return;
	}
	if (strcmp(*words, "gives"))
		fail("\"%s\" is not understood", *words);
	if (ret != number_or_name(errors, next(words + 1)))
		fail("it gives %d (%s)", ret, name_of(errors, ret));
}

/* cancel NAME|conn|all|cookie N [gives X] */
static void verb_cancel(char **words)
{
	const char *what = next(words++);
	int ret;

	if (!strcmp(what, "conn"))
		ret = cio_cancel(context, CANCELIO_CANCEL_CONN, conn,
				 CANCELIO_READ | CANCELIO_WRITE);
	else if (!strcmp(what, "all"))
		ret = cio_cancel(context, CANCELIO_CANCEL_ALL, 0, 0);
	else if (!strcmp(what, "cookie"))
		ret = cio_cancel(context, CANCELIO_CANCEL_COOKIE, long_of(next(words++)), 0);
	else
		ret = cio_cancel(context, CANCELIO_CANCEL_ID, result_find(what)->id, 0);
	check_given(words, ret, ret > 0 || ret == -ENOENT);
}

/* deadline read|write|both T [gives X] */
static void verb_deadline(char **words)
{
	const char *which = next(words);
	__u32 sides = !strcmp(which, "read") ? CANCELIO_READ :
		      !strcmp(which, "write") ? CANCELIO_WRITE : CANCELIO_READ | CANCELIO_WRITE;
	__s64 time = time_of(next(words + 1));
	int ret = cio_deadline(context, conn, sides, sides & CANCELIO_READ ? time : 0,
			       sides & CANCELIO_WRITE ? time : 0);

	check_given(words + 2, ret, !ret);
}

static void verb_detach(char **words)
{
	int ret = cio_detach(context, conn);

	check_given(words, ret, !ret);
}

static void verb_shutdown(char **words)
{
	check_given(words, cio_shutdown(context), true);
}

static void verb_peer_send(char **words)
{
	peer_send(long_of(next(words)));
}

/* await POINT [N] */
static void verb_await(char **words)
{
	points_await(next(words), words[1] ? long_of(words[1]) : 1);
}

static void verb_hold(char **words)
{
	char text[TEXT_LEN] = "hold";

	next(words);
	for (; *words; words++) {
		strcat(text, " ");
		strcat(text, *words);
	}
	points_command("%s", text);
}

static void verb_release(char **words)
{
	points_command("release %s", next(words));
}

/* Let time pass. */
static void verb_sleep(char **words)
{
	sleep_until(time_of(next(words)));
}

/* Wait in the kernel, ready to run what is ready, until a completion is there. */
static void verb_wait(char **words)
{
	int ret = cio_wait(context, 1, NULL, 0, after(PATIENCE));

	check_given(words, ret, ret > 0);
}

/* spin NAME: look at memory alone until it ended. */
static void verb_spin(char **words)
{
	struct result *result = result_find(next(words));
	__s64 end = after(PATIENCE);

	while (!result_ended(result))
		if (now() > end)
			fail("memory does not show that %s ended", result->name);
}

static void check_end(const struct result *result, char **words)
{
	const struct cancelio_completion *end = &result->end;
	long reason = number_or_name(reasons, next(words));
	long bytes = words[1] ? long_of(words[1]) : 0;

	if (end->reason != reason || end->bytes != bytes)
		fail("it is %s %u (%s)", name_of(reasons, end->reason), end->bytes,
		     name_of(errors, end->error));
}

static void expect_pending(struct result *result)
{
	sleep_until(after(A_WHILE));
	if (result_ended(result))
		fail("it is %s", name_of(reasons, result->end.reason));
}

/*
 * expect NAME REASON [BYTES], expect now NAME REASON [BYTES], expect pending NAME,
 * expect usable, expect count POINT N
 */
static void verb_expect(char **words)
{
	const char *what = next(words++);
	struct result *result;

	if (!strcmp(what, "usable")) {
		results_check_usable();
	} else if (!strcmp(what, "pending")) {
		expect_pending(result_find(next(words)));
	} else if (!strcmp(what, "count")) {
		unsigned int arrived = points_arrived(next(words));

		if (arrived != long_of(next(words + 1)))
			fail("it is %u", arrived);
	} else if (!strcmp(what, "now")) {
		result = result_find(next(words));
		if (!result_ended(result))
			fail("its completion is not there");
		check_end(result, words + 1);
	} else {
		result = result_find(what);
		result_await(result);
		check_end(result, words);
	}
}

static const struct {
	const char *name;
	void (*run)(char **words);
} verbs[] = {
	{ "await", verb_await },
	{ "call", verb_call },
	{ "cancel", verb_cancel },
	{ "connect", verb_connect },
	{ "deadline", verb_deadline },
	{ "detach", verb_detach },
	{ "exchange", verb_exchange },
	{ "expect", verb_expect },
	{ "hold", verb_hold },
	{ "peer-send", verb_peer_send },
	{ "recv", verb_recv },
	{ "release", verb_release },
	{ "shutdown", verb_shutdown },
	{ "sleep", verb_sleep },
	{ "spin", verb_spin },
	{ "wait", verb_wait },
	{ "wait-op", verb_wait_op },
	{ NULL, NULL },
};

void verb_run(char **words)
{
	int i;

	for (i = 0; verbs[i].name; i++) {
		if (!strcmp(verbs[i].name, words[0])) {
			verbs[i].run(words + 1);
			return;
		}
	}
	fail("\"%s\" is no verb", words[0]);
}
