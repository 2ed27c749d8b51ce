// SPDX-License-Identifier: GPL-2.0
/*
 * What has to hold after a round: each accepted operation ended exactly once, for a reason
 * that one of the two events gives; what the calls returned agrees with that; no byte is
 * lost or moved twice; and nothing is written to a buffer once its operation has ended.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "pairs.h"

static bool is_cancel(enum event event)
{
	return event == CANCEL_ID || event == CANCEL_ALL || event == WORKER_EXIT;
}

/* Whether the event can have ended the operation as it did. */
static bool explains(int who, const struct op_state *state)
{
	const struct cancelio_completion *end = &state->end;

	switch (stage->actors[who].event) {
	case COMPLETE:
		return end->reason == CANCELIO_DONE && end->bytes;
	case PEER_CLOSE:
		return (end->reason == CANCELIO_DONE && !end->bytes) ||
			(end->reason == CANCELIO_ERROR &&
			 (end->error == -ECONNRESET || end->error == -EPIPE));
	case DEADLINE:
		return end->reason == CANCELIO_DEADLINE;
	case MOVE:
		/* Or it was past before the move. */
		return end->reason == CANCELIO_DEADLINE &&
			(!move_clears(who) || pair_has(SUBMIT));
	case CANCEL_ID:
	case CANCEL_ALL:
		return end->reason == CANCELIO_CANCELED && !state->cleaned;
	case WORKER_EXIT:
		return end->reason == CANCELIO_CANCELED && state == &stage->ops[DECOY];
	case DETACH:
	case SHUTDOWN:
		return end->reason == CANCELIO_CLOSED;
	default:
		return false;
	}
}

/* Whether an event stays in force for what is submitted after it. */
static bool ends_later_ones(int who)
{
	switch (stage->actors[who].event) {
	case DEADLINE:
		return !deadline_is_own();
	case MOVE:
		return !move_clears(who);
	case COMPLETE:
		return stage->side == CANCELIO_WRITE || !submit_joins();
	case PEER_CLOSE:
	case DETACH:
	case SHUTDOWN:
		return true;
	default:
		return false;
	}
}

/* Whether the operation ends without the judge's help. */
static bool must_end(int which)
{
	int who;

	if (which == DECOY)
		return true;
	if (which != TARGET)
		return ends_later_ones(which == SUBMITTED(0));
	if (move_clears(1))
		return stage->actors[0].event != DEADLINE && stage->actors[0].event != MOVE;
	for (who = 0; who < 2; who++)
		if (ends_target(stage->actors[who].event) && !move_clears(who))
			return true;
	return false;
}

/* A stream goes on where the last one ended. */
static void take_bytes(struct op_state *state)
{
	size_t moved = state->end.bytes;

	if (state - stage->ops == DECOY) {
		if (moved)
			violation("the decoy moved %zu bytes", moved);
	} else if (stage->side == CANCELIO_READ) {
		if (!stream_holds(state->bytes, moved, stage->got))
			violation("a read has got other bytes than were sent");
		stage->got += moved;
	} else {
		memset(state->bytes + moved, GONE, CHUNK - moved < BUFFER ? CHUNK - moved : BUFFER);
		return;
	}
	if (moved > BUFFER || !bytes_all(state->bytes + moved, BUFFER - moved, UNTOUCHED))
		violation("a read has written beyond its bytes");
	memset(state->bytes, GONE, BUFFER);
}

static void account(const struct cancelio_completion *end)
{
	static const int errors[] = {
		[CANCELIO_DEADLINE] = -ETIME, [CANCELIO_CANCELED] = -ECANCELED,
		[CANCELIO_CLOSED] = -EBADF,
	};
	unsigned int which = end->user_data & 0xff;
	struct op_state *state = &stage->ops[which < OPS ? which : 0];

	if (end->user_data >> 8 != stage->round || which >= OPS)
		violation("a completion of round %llu comes", end->user_data >> 8);
	if (state->ended)
		violation("operation %u completes twice", which);
	if (!state->accepted || state->id != end->id)
		violation("operation %u completes as %llx, and is %llx", which, end->id,
			  state->id);
	if (end->reason != CANCELIO_ERROR && end->error != errors[end->reason])
		violation("reason %u with error %d", end->reason, end->error);
	state->end = *end;
	state->ended = true;
	state->order = stage->ends++;
	take_bytes(state);
}

