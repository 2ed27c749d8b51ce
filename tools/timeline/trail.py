# SPDX-License-Identifier: GPL-2.0
"""A counterexample of a model, as model/trail prints it, to be drawn like a recording.

A process of the model is a lane, each of its steps lasts one unit of time, and what the model
writes into its variables is told in the words of module/op.h.  Waking is what it
is in the model: somebody else's assignment to the variable by which a thread sleeps.
"""

import re
from dataclasses import dataclass, field
from types import SimpleNamespace

from .model import MODEL, Arrow, Bar, Conn, Op, Run, Step, Task
from .parse import NEVER, Damaged, Header

FORMAT = "# cio-trail 1"
UNIT = 1000                     # ns for a step

STEP = re.compile(r"^ *(?P<at>\d+):\tproc +(?P<pid>\d+) \((?P<name>[^:]+|:init:):\d+\) "
                  r"\S+:(?P<line>\d+) \(state \d+\)\t\[(?P<text>.*)\]$")
VALUE = re.compile(r"^\t\t(?:(?P<name>\w+)\((?P<pid>\d+)\):)?(?P<key>\w+)(?:\[(?P<index>\d)\])? "
                   r"= (?P<value>\w+)$")
START = re.compile(r"^Starting (?P<name>\w+) with pid (?P<pid>\d+)$")
GONE = re.compile(r"^ *(?P<at>\d+): +proc +(?P<pid>\d+) terminates")
BROKEN = re.compile(r"^spin: \S+, Error: (?P<text>assertion violated)$")

ROLES = {"worker": "worker", "socket": "peer", "op_timer": "timer", "side_timer": "timer",
         "clock": "timer"}
REASONS = {"DONE": "done", "DEADLINE": "deadline", "CANCELED": "canceled"}

# What an assignment means; the statement itself where there is nothing to say about it.
MEANING = {
    "conn_lock = 1": "takes the connection's lock",
    "conn_lock = 0": "gives the connection's lock back",
    "again = 1": "leaves the mark \"again\" for the attempt that runs: there was an event",
    "again = 0": "clears the mark \"again\", before an attempt",
    "in_memory = 1": "begins an attempt, in the program's memory",
    "in_memory = 0": "ends its attempt",
    "passed = 1": "passes: the deadline's time has come",
    "deadline = LATER": "moves the deadline so that it never passes",
    "is_ready = 1": "makes the side ready: it wants a runner",
    "is_ready = 0": "takes the ready side, to run it",
    "timer_queued = 1": "sets the timer",
    "timer_queued = 0": "takes what has expired out of the timers' queue",
    "cancel_bit = 1": "leaves the cancel to the one who runs the operation",
    "done = 1": "tells the submitter that its operation is done",
    "completions = (completions+1)": "publishes the completion",
}
# Told by what comes of it.
QUIET = {"state", "reason", "why", "op", "tried", "won", "noted", "hit", "running"}


@dataclass
class _Process:
    pid: int
    name: str
    steps: list = field(default_factory=list)           # times
    asleep: tuple = None                                # (t, the variable)
    sleeps: list = field(default_factory=list)          # (t0, t1)
    gone: int = None
    local: dict = field(default_factory=dict)

    @property
    def lane(self):
        return f"task:{self.pid}"


