# SPDX-License-Identifier: GPL-2.0
"""Counterexamples of the models are read as what they are, and told step by step."""

import os
import subprocess
import tempfile
import unittest

from timeline import trail
from timeline.parse import Damaged
from timeline.sentences import explain, result

from .test_parse import HERE, TOOL

# Two threads: one sleeps, the other wakes it.
MADE = """# cio-trail 1
# model: made
# fault: FAULT_MADE
Starting submitter with pid 1
Starting worker with pid 2
  1:\tproc  1 (submitter:1) made.pml:10 (state 1)\t[state = 3]
\t\tstate = RUNNING
  2:\tproc  1 (submitter:1) made.pml:11 (state 2)\t[task = ASLEEP]
\t\ttask = ASLEEP
  3:\tproc  2 (worker:1) made.pml:20 (state 1)\t[state = 1]
\t\tstate = FREE
  4:\tproc  2 (worker:1) made.pml:21 (state 2)\t[task = AWAKE]
\t\ttask = AWAKE
  5: proc 2 terminates
  6:\tproc  1 (submitter:1) made.pml:12 (state 3)\t[done = 1]
spin: trail ends after 6 steps
#processes: 2
\t\tstate = FREE
"""


def counterexample(name):
    return os.path.join(HERE, f"{name}.trail")


def told(run):
    return [explain(run, step) for step in run.steps]


def made(text=MADE):
    with tempfile.NamedTemporaryFile("w", suffix=".trail") as stream:
        stream.write(text)
        stream.flush()
        return trail.read(stream.name)


class Trail(unittest.TestCase):
    def in_order(self, run, *parts):
        """Steps with these words come one after the other, though not next to each other."""
        steps = iter(told(run))
        for part in parts:
            self.assertTrue(any(part in step for step in steps), part)

    def test_an_event_that_no_mark_is_looked_for(self):
        run = trail.read(counterexample("event-during-try"))
        self.in_order(run, "Submitter moves read 1 from NEW to RUNNING", "Submitter finds no data",
                      "Socket brings data", 'Socket leaves the mark "again"',
                      "Submitter moves read 1 from RUNNING to QUEUED",
                      "Submitter declares itself asleep")
        self.assertIn("FAULT_NO_AGAIN", run.ending)
        self.assertIn("no step is possible any more", run.ending)
        self.assertEqual([op.ended for op in run.ops], [False])
        last = [bar for bar in run.bars if bar.lane == run.steps[-1].lane][-1]
        self.assertEqual((last.state, last.t1), ("interruptible", run.t1))

    def test_a_timer_that_is_believed(self):
        run = trail.read(counterexample("old-timer"))
        self.in_order(run, "Clock passes", "Submitter sets the timer",
                      "Side_timer takes what has expired", "Mover moves the deadline",
                      "Side_timer moves read 1 from QUEUED to ENDING",
                      "Side_timer finds that this does not hold: why != DEADLINE || !never_passes")
        self.assertIn("why != DEADLINE || !never_passes", run.ending)
        self.assertEqual(result(run, run.ops[0]),
                         "read 1: it is ENDING, where the promise is broken")

    def test_who_wakes_whom(self):
        run = made()
        self.assertEqual([(arrow.source, arrow.target) for arrow in run.arrows],
                         [("task:2", "task:1")])
        self.in_order(run, "Submitter declares itself asleep", "Worker moves read 1 from RUNNING "
                      "to FREE", "Worker wakes submitter", "Submitter tells the submitter")
        self.assertEqual(run.ops[0].reason, "done")
        asleep = [bar for bar in run.bars if bar.state == "interruptible"]
        self.assertEqual({bar.lane for bar in asleep}, {"task:1"})
        self.assertGreaterEqual(run.arrows[0].t0, asleep[-1].t0)

    def test_each_step_is_a_sentence_and_bars_do_not_overlap(self):
        for name in ("event-during-try", "old-timer"):
            run = trail.read(counterexample(name))
            for text in told(run):
                self.assertRegex(text, r"^[A-Z].*\(line \d+ of the model\)\.$")
                self.assertNotIn("{", text)
            for lane in run.lanes:
                bars = sorted((bar for bar in run.bars if bar.lane == lane),
                              key=lambda bar: bar.t0)
                for one, following in zip(bars, bars[1:]):
                    self.assertLessEqual(one.t1, following.t0)

    def test_one_without_its_end_is_refused(self):
        with self.assertRaises(Damaged):
            made(MADE.partition("spin: trail ends")[0])

    def test_why_tells_it(self):
        done = subprocess.run([TOOL, "why", counterexample("event-during-try")], text=True,
                              stdout=subprocess.PIPE, check=True)
        self.assertIn("read 1: it is QUEUED, and stays so", done.stdout)
