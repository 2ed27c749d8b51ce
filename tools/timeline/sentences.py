# SPDX-License-Identifier: GPL-2.0
"""The words: why an operation ended, its course, and what a single step is."""

import errno

from .model import IRQ, LATER, MORE, NOWAIT, OUTSIDE, SIGHUP
from .parse import NEVER
from .rules import WORDING, at_entry, in_queue, moved_earlier, rule

VERBS = {"recv": "read", "recvmsg": "read", "send": "write", "sendmsg": "write",
         "wait_ready": "wait for readiness"}
STATE_WORDS = {"interruptible": "interruptible: a signal or a wake-up ends the sleep",
               "uninterruptible": "uninterruptible or killable: its wake-up ends the sleep",
               "idle": "idle", "stopped": "stopped"}
HOUR = 3600 * 10**9
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def duration(ns):
    """Short and readable, in the unit that fits."""
    ns = abs(ns)
    if ns < 1_000:
        return f"{ns} ns"
    if ns < 1_000_000:
        return f"{ns / 1_000:.0f} us"
    if ns < 10_000_000:
        return f"{ns / 1_000_000:.1f} ms"
    if ns < 1_000_000_000:
        return f"{ns / 1_000_000:.0f} ms"
    return f"{ns / 1_000_000_000:.1f} s"


def count(n, what):
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def error_name(error):
    return errno.errorcode.get(-error, str(-error)) if error else ""


def sentence(text):
    """With a capital and a full stop; the rest stays as it is."""
    return f"{text[0].upper()}{text[1:]}."


def verb(op):
    return VERBS.get(op.opcode, op.opcode)


def name(op):
    return f"{verb(op)} {op.n}"


def _who_ended(run, op):
    """Who decided the end of what waited."""
    lane = op.decided[1]
    return "the timer's interrupt" if lane == IRQ else run.task_name(lane)


# What came for the connection after the operation had ended, or was there already.

def _taker(run, op, t):
    """The first later read that took something."""
    return next((other for other in run.by_end if other.conn is op.conn and other.t1 > t and
                 other.side == "read" and other.bytes), None)


def aftermath(run, op):
    """The data that a read which took nothing has left or just missed."""
    if op.side != "read" or op.reason not in ("deadline", "canceled") or op.bytes:
        return ""
    there = op.conn.queued(op.t1)
    if there:
        taker = _taker(run, op, op.t1)
        return f"{count(there, 'byte')} of data had come before, and " + (
            f"read {taker.n} gets them" if taker else
            "went with the connection" if op.conn.t_detach else "are still queued")
    later = next((a for a in op.conn.arrivals if a.kind == "data" and a.t > op.t1), None)
    following = next((other for other in run.ops if other.conn is op.conn and
                      other.side == "read" and other.t0 > op.t1), None)
    if not later or following and following.t0 < later.t and following.waited:
        return ""
    taker = _taker(run, op, later.t)
    return f"data came {duration(later.t - op.t1)} later and " + (
        f"read {taker.n} gets it" if taker else
        "went with the connection" if op.conn.t_detach else "is still queued")


# Why it ended.

def _deadline_words(run, op):
    whose = "its own deadline" if op.which == 1 else f"the {op.side} deadline"
    late = f"{duration(op.late)} late"
    if at_entry(op):
        return f"{whose} had passed {duration(op.late)} before"
    move = moved_earlier(op)
    if move and move[2] <= move[0] + 1000:
        return f"{run.task_name(move[1])} moved {whose} to a time that has come, {late}"
    if move:
        return f"{run.task_name(move[1])} moved {whose} earlier, and it fired, {late}"
    if in_queue(op):
        return f"{whose} fired while it waited for its turn, {late}"
    return f"{whose} fired, {late}"


def _cancel_words(run, op):
    who = _who_ended(run, op)
    if not op.cancel:
        return f"{who} canceled it"
    who = run.task_name(f"task:{op.cancel.pid}")
    what = {"id": "by its id", "cookie": "by its cookie", "all": "with all others",
            "conn": "with all of its connection"}.get(op.cancel.scope, op.cancel.scope)
    if op.cancel.scope == "conn" and op.cancel.sides in (1, 2):
        what = f"with all of the connection's {op.side} side"
    return f"{who} canceled it, {what}"


