# SPDX-License-Identifier: GPL-2.0
"""One page of HTML that shows one run, or two side by side, and needs nothing else."""

import html
import json
import os
import re

from . import Lacking
from .model import IRQ, MODEL, OUTSIDE
from .sentences import course, explain, name, result, rule_words, sentence, short

HERE = os.path.dirname(os.path.realpath(__file__))
# Where Debian's package node-d3 has it; the take-away machine's is beside this.
D3 = "/usr/share/nodejs/d3/dist/d3.min.js"

STATES = (("running", "running"), ("runnable", "runnable: awake, waits for a processor"),
          ("interruptible", "asleep, interruptible: a signal ends it too"),
          ("uninterruptible", "asleep, uninterruptible or killable"),
          ("idle", "idle: a worker without work"), ("stopped", "stopped"))
REASONS = ("done", "error", "deadline", "canceled", "closed", "pending")


def _file(*path):
    with open(os.path.join(HERE, *path), encoding="utf-8") as stream:
        return stream.read()


def _d3():
    try:
        return _file("d3.min.js" if os.path.exists(os.path.join(HERE, "d3.min.js")) else D3)
    except FileNotFoundError:
        raise Lacking(f"{D3} is missing: install node-d3, or run vm/setup timeline") from None


def _lane(run, lane):
    if lane == IRQ:
        return {"id": lane, "label": "interrupts", "role": "timers and devices",
                "who": run.task_name(lane)}
    if lane == OUTSIDE:
        return {"id": lane, "label": "peer", "role": "another machine", "who": "the peer"}
    task = run.tasks[int(lane.partition(":")[2])]
    if run.engine == MODEL:
        return {"id": lane, "label": task.name, "role": "process of the model", "who": task.name}
    if task.role == "worker":
        return {"id": lane, "label": f"worker {task.pid}", "role": "kernel thread",
                "who": f"worker {task.pid}"}
    return {"id": lane, "label": f"{task.name} {task.pid}",
            "role": "peer" if task.role == "peer" else "program", "who": f"{task.name} {task.pid}"}


def data(run):
    """All that the page draws of a run; times in us from its beginning."""

    def at(t):
        return round((t - run.t0) / 1000, 3)

    return {
        "engine": run.engine,
        "length": at(run.t1),
        "lanes": [_lane(run, lane) for lane in run.lanes],
        "bars": [{"lane": bar.lane, "t0": at(bar.t0), "t1": at(bar.t1), "state": bar.state,
                  "ops": bar.ops} for bar in run.bars],
        "arrows": [{"kind": arrow.kind, "t0": at(arrow.t0), "from": arrow.source,
                    "t1": at(arrow.t1), "to": arrow.target, "ops": arrow.ops}
                   for arrow in run.arrows],
        "ops": [{"n": op.n, "name": name(op), "conn": op.conn.n, "t0": at(op.t0),
                 "t1": at(op.t1 if op.ended else run.t1), "short": short(op),
                 "reason": op.reason or "pending", "how": sentence(result(run, op)),
                 "course": sentence(course(run, op)), "rule": rule_words(op),
                 "decided": {"t": at(op.decided[0]), "lane": op.decided[1]} if op.ended else None,
                 "due": at(op.due) if op.t0 <= op.due <= (op.t1 or 0) else None,
                 "raw": f"conn={op.conn.raw[1]} id={op.id}" +
                        (f" ctx={op.conn.raw[0]}" if op.conn.raw[0] else "")} for op in run.ops],
        "steps": [{"t": at(step.t), "lane": step.lane, "kind": step.kind, "ops": step.ops,
                   "text": explain(run, step), "line": step.event.line} for step in run.steps],
    }


def _engine(run):
    if run.engine == MODEL:
        return "a model"
    return f"{run.engine} engine" if run.engine in ("poll", "thread") else "no engine seen"


def title_of(runs):
    """What was run, and on which engines."""
    commands = [re.sub(r" --engine \w+|^[^ ]*/", "", run.header.command) for run in runs]
    return f"cancelio: {' and '.join(dict.fromkeys(commands))}, " \
           f"{' and '.join(dict.fromkeys(_engine(run) for run in runs))}"


