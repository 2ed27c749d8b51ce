# SPDX-License-Identifier: GPL-2.0
"""How late deadlines were: the ways to wait, and what a run's output says of each."""

import collections
import json
import os

# Name in the figures, what it is.
WAYS = [
    ("cancelio", "CALL of cancelio, the poll engine"),
    ("cancelio-thread", "CALL of cancelio, the thread engine"),
    ("cancelio-hard", "the poll engine with CANCELIO_SETUP_HARD_EXPIRY, in SCHED_FIFO alone"),
    ("ppoll", "ppoll(2)"),
    ("rcvtimeo", "recv(2) with SO_RCVTIMEO, which counts in the kernel's ticks of 4 ms"),
    ("epoll-pwait2", "epoll_pwait2(2)"),
    ("epoll-timerfd", "epoll with a timerfd"),
    ("uring-link", "io_uring with a linked timeout, as it is by default"),
    ("uring-defer-link", "the same with SINGLE_ISSUER and DEFER_TASKRUN"),
    ("nanosleep", "the floor: clock_nanosleep(2), no socket"),
    ("cyclictest", "the same as everybody measures it, afterwards, not in turn with the others"),
]
GATED = ["cancelio", "cancelio-thread", "cancelio-hard"]
FIFO_ALONE = ["cancelio-hard"]
# The share of deadlines that were not later.
SHARES = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)]

# One kernel, idle or under load, in one scheduling class: buckets of 1 us by way, each
# bucket's count by its lower end.
Condition = collections.namedtuple("Condition", "kernel state scheduling buckets")


def read_cyclictest(path):
    """Its histogram; what is above goes into a last bucket."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        thread = json.load(file)["thread"]["0"]
    buckets = collections.Counter({int(us): count for us, count in thread["histogram"].items()})
    beyond = thread["cycles"] - sum(buckets.values())
    if beyond:
        buckets[thread["max"]] += beyond
    return buckets


def read_run(kernel, directory):
    """The conditions of one machine, and what is wrong."""
    conditions, wrong = [], []
    with open(os.path.join(directory, "output"), encoding="utf-8", errors="replace") as lines:
        for line in lines:
            fields = line.rstrip("\r\n").split("\t")
            if fields[0] == "condition":
                conditions.append(Condition(kernel, fields[1], fields[2], {}))
            elif fields[0] == "late":
                buckets = conditions[-1].buckets.setdefault(fields[1], collections.Counter())
                buckets[int(fields[2])] += int(fields[3])
            elif fields[0] == "early":
                wrong.append(f"{kernel}: {fields[1]}: {fields[2]} ns early")
            elif fields[0] == "fatal":
                wrong.append(f"{kernel}: " + ": ".join(fields[1:]))
    for condition in conditions:
        name = f"files/{condition.state}-{condition.scheduling}.json"
        condition.buckets["cyclictest"] = read_cyclictest(os.path.join(directory, name))
    return conditions, wrong


def figures_of(buckets):
    """The lower ends of the buckets, us, in which the shares end; and how many were early."""
    figures = {"samples": sum(buckets.values()),
               "early": sum(count for us, count in buckets.items() if us < 0)}
    for name, share in SHARES:
        seen = 0
        for us in sorted(buckets):
            seen += buckets[us]
            if seen >= share * figures["samples"]:
                figures[name] = us
                break
    return figures


def to_json(conditions):
    return [{"kernel": condition.kernel, "state": condition.state,
             "class": condition.scheduling,
             "ways": {name: figures_of(buckets) for name, buckets in condition.buckets.items()}}
            for condition in conditions]


def ways_of(entry):
    """Those of a condition."""
    return [name for name, _ in WAYS if entry["class"] == "fifo" or name not in FIFO_ALONE]


def title_of(entry):
    state = {"idle": "idle", "stress": "under stress-ng"}[entry["state"]]
    scheduling = {"other": "ordinary class", "fifo": "SCHED_FIFO"}[entry["class"]]
    return f"{entry['kernel']}, {scheduling}, {state}"