def _done_words(op):
    if op.opcode == "wait_ready":
        return "the socket is ready"
    if op.side == "read" and not op.bytes:
        return "it asked for nothing" if not op.len else "the peer has closed, end of file"
    if op.side == "write":
        return f"all was accepted{' at once' if op.at_once else ''}"
    return "data was there" if op.at_once else "its data came"


def _error_words(run, op):
    error = error_name(op.error)
    if error == "ECONNRESET":
        reset = next((a for a in op.conn.arrivals if a.kind == "reset"), None)
        who = run.task_name(run_lane(run, reset)) if reset else "the peer"
        return f"{who} reset the connection"
    if error == "EAGAIN" and op.flags & NOWAIT:
        return "it would have to wait, and was not to"
    return {"EPIPE": "the other end takes no more", "EFAULT": "its buffer cannot be used",
            "ETIMEDOUT": "TCP gave the connection up"}.get(error, "the socket reports an error")


def run_lane(run, arrival):
    lane = f"task:{arrival.event.pid}"
    return lane if arrival.event.pid and lane in run.lanes else OUTSIDE


def _why(run, op):
    if op.reason == "deadline":
        return _deadline_words(run, op)
    if op.reason == "canceled":
        return _cancel_words(run, op)
    if op.reason == "closed":
        return "its connection was detached" if not op.by_end else \
            "its context was shut down" if op.conn.cause == "shutdown" else "its context ended"
    return _error_words(run, op) if op.reason == "error" else _done_words(op)


def result(run, op):
    """One sentence: what it was, why it ended, with how much, and what came after."""
    if op.said:
        return op.said[0]
    if not op.ended:
        return f"{verb(op)}, conn {op.conn.n}: still pending when the recording ended"
    size = count(op.bytes, "byte")
    if op.side == "write" and op.bytes < op.len:
        size = f"{op.bytes} of {count(op.len, 'byte')}"
    ends = ["" if op.opcode == "wait_ready" else size, error_name(op.error)]
    text = f"{verb(op)}, conn {op.conn.n}: " + ", ".join([_why(run, op)] + [e for e in ends if e])
    after = aftermath(run, op)
    return f"{text}; {after}" if after else text


def short(op):
    """For the label of a bar."""
    if op.said:
        return op.said[3]
    if not op.ended:
        return "pending"
    words = [error_name(op.error) or ("end of file" if rule(op) == "C33" else ""),
             "" if op.opcode == "wait_ready" else f"{op.bytes} B", rule(op)]
    return " \u00b7 ".join(word for word in words if word)


def rule_words(op):
    if op.said:
        return op.said[2]
    return f"{rule(op)}: {WORDING[rule(op)]}" if op.ended else ""


# Its course: who slept where, what woke it.

def _attempt(n):
    return f"{ORDINALS[n - 1]} attempt" if n <= len(ORDINALS) else f"attempt {n}"


def _place(run, op, at):
    """Where the attempt was made that stands there in its past."""
    event, lane = op.past[at]
    if run.tasks[event.pid].role == "worker":
        return f"in {run.task_name(lane)}"
    armed = any(before.name == "cio_arm" for before, _ in op.past[:at])
    return f"in the waiting thread, {run.task_name(lane)}" if armed else "in the calling thread"


def _again_at_once(op, ret):
    """What made it try again without waiting, after an attempt that returned this."""
    before = _attempt(len(op.tries) - 1)
    return {MORE: f"its {before} had moved a part of it",
            LATER: f"there could be room again right after its {before}"}.get(
                ret, f"an event came during its {before}")


def _again_after_waiting(run, op, between, ret):
    """The same after it was armed, from what was between the two."""
    if ret is None:
        return "its turn came"
    names = [event.name for event, _ in between]
    wakes = [lane for event, lane in between if event.name == "sched_waking"]
    readies = [lane for event, lane in between if event.name == "cio_ready"]
    if wakes:
        what = "for the next attempt" if ret == LATER else "with news from the socket"
        return f"{run.task_name(wakes[-1])} woke it {what}"
    if "cio_block" in names:
        return "an event came before it slept"
    if ret == MORE:
        return f"the turn of its {_attempt(len(op.tries) - 1)} was over"
    if run.threads(op):
        return "the socket was looked at once more now that it was armed"
    return f"{run.task_name(readies[-1])} made it ready" if readies else "its turn came again"