def _warnings(run):
    if run.ending:
        yield run.ending
    lost = run.header.lost_events
    if lost:
        where = ", ".join(f"{cpu}: {n}" for cpu, n in run.header.lost.items() if n)
        yield f"{lost} events of this recording are lost ({where}). What is shown is not all " \
              "that happened, and may be wrong. Record again with a larger --buffer."
    if run.mixed:
        yield "Two contexts had the same numbers at once; their operations may be mixed up here."
    if run.header.exit:
        yield f"The command ended with exit code {run.header.exit}."
    if not run.ops:
        yield "No operation was submitted in this recording."


def _table(run, number):
    rows = []
    for op in run.by_end + run.pending:
        when = f"{(op.t1 - run.t0) / 1e6:.3f}" if op.ended else ""
        rows.append(
            f'<tr data-op="{op.n}" tabindex="0"><td class="reason {op.reason or "pending"}">{op.n}'
            f'</td><td class="time">{when}</td><td><b>{html.escape(sentence(result(run, op)))}</b> '
            f'<span class="rule">{html.escape(rule_words(op))}.</span>'
            f'<br><span class="course">{html.escape(sentence(course(run, op)))}</span></td></tr>')
    return (f'<table class="ops" id="ops{number}"><caption>Why each operation came back, in the '
            'order of their ends</caption><thead><tr><th>op</th><th>ended, ms</th><th>why</th>'
            f'</tr></thead><tbody>{"".join(rows)}</tbody></table>')


def _panel(run, number):
    header = run.header
    warnings = "".join(f'<p class="warning" role="alert">{html.escape(text)}</p>'
                       for text in _warnings(run))
    facts = [f"{len(run.ops)} operations", f"kernel {header.kernel}", header.date]
    if run.engine == MODEL:
        facts = [f"{len(run.steps)} steps, a microsecond each", "the shortest counterexample"]
    if run.hidden:
        facts.append(f"{run.hidden} other tasks not shown")
    return (f'<section class="run" id="run{number}"><h2>{html.escape(_engine(run))} '
            f'<code>{html.escape(header.command)}</code></h2>'
            f'<p class="facts">{html.escape(" · ".join(facts))}</p>{warnings}'
            f'<div class="drawing" hidden></div>{_table(run, number)}</section>')


def _legend():
    states = "".join(f'<span class="key"><svg width="26" height="14"><rect class="bar {state}" '
                     f'width="26" y="{(14 - h) / 2}" height="{h}"/></svg>{html.escape(text)}</span>'
                     for (state, text), h in zip(STATES[:5], (14, 14, 7, 7, 2)))
    arrows = ('<span class="key"><svg width="26" height="14"><path class="arrow wake" '
              'd="M2,7H18" marker-end="url(#head-wake)"/></svg>wakes</span>'
              '<span class="key"><svg width="26" height="14"><path class="arrow note" '
              'd="M2,7H18" marker-end="url(#head-note)"/></svg>wakes with SIGHUP</span>'
              '<span class="key"><svg width="12" height="14"><path class="due" '
              'd="M6,5l-4,-5h8zM6,2v12"/></svg>deadline</span>'
              '<span class="key"><svg width="26" height="14"><path class="decision" d="M2,7H24"/>'
              '</svg>decided there</span>')
    reasons = "".join(f'<span class="key"><svg width="14" height="14"><rect class="op {reason}" '
                      f'width="14" height="14" rx="3"/></svg>{reason}</span>' for reason in REASONS)
    return (f'<div class="legend"><div><b>Threads</b> {states}</div><div><b>Marks</b> {arrows} '
            f'<b>Operations</b> {reasons}</div></div>')


def render(runs, title=""):
    """The page, as text."""
    title = title or title_of(runs)
    if any(run.header.lost_events for run in runs):
        title += " — events lost"
    values = {
        "TITLE": html.escape(title),
        "CSS": _file("page.css"),
        "LEGEND": _legend(),
        "PANELS": "".join(_panel(run, n) for n, run in enumerate(runs)),
        "LAYOUT": "two" if len(runs) > 1 else "one",
        "DATA": json.dumps([data(run) for run in runs],
                           separators=(",", ":")).replace("</", "<\\/"),
        "D3": _d3().replace("</script", "<\\/script"),
        "SCRIPT": _file("page.js"),
    }
    text = _file("page.html")
    head, *parts = text.split("{{")
    for part in parts:
        key, _, rest = part.partition("}}")
        head += values[key] + rest
    return head
