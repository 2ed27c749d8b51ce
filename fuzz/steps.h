/* SPDX-License-Identifier: GPL-2.0 */
/* Steps that are no calls of the interface, or not as it is meant; see steps.c. */
#ifndef CANCELIO_FUZZ_STEPS_H
#define CANCELIO_FUZZ_STEPS_H

#include "run.h"

void do_raw(int step, const __s64 *arg);
void do_pair(int step, const __s64 *arg);
void do_write(int step, const __s64 *arg);
void do_read(int step, const __s64 *arg);
void do_shut(int step, const __s64 *arg);
void do_closesock(int step, const __s64 *arg);
void do_memory(int step, const __s64 *arg);
void do_child(int step, const __s64 *arg);
void do_signal(int step, const __s64 *arg);
void do_sleep(int step, const __s64 *arg);
void do_exit(int step, const __s64 *arg);

#endif
