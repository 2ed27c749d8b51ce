// SPDX-License-Identifier: GPL-2.0
/*
 * The owner is killed while something else happens.  It is a child that lives for one
 * round, and acts itself; what it leaves is judged from outside: no thread and no context
 * stays, a read has its bytes or the socket has them, a write's bytes arrive without a
 * hole, nothing is written afterwards, and the socket works.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pairs.h"

/* The leader; it acts, looks whether its operation ends, and waits to be killed. */
static noreturn void own(void)
{
	struct cancelio_completion end;

	is_owner = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bind_to(0);
	stage->mapped = true;
	stage_open();
	round_call();
	aim_next();
	round_prepare();
	publish(&stage->ready, stage->go);
	act(0);
	while (!ring_pop(stage->ring, &end))
		yield_turn();
	__atomic_store_n(&stage->seen, true, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

/* It may fail before it comes to that. */
static void await_owner(unsigned int *word, unsigned int value)
{
	__s64 end = after(longest);
	int status;

	while (!await_word(word, value, 200 * MS)) {
		if (waitpid(stage->pid, &status, WNOHANG) == stage->pid)
			violation("%s", stage->told[0] ? stage->told : "the owner fails");
		if (now() > end)
			violation("the owner does not begin");
	}
}

/* How many bytes an operation has put in its buffer. */
static size_t filled(const __u8 *bytes, size_t len)
{
	size_t count = 0;

	while (count < len && bytes[count] != UNTOUCHED)
		count++;
	return count;
}

/* Which of the operations was given the message, if any, or the socket has it. */
static void judge_read(void)
{
	bool wrote = stage->actors[0].event == COMPLETE && stage->sent;
	bool sure = wrote && stage->actors[0].end;
	size_t found = 0;
	__u8 bytes[BUFFER];
	ssize_t got;
	int i;

	for (i = 0; i < OPS; i++) {
		__u8 *buffer = stage->buffers[(stage->round * OPS + i) % BUFFERS];
		size_t moved = filled(buffer, BUFFER);

		if ((moved && moved != MESSAGE) || !bytes_hold(buffer, moved, 0) ||
		    !bytes_all(buffer + moved, BUFFER - moved, UNTOUCHED))
			violation("buffer %d has %zu bytes of a message", i, moved);
		found += moved;
		memset(buffer, GONE, BUFFER);
	}
	got = recv(stage->sock, bytes, BUFFER, MSG_DONTWAIT);
	if (got > 0) {
		if (!bytes_hold(bytes, got, 0))
			violation("other bytes than were sent are left");
		found += got;
	}
	if (found > (wrote ? MESSAGE : 0) || (sure && found != MESSAGE))
		violation("%zu bytes were found after a message of %d", found,
			  wrote ? MESSAGE : 0);
	stage->sent = 0;
}

/* What was accepted arrives, in its order, and then a mark. */
static void judge_write(void)
{
	static const __u8 mark = MARK;
	__s64 end = after(longest);
	size_t len, first;
	bool marked = false;

	stage->drained = filled(stage->drain, sizeof(stage->drain));
	while (!stage->drained || stage->drain[stage->drained - 1] != MARK) {
		if (!marked)
			marked = send(stage->sock, &mark, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
		drain_some(CHUNK, MSG_DONTWAIT);
		yield_turn();
		if (now() > end)
			violation("after %zu bytes nothing arrives", stage->drained);
	}
	len = stage->drained - 1;
	/* One, or one behind the other. */
	first = 0;
	if (stage->ops[TARGET].accepted || pair_has(SUBMIT)) {
		while (first < len && first < CHUNK && stage->drain[first] == byte_at(first))
			first++;
		if (first < len && (!pair_has(SUBMIT) ||
				    !bytes_hold(stage->drain + first, len - first, CHUNK)))
			violation("byte %zu of %zu is another one than was written", first, len);
	}
}

/* The sockets work, as the program that is left has them. */
static void check_sockets(void)
{
	char out = 'u', in = 0;

	if (send(stage->peer, &out, 1, MSG_NOSIGNAL) != 1 ||
	    recv(stage->sock, &in, 1, 0) != 1 || in != out)
		violation("the socket then does not read");
	in = 0;
	if (send(stage->sock, &out, 1, MSG_NOSIGNAL) != 1 ||
	    recv(stage->peer, &in, 1, 0) != 1 || in != out)
		violation("the socket then does not write");
}

static void judge(void)
{
	int status;

	if (waitpid(stage->pid, &status, 0) != stage->pid || !WIFSIGNALED(status))
		violation("%s", stage->told[0] ? stage->told : "the owner is not killed");
	await_references(0);
	if (stage->side == CANCELIO_READ) {
		judge_read();
	} else {
		memset(stage->buffers, GONE, sizeof(stage->buffers));
		if (!pair_has(PEER_CLOSE))
			judge_write();
	}
	if (pair_has(PEER_CLOSE)) {
		stage_disconnect();
		stage_connect();
	} else {
		check_sockets();
	}
}

static void play_round(struct tally *tally)
{
	unsigned int go = stage->go + 1;
	pid_t pid;
	int winner;

	round_begin();
	stage->told[0] = '\0';
	stage->actors[0].end = 0;
	memset(stage->drain, UNTOUCHED, stage->drained);
	stage->drained = 0;
	pid = fork();
	if (!pid)
		own();
	stage->pid = pid;
	await_owner(&stage->go, go);
	publish(&stage->arrived, go);
	await_owner(&stage->ready, go);
	act(1);
	judge();
	winner = !(ends_target(stage->actors[0].event) ? stage->seen :
							 stage->actors[0].end != 0);
	aim_learn(winner);
	tally->won[winner]++;
	tally->rounds++;
}

void kill_rounds_play(unsigned long rounds, struct tally *tally)
{
	__s64 begin = now();

	bind_to(1);
	stage_connect();
	while (rounds--)
		play_round(tally);
	stage_disconnect();
	tally->time += now() - begin;
}
