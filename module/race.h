/* SPDX-License-Identifier: GPL-2.0 */
/* Pause points: named places where a script can make whoever comes stand. */
#ifndef CIO_RACE_H
#define CIO_RACE_H

/**
 * enum cio_race_point - the places, in the order of an operation's life
 * @CIO_AT_SUBMIT_CHECKED: submitter: accepted, has its id, not started
 * @CIO_AT_TRY: runner: before an attempt on the socket
 * @CIO_AT_TRIED: runner: after it, before the conn's lock
 * @CIO_AT_QUEUED: it waits: QUEUED, and its timers perhaps not set; conn's lock
 * @CIO_AT_ARMED: it waits: QUEUED and its timers set; conn's lock
 * @CIO_AT_SUBMITTED: submitter: started, ended or waiting
 * @CIO_AT_ABOUT_TO_SLEEP: after the last look, before schedule(), in a state
 *	that is not running
 * @CIO_AT_AWAKE: after the sleep, or without one
 * @CIO_AT_WAIT_LOOKS: waiter: between two looks, whether the context is at its end
 *	and what is there to be reaped, in a state that is not running
 * @CIO_AT_EVENT: something happened on the socket; its wait queue's lock
 * @CIO_AT_LYING_DOWN: worker: done with its turn, before its last look for work, in a
 *	state that is not running
 * @CIO_AT_IDLE: worker: found no work, before schedule()
 * @CIO_AT_TAKEN: runner: has a ready side, not its lock
 * @CIO_AT_TIMER_SET: a timer is put into its queue; timers' lock
 * @CIO_AT_TIMER_FIRED: timer: came, nothing claimed
 * @CIO_AT_TIMER_CLAIMED: timer: has an operation or a side, not the conn's lock
 * @CIO_AT_DEADLINE_SET: a deadline was moved, nothing ended for it yet
 * @CIO_AT_CANCEL_FOUND: cancel: found the operation by its id, not locked
 * @CIO_AT_CANCEL_ASKED: cancel: ended the operation or asked for its end, not
 *	locked
 * @CIO_AT_NOTED: cancel: left a note at a running operation; conn's lock
 * @CIO_AT_SWEPT: cancel: what waited on a side has ended
 * @CIO_AT_DETACHING: the conn is out of the table, nothing ended yet
 * @CIO_AT_CLOSED: the conn is closed, nothing ended for it yet
 * @CIO_AT_INTERRUPTING: thread engine: won, no note sent yet; conn's lock
 * @CIO_AT_INTERRUPTED: thread engine: the note is sent; conn's lock
 * @CIO_AT_COMPLETING: won, its completion not posted; conn's lock
 * @CIO_AT_POSTING: its completion posted, and not to be seen in the mapped ring yet;
 *	ring's lock
 * @CIO_AT_PUBLISHED: its completion posted; conn's lock
 */
enum cio_race_point {
	CIO_AT_SUBMIT_CHECKED,
	CIO_AT_TRY,
	CIO_AT_TRIED,
	CIO_AT_QUEUED,
	CIO_AT_ARMED,
	CIO_AT_SUBMITTED,
	CIO_AT_ABOUT_TO_SLEEP,
	CIO_AT_AWAKE,
	CIO_AT_WAIT_LOOKS,
	CIO_AT_EVENT,
	CIO_AT_LYING_DOWN,
	CIO_AT_IDLE,
	CIO_AT_TAKEN,
	CIO_AT_TIMER_SET,
	CIO_AT_TIMER_FIRED,
	CIO_AT_TIMER_CLAIMED,
	CIO_AT_DEADLINE_SET,
	CIO_AT_CANCEL_FOUND,
	CIO_AT_CANCEL_ASKED,
	CIO_AT_NOTED,
	CIO_AT_SWEPT,
	CIO_AT_DETACHING,
	CIO_AT_CLOSED,
	CIO_AT_INTERRUPTING,
	CIO_AT_INTERRUPTED,
	CIO_AT_COMPLETING,
	CIO_AT_POSTING,
	CIO_AT_PUBLISHED,
	CIO_POINTS,
};

#ifdef CIO_DEBUG
void cio_pause(enum cio_race_point at);
void cio_race_init(void);
void cio_race_exit(void);
#else
static inline void cio_pause(enum cio_race_point at)
{
}

static inline void cio_race_init(void)
{
}

static inline void cio_race_exit(void)
{
}
#endif

#endif /* CIO_RACE_H */
