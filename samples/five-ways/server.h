/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the echo servers share: options, the listener, how they are told to stop, and the account
 * of their connections.  Each takes of it what it needs; what is left to it is to wait.
 *
 * All behave alike.  A client's bytes come back as they came.  From one message of a client
 * to its next may pass --idle ms, and the answer to a message has to be taken within --write
 * ms.  SIGTERM ends all connections at once.  Each connection ends in one of the ways below,
 * and at the end of the server a line says how many did in which.
 */
#ifndef FIVE_WAYS_SERVER_H
#define FIVE_WAYS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#define MS	1000000LL
#define SECOND	(1000 * MS)
/* A message is what one read gives, and never more than this. */
#define CHUNK	16384
#define ACCEPT_PAUSE	(100 * MS)

/**
 * enum end - how a connection ends
 * @GOES_ON: not yet
 * @CLOSED: the client has said all, and was answered
 * @IDLE: the client said nothing for too long
 * @STUCK: the client did not take its answer in time
 * @RESET: the client, or the network, broke it
 * @STOPPED: the server was told to stop
 * @REFUSED: it was one too many
 * @FAILED: anything else, which is a fault of the server
 */
enum end { GOES_ON, CLOSED, IDLE, STUCK, RESET, STOPPED, REFUSED, FAILED, ENDS };

/* The options. */
extern struct settings {
	unsigned int port;
	unsigned int idle_ms;
	unsigned int write_ms;
	unsigned int connections;
} settings;

/* Take the options.  SIGTERM and SIGINT are blocked from here on, in all threads. */
void server_begin(int argc, char **argv);
/* A listening socket, of a type with @flags, when all else is there. */
int server_listen(int flags);
/* A descriptor that is readable from the moment at which the server is to stop. */
int server_stop_fd(void);
/* Returns at that moment. */
void server_await_stop(void);
/* Begin a thread that nobody joins; false, which is said, when there is none to be had. */
bool server_thread(void *(*run)(void *argument), void *argument);
/* Say how the connections ended; returns the server's exit code. */
int server_report(void);

/*
 * Whether accepting failed with @error for want of something, which is said: then a server tries
 * again after ACCEPT_PAUSE.  What else it fails with is of a connection that broke before.
 */
bool accept_is_short(int error);
/* Count a connection that was accepted; false: it is one too many, close it. */
bool connection_begins(void);
/* It ends so: before its @fd is closed, and after that, which counts it. */
void connection_ending(int fd, enum end how);
void connection_ended(enum end how);
/* How a call that failed with the error number @error ends a connection. */
enum end connection_error(int error);
unsigned int connections_open(void);
/* Returns when none is open. */
void connections_await_none(void);

/* CLOCK_MONOTONIC, ns. */
long long now(void);

/* Say what failed and why, and end the server. */
noreturn void die(const char *what, int error);

#endif
