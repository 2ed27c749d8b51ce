# SPDX-License-Identifier: GPL-2.0
"""The same as a trace in Chrome's JSON format, which Perfetto opens."""

import json

from .model import IRQ, OUTSIDE
from .sentences import course, explain, name, result, rule_words

PROCESS = {"program": 1, "worker": 2, "peer": 3, "timer": 4}
PROCESS_NAMES = {1: "program", 2: "workers", 3: "peer", 4: "timers and interrupts",
                 5: "operations"}


def _place(run, lane):
    """(process, thread) of a lane."""
    if lane == IRQ:
        return 4, 0
    if lane == OUTSIDE:
        return 3, 0
    pid = int(lane.partition(":")[2])
    return PROCESS[run.tasks[pid].role], pid


def events(run):
    """All events, one dictionary each; times in us from the beginning."""

    def at(t):
        return (t - run.t0) / 1000

    for process, text in PROCESS_NAMES.items():
        yield {"ph": "M", "name": "process_name", "pid": process, "args": {"name": text}}
        yield {"ph": "M", "name": "process_sort_index", "pid": process,
               "args": {"sort_index": process}}
    for lane in run.lanes:
        process, thread = _place(run, lane)
        yield {"ph": "M", "name": "thread_name", "pid": process, "tid": thread,
               "args": {"name": run.task_name(lane)}}
    for bar in run.bars:
        process, thread = _place(run, bar.lane)
        yield {"ph": "X", "name": bar.state, "cat": "state", "pid": process, "tid": thread,
               "ts": at(bar.t0), "dur": (bar.t1 - bar.t0) / 1000}
    for number, arrow in enumerate(run.arrows, 1):
        for phase, lane, t in (("s", arrow.source, arrow.t0), ("f", arrow.target, arrow.t1)):
            process, thread = _place(run, lane)
            yield {"ph": phase, "bp": "e", "id": number, "name": arrow.kind, "cat": "wake",
                   "pid": process, "tid": thread, "ts": at(t)}
    for op in run.ops:
        ends = {"how": result(run, op), "course": course(run, op), "rule": rule_words(op)}
        common = {"cat": "operation", "id": op.n, "pid": 5, "tid": op.conn.n,
                  "name": f"{name(op)}, conn {op.conn.n}"}
        yield {"ph": "b", "ts": at(op.t0), "args": ends, **common}
        yield {"ph": "e", "ts": at(op.t1 if op.ended else run.t1), **common}
    for step in run.steps:
        process, thread = _place(run, step.lane)
        yield {"ph": "i", "s": "t", "name": step.kind, "cat": "step", "pid": process,
               "tid": thread, "ts": at(step.t), "args": {"what": explain(run, step)}}


def write(run, stream):
    json.dump({"traceEvents": list(events(run)), "displayTimeUnit": "ns",
               "otherData": {"command": run.header.command, "kernel": run.header.kernel,
                             "engine": run.engine, "lost events": run.header.lost_events}},
              stream, indent=None, separators=(",", ":"))
    stream.write("\n")
