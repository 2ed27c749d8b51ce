# SPDX-License-Identifier: GPL-2.0
"""Why it ended: the rule that is named, and the words, on real recordings and made ones."""

import os
import re
import unittest

from timeline.model import build
from timeline.parse import parse
from timeline.rules import WORDING, rule
from timeline.sentences import course, explain, result, rule_words

from .made import NEVER, Made
from .test_parse import HERE, recording

CONTRACT = os.path.join(HERE, "..", "..", "..", "Documentation", "contract.txt")

# What tools/timeline/work.c does, in this order, on both engines.
WORK = (
    (r"read, conn 1: its data came, 16 bytes$", "C1"),
    (r"read, conn 1: the read deadline fired, .* late, 0 bytes, ETIME; "
     r"data came .* later and read 4 gets it$", "C16"),
    (r"read, conn 1: the read deadline had passed .* before, 0 bytes, ETIME; "
     r"16 bytes of data had come before, and read 4 gets them$", "C19"),
    (r"read, conn 1: data was there, 16 bytes$", "C19"),
    (r"read, conn 1: canceler \d+ canceled it, with all of the connection's read side, "
     r"0 bytes, ECANCELED$", "C30"),
    (r"read, conn 1: shortener \d+ moved the read deadline to a time that has come, .* late, "
     r"0 bytes, ETIME$", "C13"),
    (r"read, conn 1: peer \d+ reset the connection, 0 bytes, ECONNRESET$", "C33"),
    (r"read, conn 2: the peer has closed, end of file, 0 bytes$", "C33"),
    (r"write, conn 3: the write deadline fired, .* late, \d+ of 2097152 bytes, ETIME$", "C5"),
)


def check_work(test, run):
    """A recording of the work says what it should."""
    test.assertEqual([op.n for op in run.by_end], list(range(1, 10)))
    for op, (words, number) in zip(run.by_end, WORK):
        test.assertRegex(result(run, op), words)
        test.assertEqual(rule(op), number, result(run, op))
        how = course(run, op)
        if op.n in (3, 4):
            test.assertIn("before any attempt" if op.n == 3 else "its first attempt", how)
        elif run.engine == "poll":
            test.assertIn("no thread asleep for it", how)
            test.assertFalse(op.blocks or op.interrupt)
        else:
            test.assertRegex(how, r"worker \d+ slept for it, interruptible, ")
            test.assertEqual("SIGHUP" in how, op.n in (2, 5, 6, 9))


class Real(unittest.TestCase):
    def test_the_thread_engine(self):
        check_work(self, build(parse(recording("thread"))))

    def test_the_poll_engine(self):
        check_work(self, build(parse(recording("poll"))))

    def test_a_note_wakes_the_sleeping_worker(self):
        run = build(parse(recording("thread")))
        for number, source in ((2, "irq"), (5, "canceler")):
            op = run.ops[number - 1]
            worker = f"task:{op.interrupt[2]}"
            notes = [a for a in run.arrows if a.kind == "note" and number in a.ops]
            self.assertEqual([a.target for a in notes], [worker])
            name = notes[0].source if source == "irq" else run.task_name(notes[0].source)
            self.assertTrue(name.startswith(source), name)
            asleep = [b for b in run.bars if b.lane == worker and b.state == "interruptible"
                      and b.t1 == notes[0].t0]
            self.assertEqual(len(asleep), 1)
            said = [explain(run, s) for s in run.steps if number in s.ops]
            self.assertTrue(any("SIGHUP, the note," in text for text in said))

    def test_the_poll_engine_has_no_notes(self):
        run = build(parse(recording("poll")))
        self.assertFalse([a for a in run.arrows if a.kind == "note"])
        self.assertTrue([s for s in run.steps if s.kind == "ready"])

    def test_the_peer_is_found(self):
        for engine in ("thread", "poll"):
            run = build(parse(recording(engine)))
            peers = [t.name for t in run.tasks.values() if t.role == "peer"]
            self.assertEqual(peers, ["peer"])
            self.assertEqual(run.task_name(run.lanes[-1])[:5], "peer ")

    def test_each_step_is_a_sentence(self):
        for engine in ("thread", "poll"):
            run = build(parse(recording(engine)))
            for step in run.steps:
                text = explain(run, step)
                self.assertRegex(text, r"^[A-Z].*\.$")
                self.assertNotIn("{", text)

    def test_bars_of_a_lane_do_not_overlap(self):
        for engine in ("thread", "poll"):
            run = build(parse(recording(engine)))
            for lane in run.lanes:
                bars = sorted((b for b in run.bars if b.lane == lane), key=lambda b: b.t0)
                for one, next_one in zip(bars, bars[1:]):
                    self.assertLessEqual(one.t1, next_one.t0)


