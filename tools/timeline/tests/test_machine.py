# SPDX-License-Identifier: GPL-2.0
"""A real recording of the work on both engines, in the throwaway machine."""

import errno
import os
import subprocess
import tempfile
import unittest

from timeline import trail
from timeline.model import build
from timeline.parse import parse

from .test_parse import TOOL
from .test_sentences import check_work

TOP = os.path.realpath(os.path.join(os.path.dirname(TOOL), ".."))
OUT = os.path.join(TOP, "build", "timeline")


class Machine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run([os.path.join(TOP, "tools", "timeline", "show"), "work"], check=True)

    def check(self, engine):
        run = build(parse(os.path.join(OUT, f"{engine}.trace")))
        self.assertEqual(run.engine, engine)
        self.assertEqual(run.header.exit, 0)
        self.assertEqual(run.header.lost_events, 0)
        self.assertFalse(run.mixed)
        self.assertEqual({conn.raw[0] for conn in run.conns}, {1})
        self.assertTrue(all(conn.pair and conn.cause for conn in run.conns))
        self.assertEqual(sorted(n for step in run.steps if step.kind == "reap" for n in step.ops),
                         [op.n for op in run.ops])
        check_work(self, run)

    def test_the_thread_engine(self):
        self.check("thread")

    def test_the_poll_engine(self):
        self.check("poll")

    def test_two_programs_at_once_are_kept_apart(self):
        with tempfile.TemporaryDirectory() as scratch:
            file = os.path.join(scratch, "two.trace")
            subprocess.run(
                [TOOL, "record", "--machine", "--kernel", os.environ.get("KERNEL", "6.12"),
                 "--add", os.path.join(OUT, "work") + ":/bin/work", "-o", file, "--", "sh", "-c",
                 "work --engine thread & work --engine poll; wait"], check=True)
            run = build(parse(file))
        self.assertFalse(run.mixed)
        self.assertEqual(sorted(run.engines.values()), ["poll", "thread"])
        numbers = []
        for ctx in run.engines:
            ops = [op for op in run.ops if op.conn.raw[0] == ctx]
            self.assertEqual(len({op.submitter for op in ops}), 1)
            self.assertTrue(all(op.ended for op in ops))
            self.assertEqual(bool([op for op in ops if op.blocks]), run.engines[ctx] == "thread")
            numbers.append({(op.conn.raw[1], op.id) for op in ops})
        self.assertTrue(numbers[0] & numbers[1])

    def test_events_are_lost_from_a_small_buffer_and_it_says_so(self):
        with tempfile.TemporaryDirectory() as scratch:
            file = os.path.join(scratch, "lost.trace")
            done = subprocess.run(
                [TOOL, "record", "--machine", "--kernel", os.environ.get("KERNEL", "6.12"),
                 "--buffer", "8", "-o", file, "--", os.path.join(OUT, "work")],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertRegex(done.stdout, r"[1-9]\d* events are lost: record again")
            self.assertGreater(parse(file).header.lost_events, 0)
            why = subprocess.run([TOOL, "why", file], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, check=True)
            self.assertIn("events are lost, so this is not all that happened", why.stderr)

    def test_the_exit_code_is_the_commands(self):
        with tempfile.TemporaryDirectory() as scratch:
            file = os.path.join(scratch, "fails.trace")
            done = subprocess.run(
                [TOOL, "record", "--machine", "--kernel", os.environ.get("KERNEL", "6.12"),
                 "-o", file, "--", "sh", "-c", "exit 7"], check=False)
            self.assertEqual(done.returncode, 7)
            self.assertEqual(build(parse(file)).header.exit, 7)


class Model(unittest.TestCase):
    """The shortest counterexample of a model, and the race on the module, which has the guard."""

    def test_an_event_during_an_attempt(self):
        subprocess.run([os.path.join(TOP, "tools", "timeline", "show"), "model",
                        "event-during-try"], check=True)
        harm = trail.read(os.path.join(OUT, "event-during-try.trail"))
        self.assertFalse(harm.ops[0].ended)
        self.assertIn("no step is possible any more", harm.ending)
        run = build(parse(os.path.join(OUT, "event-during-try-poll.trace")))
        read = run.ops[0]
        self.assertEqual([attempt.ret for attempt in read.tries], [-errno.EAGAIN, 0])
        self.assertEqual((read.reason, read.bytes, read.waited), ("done", 16, False))


class Here(unittest.TestCase):
    """What is lacking here is said, with 2; nothing is recorded on this machine."""

    def refused(self, command, **more):
        done = subprocess.run([TOOL, "record", "-o", os.devnull] + command, text=True,
                              stderr=subprocess.PIPE, check=False, **more)
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr

    @unittest.skipIf(os.path.exists("/sys/module/cancelio"), "the module is loaded here")
    @unittest.skipIf(os.getuid(), "not root")
    def test_without_the_module(self):
        self.assertIn("the module is not loaded: modprobe cancelio, or use --machine",
                      self.refused(["--", "true"]))

    @unittest.skipIf(os.getuid(), "only root can be another user")
    def test_without_permission(self):
        if subprocess.run([TOOL, "--help"], user=65534, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("nobody else can run what is here")
        said = self.refused(["--", "true"], user=65534)
        self.assertIn("no permission to trace", said)

    def test_without_a_command(self):
        self.assertIn("COMMAND", self.refused([]))

    def test_a_command_that_is_not_there(self):
        self.assertIn("no such command: nowhere-to-be-found",
                      self.refused(["--", "nowhere-to-be-found"]))

    def test_a_race_that_is_not_there(self):
        self.assertIn("no race script is called nobody", self.refused(["--race", "nobody"]))
