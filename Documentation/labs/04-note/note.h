/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel thread takes one operation after the other, and sleeps for each until its data is
 * there.  Whoever wants an operation to end before that decides so, and sends the thread a
 * note, SIGHUP.
 */
#ifndef LAB_NOTE_H
#define LAB_NOTE_H

#include "lab.h"

/**
 * struct lab_op - an operation
 * @data: set when its data is there; then the thread is woken
 * @canceled: set when it is to end without; then the thread gets SIGHUP
 */
struct lab_op {
	bool data;
	bool canceled;
};

/* The next operation, once there is one; NULL when the thread is to end. */
struct lab_op *lab_next(void);

/*
 * The operation is over: 0, -ECANCELED, or -ESHUTDOWN when the thread is to end.  No note is
 * sent for it from here on.
 */
void lab_end(struct lab_op *op, int result);

/* Yours: the thread.  It ends when lab_next() says so, or kthread_should_stop(). */
int lab_thread(void *unused);

#endif
