# SPDX-License-Identifier: GPL-2.0
"""The page, in a headless browser that can reach nothing but this machine's files."""

import os
import shutil
import subprocess
import tempfile
import unittest

from timeline import trail
from timeline.model import build
from timeline.page import data
from timeline.parse import parse
from timeline.sentences import explain, result

from .browser import Browser
from .made import Made
from .test_machine import OUT
from .test_parse import TOOL, recording
from .test_trail import counterexample

SPAN = """const p = [...document.querySelectorAll("#run0 rect.op")]
              .map(r => +r.getAttribute("width"));
          return Math.max(...p)"""


def sentence(text):
    return f"{text[0].upper()}{text[1:]}."


@unittest.skipUnless(shutil.which("chromedriver"), "no chromium-driver (vm/setup browser)")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(OUT, exist_ok=True)
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.runs = [build(parse(recording(engine))) for engine in ("thread", "poll")]
        cls.one = cls.page("one", recording("thread"))
        cls.two = cls.page("two", recording("thread"), recording("poll"))

    @classmethod
    def page(cls, name, *files):
        path = os.path.join(cls.scratch.name, f"{name}.html")
        subprocess.run([TOOL, "page", *files, "-o", path], check=True, stderr=subprocess.DEVNULL)
        return path

    def setUp(self):
        self.browser.dark(False)
        self.browser.size(1440, 1000)

    def open(self, path):
        self.browser.open(path)
        self.browser.until("the drawing",
                           "return document.querySelectorAll('svg.plot rect.op').length > 0")

    def shot(self, name):
        self.browser.run("window.scrollTo(0, 0)")
        path = os.path.join(OUT, f"{name}.png")
        self.browser.screenshot(path)
        self.assertGreater(os.path.getsize(path), 20000)

    def steps_of(self, run, op):
        return [explain(run, step) for step in run.steps if op in step.ops]

    def said(self, panel=0):
        return self.browser.text(f"#run{panel} .step .what")

    def test_it_needs_nothing_from_anywhere(self):
        self.browser.requests()
        self.open(self.two)
        self.browser.press("right")
        asked = [url for url in self.browser.requests() if not url.startswith("data:")]
        self.assertEqual(asked, [f"file://{self.two}"])
        self.assertEqual([entry["message"] for entry in self.browser.log("browser")], [])

    def test_the_title_says_what_run_it_is(self):
        self.open(self.two)
        self.assertEqual(self.browser.run("return document.title"),
                         "cancelio: work, thread engine and poll engine")
        for panel, run in enumerate(self.runs):
            self.assertIn(f"{run.engine} engine", self.browser.text(f"#run{panel} h2"))
            self.assertIn(run.header.kernel, self.browser.text(f"#run{panel} .facts"))

    def test_all_of_the_model_is_drawn(self):
        self.open(self.two)
        for panel, run in enumerate(self.runs):
            for selector, wanted in (("rect.op", run.ops), ("path.arrow", run.arrows),
                                     ("rect.bar", run.bars), ("circle.dot", run.steps),
                                     ("text.lane", run.lanes + [None])):
                self.assertEqual(self.browser.count(f"#run{panel} svg.plot {selector}"),
                                 len(wanted), selector)
            notes = [arrow for arrow in run.arrows if arrow.kind == "note"]
            self.assertEqual(self.browser.count(f"#run{panel} svg.plot .arrow.note"), len(notes))
        self.shot("two-runs")

    def test_a_counterexample_stands_beside_a_recording(self):
        run = trail.read(counterexample("event-during-try"))
        self.open(self.page("model", counterexample("event-during-try"), recording("poll")))
        self.assertIn("a model", self.browser.text("#run0 h2"))
        self.assertIn("FAULT_NO_AGAIN", self.browser.text("#run0 .warning"))
        for selector, wanted in (("rect.op", run.ops), ("path.arrow", run.arrows),
                                 ("rect.bar", run.bars), ("circle.dot", run.steps),
                                 ("text.lane", run.lanes + [None])):
            self.assertEqual(self.browser.count(f"#run0 svg.plot {selector}"), len(wanted), selector)
        self.browser.click("#run0 .tools .first")
        self.assertEqual(self.said(), explain(run, run.steps[0]))
        self.browser.press("right")
        self.assertEqual(self.said(), explain(run, run.steps[1]))
        self.shot("model")

    def test_arrows_go_from_lane_to_lane(self):
        self.open(self.one)
        ends = self.browser.run("""return [...document.querySelectorAll("#run0 path.arrow")].map(
            a => { const n = a.getAttribute("d").match(/[-0-9.]+/g).map(Number);
                   return [n[1], n[n.length - 1]] })""")
        lanes = self.browser.run("""return [...document.querySelectorAll("#run0 text.lane")]
            .slice(1).map(t => +t.getAttribute("y") + 2)""")
        run = self.runs[0]
        for (begin, end), arrow in zip(ends, run.arrows):
            self.assertAlmostEqual(begin, lanes[run.lanes.index(arrow.source)], delta=6)
            self.assertAlmostEqual(end, lanes[run.lanes.index(arrow.target)], delta=9)

    def test_each_operation_is_told(self):
        self.open(self.two)
        for panel, run in enumerate(self.runs):
            for op in run.by_end:
                told = self.browser.text(f'#ops{panel} tr[data-op="{op.n}"] b')
                self.assertEqual(told, sentence(result(run, op)))

    def test_labels_do_not_overlap(self):
        for page in (self.one, self.two):
            self.open(page)
            self.check_labels()

    def check_labels(self, some=False):
        boxes = self.browser.run("""return [...document.querySelectorAll("#run0 text.op-label")]
            .filter(t => t.textContent).map(t => t.getBoundingClientRect())
            .map(r => [r.left, r.top, r.right, r.bottom])""")
        self.assertTrue(some or len(boxes) == len(self.runs[0].ops))
        plot = self.browser.run("""const r = document.querySelector("svg.plot")
            .getBoundingClientRect(); return [r.left, r.right]""")
        for i, one in enumerate(boxes):
            self.assertGreaterEqual(one[0], plot[0])
            self.assertLessEqual(one[2], plot[1])
            for other in boxes[i + 1:]:
                apart = one[2] <= other[0] or other[2] <= one[0] or \
                    one[3] <= other[1] + 1 or other[3] <= one[1] + 1
                self.assertTrue(apart, (one, other))

    def test_steps_forward_and_back(self):
        self.open(self.one)
        run = self.runs[0]
        texts = [explain(run, step) for step in run.steps]
        self.assertIn("Step forward", self.said())
        self.browser.press("right")
        self.assertEqual(self.said(), texts[0])
        for _ in range(5):
            self.browser.press("right")
        self.assertEqual(self.said(), texts[5])
        self.browser.press("left")
        self.assertEqual(self.said(), texts[4])
        self.browser.click("#run0 button.forward")
        self.assertEqual(self.said(), texts[5])
        self.browser.click("#run0 button.back")
        self.browser.click("#run0 button.back")
        self.assertEqual(self.said(), texts[3])
        self.browser.click("#run0 button.first")
        self.assertEqual(self.said(), texts[0])
        self.browser.press("left")
        self.assertEqual(self.said(), texts[0])
        self.assertIn(f"1 of {len(texts)}", self.browser.text("#run0 .count"))

    def test_the_last_step_is_the_last(self):
        self.open(self.one)
        run = self.runs[0]
        self.browser.run("for (let i = 0; i < arguments[0]; i++) "
                         "document.querySelector('#run0 button.forward').click()",
                         len(run.steps) + 3)
        self.assertEqual(self.said(), explain(run, run.steps[-1]))

    def test_one_operation_alone(self):
        self.open(self.one)
        run = self.runs[0]
        self.browser.click('#run0 svg.plot rect.op[data-op="2"]')
        texts = self.steps_of(run, 2)
        self.assertIn(sentence(result(run, run.ops[1])), self.said())
        for text in texts:
            self.browser.press("right")
            self.assertEqual(self.said(), text)
        self.browser.press("right")
        self.assertEqual(self.said(), texts[-1])
        hidden = self.browser.count("#run0 rect.op[display=none]")
        self.assertEqual(hidden, len(run.ops) - 1)
        clear = self.browser.count("#run0 circle.dot:not(.other)")
        self.assertEqual(clear, len(texts))
        self.shot("one-operation")
        self.browser.press("escape")
        self.assertEqual(self.browser.count("#run0 .other"), 0)
        self.assertEqual(self.browser.count("#run0 rect.op[display=none]"), 0)

    def test_the_same_operation_is_looked_at_in_both(self):
        self.open(self.two)
        self.browser.click('#ops0 tr[data-op="5"]')
        for panel, run in enumerate(self.runs):
            self.assertIn(sentence(result(run, run.ops[4])), self.said(panel))
        self.browser.click("#run1 button.forward")
        self.assertEqual(self.said(1), self.steps_of(self.runs[1], 5)[0])
        self.assertIn(sentence(result(self.runs[0], self.runs[0].ops[4])), self.said(0))
        self.shot("two-runs-one-operation")

    def test_zoom_and_pan(self):
        self.open(self.one)
        before = self.browser.run(SPAN)
        self.browser.click("#run0 button.zoom-in")
        zoomed = self.browser.run(SPAN)
        self.assertAlmostEqual(zoomed / before, 1.6, delta=0.05)
        first = "return +document.querySelector('#run0 rect.op').getAttribute('x')"
        x = self.browser.run(first)
        self.browser.drag("#run0 svg.plot", -120)
        self.assertAlmostEqual(self.browser.run(first), x - 120, delta=4)
        self.assertAlmostEqual(self.browser.run(SPAN), zoomed, delta=0.5)
        self.browser.wheel("#run0 svg.plot", -300)
        self.assertGreater(self.browser.run(SPAN), zoomed * 1.1)
        self.browser.press("0")
        self.assertAlmostEqual(self.browser.run(SPAN), before, delta=0.5)

    def test_true_time_is_linear(self):
        self.open(self.one)
        self.browser.click("#run0 button.true")
        run = data(self.runs[0])
        widths = self.browser.run("""return [...document.querySelectorAll("#run0 rect.op")]
            .map(r => +r.getAttribute("width"))""")
        long = max(run["ops"], key=lambda op: op["t1"] - op["t0"])
        scale = widths[long["n"] - 1] / (long["t1"] - long["t0"])
        for op, width in zip(run["ops"], widths):
            self.assertAlmostEqual(width, max(4, (op["t1"] - op["t0"]) * scale), delta=0.1)
        self.shot("true-time")

    def test_details_under_the_pointer(self):
        self.open(self.one)
        self.browser.point('#run0 svg.plot rect.op[data-op="2"]')
        self.browser.until("the tip", "return !document.getElementById('tip').hidden")
        tip = self.browser.text("#tip")
        self.assertIn(sentence(result(self.runs[0], self.runs[0].ops[1])), tip)
        self.assertIn("C16: ", tip)

    def test_in_the_dark(self):
        self.open(self.two)
        self.browser.dark(True)
        self.assertEqual(self.browser.run("return getComputedStyle(document.body).backgroundColor"),
                         "rgb(13, 17, 23)")
        self.shot("dark")

    def test_without_scripts_the_sentences_are_there(self):
        self.browser.scripts(False)
        self.addCleanup(self.browser.scripts, True)
        self.browser.open(self.one)
        text = self.browser.source()
        for op in self.runs[0].by_end:
            self.assertIn(sentence(result(self.runs[0], op)), text.replace("&#x27;", "'"))
        self.assertIn("Drawing needs JavaScript", text)

    def test_lost_events_are_marked(self):
        self.open(self.page("lost", recording("lost")))
        self.assertIn("events lost", self.browser.run("return document.title"))
        shown = self.browser.run("return document.querySelector('.warning[role=alert]').innerText")
        self.assertRegex(shown, r"^\d+ events of this recording are lost \(cpu\d: \d+")
        self.shot("lost-events")
        self.open(self.one)
        self.assertEqual(self.browser.count(".warning[role=alert]"), 0)

    def test_many_operations_have_few_rows(self):
        made = Made().attach(10)
        for n in range(60):
            made.waits(20 + 500 * n, id=n + 1).complete(100 + 500 * n, moved=1, id=n + 1)
        path = made.write()
        self.addCleanup(os.unlink, path)
        self.open(self.page("many", path))
        rows = self.browser.run("""return new Set([...document.querySelectorAll("svg.plot rect.op")]
            .map(r => r.getAttribute("y"))).size""")
        self.assertEqual(self.browser.count("svg.plot rect.op"), 60)
        self.assertLessEqual(rows, 14)
        self.check_labels(some=True)

    def test_a_recording_without_operations(self):
        path = Made().write()
        self.addCleanup(os.unlink, path)
        self.browser.open(self.page("none", path))
        self.assertIn("No operation was submitted", self.browser.text(".warning[role=alert]"))
        self.assertEqual([entry["message"] for entry in self.browser.log("browser")], [])
