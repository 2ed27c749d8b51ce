# SPDX-License-Identifier: GPL-2.0
"""What newer modules say: which context, which socket, which completions, and why a close."""

import os
import unittest

from timeline.model import build
from timeline.parse import parse
from timeline.rules import rule
from timeline.sentences import course, explain, result

from .made import Made


class Base(unittest.TestCase):
    def run_of(self, made):
        """In which task 10 runs all the time, so that it has a lane."""
        path = made.switch(1, following=10).switch(100, prev=10).write()
        self.addCleanup(os.unlink, path)
        return build(parse(path))


class Contexts(Base):
    def test_two_with_the_same_numbers_are_kept_apart(self):
        made = Made(ctx=1).attach(10).of(2).attach(12)
        made.of(1).waits(20).of(2).waits(30)
        made.of(1).set_deadline(40, 90_000).of(2).complete(50, moved=5)
        made.of(1).complete(95, "deadline", -62, which=2, late=5_000, pid=0, flags="d.h1.")
        run = self.run_of(made)
        self.assertFalse(run.mixed)
        self.assertEqual([(op.n, op.conn.n, op.reason) for op in run.by_end],
                         [(2, 2, "done"), (1, 1, "deadline")])
        self.assertEqual([conn.raw for conn in run.conns], [(1, 1), (2, 1)])
        self.assertEqual([len(op.moves) for op in run.ops], [1, 0])

    def test_a_cancel_is_of_its_context(self):
        made = Made(ctx=1).attach(10).waits(20).of(2).attach(22).waits(30)
        made.complete(40, "canceled", -125, pid=12)
        made.of(1).complete(41, "canceled", -125, pid=12)
        made.of(2).add(42, "cio_cancel: all target=0 sides=0x0 ret=1", pid=12)
        run = self.run_of(made)
        self.assertEqual([op.cancel is not None for op in run.ops], [False, True])

    def test_engines_of_both_kinds(self):
        made = Made("both", ctx=1).worker(5, engine="thread").attach(10)
        made.submit(20).attempt(21).arm(22).ready(23, pid=10).taken(30, pid=11)
        made.attempt(31, ret=0, moved=5, pid=11).complete(32, moved=5, pid=11)
        run = self.run_of(made)
        self.assertIn("the socket was looked at once more", course(run, run.ops[0]))

    def test_completions_that_are_handed_out(self):
        made = Made(ctx=1).attach(10).of(2).attach(11).submit(15).attempt(16, ret=0, moved=1)
        made.complete(17, moved=1).of(1)
        for id, flags in ((1, 0), (2, 0x10), (3, 0), (4, 0)):
            made.submit(20 + id, id=id, flags=flags)
            made.complete(30 + id, id=id, moved=1)
        made.reap(40, count=2).reap(41, id=2).reap(42).of(2).reap(43)
        run = self.run_of(made)
        reaps = [step for step in run.steps if step.kind == "reap"]
        self.assertEqual([step.ops for step in reaps], [(2, 4), (3,), (5,), (1,)])
        self.assertEqual([explain(run, step).partition(" is ")[2] for step in reaps], [
            "handed 2 completions: read 2, read 4.", "handed 1 completion: read 3.",
            "handed 1 completion: read 5.", "handed 1 completion: read 1."])

    def test_the_causes_of_a_close(self):
        for cause, words, number, closes in (
                ("detach", "its connection was detached", "C32", ""),
                ("shutdown", "its context was shut down", "C34", ", for its context is shut down"),
                ("end", "its context ended", "C34", ", for its context ends")):
            made = Made(ctx=1).attach(10).waits(20).add(40, f"cio_detach: conn=1 cause={cause}")
            run = self.run_of(made.complete(41, "closed", -9))
            self.assertIn(words, result(run, run.ops[0]))
            self.assertEqual(rule(run.ops[0]), number)
            said = [explain(run, step) for step in run.steps if step.kind == "detach"]
            self.assertEqual(said, [f"Made 10 closes conn 1{closes}."])


class Sockets(Base):
    def test_found_by_the_cookie(self):
        made = Made(ctx=1).attach(10, cookie="1f").attach(11, conn=2, cookie="20")
        made.set_deadline(12, 11_000).data(15, 9, cookie="1f").submit(20)
        made.complete(21, "deadline", -62, which=2, late=10_000)
        run = self.run_of(made)
        self.assertEqual([conn.pair and conn.pair[0] for conn in run.conns],
                         ["127.0.0.1:1000", None])
        self.assertIn("9 bytes of data had come before", result(run, run.ops[0]))

    def test_the_cookie_is_believed_more_than_the_order_of_events(self):
        made = Made(ctx=1).connects(5).attach(10, cookie="1f").attach(11, conn=2, cookie="20")
        run = self.run_of(made.data(15, 9, cookie="20"))
        self.assertEqual([conn.pair is not None for conn in run.conns], [False, True])

    def test_a_peek_takes_nothing(self):
        for flags, left in ((0, 0), (2, 9)):
            made = Made(ctx=1).attach(10, cookie="1f").data(15, 9, cookie="1f")
            made.submit(20, msg_flags=flags).attempt(21, ret=0, moved=9).complete(22, moved=9)
            run = self.run_of(made)
            self.assertEqual(run.conns[0].queued(30_000), left)
