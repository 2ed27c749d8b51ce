# SPDX-License-Identifier: GPL-2.0
"""The benchmark's peers, rows and goals, and how figures are judged by them."""

import collections

CANCELIO = "cancelio"
THREAD = "cancelio-thread"
# Name in the figures, short name of a column, what it is.
PEERS = [
    ("bare", "bare", "recv(2) alone, the limit; keeps no deadline"),
    ("ppoll", "ppoll", "ppoll(2) and recv(2)"),
    ("rcvtimeo", "rcvtimeo", "SO_RCVTIMEO; where there are many connections, a thread for each"),
    ("epoll-timerfd", "ep-tfd", "epoll, edge-triggered, and recv(2); a timerfd for each connection"),
    ("epoll-wheel", "ep-wheel", "the same with a timer wheel of the program's"),
    ("uring", "ur", "io_uring as it is by default; keeps no deadline"),
    ("uring-link", "ur-link", "the same with linked timeouts"),
    ("uring-defer", "urd", "io_uring with SINGLE_ISSUER and DEFER_TASKRUN; keeps no deadline"),
    ("uring-defer-link", "urd-link", "the same with linked timeouts"),
    ("uring-defer-wheel", "urd-wheel", "the same with a wheel of the program's and batched cancels"),
    ("uring-multishot", "urd-multi", "the same, multishot receives, provided buffers, fixed files"),
    (CANCELIO, "cancelio", "cancelio, the poll engine"),
    (THREAD, "thread", "cancelio, the thread engine"),
]
KEEP_DEADLINES = ["ppoll", "rcvtimeo", "epoll-timerfd", "epoll-wheel", "uring-link",
                  "uring-defer-link", "uring-defer-wheel", "uring-multishot"]
URING_DEADLINES = ["uring-link", "uring-defer-link", "uring-defer-wheel"]
SIZES = ["10", "1000", "30000", "1000000"]

# One row of the table: its name in the figures, what it is, and whether the figure is what
# it costs above the bare peer.
Row = collections.namedtuple("Row", "name title over_bare")
# What is wanted of a row, or of several: the name, the row that the program calls so, the
# goal in words, and a function of the figures that gives a figure and whether it is met; it
# gives None where rows are missing.
Goal = collections.namedtuple("Goal", "name part text judge")
Verdict = collections.namedtuple("Verdict", "figure met")


def sized(name, title):
    """A row for each number of pending operations."""
    return [Row(f"{name}/{size}", f"{title}, {int(size):,} pending", False) for size in SIZES]


ROWS = [
    Row("ready", "one ready recv with a deadline, one call", True),
    Row("ready-32", "32 ready recvs with deadlines, one call", True),
    Row("armed-32", "32 armed recvs with deadlines, data later, one wait", True),
    Row("arm-cancel", "arm and cancel one recv", False),
    Row("arm-cancel-timed", "the same with a deadline", False),
    Row("echo-1", "ping-pong, a round trip", False),
    Row("echo-64", "echo of 64 connections, a round trip", False),
    Row("echo-1000", "echo of 1,000 connections, a round trip", False),
] + sized("move-later", "move a deadline later") \
  + sized("move-earlier", "move a deadline earlier") \
  + sized("cancel", "cancel one by its id") \
  + sized("cancel-conn", "cancel all of a connection") + [
    Row("memory", "memory per pending recv with deadline, bytes", False),
    Row("expiry-30000", "30,000 with one deadline, until the last is reaped", False),
    Row("hold-up/1000", "longest hold-up while 1,000 expire", False),
    Row("hold-up/30000", "longest hold-up while 30,000 expire", False),
    Row("spin", "deadline while the program spins: how late it is seen", False),
    Row("million-attach/1000", "attach a socket, one of 250", False),
    Row("million-attach/1000000", "attach a socket, one of 250,000", False),
    Row("million-arm/1000", "arm a recv with deadline, one of 1,000", False),
    Row("million-arm/1000000", "arm a recv with deadline, one of 1,000,000", False),
    Row("million-end/1000", "end of all, for each of 1,000 recvs", False),
    Row("million-end/1000000", "end of all, for each of 1,000,000 recvs", False),
]


