/* SPDX-License-Identifier: GPL-2.0 */
/* An echo server without a loop of its own: what is to be done, and when. */
#ifndef EVENT_LOOP_ECHO_H
#define EVENT_LOOP_ECHO_H

/* A context; returns its descriptor, which is readable exactly while completions are there. */
int echo_open(void);
/* Clients may be waiting at @listener, which does not block. */
void echo_accept(int listener);
/* The context's descriptor is readable. */
void echo_reap(void);
/* End all connections. */
void echo_stop(void);

#endif