class Rules(unittest.TestCase):
    def run_of(self, made):
        path = made.write()
        self.addCleanup(os.unlink, path)
        return build(parse(path))

    def check(self, made, number, words, op=-1):
        run = self.run_of(made)
        ended = run.by_end[op]
        self.assertEqual(rule(ended), number, result(run, ended))
        self.assertRegex(result(run, ended), words)
        return run

    def test_the_numbers_are_the_contracts(self):
        with open(CONTRACT, encoding="utf-8") as stream:
            numbers = {line.split("\t")[0] for line in stream}
        self.assertLessEqual(set(WORDING), numbers)

    def test_C12_expiry_is_sticky(self):
        made = Made().attach(10).set_deadline(20, 15_000).submit(30)
        self.check(made.complete(31, "deadline", -62, which=2, late=16_000), "C12",
                   "the read deadline had passed 16 us before")

    def test_C11_its_own_deadline_was_past(self):
        made = Made().attach(10).submit(30, deadline=20_000)
        self.check(made.complete(31, "deadline", -62, which=1, late=11_000), "C11",
                   "its own deadline had passed 11 us before")

    def test_C11_nowait(self):
        made = Made().attach(10).submit(20, flags=4).attempt(21)
        self.check(made.complete(22, "error", -11), "C11", "it would have to wait, and was not to")

    def test_C13_moved_earlier_and_fired_later(self):
        made = Made().attach(10).set_deadline(15, 900_000).waits(20)
        made.set_deadline(100, 200_000, 900_000, pid=11)
        made.irq(205, "cio_deadline_fired: conn=1 id=0 read deadline=200000")
        self.check(made.complete(206, "deadline", -62, which=2, late=6_000, pid=0, flags="d.h1."),
                   "C13", r"moved the read deadline earlier, and it fired, 6 us late")

    def test_C16_is_not_for_one_that_was_moved_later(self):
        made = Made().attach(10).set_deadline(15, 100_000).waits(20)
        made.set_deadline(50, 200_000, 100_000, pid=11)
        self.check(made.complete(206, "deadline", -62, which=2, late=6_000, pid=0, flags="d.h1."),
                   "C16", "the read deadline fired, 6 us late")

    def test_C16_data_came_just_after(self):
        made = Made().connects(5).attach(10).set_deadline(15, 100_000).waits(20)
        made.complete(141, "deadline", -62, which=2, late=41_000, pid=0, flags="d.h1.")
        self.check(made.data(150, 7), "C16", "^read, conn 1: the read deadline fired, 41 us late, "
                   "0 bytes, ETIME; data came 9 us later and is still queued$")

    def test_C21_in_the_queue(self):
        made = Made().attach(10).waits(20).submit(30, id=2, deadline=100_000)
        made.arm(31, id=2, deadline=100_000)
        made.irq(105, "cio_deadline_fired: conn=1 id=2 read deadline=100000")
        self.check(made.complete(106, "deadline", -62, which=1, late=6_000, id=2, pid=0,
                                 flags="d.h1."),
                   "C21", "its own deadline fired while it waited for its turn")

    def test_C30_the_four_ways(self):
        for scope, target, words in (("id", 1, "by its id"), ("cookie", 0, "by its cookie"),
                                     ("conn", 1, "with all of its connection"),
                                     ("all", 0, "with all others")):
            made = Made().attach(10).waits(20).complete(40, "canceled", -125, pid=11)
            made.add(41, f"cio_cancel: {scope} target={target} sides=0x0 ret=1", pid=11)
            self.check(made, "C30", f"canceled it, {words}, 0 bytes, ECANCELED")

    def test_C32_detached(self):
        made = Made().attach(10).waits(20).complete(40, "closed", -9)
        self.check(made.add(41, "cio_detach: conn=1"), "C32", "its connection was detached")

    def test_C34_the_owner_died(self):
        made = Made().attach(10).waits(20)
        made.add(30, "sched_process_exit: comm=made pid=10 prio=120")
        self.check(made.complete(40, "closed", -9), "C34", "its context ended")

    def test_C4_data_in_spite_of_the_deadline(self):
        made = Made().attach(10).set_deadline(15, 100_000).waits(20)
        made.add(90, "cio_run: conn=1 id=1 pid=10").attempt(140, ret=0, moved=5)
        self.check(made.complete(141, moved=5), "C4", "its data came, 5 bytes")

    def test_C7_the_peer_takes_no_more(self):
        made = Made().attach(10).submit(20, opcode="send").attempt(21, ret=-32)
        self.check(made.complete(22, "error", -32, opcode="send"), "C7", "EPIPE")

    def test_C3_tcps_own_timeout(self):
        made = Made().attach(10).waits(20).complete(40, "error", -110)
        self.check(made, "C3", "TCP gave the connection up, 0 bytes, ETIMEDOUT")

    def test_C60_a_bad_buffer(self):
        made = Made().attach(10).submit(20).attempt(21, ret=-14).complete(22, "error", -14)
        self.check(made, "C60", "its buffer cannot be used, 0 bytes, EFAULT")

    def test_C19_nothing_asked_for(self):
        made = Made().attach(10).submit(20, length=0).complete(21)
        self.check(made, "C19", "it asked for nothing, 0 bytes")

    def test_C40_ready(self):
        made = Made().attach(10).submit(20, opcode="wait_ready", length=0).attempt(21, ret=0)
        self.check(made.complete(22, opcode="wait_ready"), "C40", "the socket is ready$")

    def test_data_that_nobody_takes(self):
        made = Made().connects(5).attach(10).set_deadline(12, 11_000).data(15, 9).submit(20)
        self.check(made.complete(21, "deadline", -62, which=2, late=10_000), "C19",
                   "9 bytes of data had come before, and are still queued$")

    def test_what_is_pending_is_said_to_be(self):
        run = self.run_of(Made().attach(10).waits(20))
        self.assertEqual([result(run, op) for op in run.pending],
                         ["read, conn 1: still pending when the recording ended"])
        self.assertEqual(rule_words(run.pending[0]), "")

    def test_numbers_of_two_contexts_at_once_are_noticed(self):
        self.assertFalse(self.run_of(Made().attach(10).waits(20).complete(30)).mixed)
        self.assertTrue(self.run_of(Made().attach(10).attach(12).waits(20)).mixed)

    def test_an_id_may_come_again_when_it_has_ended(self):
        made = Made().attach(10).waits(20).complete(30, moved=1).waits(40).complete(50, moved=2)
        run = self.run_of(made)
        self.assertEqual([(op.n, op.bytes) for op in run.by_end], [(1, 1), (2, 2)])
        self.assertTrue(all(re.match("read, conn 1", result(run, op)) for op in run.ops))

    def test_a_side_that_has_no_deadline_is_not_late(self):
        made = Made().attach(10).waits(20).complete(40, moved=3)
        run = self.check(made, "C1", "its data came, 3 bytes")
        self.assertEqual(run.ops[0].due, NEVER)