class Figures:
    """What one kernel's run gave: by row and peer a number, or why there is none."""

    def __init__(self, kernel, release=""):
        self.kernel = kernel
        self.release = release
        self.numbers = {}
        self.absent = {}

    def number(self, row, peer=CANCELIO):
        """A figure, less that of the bare peer where the row says so; None: there is none."""
        number = self.numbers.get((row, peer))
        if number is None or not is_over_bare(row) or peer == "bare":
            return number
        bare = self.numbers.get((row, "bare"))
        return None if bare is None else number - bare

    def rows(self):
        """The rows of which there is anything, in order."""
        there = {row for row, _ in [*self.numbers, *self.absent]}
        return [row for row in ROWS if row.name in there]


def is_over_bare(name):
    return any(row.name == name and row.over_bare for row in ROWS)


def at_most(row, limit):
    def judge(figures):
        number = figures.number(row)
        return None if number is None else Verdict(number, number <= limit)
    return judge


def sizes_of(figures, row, sizes):
    numbers = [figures.number(f"{row}/{size}") for size in sizes]
    return None if None in numbers else numbers


def all_at_most(row, limit):
    """Of all sizes."""
    def judge(figures):
        numbers = sizes_of(figures, row, SIZES)
        return None if numbers is None else Verdict(max(numbers), max(numbers) <= limit)
    return judge


def largest_within(row, ratio):
    """At the largest size against the smallest."""
    def judge(figures):
        numbers = sizes_of(figures, row, SIZES)
        if numbers is None:
            return None
        return Verdict(numbers[-1] / numbers[0], numbers[-1] <= numbers[0] * ratio)
    return judge


def all_within(row, ratio):
    """The sizes of each other."""
    def judge(figures):
        numbers = sizes_of(figures, row, SIZES)
        if numbers is None:
            return None
        return Verdict(max(numbers) / min(numbers), max(numbers) <= min(numbers) * ratio)
    return judge


def grows_within(row, ratio, small, large):
    def judge(figures):
        numbers = sizes_of(figures, row, [small, large])
        if numbers is None:
            return None
        return Verdict(numbers[1] / numbers[0], numbers[1] <= numbers[0] * ratio)
    return judge


def share_of_uring(row, share):
    """Against the best of io_uring's."""
    def judge(figures):
        number = figures.number(row)
        others = [figures.number(row, peer) for peer in URING_DEADLINES]
        others = [other for other in others if other is not None]
        if number is None or not others:
            return None
        return Verdict(number / min(others), number <= min(others) * share)
    return judge


def below_peers(row):
    """Below every peer that keeps deadlines too; the figure is the distance to the best."""
    def judge(figures):
        number = figures.number(row)
        others = [figures.number(row, peer) for peer in KEEP_DEADLINES]
        others = [other for other in others if other is not None]
        if number is None or not others:
            return None
        return Verdict(number - min(others), number < min(others))
    return judge


def is_kept(row):
    def judge(figures):
        number = figures.number(row)
        if number is None and (row, CANCELIO) not in figures.absent:
            return None
        return Verdict(number, number is not None)
    return judge


