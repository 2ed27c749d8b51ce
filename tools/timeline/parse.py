# SPDX-License-Identifier: GPL-2.0
"""A recording as it stands in its file: the header, and one event a line.

The file is what record.sh writes.  What is not understood is damage, and names its line;
only events that nobody here asks about are passed over.
"""

import re
from dataclasses import dataclass, field

FORMAT = "# cio-timeline 1"
NEVER = (1 << 63) - 1


class Damaged(Exception):
    """A file that is not, or not any more, what was recorded."""

    def __init__(self, path, line, what):
        super().__init__(f"{path}:{line}: {what}")
        self.line = line


@dataclass
class Header:
    kernel: str = ""
    date: str = ""
    command: str = ""
    pid: int = 0
    exit: int = 0
    engine: str = ""
    clock: str = ""
    events: str = ""
    lacking: str = ""
    lost: dict = field(default_factory=dict)
    tasks: dict = field(default_factory=dict)
    kthreads: set = field(default_factory=set)
    lines: int = -1

    @property
    def lost_events(self):
        return sum(self.lost.values())


@dataclass
class Event:
    line: int
    task: str
    pid: int
    cpu: int
    flags: str
    t: int                      # ns of CLOCK_MONOTONIC
    name: str
    fields: dict

    @property
    def in_hardirq(self):
        return any(c in "hHzZ" for c in self.flags[2:4])

    @property
    def in_softirq(self):
        return "s" in self.flags[2:4]

    @property
    def whose(self):
        """A connection: its context's number, and its own."""
        return self.ctx, self.conn

    def __getattr__(self, key):
        fields = self.__dict__["fields"]
        if key not in fields and key not in ABSENT:
            raise AttributeError(key)
        return fields[key] if key in fields else ABSENT[key]


@dataclass
class Trace:
    path: str
    header: Header
    events: list


LINE = re.compile(r"^ *(?P<task>.*)-(?P<pid>\d+) +(?:\([ \d-]+\) +)?\[(?P<cpu>\d+)\] "
                  r"(?P<flags>[^ ]{4,8}) +(?P<s>\d+)\.(?P<us>\d{6}): (?P<name>\w+): ?(?P<rest>.*)$")
LOST = re.compile(r"^CPU:(\d+) \[LOST (\d+ )?EVENTS\]")

_CONN = r"conn=(?P<conn>\d+)"
_OP = _CONN + r" id=(?P<id>\d+)"
_CTX = r"(?: ctx=(?P<ctx>\d+))?"
_SOCK = r"sport=(?P<sport>\d+) dport=(?P<dport>\d+) saddr=(?P<saddr>\S+) daddr=(?P<daddr>\S+) " \
        r"saddrv6=(?P<saddrv6>\S+) daddrv6=(?P<daddrv6>\S+)"

# The fields of the events that are made use of.
PATTERNS = {name: re.compile(pattern) for name, pattern in {
    "cio_submit": _OP + r" (?P<opcode>\S+) user_data=(?P<user_data>\d+) len=(?P<len>\d+) "
                  r"flags=(?P<flagbits>\S+) deadline=(?P<deadline>-?\d+)"
                  r"(?: msg_flags=(?P<msg_flags>\S+))?" + _CTX,
    "cio_try": _OP + r" bytes=(?P<bytes>\d+) ret=(?P<ret>-?\d+)" + _CTX,
    "cio_arm": _OP + r" (?P<side>read|write) deadline=(?P<deadline>-?\d+) "
               r"side_deadline=(?P<side_deadline>-?\d+)" + _CTX,
    "cio_ready": _CONN + r" (?P<side>read|write)" + _CTX,
    "cio_run": _OP + r" pid=(?P<runner>\d+)" + _CTX,
    "cio_block": _OP + r" pid=(?P<runner>\d+)" + _CTX,
    "cio_interrupt": _OP + r" pid=(?P<target>\d+)" + _CTX,
    "cio_deadline_set": _CONN + r" (?P<side>read|write) deadline=(?P<deadline>-?\d+) "
                        r"before=(?P<before>-?\d+)" + _CTX,
    "cio_deadline_fired": _OP + r" (?P<side>read|write) deadline=(?P<deadline>-?\d+)" + _CTX,
    "cio_deadline_stale": _CONN + r" (?P<side>read|write)" + _CTX,
    "cio_cancel": r"(?P<scope>\S+) target=(?P<target>\d+) sides=(?P<sides>\S+) "
                  r"ret=(?P<ret>-?\d+)" + _CTX,
    "cio_complete": _OP + r" (?P<opcode>\S+) user_data=(?P<user_data>\d+) (?P<reason>\S+) "
                    r"bytes=(?P<bytes>\d+) error=(?P<error>-?\d+) which=(?P<which>\d+) "
                    r"late=(?P<late>-?\d+)" + _CTX,
    "cio_reap": r"count=(?P<count>\d+)(?: id=(?P<reaped>\d+))?" + _CTX,
    "cio_attach": _CONN + r" fd=(?P<fd>-?\d+)(?: cookie=(?P<cookie>\S+) inode=\d+)?" + _CTX,
    "cio_detach": _CONN + r"(?: cause=(?P<cause>\S+))?" + _CTX,
    "cio_worker_start": r"owner=(?P<owner>\d+) engine=(?P<engine>\S+)" + _CTX,
    "cio_worker_stop": r"owner=(?P<owner>\d+) engine=(?P<engine>\S+)" + _CTX,
    "sched_switch": r"prev_comm=(?P<prev_comm>.*?) prev_pid=(?P<prev_pid>\d+) prev_prio=-?\d+ "
                    r"prev_state=(?P<state>\S+) ==> next_comm=(?P<next_comm>.*?) "
                    r"next_pid=(?P<next_pid>\d+) next_prio=-?\d+",
    "sched_waking": r"comm=(?P<comm>.*?) pid=(?P<target>\d+) prio=-?\d+",
    "sched_process_fork": r"comm=(?P<comm>.*?) pid=(?P<parent>\d+) child_comm=(?P<child_comm>.*?) "
                          r"child_pid=(?P<child>\d+)",
    "sched_process_exit": r"comm=(?P<comm>.*?) pid=(?P<target>\d+)",
    "signal_generate": r"sig=(?P<sig>\d+) errno=(?P<errno>-?\d+) code=(?P<code>-?\d+) "
                       r"comm=(?P<comm>.*?) pid=(?P<target>\d+)",
    "signal_deliver": r"sig=(?P<sig>\d+)",
    "hrtimer_expire_entry": r"hrtimer=(?P<timer>\S+) function=(?P<function>\S+)",
    "hrtimer_expire_exit": r"hrtimer=(?P<timer>\S+)",
    "tcp_probe": r"(?:family=\S+ )?src=(?P<local>\S+) dest=(?P<remote>\S+) "
                 r".*?data_len=(?P<bytes>\d+)(?:.*? sock_cookie=(?P<cookie>\S+))?",
    "tcp_receive_reset": r"(?:family=\S+ )?" + _SOCK + r"(?: sock_cookie=(?P<cookie>\S+))?",
    "tcp_send_reset": r"",
    "inet_sock_set_state": r"family=\S+ protocol=(?P<protocol>\S+) " + _SOCK +
                           r" oldstate=(?P<oldstate>\S+) newstate=(?P<newstate>\S+)",
}.items()}

