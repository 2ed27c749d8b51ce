/* SPDX-License-Identifier: GPL-2.0 */
/* All peers, each in the file of its kind. */
#ifndef CANCELIO_BENCH_PEERS_H
#define CANCELIO_BENCH_PEERS_H

extern const struct peer peer_bare;
extern const struct peer peer_ppoll;
extern const struct peer peer_rcvtimeo;
extern const struct peer peer_epoll_timerfd;
extern const struct peer peer_epoll_wheel;
extern const struct peer peer_uring;
extern const struct peer peer_uring_link;
extern const struct peer peer_uring_defer;
extern const struct peer peer_uring_defer_link;
extern const struct peer peer_uring_defer_wheel;
extern const struct peer peer_uring_multishot;
extern const struct peer peer_cancelio;
extern const struct peer peer_cancelio_thread;

#endif
