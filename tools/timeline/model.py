# SPDX-License-Identifier: GPL-2.0
"""What a recording says: operations with their ends, threads with their states, and who
woke whom.  No words are made here, see sentences.py; no pixels either, see page.py.
"""

from dataclasses import dataclass, field

from .parse import NEVER
from .sockets import arrival_of, match_sockets

IRQ = "irq"                     # the lane of timers and interrupts
OUTSIDE = "outside"             # the lane of peers that are not on this machine
MODEL = "model"                 # in place of an engine, of a counterexample

READS = ("recv", "recvmsg")
WRITES = ("send", "sendmsg")
NOWAIT, HOLD = 0x4, 0x10        # flags of an operation
MSG_PEEK = 0x2
MORE, LATER = 1, 2              # an attempt: a part was moved; it would wait for no event

# States as the scheduler's event has them, by the first letter.
STATES = {"R": "runnable", "S": "interruptible", "D": "uninterruptible", "I": "idle",
          "T": "stopped", "t": "stopped", "P": "stopped"}
SIGHUP = 1


@dataclass
class Task:
    pid: int
    name: str = ""
    role: str = ""              # program, worker, peer, or "" when of no interest
    owner: int = 0              # of a worker: the process it works for
    kthread: bool = False

    @property
    def lane(self):
        return f"task:{self.pid}"


@dataclass
class Conn:
    n: int                      # in the order of attaching
    raw: tuple                  # its context's number, and its own
    t_attach: int
    fd: int = -1
    pair: tuple = None
    arrivals: list = field(default_factory=list)
    t_detach: int = None
    cause: str = ""             # of its close: detach, shutdown, end, or "" where it is not told
    deadline: dict = field(default_factory=lambda: {"read": NEVER, "write": NEVER})
    taken: list = field(default_factory=list)           # (t, bytes) by reads

    def queued(self, t):
        """Bytes that came until then and that no read has taken; None where unknown."""
        if self.pair is None:
            return None
        came = sum(a.bytes for a in self.arrivals if a.kind == "data" and a.t <= t)
        return max(0, came - sum(n for when, n in self.taken if when <= t))


@dataclass
class Op:
    n: int                      # in the order of submission
    conn: Conn
    id: int
    opcode: str
    len: int
    flags: int
    own_deadline: int
    submitter: int
    t0: int
    behind: list                # operations of its side that were pending at submission
    side_deadline: int          # of its side, at submission
    side: str = ""
    peeks: bool = False         # a read that leaves the data there
    past: list = field(default_factory=list)            # (event, lane): tries and what is between
    interrupt: tuple = None                             # (t, lane, pid)
    moves: list = field(default_factory=list)           # (t, lane, deadline, before)
    fired: tuple = None                                 # (t, own or side)
    cancel: object = None                               # the event of the call
    t1: int = None
    end_lane: str = ""
    reason: str = ""
    bytes: int = 0
    error: int = 0
    which: int = 0
    late: int = 0
    by_end: bool = False        # closed with its context
    due: int = NEVER            # the earlier of its deadlines when it ended
    said: tuple = None          # in a counterexample: the words: result, course, rule, label

    @property
    def ended(self):
        return self.t1 is not None

    def had(self, name):
        """Its events of that name."""
        return [event for event, _ in self.past if event.name == name]

    def last(self, name, before=None):
        """Where in its past the last event of that name is, or -1."""
        past = self.past[:before]
        return max((at for at, (event, _) in enumerate(past) if event.name == name), default=-1)

    @property
    def tries(self):
        return self.had("cio_try")

    @property
    def arms(self):
        return self.had("cio_arm")

    @property
    def runs(self):
        return self.had("cio_run")

    @property
    def blocks(self):
        return self.had("cio_block")

    @property
    def waited(self):
        return bool(self.arms)

    @property
    def at_once(self):
        """No attempt found that it would have to wait."""
        return not self.waited and all(attempt.ret in (0, MORE) for attempt in self.tries)

    @property
    def decided(self):
        """When and where it was decided how it ends."""
        if self.interrupt:
            return self.interrupt[:2]
        return self.t1, self.end_lane