# What older modules and kernels do not say, and what is taken for it.
ABSENT = {"ctx": 0, "msg_flags": 0, "cookie": "", "cause": "", "reaped": None}

# Words that stay words; all other fields are whole numbers.
WORDS = {"opcode", "side", "scope", "reason", "engine", "state", "comm", "prev_comm", "next_comm",
         "child_comm", "timer", "function", "local", "remote", "protocol", "oldstate", "newstate",
         "saddr", "daddr", "saddrv6", "daddrv6", "cookie", "cause"}


def _fields(match):
    return {key: value if key in WORDS else int(value, 0)
            for key, value in match.groupdict().items() if value is not None}


class _Reader:
    def __init__(self, path, lines):
        self.path = path
        self.lines = lines
        self.number = 0
        self.header = Header()
        self.events = []
        self.seen = 0

    def damaged(self, what, number=None):
        return Damaged(self.path, number or self.number, what)

    def read(self):
        for self.number, text in enumerate(self.lines, 1):
            text = text.rstrip("\n")
            if self.number == 1:
                if text != FORMAT:
                    raise self.damaged(f'not a recording: it begins without "{FORMAT}"')
            elif text.startswith("# ") or text == "#":
                self.read_header(text[2:])
            else:
                self.seen += 1
                self.read_event(text)
        self.check_whole()
        self.events.sort(key=lambda event: event.t)
        return Trace(self.path, self.header, self.events)

    def read_header(self, text):
        key, colon, value = text.partition(":")
        value = value.strip()
        header = self.header
        if self.seen:
            raise self.damaged("a line of the header among the events")
        if not colon:
            raise self.damaged("not a line of the header")
        try:
            if key == "lost":
                cpu, count = value.split()
                header.lost[cpu] = int(count)
            elif key == "task":
                self.read_task(value)
            elif key in ("pid", "exit", "lines"):
                setattr(header, key, int(value))
            elif key in ("kernel", "date", "command", "engine", "clock", "events", "lacking"):
                setattr(header, key, value)
        except ValueError:
            raise self.damaged(f'"{value}" is no value for "{key}"') from None

    def read_task(self, value):
        pid, _, name = value.partition(" ")
        if name.endswith(" kthread"):
            name = name[:-len(" kthread")]
            self.header.kthreads.add(int(pid))
        self.header.tasks[int(pid)] = name

    def read_event(self, text):
        lost = LOST.match(text)
        if lost:
            cpu = f"cpu{lost[1]}"
            self.header.lost[cpu] = max(self.header.lost.get(cpu, 0), int(lost[2] or 1))
            return
        match = LINE.match(text)
        if not match:
            raise self.damaged("not an event")
        name = match["name"]
        pattern = PATTERNS.get(name)
        if not pattern:
            if name.startswith("cio_"):
                raise self.damaged(f"an event {name}, which is not known")
            return
        fields = pattern.match(match["rest"])
        try:
            values = _fields(fields) if fields else None
        except ValueError:
            values = None
        if values is None:
            raise self.damaged(f"the fields of {name} are not as they should be")
        self.events.append(Event(self.number, match["task"], int(match["pid"]), int(match["cpu"]),
                                 match["flags"], int(match["s"]) * 10**9 + int(match["us"]) * 1000,
                                 name, values))

    def check_whole(self):
        if not self.number:
            raise self.damaged("the file is empty", 1)
        if self.header.lines < 0:
            raise self.damaged("the header does not say how many lines follow")
        if self.header.clock != "mono":
            raise self.damaged(f'the clock is "{self.header.clock}", not mono')
        if self.seen != self.header.lines:
            raise self.damaged(f"{self.header.lines} lines were recorded, {self.seen} are here")


def parse(path):
    """The Trace in a file; raises Damaged, or OSError."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        return _Reader(path, stream).read()