GOALS = [
    Goal("ready", "ready", "at most 700 over bare", at_most("ready", 700)),
    Goal("ready-32", "ready-32", "not above bare", at_most("ready-32", 0)),
    Goal("armed-32", "armed-32", "at most 1,500 over bare", at_most("armed-32", 1500)),
    Goal("arm-cancel", "arm-cancel", "at most 1,200", at_most("arm-cancel", 1200)),
    Goal("echo-1", "echo-1", "below every peer with deadlines", below_peers("echo-1")),
    Goal("echo-64", "echo-64", "below every peer with deadlines", below_peers("echo-64")),
    Goal("echo-1000", "echo-1000", "below every peer with deadlines", below_peers("echo-1000")),
    Goal("move-later", "scale", "at most 500 at each size", all_at_most("move-later", 500)),
    Goal("move-later-flat", "scale", "1,000,000 within 1.1 of 10",
         largest_within("move-later", 1.1)),
    Goal("move-earlier-flat", "scale", "1,000,000 within 1.5 of 10",
         largest_within("move-earlier", 1.5)),
    Goal("cancel-flat", "scale", "all sizes within 1.2", all_within("cancel", 1.2)),
    Goal("cancel-conn-flat", "scale", "all sizes within 1.2", all_within("cancel-conn", 1.2)),
    Goal("memory", "memory", "at most 384 bytes", at_most("memory", 384)),
    Goal("expiry-30000", "expiry-30000", "a fifth of io_uring's best",
         share_of_uring("expiry-30000", 0.2)),
    Goal("hold-up", "hold-up", "bounded: 30,000 within 2 of 1,000",
         grows_within("hold-up", 2, "1000", "30000")),
    Goal("spin", "spin", "kept", is_kept("spin")),
    Goal("million-attach", "million", "1,000,000 within 1.3 of 1,000",
         grows_within("million-attach", 1.3, "1000", "1000000")),
    Goal("million-arm", "million", "1,000,000 within 1.3 of 1,000",
         grows_within("million-arm", 1.3, "1000", "1000000")),
    Goal("million-end", "million", "1,000,000 within 1.3 of 1,000",
         grows_within("million-end", 1.3, "1000", "1000000")),
]


def read_log(path, kernel, release):
    """The figures in what the program printed; what is wrong with it, or nothing."""
    figures = Figures(kernel, release)
    wrong = ""
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            fields = line.rstrip("\r\n").split("\t")
            if fields[0] == "figure" and len(fields) == 4:
                figures.numbers[fields[1], fields[2]] = float(fields[3])
            elif fields[0] == "absent" and len(fields) == 4:
                figures.absent[fields[1], fields[2]] = fields[3]
            elif fields[0] == "fatal":
                wrong = ": ".join(fields[1:])
    return figures, wrong


def to_json(figures):
    """All as a list of objects: the peers' figures, and cancelio's goals."""
    out = []
    for (row, peer) in figures.numbers:
        out.append({"name": row, "peer": peer, "kernel": figures.kernel,
                    "figure": round(figures.number(row, peer), 2), "goal": None, "met": None,
                    "over_bare": is_over_bare(row) and peer != "bare"})
    for (row, peer), why in figures.absent.items():
        out.append({"name": row, "peer": peer, "kernel": figures.kernel, "figure": None,
                    "goal": None, "met": None, "why": why})
    for goal in GOALS:
        verdict = goal.judge(figures)
        out.append({"name": "goal: " + goal.name, "peer": CANCELIO, "kernel": figures.kernel,
                    "figure": None if verdict is None or verdict.figure is None
                    else round(verdict.figure, 3),
                    "goal": goal.text, "met": None if verdict is None else verdict.met})
    return out


def from_json(run):
    """The figures of each kernel in a run's JSON."""
    kernels = {name: Figures(name, release) for name, release in run["kernels"].items()}
    for entry in run["rows"]:
        figures = kernels[entry["kernel"]]
        if entry["name"].startswith("goal: "):
            continue
        key = entry["name"], entry["peer"]
        if entry["figure"] is None:
            figures.absent[key] = entry["why"]
        else:
            figures.numbers[key] = entry["figure"]
    for figures in kernels.values():
        for (row, peer), number in list(figures.numbers.items()):
            if is_over_bare(row) and peer != "bare":
                figures.numbers[row, peer] = number + figures.numbers.get((row, "bare"), 0)
    return list(kernels.values())
