// SPDX-License-Identifier: GPL-2.0
/* The tracepoints' own code is made here. */
#include "end.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