@dataclass
class Bar:
    lane: str
    t0: int
    t1: int
    state: str
    ops: tuple = ()


@dataclass
class Arrow:
    kind: str                   # wake or note (a wake with SIGHUP)
    t0: int
    source: str
    t1: int
    target: str
    ops: tuple = ()


@dataclass
class Step:
    """One event to be explained."""
    t: int
    kind: str
    lane: str
    ops: tuple
    event: object
    more: dict = field(default_factory=dict)


@dataclass
class Run:
    header: object
    engine: str
    tasks: dict
    lanes: list                 # names of lanes, in the order they are drawn
    conns: list
    ops: list
    bars: list
    arrows: list
    steps: list
    t0: int
    t1: int
    mixed: bool                 # contexts that are not told apart had the same numbers at once
    hidden: int                 # other tasks that ran
    ending: str = ""            # of a counterexample: how it goes wrong
    engines: dict = field(default_factory=dict)         # of contexts whose workers were seen

    @property
    def by_end(self):
        return sorted((op for op in self.ops if op.ended), key=lambda op: op.t1)

    @property
    def pending(self):
        return [op for op in self.ops if not op.ended]

    def threads(self, op):
        """Whether a worker sleeps for what waits."""
        engine = self.engines.get(op.conn.raw[0], self.engine)
        return engine == "thread" or engine == "both" and bool(op.blocks)

    def task_name(self, lane):
        if lane == IRQ:
            return "an interrupt"
        if lane == OUTSIDE:
            return "the peer"
        task = self.tasks[int(lane.partition(":")[2])]
        if self.engine == MODEL:
            return task.name
        return f"worker {task.pid}" if task.role == "worker" else f"{task.name} {task.pid}"


def _find_tasks(trace):
    """Everybody who is named, and what they are to us."""
    header = trace.header
    tasks = {pid: Task(pid, name, kthread=pid in header.kthreads)
             for pid, name in header.tasks.items()}

    def name(pid, text):
        task = tasks.setdefault(pid, Task(pid))
        if not text.startswith("<"):
            task.name = text
        return task

    if header.pid:
        name(header.pid, header.command.split(" ")[0].rpartition("/")[2] or "?")
    for event in trace.events:
        kind = event.name
        if kind == "sched_switch":
            name(event.prev_pid, event.prev_comm)
            name(event.next_pid, event.next_comm)
        elif kind == "sched_waking":
            name(event.target, event.comm)
        elif kind == "sched_process_fork":
            child = name(event.child, event.child_comm)
            if event.child_comm.startswith("cancelio/"):
                child.role, child.kthread = "worker", True
        elif kind in ("cio_worker_start", "cio_worker_stop"):
            worker = name(event.pid, event.task)
            worker.role, worker.owner = "worker", event.owner
        elif event.pid and kind in ("cio_submit", "cio_cancel", "cio_deadline_set", "cio_attach",
                                    "cio_reap"):
            task = name(event.pid, event.task)
            task.role = task.role or "program"
    return tasks


