# SPDX-License-Identifier: GPL-2.0
"""Which promise of the contract decided how an operation ended.

Documentation/contract.txt has the promises in full; here is what of each a student needs
at the moment when it decides.
"""

from .model import NOWAIT, READS

WORDING = {
    "C1": "readiness came first, and an operation completes exactly once",
    "C3": "ETIMEDOUT is TCP's own time-out, never a deadline's",
    "C2": "a completion says its error and its bytes, each by itself",
    "C4": "what did move its data reports success, even when the deadline passed meanwhile",
    "C5": "a stream write goes on until all is accepted, or ends with the exact count",
    "C7": "a write to a closed peer is EPIPE, and raises no SIGPIPE",
    "C11": "now and the past are expired, and none never is; NOWAIT tries once",
    "C12": "expiry is sticky until the deadline is moved",
    "C13": "a deadline moved earlier ends what is pending at the new time",
    "C16": "the kernel enforces deadlines by itself, whatever the program does",
    "C19": "checks at the start go closed, deadline, I/O",
    "C21": "what waits for its turn meets its deadline, cancel and close at its own time",
    "C30": "a cancel ends what it names before it returns",
    "C32": "a detach ends both sides with CLOSED before it returns",
    "C33": "the peer's close is end of file; a reset is an error",
    "C34": "the end of a context ends all that is pending",
    "C40": "wait-ready reports the events that are there",
    "C42": "an empty datagram is a result",
    "C60": "a bad buffer of an operation is its own error, EFAULT",
}

ECONNRESET, EPIPE, EFAULT, ETIMEDOUT, EAGAIN = 104, 32, 14, 110, 11


def at_entry(op):
    """Ended when it started, without an attempt."""
    return not op.tries and not op.arms


def in_queue(op):
    """It never had its turn: others of its side were before it."""
    return op.arms and not op.runs and any(
        not other.ended or other.t1 >= op.t1 for other in op.behind)


def moved_earlier(op):
    """The last time that its deadline was, while it was pending; or None."""
    moves = [move for move in op.moves if move[2] < move[3] and move[0] <= op.decided[0]]
    return moves[-1] if moves and op.which == 2 else None


def _deadline(op):
    if at_entry(op):
        if op.which == 1:
            return "C11"
        # With data there, the order of the checks is what one sees.
        return "C19" if op.conn.queued(op.t1) else "C12"
    if in_queue(op):
        return "C21"
    if moved_earlier(op):
        return "C13"
    if op.side == "write" and op.bytes:
        return "C5"
    return "C16"


def _done(op):
    if op.opcode == "wait_ready":
        return "C40"
    if op.side == "read" and not op.bytes:
        if not op.len:
            return "C19"
        return "C33" if op.conn.pair or op.opcode in READS else "C42"
    if op.fired or op.due <= op.t1:
        return "C4"
    if op.side == "write":
        return "C5"
    return "C19" if op.at_once else "C1"


def _error(op):
    error = -op.error
    if error == EPIPE:
        reset = any(a.kind == "reset" for a in op.conn.arrivals)
        return "C33" if reset else "C7"
    return {ECONNRESET: "C33", EFAULT: "C60", ETIMEDOUT: "C3",
            EAGAIN: "C11" if op.flags & NOWAIT else "C2"}.get(error, "C2")


def rule(op):
    """The number of the promise."""
    if op.reason == "deadline":
        return _deadline(op)
    if op.reason == "canceled":
        return "C21" if in_queue(op) else "C30"
    if op.reason == "closed":
        return "C34" if op.by_end else "C32"
    return _error(op) if op.reason == "error" else _done(op)
