// SPDX-License-Identifier: GPL-2.0
/* What the actors do. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pairs.h"

const char *const event_names[] = {
	[DEADLINE] = "deadline",
	[MUNMAP] = "munmap",
	[WORKER_EXIT] = "worker-exit",
	[SUBMIT] = "submit",
	[PEER_CLOSE] = "peer-close",
	[MOVE] = "move-deadline",
	[CANCEL_ID] = "cancel-id",
	[CANCEL_ALL] = "cancel-all",
	[DETACH] = "detach",
	[SHUTDOWN] = "shutdown",
	[COMPLETE] = "complete",
	[KILL] = "kill",
};

bool pair_has(enum event event)
{
	return stage->actors[0].event == event || stage->actors[1].event == event;
}

/* Whether it ends an operation that waits. */
bool ends_target(enum event event)
{
	return event != MUNMAP && event != WORKER_EXIT && event != SUBMIT && event != KILL;
}

/* A move goes to the past, or takes an expiry away. */
bool move_clears(int who)
{
	if (stage->actors[who].event != MOVE)
		return false;
	if (stage->actors[!who].event == MOVE)
		return who;
	return (pair_has(DEADLINE) || pair_has(SUBMIT)) && stage->round % 2;
}

/* What is submitted then comes behind one that waits. */
bool submit_joins(void)
{
	return stage->round / 2 % 2 && !move_clears(0) && !move_clears(1);
}

/* Of two deadlines the first is the operation's and the second the side's. */
bool deadline_is_own(void)
{
	if (stage->actors[1].event == DEADLINE)
		return true;
	return stage->round / 4 % 2 && !pair_has(MOVE) && (!pair_has(SUBMIT) || submit_joins());
}

__u8 byte_at(size_t place)
{
	return 1 + (place * 7 + place / 251 * 13 + place / 65537) % 251;
}

void bytes_fill(__u8 *to, size_t len, size_t place)
{
	while (len--)
		*to++ = byte_at(place++);
}

bool bytes_hold(const __u8 *bytes, size_t len, size_t place)
{
	while (len--)
		if (*bytes++ != byte_at(place++))
			return false;
	return true;
}

/* Two peers send the same message, for one comes first. */
static size_t message_place(size_t place)
{
	return stage->actors[0].event == COMPLETE && stage->actors[1].event == COMPLETE ?
		place % MESSAGE : place;
}

/* Whether these are what the peer has sent as of that place. */
bool stream_holds(const __u8 *bytes, size_t len, size_t place)
{
	while (len--)
		if (*bytes++ != byte_at(message_place(place++)))
			return false;
	return true;
}

bool bytes_all(const __u8 *bytes, size_t len, __u8 value)
{
	while (len--)
		if (*bytes++ != value)
			return false;
	return true;
}

static __u64 cookie_of(int which)
{
	return (__u64)stage->round << 8 | which;
}

/* The operation number @which of the round; a refusal is in the actor's ret. */
static int submit(int which)
{
	struct op_state *state = &stage->ops[which];
	struct cancelio_op op;
	int ret;

	if (which == DECOY)
		op = op_recv(stage->decoy, state->bytes, BUFFER);
	else if (stage->side == CANCELIO_READ)
		op = op_recv(stage->conn, state->bytes, BUFFER);
	else
		op = op_send(stage->conn, state->bytes, CHUNK);
	op = with_cookie(op, cookie_of(which));
	if (which == DECOY)
		op = with_flags(op, CANCELIO_OP_WORKER);
	if (state->held)
		op = with_flags(op, CANCELIO_OP_HOLD);
	if (which == TARGET && stage->actors[0].event == DEADLINE && deadline_is_own())
		op = with_deadline(op, stage->actors[0].time);
	ret = cio_submit(stage->fd, &op, 1, &state->id, NULL);
	state->accepted = ret == 1;
	return ret;
}

