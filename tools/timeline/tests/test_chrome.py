# SPDX-License-Identifier: GPL-2.0
"""The trace for Perfetto has what the model has."""

import io
import json
import unittest
from collections import Counter

from timeline import chrome
from timeline.model import build
from timeline.parse import parse

from .test_parse import recording


class Chrome(unittest.TestCase):
    def setUp(self):
        self.run_ = build(parse(recording("thread")))
        stream = io.StringIO()
        chrome.write(self.run_, stream)
        self.events = json.loads(stream.getvalue())["traceEvents"]

    def test_counts(self):
        phases = Counter(event["ph"] for event in self.events)
        self.assertEqual(phases["X"], len(self.run_.bars))
        self.assertEqual(phases["s"], len(self.run_.arrows))
        self.assertEqual(phases["f"], len(self.run_.arrows))
        self.assertEqual(phases["b"], len(self.run_.ops))
        self.assertEqual(phases["e"], len(self.run_.ops))
        self.assertEqual(phases["i"], len(self.run_.steps))

    def test_threads_have_their_names(self):
        names = {event["args"]["name"] for event in self.events if event["name"] == "thread_name"}
        self.assertEqual(names, {self.run_.task_name(lane) for lane in self.run_.lanes})

    def test_an_operation_says_why_it_ended(self):
        ops = [event for event in self.events if event["ph"] == "b"]
        self.assertIn("the read deadline fired", ops[1]["args"]["how"])
        self.assertTrue(ops[1]["args"]["rule"].startswith("C16: "))