/* In memory alone at first, and then asleep. */
static bool ring_await(struct cancelio_completion *end, __s64 patience)
{
	__s64 limit = after(patience), soon = after(patience < SPIN ? patience : SPIN);

	while (!ring_pop(stage->ring, end)) {
		if (now() < soon) {
			yield_turn();
			continue;
		}
		if (!patience || cio_wait(stage->fd, 1, NULL, 0, limit) < 0)
			return ring_pop(stage->ring, end);
	}
	return true;
}

static bool copy_await(struct cancelio_completion *end, __s64 patience)
{
	int ret = cio_wait(stage->fd, patience ? 1 : 0, end, 1, patience ? after(patience) : 0);

	if (ret < 0 && ret != -ETIME && ret != -ESHUTDOWN)
		violation("wait gives %s", strerror(-ret));
	return ret == 1;
}

/* The next completion, if one comes. */
static bool reap_one(__s64 patience)
{
	struct cancelio_completion end;

	if (!(stage->mapped ? ring_await : copy_await)(&end, patience))
		return false;
	account(&end);
	return true;
}

/* Its completion, which for a held one is asked for by its id. */
static void await_end(struct op_state *state, __s64 patience)
{
	struct cancelio_completion end;
	int ret;

	while (!state->ended && !state->held)
		if (!reap_one(patience))
			violation("operation %d does not complete", (int)(state - stage->ops));
	if (state->ended)
		return;
	ret = cio_wait_op(stage->fd, state->id, patience ? after(patience) : 0, &end);
	if (ret)
		violation("the held operation gives %s", strerror(-ret));
	account(&end);
	if (cio_wait_op(stage->fd, state->id, 0, &end) != -ENOENT)
		violation("the held operation completes twice");
}

static void await_ends(void)
{
	int i;

	for (i = 0; i < OPS; i++)
		if (stage->ops[i].accepted && must_end(i))
			await_end(&stage->ops[i], longest);
}

static void await_follower(void)
{
	if (!await_word(&stage->acted, stage->go, longest))
		violation("the second call does not return");
}

/* Once a cancel has returned, the completion is there. */
static void clean(void)
{
	int i, ret;

	for (i = 0; i < OPS; i++) {
		struct op_state *state = &stage->ops[i];

		if (!state->accepted || state->ended)
			continue;
		ret = cio_cancel(stage->fd, CANCELIO_CANCEL_ID, state->id, 0);
		if (ret != 1 && ret != -ENOENT)
			violation("its cancel gives %s", strerror(-ret));
		await_end(state, 0);
		state->cleaned = ret == 1;
		if (state->cleaned && state->end.reason != CANCELIO_CANCELED)
			violation("it was canceled for reason %u", state->end.reason);
	}
	if (reap_one(0))
		violation("another completion comes");
}

/* Never early; not by a deadline that was taken away before; and by one that was set. */
static void check_deadline(const struct op_state *state)
{
	const struct actor *actors = stage->actors;
	const struct cancelio_completion *end = &state->end;
	__s64 deadline = end->ended - end->late;

	if (end->late < 0)
		violation("it ends %lld ns before its deadline", -end->late);
	if (actors[0].event == DEADLINE && move_clears(1) && end->ended > actors[1].end)
		violation("it ends %lld ns after its deadline was cleared",
			  end->ended - actors[1].end);
	if (!pair_has(MOVE) && deadline != actors[0].time && deadline != actors[1].time)
		violation("it ends by a deadline that was never set");
}