class _Reader:
    def __init__(self, path):
        self.path = path
        self.header = Header()
        self.processes = {}
        self.values = {}
        self.ops = []
        self.steps, self.arrows = [], []
        self.sleepers = {}      # variable -> the process that sleeps by it
        self.states = {}        # of the operations, by their numbers
        self.promise = ""       # what does not hold, as the model has it
        self.broken = ""
        self.looking = False    # a step asked for data, and what it got comes below it
        self.now = 0
        self.last = None        # (process, text) of the step whose values follow
        self.ended = False

    def read(self):
        number = 0
        with open(self.path, encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                self.take(number, line.rstrip("\n"))
        if not self.ended:
            raise Damaged(self.path, number, "the counterexample has no end")
        return self.run()

    def take(self, number, line):
        for pattern, handle in ((STEP, self.step), (VALUE, self.value), (START, self.start),
                                (GONE, self.gone), (BROKEN, self.fails)):
            match = pattern.match(line)
            if match:
                handle(number, match)
                return
        if line.startswith("# "):
            key, _, value = line[2:].partition(": ")
            if key in ("model", "fault"):
                self.header.command += f" {value}" if self.header.command else f"{value}.pml"
            elif key == "does not hold":
                self.promise = value
        elif line.startswith("spin: trail ends"):
            self.ended = True

    def process(self, pid, name=""):
        return self.processes.setdefault(pid, _Process(pid, name))

    def start(self, _, match):
        self.process(int(match["pid"]), match["name"])

    def gone(self, _, match):
        self.process(int(match["pid"])).gone = self.now

    def fails(self, _, match):
        self.broken = self.broken or match["text"]

    def step(self, number, match):
        text = match["text"]
        if self.ended or match["name"] == ":init:" or text == "else" or text.startswith(".("):
            self.last = None
            return
        process = self.process(int(match["pid"]), match["name"])
        self.last = process, SimpleNamespace(line=number, at=int(match["line"]))
        # What only looks is a step where that does not hold any more.
        if text.startswith("(") or text.startswith("assert") and not self.broken:
            return
        if text.startswith("assert"):
            self.tell(process, f"finds that this does not hold: {self.promise or self.broken}")
            return
        key, _, value = text.partition(" = ")
        index = re.match(r"(\w+)\[(\d)\]", key)
        self.assign(process, index[1] if index else key, value, int(index[2]) if index else 0)

    # A state comes as a number here, and by its name below.

    def assign(self, process, key, value, index):
        if key == "got":
            self.looking = True
        elif value in ("ASLEEP", "AWAKE"):
            self.sleep(process, key, value)
        elif key == "data":
            if value != "0" and "-" not in value:
                self.tell(process, "brings data")
        elif key not in QUIET:
            self.tell(process, MEANING.get(f"{key} = {value}", f"sets {key} = {value}"), index)

    def value(self, _, match):
        key, value, index = match["key"], match["value"], int(match["index"] or 0)
        if self.ended or not self.last:
            return
        process = self.last[0]
        if match["pid"]:
            process.local[key] = value
            if key == "got" and self.looking:
                self.looking = False
                self.tell(process, "finds data" if value == "1" else "finds no data")
            return
        before = self.values.get((key, index), "NEW")
        self.values[key, index] = value
        if key == "state" and value != before:
            self.moved(process, index, before, value)

    def tell(self, process, text, index=0):
        self.now += UNIT
        process.steps.append(self.now)
        source = self.last[1]
        ops = tuple(op.n for op in self.ops if not op.ended and op.n == index + 1)
        self.steps.append(Step(self.now, "model", process.lane, ops, source,
                               {"text": f"{{who}} {text} (line {source.at} of the model)."}))

    def moved(self, process, index, before, state):
        op = next((op for op in self.ops if op.n == index + 1), None)
        if not op:
            op = Op(index + 1, Conn(1, (0, 1), 0), index + 1, "recv", 0, 0, NEVER, process.pid,
                    self.now + UNIT, [], NEVER, "read")
            self.ops.append(op)
        self.tell(process, f"moves read {op.n} from {before} to {state}", index)
        self.states[op.n] = state
        if state == "FREE" and not op.ended:
            op.t1, op.end_lane = self.now, process.lane
            op.reason = REASONS.get(self.values.get(("reason", 0)) or process.local.get("why"),
                                    "done")

    def sleep(self, process, key, value):
        if value == "ASLEEP":
            self.sleepers[key] = process
            self.tell(process, "declares itself asleep")
            process.asleep = self.now, key
            return
        sleeper = self.sleepers.get(key)
        self.tell(process, f"wakes {sleeper.name}" if sleeper else
                  "wakes whoever sleeps: nobody does")
        if sleeper and sleeper.asleep:
            sleeper.sleeps.append((sleeper.asleep[0], self.now))
            sleeper.asleep = None
            if sleeper is not process:
                self.arrows.append(Arrow("wake", self.now, process.lane, self.now + UNIT // 2,
                                         sleeper.lane))

    def bars(self, process, end):
        """It runs in its steps, sleeps from its word to somebody else's, and else could run."""
        until = process.gone if process.gone is not None else end
        sleeps = process.sleeps + ([(process.asleep[0], end)] if process.asleep else [])
        t, bars = 0, []
        for begin in process.steps:
            asleep = any(t0 <= t and begin <= t1 + UNIT for t0, t1 in sleeps)
            bars.append(Bar(process.lane, t, begin,
                            "interruptible" if asleep else "idle" if t == 0 else "runnable"))
            bars.append(Bar(process.lane, begin, begin + UNIT // 2, "running"))
            t = begin + UNIT // 2
        if t < until:
            bars.append(Bar(process.lane, t, until, "interruptible" if process.asleep else "idle"))
        return [bar for bar in bars if bar.t1 > bar.t0]

    def told_of(self, op):
        if op.ended:
            how = f"read {op.n}: it ended, {op.reason}"
        else:
            how = f"read {op.n}: it is {self.states[op.n]}, " + \
                ("where the promise is broken" if self.broken else "and stays so")
        return how, "a counterexample of the model: one order of steps, of all that there are", \
            "In the model the guard is taken out, and this is the harm", self.states[op.n]

    def ending(self):
        fault = self.header.command.rpartition(" ")[2]
        how = f"this does not hold: {self.promise or self.broken}" if self.broken else \
            "no step is possible any more, and something still waits"
        return f"Without the guard that {fault} takes out it ends like this: {how}."

    def run(self):
        tasks = {}
        drawn = [process for pid, process in sorted(self.processes.items())
                 if process.name and process.name != ":init:"]
        for process in drawn:
            tasks[process.pid] = Task(process.pid, process.name,
                                      ROLES.get(process.name, "program"))
        end = self.now + 2 * UNIT
        order = ("program", "worker", "timer", "peer")
        lanes = [task.lane for task in sorted(
            tasks.values(), key=lambda task: (order.index(task.role), task.pid))]
        bars = [bar for process in drawn for bar in self.bars(process, end)]
        for op in self.ops:
            op.said = self.told_of(op)
        return Run(self.header, MODEL, tasks, lanes, [], self.ops, bars, self.arrows,
                   self.steps, 0, end, False, 0, self.ending())


def is_trail(path):
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.readline().rstrip("\n") == FORMAT


def read(path):
    """The Run that a counterexample shows; raises Damaged, or OSError."""
    return _Reader(path).read()
