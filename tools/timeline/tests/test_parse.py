# SPDX-License-Identifier: GPL-2.0
"""What is damaged is refused by its line; what is whole is read as it stands."""

import os
import subprocess
import tempfile
import unittest

from timeline.parse import Damaged, parse

from .made import Made

HERE = os.path.dirname(os.path.realpath(__file__))
TOOL = os.path.join(HERE, "..", "..", "cio-timeline")


def recording(name):
    return os.path.join(HERE, f"{name}.trace")


def lines_of(name):
    with open(recording(name), encoding="utf-8") as stream:
        return stream.read().splitlines()


class Parse(unittest.TestCase):
    def damaged(self, lines):
        """The line that is named when these lines are read."""
        with tempfile.NamedTemporaryFile("w", suffix=".trace") as stream:
            stream.write("".join(line + "\n" for line in lines))
            stream.flush()
            with self.assertRaises(Damaged) as caught:
                parse(stream.name)
            self.assertIn(f"{stream.name}:{caught.exception.line}: ", str(caught.exception))
            return caught.exception.line

    def test_real_recordings_are_read_whole(self):
        for engine in ("thread", "poll"):
            trace = parse(recording(engine))
            self.assertEqual(trace.header.engine, engine)
            self.assertEqual(trace.header.lost_events, 0)
            self.assertEqual(len(trace.events), trace.header.lines)
            self.assertTrue(all(a.t <= b.t for a, b in zip(trace.events, trace.events[1:])))

    def test_fields_have_their_types(self):
        trace = parse(recording("thread"))
        submit = next(event for event in trace.events if event.name == "cio_submit")
        self.assertEqual((submit.opcode, submit.len, submit.deadline), ("recv", 64, (1 << 63) - 1))
        switch = next(event for event in trace.events if event.name == "sched_switch")
        self.assertIsInstance(switch.next_pid, int)

    def test_names_with_spaces(self):
        made = Made().add(1, "sched_switch: prev_comm=a b c prev_pid=1 prev_prio=120 prev_state=S "
                             "==> next_comm=d  e next_pid=2 next_prio=120")
        path = made.write()
        self.addCleanup(os.unlink, path)
        event = parse(path).events[0]
        self.assertEqual((event.prev_comm, event.next_comm, event.next_pid), ("a b c", "d  e", 2))

    def test_not_a_recording(self):
        self.assertEqual(self.damaged(["hello"] + lines_of("poll")[1:]), 1)

    def test_an_empty_file(self):
        self.assertEqual(self.damaged([]), 1)

    def test_a_broken_line(self):
        lines = lines_of("poll")
        lines[100] = lines[100][:30]
        self.assertEqual(self.damaged(lines), 101)

    def test_fields_that_are_not_numbers(self):
        lines = lines_of("poll")
        number = next(i for i, line in enumerate(lines) if " cio_arm: " in line)
        lines[number] = lines[number].replace("conn=", "conn=x")
        self.assertEqual(self.damaged(lines), number + 1)

    def test_an_unknown_event_of_ours(self):
        lines = lines_of("poll")
        number = next(i for i, line in enumerate(lines) if " cio_reap: " in line)
        lines[number] = lines[number].replace("cio_reap", "cio_rapture")
        self.assertEqual(self.damaged(lines), number + 1)

    def test_lines_that_are_missing(self):
        lines = lines_of("poll")
        self.assertEqual(self.damaged(lines[:-5]), len(lines) - 5)
        self.assertEqual(self.damaged(lines[:80] + lines[81:]), len(lines) - 1)

    def test_a_header_that_is_not_one(self):
        lines = lines_of("poll")
        number = next(i for i, line in enumerate(lines) if line.startswith("# lost:"))
        lines[number] = "# lost: cpu0 many"
        self.assertEqual(self.damaged(lines), number + 1)

    def test_another_clock(self):
        lines = [line.replace("# clock: mono", "# clock: local") for line in lines_of("poll")]
        self.damaged(lines)

    def test_lost_events_are_counted(self):
        self.assertEqual(parse(recording("lost")).header.lost, {"cpu0": 169, "cpu1": 204})

    def test_the_tool_refuses_with_2(self):
        lines = lines_of("poll")
        lines[100] = "???"
        with tempfile.NamedTemporaryFile("w", suffix=".trace") as stream:
            stream.write("\n".join(lines) + "\n")
            stream.flush()
            for command in (["why", stream.name], ["page", stream.name, "-o", os.devnull],
                            ["chrome", stream.name, "-o", os.devnull]):
                done = subprocess.run([TOOL] + command, stderr=subprocess.PIPE, text=True,
                                      check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(f"{stream.name}:101: not an event", done.stderr)

    def test_wrong_usage_is_2(self):
        for command in ([], ["draw"], ["why"], ["page", recording("poll")],
                        ["record", "-o", os.devnull], ["why", "/nowhere"]):
            done = subprocess.run([TOOL] + command, stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 2, command)
            self.assertTrue(done.stderr)