static void check_reasons(void)
{
	int i;

	for (i = 0; i < OPS; i++) {
		const struct op_state *state = &stage->ops[i];

		if (state->accepted && state->end.reason == CANCELIO_DEADLINE)
			check_deadline(state);
		if (!state->accepted || state->cleaned || explains(0, state) ||
		    explains(1, state))
			continue;
		violation("operation %d ends for reason %u, error %d, %u bytes", i,
			  state->end.reason, state->end.error, state->end.bytes);
	}
}

static bool may_return(int who, int ret)
{
	enum event event = stage->actors[who].event;
	enum event other = stage->actors[!who].event;

	if (other == SHUTDOWN && (ret == -ESHUTDOWN || ret == -EBADF) && event != DEADLINE)
		return true;
	switch (event) {
	case SUBMIT:
		return ret == 1 || (ret == -EBADF && other == DETACH);
	case COMPLETE:
		if (stage->side == CANCELIO_WRITE)
			return !ret;
		return ret == MESSAGE || (other == PEER_CLOSE && ret == -EPIPE);
	case CANCEL_ID:
	case CANCEL_ALL:
	case WORKER_EXIT:
		return ret > 0 || ret == -ENOENT;
	case DETACH:
	case MOVE:
		return !ret || (ret == -EBADF && other == DETACH);
	default:
		return !ret;
	}
}

static void check_returns(void)
{
	int i, ended = 0, claimed = 0;

	for (i = 0; i < 2; i++) {
		const struct actor *actor = &stage->actors[i];

		if (!may_return(i, actor->ret))
			violation("%s gives %d", event_names[actor->event], actor->ret);
		if (is_cancel(actor->event) && actor->ret > 0)
			claimed += actor->ret;
	}
	for (i = 0; i < OPS; i++)
		ended += stage->ops[i].accepted && !stage->ops[i].cleaned &&
			 stage->ops[i].end.reason == CANCELIO_CANCELED;
	if (ended != claimed)
		violation("%d were canceled, and the calls say %d", ended, claimed);
	if (stage->actors[0].event == DETACH && stage->actors[1].event == DETACH &&
	    !stage->actors[0].ret == !stage->actors[1].ret)
		violation("both have detached it, or none");
}

/* What was not read is still there. */
static void check_read_bytes(void)
{
	size_t sent = stage->sent;
	int who;

	for (who = 0; who < 2; who++)
		if (stage->actors[who].event == COMPLETE && stage->actors[who].ret < 0)
			sent -= MESSAGE;
	while (stage->got < sent) {
		__u8 bytes[BUFFER];
		size_t want = sent - stage->got < BUFFER ? sent - stage->got : BUFFER;
		ssize_t got = recv(stage->sock, bytes, want, 0);

		if (got <= 0)
			violation("%zu bytes are lost", sent - stage->got);
		if (!stream_holds(bytes, got, stage->got))
			violation("other bytes than were sent are left");
		stage->got += got;
	}
	if (stage->got != sent)
		violation("%zu bytes too many were read", stage->got - sent);
}

/* In the order in which they ended, of those that moved some. */
static void check_write_bytes(void)
{
	int order, i;

	for (order = 0; order < stage->ends; order++)
		for (i = 0; i < DECOY; i++)
			if (stage->ops[i].ended && stage->ops[i].order == order)
				write_account(i, stage->ops[i].end.bytes);
	write_compare();
}

/* Buffers of what ended are left alone from then on, and all are from the next round on. */
static void check_buffers(void)
{
	int i;

	for (i = 0; i < OPS; i++) {
		__u8 *bytes = stage->buffers[(stage->round * OPS + i) % BUFFERS];
		bool used = stage->ops[i].ended && stage->ops[i].bytes == bytes;

		if (!bytes_all(bytes, BUFFER, used ? GONE : UNTOUCHED))
			violation("the buffer of operation %d was written afterwards", i);
		memset(bytes, GONE, BUFFER);
	}
}