def _again(run, op):
    """What made its last attempt be made: in the words of a clause, or none for the first."""
    last = op.last("cio_try")
    before = op.last("cio_try", last)
    between = op.past[before + 1:last]
    ret = op.past[before][0].ret if before >= 0 else None
    if any(event.name == "cio_arm" for event, _ in between):
        return _again_after_waiting(run, op, between, ret)
    return _again_at_once(op, ret) if before >= 0 else ""


def _decided(op):
    return {"deadline": "the deadline passed", "closed": "the close came",
            "canceled": "the cancel came"}.get(op.reason, "its end came")


def _last_words(run, op):
    """How it ended, where no sleeping worker was interrupted for that."""
    tried, taken, armed = (op.last(name) for name in ("cio_try", "cio_run", "cio_arm"))
    if max(tried, taken) < armed:
        return f"{_who_ended(run, op)} ended it then and there"
    if tried < taken:
        return f"{run.task_name(op.past[taken][1])} took it, and {_decided(op)} before " \
               f"{'another' if tried >= 0 else 'any'} attempt"
    attempt = f"its {_attempt(len(op.tries))}, {_place(run, op, tried)},"
    how = f"{attempt} ended it" if op.reason in ("done", "error") else \
        f"{_decided(op)} during {attempt[:-1]}"
    again = _again(run, op)
    return f"{again}, and {how}" if again else how


def _sleeper_words(run, op):
    begun = op.last("cio_block")
    pid = op.past[begun][0].runner
    wakes = [event for event, _ in op.past[begun:] if event.name == "sched_waking"]
    text = f"worker {pid} slept for it, interruptible" if wakes or len(op.blocks) > 1 else \
        f"worker {pid} was about to sleep for it"
    if len(op.blocks) > 1:
        text += f", {len(op.blocks)} times, the last time"
    if wakes:
        text += f"{' ' if len(op.blocks) > 1 else ', '}" \
                f"{duration(wakes[-1].t - op.past[begun][0].t)}"
    if op.interrupt:
        when = ", which woke it" if wakes else " before it slept"
        return text + f"; {_who_ended(run, op)} won it and sent the worker SIGHUP{when}; " \
                      f"the worker ended it {duration(op.t1 - op.interrupt[0])} later"
    return f"{text}; {_last_words(run, op)}"


def _queue_words(run, op):
    waited = duration(op.decided[0] - op.arms[0].t)
    return f"it waited {waited} in the {op.side} side's queue, with no thread asleep for it; " \
           f"{_last_words(run, op)}"


def course(run, op):
    if op.said:
        return op.said[1]
    submitter = run.task_name(f"task:{op.submitter}")
    if not op.ended:
        return f"{submitter} submitted it"
    if at_entry(op):
        return f"{submitter} submitted it, and it ended before any attempt"
    if not op.waited:
        return f"{submitter} submitted it{';' if len(op.tries) > 1 else ', and'} " \
               f"{_last_words(run, op)}"
    how = _sleeper_words(run, op) if op.blocks else _queue_words(run, op)
    return f"{submitter} submitted it, and it had to wait; {how}"


# Single steps.

CLOSES = {"shutdown": ", for its context is shut down", "end": ", for its context ends"}

def _when(t, deadline):
    if deadline == NEVER:
        return "none"
    ahead = deadline - t
    if abs(ahead) > HOUR:
        return "far off" if ahead > 0 else "long ago"
    return f"in {duration(ahead)}" if ahead > 0 else f"{duration(ahead)} ago"


def _submit(run, step):
    op = step.more["op"]
    deadline = "" if op.own_deadline == NEVER else \
        f", with a deadline of its own {_when(step.t, op.own_deadline)}"
    size = "" if op.opcode == "wait_ready" else f" of up to {count(op.len, 'byte')}" \
        if op.side == "read" else f" of {count(op.len, 'byte')}"
    return f"{{who}} submits {name(op)}, a {verb(op)}{size} on conn {op.conn.n}{deadline}."


def _try(run, step):
    event, op = step.event, step.more["op"]
    if event.ret == -errno.EAGAIN:
        return f"{{who}} tries {name(op)} without blocking: it would have to wait (EAGAIN)."
    if event.ret < 0:
        return f"{{who}} tries {name(op)}: the socket says {error_name(event.ret)}."
    if event.ret == 1:
        return f"{{who}} tries {name(op)}: {count(event.bytes, 'byte')} so far, and more to do."
    return f"{{who}} tries {name(op)}: done, {count(event.bytes, 'byte')}."