void submit_op(int which)
{
	int ret = submit(which);

	if (ret != 1)
		violation("submit is refused: %s", strerror(-ret));
}

/* Takes what is there from the peer's end. */
void drain_some(size_t most, int flags)
{
	size_t room = sizeof(stage->drain) - stage->drained;
	ssize_t got;

	if (most > room)
		most = room;
	got = recv(stage->peer, stage->drain + stage->drained, most, flags);
	if (got > 0)
		stage->drained += got;
}

static int complete(void)
{
	struct pollfd poll_fd = { .fd = stage->peer, .events = POLLIN };
	__u8 message[MESSAGE];
	ssize_t ret;

	if (stage->side == CANCELIO_READ) {
		size_t place = __atomic_fetch_add(&stage->sent, MESSAGE, __ATOMIC_SEQ_CST);

		bytes_fill(message, MESSAGE, message_place(place));
		ret = send(stage->peer, message, MESSAGE, MSG_NOSIGNAL);
		return ret < 0 ? -errno : ret;
	}
	while (!__atomic_load_n(&stage->over, __ATOMIC_ACQUIRE)) {
		drain_some(CHUNK, MSG_DONTWAIT);
		poll(&poll_fd, 1, 1);
		yield_turn();
	}
	return 0;
}

/* A FIN, or a reset, also where others have the socket too. */
static int peer_close(void)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	bool reset = stage->side == CANCELIO_WRITE || (stage->round % 3 == 2 &&
						       !pair_has(COMPLETE));

	if (reset ? connect(stage->peer, &nobody, sizeof(nobody)) :
		    shutdown(stage->peer, SHUT_WR))
		return -errno;
	return 0;
}

static int move(int who)
{
	__s64 time = now() - stage->round % 4 * 1000;

	if (move_clears(who))
		time = stage->round % 4 == 1 ? after(SECOND * 3600) : CANCELIO_NEVER;
	return stage->side == CANCELIO_READ ?
		cio_deadline(stage->fd, stage->conn, CANCELIO_READ, time, 0) :
		cio_deadline(stage->fd, stage->conn, CANCELIO_WRITE, 0, time);
}

static int cancel_id(void)
{
	const struct op_state *target = &stage->ops[TARGET];

	return cio_cancel(stage->fd, CANCELIO_CANCEL_ID,
			  target->accepted ? target->id : stage->predicted, 0);
}

/* The mapping goes away and comes back. */
static int remap(void)
{
	munmap(stage->ring, cio_ring_bytes(ENTRIES));
	stage->ring = cio_map(stage->fd, ENTRIES);
	return stage->ring ? 0 : -errno;
}

/* A worker is woken for what is gone when it looks: one too many ends then. */
static int worker_exit(void)
{
	int ret = submit(DECOY);

	if (ret != 1)
		return ret;
	return cio_cancel(stage->fd, CANCELIO_CANCEL_CONN, stage->decoy, CANCELIO_READ);
}

static int do_act(int who)
{
	switch (stage->actors[who].event) {
	case DEADLINE:
		/* It is set already. */
		return 0;
	case MUNMAP:
		return remap();
	case WORKER_EXIT:
		return worker_exit();
	case SUBMIT:
		return submit(SUBMITTED(who));
	case PEER_CLOSE:
		return peer_close();
	case MOVE:
		return move(who);
	case CANCEL_ID:
		return cancel_id();
	case CANCEL_ALL:
		return cio_cancel(stage->fd, CANCELIO_CANCEL_ALL, 0, 0);
	case DETACH:
		return cio_detach(stage->fd, stage->conn);
	case SHUTDOWN:
		return cio_shutdown(stage->fd);
	case COMPLETE:
		return complete();
	default:
		return kill(stage->pid, SIGKILL);
	}
}

void act(int who)
{
	struct actor *actor = &stage->actors[who];

	spin_until(actor->time);
	actor->begin = now();
	actor->ret = do_act(who);
	actor->end = now();
}