/* When an event took effect, as far as can be told. */
static __s64 moment(int who, const struct op_state *state)
{
	const struct actor *actor = &stage->actors[who];

	bool alike = actor->event == stage->actors[!who].event;

	if (actor->event == DEADLINE && pair_has(SUBMIT))
		return actor->time;
	if (actor->event == COMPLETE && stage->side == CANCELIO_WRITE && pair_has(SUBMIT))
		return actor->begin;
	if (state->ended && explains(who, state) && !pair_has(SUBMIT) && !alike)
		return state->end.ended;
	return actor->begin + (actor->end - actor->begin) / 2;
}

/*
 * Whether what was submitted found the other event done: it was refused, or it ended at
 * once, or the cancel did not find it.  -1 where that cannot be told.
 */
static int submit_came_late(int who)
{
	const struct op_state *state = &stage->ops[SUBMITTED(who)];
	enum event other = stage->actors[!who].event;

	if (!ends_target(other))
		return -1;
	if (!state->accepted)
		return 1;
	if (is_cancel(other))
		return submit_joins() && other == CANCEL_ID ? -1 : state->cleaned;
	if (other == COMPLETE && (stage->side == CANCELIO_WRITE || submit_joins()))
		return -1;
	/* A worker comes later in any case. */
	if (stage->config->op_flags & CANCELIO_OP_WORKER)
		return -1;
	return state->ended && state->end.ended <= stage->actors[who].end;
}

/* Where the reason alone does not tell: what else does, or the clock. */
static int first_by_more(const struct op_state *state)
{
	const struct actor *actors = stage->actors;
	bool claims[2] = { actors[0].ret > 0, actors[1].ret > 0 };
	int who, late;

	for (who = 0; who < 2; who++) {
		late = actors[who].event == SUBMIT ? submit_came_late(who) : -1;
		if (late >= 0)
			return late ? !who : who;
	}

	if (is_cancel(actors[0].event) && is_cancel(actors[1].event) && claims[0] != claims[1])
		return claims[1];
	if (actors[1].event == DEADLINE)
		return state->end.which == CANCELIO_WHICH_SIDE;
	if (actors[0].event == DEADLINE && actors[1].event == MOVE)
		return state->end.ended - state->end.late != actors[0].time;
	if ((actors[0].event == DETACH || actors[0].event == SHUTDOWN) &&
	    (actors[1].event == DETACH || actors[1].event == SHUTDOWN) &&
	    !actors[0].ret != !actors[1].ret)
		return !actors[1].ret;
	return moment(1, state) < moment(0, state);
}

static int first(void)
{
	const struct op_state *state = &stage->ops[TARGET];
	const struct actor *actors = stage->actors;
	bool by[2];

	if (!state->accepted)
		state = &stage->ops[SUBMITTED(actors[1].event == SUBMIT)];
	by[0] = state->ended && explains(0, state);
	by[1] = state->ended && explains(1, state);
	if (actors[0].event != actors[1].event && ends_target(actors[0].event) &&
	    ends_target(actors[1].event) && by[0] != by[1])
		return by[1];
	return first_by_more(state);
}

int round_judge(void)
{
	bool drains = stage->side == CANCELIO_WRITE && pair_has(COMPLETE);

	if (!drains)
		await_follower();
	await_ends();
	__atomic_store_n(&stage->over, true, __ATOMIC_RELEASE);
	await_follower();
	/* What the follower has submitted meanwhile. */
	await_ends();
	clean();
	check_reasons();
	check_returns();
	if (stage->side == CANCELIO_READ)
		check_read_bytes();
	else
		check_write_bytes();
	check_buffers();
	stage->predicted = stage->ops[TARGET].accepted ?
		stage->ops[TARGET].id : stage->ops[SUBMITTED(0)].accepted ?
		stage->ops[SUBMITTED(0)].id : stage->ops[SUBMITTED(1)].id;
	stage->predicted += 1ULL << 24;
	return first();
}