def _arm(run, step):
    event, op = step.event, step.more["op"]
    deadline = _when(step.t, min(event.deadline, event.side_deadline))
    return f"{sentence(name(op))[:-1]} waits now, where readiness, a deadline or a cancel can " \
           f"take it; deadline: {deadline}."


def _ready(run, step):
    return f"There may be something to do: the {step.event.side} side of conn " \
           f"{step.more['conn'].n} wants a runner."


def _deadline_set(run, step):
    event = step.event
    return f"{{who}} moves the {event.side} deadline of conn {step.more['conn'].n}: " \
           f"{_when(step.t, event.deadline)} (before: {_when(step.t, event.before)})."


def _fired(run, step):
    event = step.event
    whose = "an operation's own deadline" if event.id else f"the {event.side} deadline"
    return f"The timer has come for {whose} of conn {step.more['conn'].n}: " \
           f"{_when(step.t, event.deadline)}."


def _interrupt(run, step):
    op = step.more["op"]
    return f"{{who}} has won {name(op)}: it leaves the outcome with worker " \
           f"{step.event.target}, which sleeps for it, and sends it SIGHUP."


def _arrival(run, step):
    arrival, conn = step.more["arrival"], step.more["conn"]
    if arrival.kind == "data":
        return f"{{who}} sends: {count(arrival.bytes, 'byte')} come for conn {conn.n}."
    if arrival.kind == "fin":
        return f"{{who}} has closed its end of conn {conn.n}: end of file comes."
    return f"{{who}} resets conn {conn.n}."


def _signal(run, step):
    event = step.event
    sig = "SIGHUP, the note," if event.sig == SIGHUP else f"signal {event.sig}"
    return f"{sig} is on its way to {run.task_name(f'task:{event.target}')}."


def _sleep(run, step):
    if step.more["state"] == "idle":
        return "{who} leaves the processor: there is no more work for it."
    what = ", ".join(name(run.ops[n - 1]) for n in step.ops)
    return f"{{who}} leaves the processor and sleeps for {what} " \
           f"({STATE_WORDS[step.more['state']]})."


def _wake(run, step):
    return f"{{who}} wakes {run.task_name('task:%d' % step.more['target'])}."


def _cancel(run, step):
    ret = step.event.ret
    how = f"it ended {ret}" if ret >= 0 else error_name(ret)
    return f"The cancel of {{who}} returns: {how}."


def _complete(run, step):
    op = step.more["op"]
    return f"{name(op)} ends, by {{who}}. {sentence(result(run, op))} {rule_words(op)}."


def _reap(run, step):
    whose = f": {', '.join(name(run.ops[n - 1]) for n in step.ops)}" \
        if len(step.ops) == step.event.count > 0 else ""
    return f"{{who}} is handed {count(step.event.count, 'completion')}{whose}."


STEPS = {
    "attach": lambda run, step: f"{{who}} attaches a socket: conn {step.more['conn'].n}.",
    "detach": lambda run, step: f"{{who}} closes conn {step.more['conn'].n}" +
                                CLOSES.get(step.event.cause, "") + ".",
    "submit": _submit, "try": _try, "arm": _arm, "ready": _ready,
    "run": lambda run, step: f"{{who}} takes {name(step.more['op'])} to try it.",
    "block": lambda run, step: f"{{who}} declares itself asleep for {name(step.more['op'])}, "
                               f"and looks once more before it is.",
    "interrupt": _interrupt, "deadline_set": _deadline_set, "fired": _fired,
    "stale": lambda run, step: "And nothing was due: the deadline was moved, or what it was "
                               "for has ended.",
    "cancel": _cancel, "complete": _complete, "reap": _reap,
    "worker_start": lambda run, step: "{who} begins, in the program's name.",
    "worker_stop": lambda run, step: "{who} ends.",
    "timer": lambda run, step: "A timer's interrupt comes.",
    "arrival": _arrival, "signal": _signal,
    "deliver": lambda run, step: f"{{who}} takes signal {step.event.sig}.",
    "sleep": _sleep, "wake": _wake,
    "model": lambda run, step: step.more["text"],
    "wakes_up": lambda run, step: f"{{who}} runs again, {duration(step.more['after'])} after "
                                  f"it was woken.",
}


def explain(run, step):
    """One step in a sentence, or two."""
    who = "the timer's interrupt" if step.lane == IRQ and step.kind in (
        "complete", "interrupt") else run.task_name(step.lane)
    text = STEPS[step.kind](run, step).replace("{who}", who)
    return text[0].upper() + text[1:]