class _Builder:
    def __init__(self, trace):
        self.trace = trace
        self.tasks = _find_tasks(trace)
        self.pairs = match_sockets(trace.events)
        self.conns, self.ops = [], []
        self.live_conns, self.live_ops = {}, {}
        self.conn_of_pair = {}
        self.waits_for = {}     # pid -> the operations it waits for or works at
        self.claim = {}         # pid -> the operation its thread sleeps for
        self.steps, self.arrows, self.bars = [], [], []
        self.open = {}          # pid -> (t, state, numbers of operations): its bar
        self.woken = {}         # pid -> the wake that it has not run for yet
        self.asleep = set()
        self.strange = {}       # pid -> its wakes by timers of no concern to us, and their steps
        self.loopback = {}      # processor -> whether what came there last was from here
        self.exiting = set()
        self.timers = {}        # processor -> the step of a timer of ours that came there
        self.readied = {}       # processor -> operations that were just made ready there
        self.mixed = False
        self.engines = {}       # context -> engine
        self.posted = {}        # context -> operations whose completions are in its ring
        self.held = {}          # (context, id) -> one whose completion only its id gets
        self.uses_outside = False

    # Where something happened.

    def lane(self, event):
        if event.in_hardirq or event.pid == 0 and not event.in_softirq:
            return IRQ
        if event.in_softirq:
            # What one sends to this machine arrives before the call has returned.
            task = self.tasks.get(event.pid)
            if task and not task.kthread and self.loopback.get(event.cpu):
                return task.lane
            return IRQ
        task = self.tasks.setdefault(event.pid, Task(event.pid, event.task))
        return IRQ if task.name.startswith(("ksoftirqd", "ktimers")) else task.lane

    def step(self, event, kind, ops=(), lane=None, **more):
        step = Step(event.t, kind, lane or self.lane(event), tuple(op.n for op in ops), event, more)
        self.steps.append(step)
        if step.lane.startswith("task:") and kind != "wakes_up":
            self.strange.pop(int(step.lane[5:]), None)
        bar = step.lane.startswith("task:") and self.open.get(int(step.lane[5:]))
        if bar:
            bar[2].update(step.ops)
        return step

    def op(self, event):
        return self.live_ops.get((event.whose, event.id))

    def happens(self, event, op):
        op.past.append((event, self.lane(event)))

    def side_ops(self, raw, side):
        return [op for (conn, _), op in self.live_ops.items() if conn == raw and op.side == side]

    # One method for each event.

    def cio_attach(self, event):
        if event.whose in self.live_conns:
            self.mixed = True
        conn = Conn(len(self.conns) + 1, event.whose, event.t, event.fd,
                    self.pairs.get((event.whose, event.t)))
        self.conns.append(conn)
        self.live_conns[event.whose] = conn
        if conn.pair:
            self.conn_of_pair[conn.pair] = conn
        self.step(event, "attach", conn=conn)

    def conn(self, raw, t):
        """A connection that was attached before the recording began is met here first."""
        if raw not in self.live_conns:
            conn = Conn(len(self.conns) + 1, raw, t, pair=self.pairs.get((raw, None)))
            self.conns.append(conn)
            self.live_conns[raw] = conn
            if conn.pair:
                self.conn_of_pair[conn.pair] = conn
        return self.live_conns[raw]

    def cio_detach(self, event):
        conn = self.conn(event.whose, event.t)
        conn.t_detach = event.t
        conn.cause = event.cause
        del self.live_conns[event.whose]
        self.step(event, "detach", conn=conn)

    def by_end(self, event, conn):
        """Whether a close is of the whole context; a guess where it is not told."""
        task = self.tasks.get(event.pid)
        return conn.cause != "detach" if conn.cause else \
            event.pid in self.exiting or (task is not None and task.kthread)

    def cio_submit(self, event):
        conn = self.conn(event.whose, event.t)
        if (event.whose, event.id) in self.live_ops:
            self.mixed = True
        side = "write" if event.opcode in WRITES else "read"
        op = Op(len(self.ops) + 1, conn, event.id, event.opcode, event.len, event.flagbits,
                event.deadline, event.pid, event.t, self.side_ops(event.whose, side),
                conn.deadline[side], side)
        op.peeks = side == "read" and bool(event.msg_flags & MSG_PEEK)
        self.ops.append(op)
        self.live_ops[(event.whose, event.id)] = op
        self.waits_for[event.pid] = self.pending_of(event.pid)
        self.work_at(event.pid, op)
        self.step(event, "submit", [op], op=op)

    def cio_try(self, event):
        op = self.op(event)
        if not op:
            return
        if op.side == "read" and not op.peeks:
            op.conn.taken.append((event.t, event.bytes - (op.tries[-1].bytes if op.tries else 0)))
        self.happens(event, op)
        self.step(event, "try", [op], op=op)

    def cio_arm(self, event):
        op = self.op(event)
        if not op:
            return
        op.side = event.side
        self.happens(event, op)
        self.step(event, "arm", [op], op=op)

    def cio_ready(self, event):
        ops = self.side_ops(event.whose, event.side)
        for op in ops:
            self.happens(event, op)
        self.readied[event.cpu] = ops
        self.step(event, "ready", ops, conn=self.conn(event.whose, event.t))

    def work_at(self, pid, op):
        waited = self.waits_for.setdefault(pid, [])
        if op not in waited:
            waited.append(op)
        if pid in self.open:
            self.open[pid][2].add(op.n)

    def cio_run(self, event):
        op = self.op(event)
        self.claim.pop(event.runner, None)
        if op:
            self.happens(event, op)
            self.work_at(event.runner, op)
            self.step(event, "run", [op], op=op)

    def cio_block(self, event):
        op = self.op(event)
        if op:
            self.happens(event, op)
            self.claim[event.runner] = op
            self.work_at(event.runner, op)
            self.step(event, "block", [op], op=op)

    def cio_interrupt(self, event):
        op = self.op(event)
        if op:
            op.interrupt = (event.t, self.lane(event), event.target)
            self.step(event, "interrupt", [op], op=op)

    def cio_deadline_set(self, event):
        conn = self.conn(event.whose, event.t)
        ops = self.side_ops(event.whose, event.side)
        for op in ops:
            op.moves.append((event.t, self.lane(event), event.deadline, event.before))
        conn.deadline[event.side] = event.deadline
        self.step(event, "deadline_set", ops, conn=conn)

    def cio_deadline_fired(self, event):
        if event.id:
            ops = [op for op in [self.op(event)] if op]
        else:
            ops = self.side_ops(event.whose, event.side)
        for op in ops:
            op.fired = (event.t, "own" if event.id else "side")
        timer = self.timers.get(event.cpu)
        if timer:
            timer.ops = tuple(sorted({*timer.ops, *(op.n for op in ops)}))
        self.step(event, "fired", ops, conn=self.conn(event.whose, event.t))

    def cio_deadline_stale(self, event):
        self.step(event, "stale", self.side_ops(event.whose, event.side),
                  conn=self.conn(event.whose, event.t))

    def cio_cancel(self, event):
        lane = self.lane(event)
        ended = []
        for op in self.ops:
            if op.reason == "canceled" and not op.cancel and event.ret > 0 and \
               self.covers(event, op) and (op.decided[1] == lane or len(op.tries) > 0):
                op.cancel = event
                ended.append(op)
        self.step(event, "cancel", ended)

    @staticmethod
    def covers(event, op):
        if event.ctx != op.conn.raw[0]:
            return False
        if event.scope == "id":
            return event.target == op.id
        if event.scope == "conn":
            return event.target == op.conn.raw[1] and \
                (not event.sides or event.sides & (1 if op.side == "read" else 2))
        return True

    def cio_complete(self, event):
        op = self.live_ops.pop((event.whose, event.id), None)
        if op and op.flags & HOLD:
            self.held[event.ctx, event.id] = op
        else:
            self.posted.setdefault(event.ctx, []).append(op)
        if not op:
            return
        op.t1, op.end_lane = event.t, self.lane(event)
        op.reason, op.bytes, op.error = event.reason, event.bytes, event.error
        op.which, op.late = event.which, event.late
        op.due = min(op.own_deadline, op.conn.deadline[op.side])
        op.by_end = self.by_end(event, op.conn)
        self.release(op)
        self.step(event, "complete", [op], op=op)

    def release(self, op):
        """Nobody works at it any more; its submitter still has to be told."""
        for pid in [pid for pid, claimed in self.claim.items() if claimed is op]:
            del self.claim[pid]
        for pid, ops in self.waits_for.items():
            if op in ops and pid != op.submitter:
                ops.remove(op)

    def cio_reap(self, event):
        self.step(event, "reap", self.reaped(event))
        self.waits_for[event.pid] = self.pending_of(event.pid)

    def reaped(self, event):
        """Whose completions: that of one that was held, or the oldest of the ring."""
        if event.reaped is None:
            return [op for op in self.waits_for.get(event.pid, []) if op.ended]
        if event.reaped:
            ops = [self.held.pop((event.ctx, event.reaped), None)]
        else:
            posted = self.posted.get(event.ctx, [])
            ops = posted[:event.count]
            del posted[:event.count]
        return [op for op in ops if op]

    def cio_worker_start(self, event):
        self.engines[event.ctx] = event.engine
        self.step(event, "worker_start")

    def cio_worker_stop(self, event):
        self.step(event, "worker_stop")

    def hrtimer_expire_entry(self, event):
        self.timers[event.cpu] = self.step(event, "timer", lane=IRQ)

    def hrtimer_expire_exit(self, event):
        timer = self.timers.pop(event.cpu, None)
        if timer:
            self.bars.append(Bar(IRQ, timer.t, event.t, "running", timer.ops))

    def arrived(self, event, arrival):
        host = arrival.remote.rpartition(":")[0]
        self.loopback[event.cpu] = host in ("127.0.0.1", "[::1]") or \
            host == arrival.local.rpartition(":")[0]
        conn = self.conn_of_pair.get(arrival.pair)
        if not conn or conn.t_detach or (arrival.kind == "data" and not arrival.bytes):
            return
        conn.arrivals.append(arrival)
        lane = self.lane(event)
        if lane == IRQ:
            lane = OUTSIDE
            self.uses_outside = True
        else:
            task = self.tasks[event.pid]
            task.role = task.role or "peer"
        self.step(event, "arrival", self.side_ops(conn.raw, "read") or self.missed_by(conn),
                  lane=lane, conn=conn, arrival=arrival)

    def missed_by(self, conn):
        """The read that ended just before, with nothing."""
        reads = [op for op in self.ops if op.conn is conn and op.side == "read"]
        return reads[-1:] if reads and reads[-1].ended and reads[-1].error else []

    def signal_generate(self, event):
        task = self.tasks.get(event.target)
        if not task or not task.role:
            return
        op = self.claim.get(event.target)
        self.step(event, "signal", [op] if op else [])
        wake = self.woken.get(event.target)
        if wake and event.sig == SIGHUP and task.role == "worker":
            wake.kind = "note"

    def signal_deliver(self, event):
        if self.tasks.get(event.pid, Task(0)).role == "program":
            self.step(event, "deliver")

    def sched_process_exit(self, event):
        self.exiting.add(event.pid)

    def sched_process_fork(self, event):
        self.begin_bar(event.child, event.t, "runnable")

    def pending_of(self, pid):
        return [op for op in self.waits_for.get(pid, []) if not op.ended]

    def begin_bar(self, pid, t, state):
        self.close_bar(pid, t)
        self.open[pid] = (t, state, {op.n for op in self.waits_for.get(pid, [])})

    def close_bar(self, pid, t):
        begun = self.open.pop(pid, None)
        if begun and begun[1] != "gone" and t > begun[0]:
            self.bars.append(Bar(f"task:{pid}", begun[0], t, begun[1], tuple(sorted(begun[2]))))

    def sched_switch(self, event):
        self.loopback.pop(event.cpu, None)
        self.readied.pop(event.cpu, None)
        if event.prev_pid:
            state = STATES.get(event.state[0], "gone")
            self.begin_bar(event.prev_pid, event.t, state)
            self.sleeps(event, state)
        if event.next_pid:
            self.begin_bar(event.next_pid, event.t, "running")
            self.runs(event)

    def sleeps(self, event, state):
        pid = event.prev_pid
        if state in ("runnable", "gone"):
            return
        self.asleep.add(pid)
        ops = [self.claim[pid]] if pid in self.claim else self.pending_of(pid)
        if pid in self.strange and ops:
            self.sleeps_on(pid)
        elif self.tasks[pid].role in ("program", "worker") and ops:
            self.step(event, "sleep", ops, lane=f"task:{pid}", state=state)
        if state == "idle":
            self.waits_for.pop(pid, None)

    def sleeps_on(self, pid):
        """It was woken by a timer of no concern to us, did nothing, and sleeps again."""
        if pid in self.woken:
            return              # while it was about to
        wakes, steps = self.strange.pop(pid)
        for wake in wakes:
            wake.ops = ()
        self.steps = [step for step in self.steps if not any(step is other for other in steps)]

    def runs(self, event):
        pid = event.next_pid
        wake = self.woken.pop(pid, None)
        was_asleep = pid in self.asleep
        self.asleep.discard(pid)
        if not wake:
            return
        wake.t1 = event.t
        if was_asleep and wake.ops:
            step = self.step(event, "wakes_up", [self.ops[n - 1] for n in wake.ops],
                             lane=f"task:{pid}", after=event.t - wake.t0)
            if pid in self.strange:
                self.strange[pid][1].append(step)

    def sched_waking(self, event):
        pid = event.target
        task = self.tasks.get(pid)
        if not task or pid in self.woken:
            return
        lane = self.lane(event)
        op = self.claim.get(pid)
        ops = [op] if op else list(self.waits_for.get(pid, []))
        if not ops and task.role == "worker":
            ops = self.readied.get(event.cpu, [])
        if self.open.get(pid, (0, ""))[1] not in ("running", "runnable"):
            self.begin_bar(pid, event.t, "runnable")
        wake = Arrow("wake", event.t, lane, event.t, f"task:{pid}", tuple(o.n for o in ops))
        self.woken[pid] = wake
        self.arrows.append(wake)
        if op:
            self.happens(event, op)
        if ops and task.role in ("program", "worker"):
            step = self.step(event, "wake", ops, target=pid)
            if task.role == "program" and event.in_hardirq and event.cpu not in self.timers:
                wakes, steps = self.strange.setdefault(pid, ([], []))
                wakes.append(wake)
                steps.append(step)

    def build(self):
        for event in self.trace.events:
            arrival = arrival_of(event)
            if arrival:
                self.arrived(event, arrival)
            handler = getattr(self, event.name, None)
            if handler:
                handler(event)
        last = self.trace.events[-1].t if self.trace.events else 0
        for pid in list(self.open):
            self.close_bar(pid, last)
        return self.run()

    def frame(self):
        """From the first to the last thing that concerns an operation, and a little more."""
        times = [step.t for step in self.steps if step.ops or step.kind in ("attach", "detach")]
        if not times:
            times = [event.t for event in self.trace.events] or [0]
        return min(times) - 20_000, max(times) + 20_000

    def run(self):
        t0, t1 = self.frame()
        roles = ("program", "worker", "peer")
        seen = {bar.lane for bar in self.bars if bar.t1 > t0 and bar.t0 < t1}
        tasks = sorted((task for task in self.tasks.values() if task.role and task.lane in seen),
                       key=lambda task: (roles.index(task.role), task.pid))
        lanes = [task.lane for task in tasks if task.role != "peer"] + [IRQ] + \
            [task.lane for task in tasks if task.role == "peer"] + \
            ([OUTSIDE] if self.uses_outside else [])
        bars = [Bar(bar.lane, max(bar.t0, t0), min(bar.t1, t1), bar.state, bar.ops)
                for bar in self.bars if bar.lane in lanes and bar.t1 > t0 and bar.t0 < t1]
        arrows = [arrow for arrow in self.arrows if arrow.source in lanes and arrow.target in lanes
                  and arrow.source != arrow.target and t0 <= arrow.t0 and arrow.t1 <= t1]
        steps = [step for step in self.steps if t0 <= step.t <= t1 and step.lane in lanes]
        hidden = sum(1 for task in self.tasks.values() if task.pid and task.lane not in lanes)
        return Run(self.trace.header, self.trace.header.engine, self.tasks, lanes, self.conns,
                   self.ops, bars, arrows, steps, t0, t1, self.mixed, hidden,
                   engines=self.engines)


def build(trace):
    """The Run that a Trace shows."""
    return _Builder(trace).build()
