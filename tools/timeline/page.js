// SPDX-License-Identifier: GPL-2.0
// Draws the runs of the page, one panel each, and lets one walk through them.
"use strict";

const LANE = 36, OP_ROW = 20, AXIS = 34, LABELS = 128, RIGHT = 14, FOOT = 8;
const HEIGHT = { running: 14, runnable: 14, interruptible: 7, uninterruptible: 7, idle: 2,
                 stopped: 7 };
const MAX_ROWS = 14;  // of operations
const LETTER = 6.1;  // px, about
const NOWHERE = { x: 0, anchor: "start", text: "", inside: false };
const MANY = 800;  // steps, more than one looks at as a whole
const tip = document.getElementById("tip");
const panels = [];
let active = null;

function time(us) {
  return us < 1000 ? `${us.toFixed(0)} us` :
    us < 1e6 ? `${(us / 1000).toFixed(us < 1e4 ? 2 : 1)} ms` :
    `${(us / 1e6).toFixed(2)} s`;
}

// Time as one looks at it: between two steps there is room however close they are, and
// a long wait takes little more of it.  Inside such a span it is linear.
function evenScale(run) {
  const knots = [0], places = [0];

  for (const t of run.steps.map(step => step.t).concat([run.length])) {
    const gap = t - knots[knots.length - 1];

    if (gap <= 0)
      continue;
    knots.push(t);
    places.push(places[places.length - 1] + Math.log2(1.4 + gap / 8));
  }
  return { knots, places };
}

function trueScale(run) {
  return { knots: [0, run.length], places: [0, run.length] };
}

function interpolate(from, to, value) {
  const i = Math.max(1, Math.min(from.length - 1, d3.bisectRight(from, value)));

  return to[i - 1] + (to[i] - to[i - 1]) * (value - from[i - 1]) / (from[i] - from[i - 1] || 1);
}

class Panel {
  constructor(run, number) {
    this.run = run;
    this.number = number;
    this.section = d3.select(`#run${number}`);
    this.root = this.section.select(".drawing").attr("hidden", null);
    this.laneIndex = new Map(run.lanes.map((lane, i) => [lane.id, i]));
    this.filter = 0;
    this.at = -1;
    this.transform = d3.zoomIdentity;
    this.even = true;
    this.scale = evenScale(run);
    this.makeTools();
    this.makePlot();
    this.bindTable();
    this.section.on("mousedown.active focusin.active", () => this.activate());
    this.resize();
    this.lookAtFirst();
  }

  activate() {
    active = this;
    for (const panel of panels)
      panel.section.classed("active", panel === this && panels.length > 1);
  }

  // Controls.

  makeTools() {
    const tools = this.root.append("div").attr("class", "tools");
    const button = (name, text, label, act) =>
      tools.append("button").attr("class", name).attr("type", "button").attr("title", label)
        .attr("aria-label", label).text(text).on("click", act);

    button("first", "|◀", "first step", () => this.go(-Infinity));
    button("back", "◀ back", "step back (left arrow)", () => this.go(-1));
    button("forward", "step ▶", "step forward (right arrow)", () => this.go(1));
    this.count = tools.append("span").attr("class", "count");
    this.select = tools.append("select").attr("aria-label", "operation")
      .on("change", () => this.choose(+this.select.property("value")));
    this.select.append("option").attr("value", 0).text("all operations");
    for (const op of this.run.ops)
      this.select.append("option").attr("value", op.n)
        .text(`${op.name}: ${op.reason} (conn ${op.conn})`);
    tools.append("span").attr("class", "gap");
    this.evenButton = button("even", "even steps", "room for each step, long waits cut short",
           () => this.setEven(true));
    this.trueButton = button("true", "true time", "time as it was", () => this.setEven(false));
    button("zoom-in", "+", "zoom in", () => this.zoomBy(1.6));
    button("zoom-out", "−", "zoom out", () => this.zoomBy(1 / 1.6));
    button("all", "all", "the whole run (0)", () => this.show(0, this.run.length));
    this.words = this.root.append("div").attr("class", "step").attr("aria-live", "polite");
    this.pressEven();
  }

  pressEven() {
    this.evenButton.attr("aria-pressed", this.even);
    this.trueButton.attr("aria-pressed", !this.even);
  }

  setEven(even) {
    const [from, to] = this.visible();

    this.even = even;
    this.scale = even ? evenScale(this.run) : trueScale(this.run);
    this.pressEven();
    this.show(from, to);
  }

  // The drawing's parts, from back to front.

  makePlot() {
    this.svg = this.root.append("svg").attr("class", "plot").attr("role", "img")
      .attr("aria-label", "timeline, told by the table below");
    this.back = this.svg.append("g").attr("class", "back");
    this.axis = this.svg.append("g").attr("class", "axis");
    this.clip = this.svg.append("clipPath").attr("id", `clip${this.number}`).append("rect");
    const inner = this.svg.append("g").attr("clip-path", `url(#clip${this.number})`);

    for (const part of ["decisions", "bars", "arrows", "notes", "ops", "deadlines", "opLabels",
                        "dots", "cursor"])
      this[part] = inner.append("g").attr("class", part);
    this.cursor.append("line");
    this.cursor.append("circle").attr("r", 6);
    this.zoom = d3.zoom().scaleExtent([1, 20000]).on("zoom", () => {
      this.transform = d3.event.transform;
      this.draw();
    });
    this.svg.call(this.zoom).on("dblclick.zoom", null);
    this.svg.on("mousemove", () => this.hover()).on("mouseleave", () => { tip.hidden = true; })
      .on("click", () => this.click());
  }

  resize() {
    const width = Math.max(480, this.root.node().clientWidth - 2);

    this.width = width;
    this.inner = width - LABELS - RIGHT;
    this.placeOps();
    this.lanesTop = AXIS + this.rows * OP_ROW + 14;
    this.height = this.lanesTop + this.run.lanes.length * LANE + FOOT;
    this.svg.attr("height", this.height).attr("viewBox", `0 0 ${width} ${this.height}`);
    this.clip.attr("x", LABELS - 4).attr("y", 0).attr("width", this.inner + 4 + RIGHT)
      .attr("height", this.height);
    this.zoom.translateExtent([[LABELS, 0], [LABELS + this.inner, this.height]])
      .extent([[LABELS, 0], [LABELS + this.inner, this.height]]);
    this.drawBack();
    this.draw();
  }

  label(op) {
    return `${op.name}: ${op.reason}${op.short ? " · " + op.short : ""}`;
  }

  // One row for each operation, or where they are many the first row with room.
  placeOps() {
    const ends = [], shown = this.run.ops.filter(op => this.concerns([op.n]));
    const many = shown.length > MAX_ROWS;

    for (const op of shown) {
      const from = this.base(op.t0);
      let row = many ? ends.findIndex(end => end + 12 < from) : -1;

      if (row < 0)
        row = ends.length < MAX_ROWS ? ends.length : ends.indexOf(d3.min(ends));
      op.row = row;
      ends[row] = Math.max(this.base(op.t1), from + this.label(op).length * LETTER);
    }
    this.rows = Math.max(1, ends.length);
  }

  base(t) {
    const { knots, places } = this.scale;

    return LABELS + this.inner * interpolate(knots, places, t) / places[places.length - 1];
  }

  x(t) {
    return this.transform.applyX(this.base(t));
  }

  t(x) {
    const { knots, places } = this.scale;
    const place = (this.transform.invertX(x) - LABELS) / this.inner * places[places.length - 1];

    return interpolate(places, knots, place);
  }

  visible() {
    return [this.t(LABELS), this.t(LABELS + this.inner)];
  }

  y(lane) {
    return this.lanesTop + this.laneIndex.get(lane) * LANE + LANE / 2;
  }

  opY(op) {
    return AXIS + op.row * OP_ROW + 3;
  }

  drawBack() {
    this.back.selectAll("*").remove();
    this.back.append("text").attr("class", "lane").attr("x", 8).attr("y", AXIS + 14)
      .text("operations");
    this.back.append("text").attr("class", "role").attr("x", 8).attr("y", AXIS + 27)
      .text("from submit to end");
    this.run.lanes.forEach((lane, i) => {
      const y = this.lanesTop + i * LANE;

      if (i % 2 === 0)
        this.back.append("rect").attr("class", "band").attr("x", 0).attr("y", y)
          .attr("width", this.width).attr("height", LANE);
      this.back.append("text").attr("class", "lane").attr("x", 8).attr("y", y + 16)
        .text(lane.label);
      this.back.append("text").attr("class", "role").attr("x", 8).attr("y", y + 29)
        .text(lane.role);
    });
    this.back.append("line").attr("class", "rule-line").attr("x1", 0).attr("x2", this.width)
      .attr("y1", this.lanesTop).attr("y2", this.lanesTop);
    this.back.append("line").attr("class", "rule-line").attr("x1", LABELS - 6)
      .attr("x2", LABELS - 6).attr("y1", 0).attr("y2", this.height);
  }

  concerns(ops) {
    return !this.filter || ops.includes(this.filter);
  }

  display(op) {
    return this.concerns([op.n]) ? null : "none";
  }

  draw() {
    this.drawAxis();
    this.drawBars();
    this.drawOps();
    this.drawArrows();
    this.drawDots();
    this.drawCursor();
  }

  // Times at steps, where there is room, and how long the longer spans are.
  drawAxis() {
    const [from, to] = this.visible(), ticks = [], spans = [];
    let last = -Infinity, before = null;
    const times = this.even ? this.scale.knots : d3.ticks(from, to, Math.floor(this.inner / 95));

    for (const t of times) {
      if (t < from - 1 || t > to + 1)
        continue;
      const x = this.x(t);

      if (x - last >= 78 && x < LABELS + this.inner - 30) {
        ticks.push(t);
        last = x;
      }
      if (this.even && before !== null && t - before >= 1000 && x - this.x(before) >= 62)
        spans.push([before, t]);
      before = t;
    }
    this.axis.selectAll("line").data(ticks).join("line").attr("x1", t => this.x(t))
      .attr("x2", t => this.x(t)).attr("y1", 16).attr("y2", this.height);
    this.axis.selectAll("text.tick").data(ticks).join("text").attr("class", "tick")
      .attr("x", t => this.x(t) + 2).attr("y", 12).text(t => time(t));
    this.axis.selectAll("text.span").data(spans).join("text").attr("class", "span")
      .attr("text-anchor", "middle").attr("x", s => (this.x(s[0]) + this.x(s[1])) / 2)
      .attr("y", 28).text(s => `↔ ${time(s[1] - s[0])}`);
  }

  drawBars() {
    this.bars.selectAll("rect").data(this.run.bars).join("rect")
      .attr("class", bar => `bar ${bar.state}`)
      .classed("other", bar => !this.concerns(bar.ops))
      .attr("x", bar => this.x(bar.t0))
      .attr("width", bar => Math.max(0.8, this.x(bar.t1) - this.x(bar.t0)))
      .attr("y", bar => this.y(bar.lane) - HEIGHT[bar.state] / 2)
      .attr("height", bar => HEIGHT[bar.state]);
  }

  drawOps() {
    const ops = this.run.ops;

    this.ops.selectAll("rect").data(ops).join("rect").attr("class", op => `op ${op.reason}`)
      .attr("data-op", op => op.n).attr("display", op => this.display(op))
      .attr("rx", 3).attr("x", op => this.x(op.t0)).attr("y", op => this.opY(op))
      .attr("width", op => Math.max(4, this.x(op.t1) - this.x(op.t0)))
      .attr("height", OP_ROW - 5);
    this.deadlines.selectAll("path").data(ops.filter(op => op.due !== null)).join("path")
      .attr("class", "due").attr("display", op => this.display(op))
      .attr("d", op => `M${this.x(op.due)},${this.opY(op) + 1}l-4,-5h8z` +
        `M${this.x(op.due)},${this.opY(op) - 2}v${OP_ROW - 2}`);
    this.placeLabels();
    this.opLabels.selectAll("text").data(ops).join("text")
      .attr("class", op => `op-label ${op.place.inside ? "inside" : ""}`)
      .attr("display", op => this.display(op))
      .attr("text-anchor", op => op.place.anchor).attr("x", op => op.place.x)
      .attr("y", op => this.opY(op) + 11.5).text(op => op.place.text);
    const decided = ops.filter(op => op.decided && this.laneIndex.has(op.decided.lane) &&
      (this.filter ? op.n === this.filter : ops.length <= 2 * MAX_ROWS));

    this.decisions.selectAll("path").data(decided).join("path").attr("class", "decision")
      .attr("d", op => `M${this.x(op.decided.t)},${this.opY(op) + OP_ROW - 5}` +
        `V${this.y(op.decided.lane)}`);
  }

  // Inside its bar, else behind it, else before it; cut where the row has no room.
  placeLabels() {
    const left = LABELS, right = LABELS + this.inner + RIGHT;
    const rows = d3.nest().key(op => op.row)
      .entries(this.run.ops.filter(op => this.concerns([op.n])));

    this.run.ops.forEach(op => { op.place = NOWHERE; });
    for (const { values } of rows) {
      let used = left;  // by what is to the left

      values.forEach((op, i) => {
        const from = Math.max(left, this.x(op.t0)), to = Math.min(right, this.x(op.t1));
        const next = i + 1 < values.length ? this.x(values[i + 1].t0) : right;
        const before = used;
        const text = this.label(op), need = text.length * LETTER + 8;
        const room = Math.min(next, right) - to;

        if (to < left || from > right)
          return;
        used = Math.max(used, to + 4);
        if (to - from >= need + text.length * 0.7)
          op.place = { x: to - 5, anchor: "end", text, inside: true };
        else if (room >= need)
          op.place = { x: to + 5, anchor: "start", text, inside: false };
        else if (from - before >= need)
          op.place = { x: from - 5, anchor: "end", text, inside: false };
        else if (room >= 5 * LETTER)
          op.place = { x: to + 5, anchor: "start", inside: false,
                 text: text.slice(0, Math.floor(room / LETTER) - 2) + "…" };
        if (op.place.anchor === "start" && op.place.text)
          used = Math.max(used, to + 10 + op.place.text.length * LETTER);
      });
    }
  }

  arrowPath(arrow) {
    const x0 = this.x(arrow.t0), x1 = Math.max(this.x(arrow.t1), x0);
    const y0 = this.y(arrow.from), y1 = this.y(arrow.to);
    const sign = Math.sign(y1 - y0), end = y1 - sign * 8, begin = y0 + sign * 5;
    const bend = Math.min(18, Math.abs(end - begin) / 2);

    return `M${x0},${begin}C${x0},${begin + sign * bend} ${x1},${end - sign * bend} ${x1},${end}`;
  }

  // Wake-ups between the same lanes that would stand on each other.
  crowded() {
    const last = new Map(), hidden = new Set();

    for (const arrow of this.run.arrows) {
      const lanes = arrow.from + arrow.to, x = this.x(arrow.t0);

      if (arrow.kind !== "note" && x - (last.get(lanes) || -Infinity) < 4)
        hidden.add(arrow);
      else
        last.set(lanes, x);
    }
    return hidden;
  }

  drawArrows() {
    const hidden = this.crowded();

    this.arrows.selectAll("path").data(this.run.arrows).join("path")
      .attr("class", arrow => `arrow ${arrow.kind}`)
      .classed("aside", arrow => !arrow.ops.length)
      .classed("other", arrow => !this.concerns(arrow.ops))
      .attr("marker-end", arrow => `url(#head-${arrow.kind})`)
      .attr("display", arrow => hidden.has(arrow) ? "none" : null)
      .attr("d", arrow => this.arrowPath(arrow));
    this.notes.selectAll("text").data(this.run.arrows.filter(arrow => arrow.kind === "note"))
      .join("text").attr("class", "note-label").attr("text-anchor", "end")
      .classed("other", arrow => !this.concerns(arrow.ops))
      .attr("x", arrow => (this.x(arrow.t0) + this.x(arrow.t1)) / 2 - 5)
      .attr("y", arrow => (this.y(arrow.from) + this.y(arrow.to)) / 2 + 3).text("SIGHUP");
  }

  drawDots() {
    const small = this.run.steps.length * 9 > this.inner * this.transform.k;

    this.dots.selectAll("circle").data(this.run.steps).join("circle")
      .attr("class", step => `dot ${step.kind}`)
      .classed("other", step => !this.concerns(step.ops))
      .attr("r", small ? 1.7 : 2.8).attr("cx", step => this.x(step.t))
      .attr("cy", step => this.y(step.lane));
  }

  drawCursor() {
    const step = this.run.steps[this.at];

    this.cursor.attr("display", step ? null : "none");
    if (!step)
      return;
    const x = this.x(step.t);

    this.cursor.select("line").attr("x1", x).attr("x2", x).attr("y1", 16).attr("y2", this.height);
    this.cursor.select("circle").attr("cx", x).attr("cy", this.y(step.lane));
  }

  // Zoom and pan.

  zoomBy(factor) {
    const step = this.run.steps[this.at];
    const x = step ? this.x(step.t) : LABELS + this.inner / 2;

    this.svg.call(this.zoom.scaleBy, factor, [x, 0]);
  }

  show(from, to) {
    const a = this.base(from), b = this.base(to);
    const k = Math.min(20000, this.inner / Math.max(b - a, 0.001));

    this.svg.call(this.zoom.transform,
            d3.zoomIdentity.translate(LABELS - k * a, 0).scale(Math.max(1, k)));
  }

  follow(step) {
    const x = this.x(step.t);

    if (x < LABELS + 10 || x > LABELS + this.inner - 10)
      this.svg.call(this.zoom.translateTo, this.base(step.t), 0);
  }

  // An operation and what comes right after it.
  showOp(n) {
    const op = this.run.ops[n - 1];
    const steps = this.run.steps.filter(step => step.ops.includes(n));
    const from = this.base(op.t0), to = this.base(Math.max(op.t1, d3.max(steps, step => step.t)));
    const margin = Math.max(2, (to - from) * 0.12);
    const k = Math.min(20000, this.inner / (to - from + 2 * margin));

    this.svg.call(this.zoom.transform,
            d3.zoomIdentity.translate(LABELS - k * (from - margin), 0).scale(Math.max(1, k)));
  }

  // Of a long run the first operation that was interrupted; of a short one all.
  lookAtFirst() {
    const op = this.run.ops.find(one => one.reason === "deadline" || one.reason === "canceled");

    if (this.run.steps.length > MANY && op)
      this.showOp(op.n);
    else
      this.show(0, this.run.length);
    this.say();
  }

  // Steps.

  shown() {
    return this.run.steps.map((step, i) => i).filter(i => this.concerns(this.run.steps[i].ops));
  }

  go(by) {
    const shown = this.shown();
    let place;

    if (!shown.length)
      return;
    if (by > 0)
      place = d3.bisectRight(shown, this.at) + by - 1;
    else
      place = d3.bisectLeft(shown, this.at) + by;
    this.at = shown[Math.max(0, Math.min(shown.length - 1, place))];
    this.follow(this.run.steps[this.at]);
    this.drawCursor();
    this.say();
  }

  goTo(i) {
    this.at = i;
    this.drawCursor();
    this.say();
  }

  say() {
    const step = this.run.steps[this.at], shown = this.shown();
    const op = this.filter && this.run.ops[this.filter - 1];

    this.words.selectAll("*").remove();
    if (step) {
      const lane = this.lane(step.lane);

      this.count.text(`${shown.indexOf(this.at) + 1} of ${shown.length}`);
      this.words.append("span").attr("class", "where")
        .text(`${time(step.t)} · ${lane.label} · line ${step.line} of the recording`);
      this.words.append("span").attr("class", "what").text(step.text);
    } else {
      this.count.text(`${shown.length} steps`);
      this.words.append("span").attr("class", "where").text(op ? op.name : "all operations");
      this.words.append("span").attr("class", "what")
        .text(op ? `${op.how} ${op.rule}.` :
              "Step forward to see what happened, one event and one sentence at a time.");
    }
  }

  // One operation alone, or all.

  choose(n, alone) {
    this.filter = n;
    this.at = -1;
    this.select.property("value", n);
    this.section.selectAll("table.ops tr[data-op]")
      .classed("chosen", function () { return +this.dataset.op === n; });
    this.resize();
    if (n)
      this.showOp(n);
    else
      this.show(0, this.run.length);
    this.say();
    if (!alone)
      for (const panel of panels)
        if (panel !== this && sameWork())
          panel.choose(n, true);
  }

  bindTable() {
    const panel = this;

    this.section.selectAll("table.ops tr[data-op]").on("click", function () {
      const n = +this.dataset.op;

      panel.choose(panel.filter === n ? 0 : n);
      panel.root.node().scrollIntoView({ block: "nearest" });
    }).on("keydown", function () {
      if (d3.event.key === "Enter")
        panel.choose(+this.dataset.op);
    });
  }

  click() {
    const thing = d3.select(d3.event.target), datum = thing.datum();

    if (thing.classed("op"))
      this.choose(this.filter === datum.n ? 0 : datum.n);
    else if (thing.classed("dot"))
      this.goTo(this.run.steps.indexOf(datum));
  }

  // What is under the pointer.
  hover() {
    const thing = d3.select(d3.event.target), datum = thing.datum();
    let text = "";

    if (thing.classed("bar"))
      text = `${this.lane(datum.lane).label}: ${datum.state}\n` +
        `${time(datum.t0)}, for ${time(datum.t1 - datum.t0)}`;
    else if (thing.classed("arrow"))
      text = `${this.lane(datum.from).who} wakes ${this.lane(datum.to).who}` +
        `${datum.kind === "note" ? " with SIGHUP" : ""}\n${time(datum.t0)}; ` +
        `runs ${time(datum.t1 - datum.t0)} later`;
    else if (thing.classed("op"))
      text = `${datum.how}\n${datum.rule}.\n${datum.course}\n` +
        `${time(datum.t0)} to ${time(datum.t1)}, ${datum.raw}`;
    else if (thing.classed("dot"))
      text = `${time(datum.t)}: ${datum.text}`;
    tip.hidden = !text;
    if (!text)
      return;
    tip.textContent = text;
    tip.style.left = `${Math.min(d3.event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(d3.event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
  }

  lane(id) {
    return this.run.lanes[this.laneIndex.get(id)];
  }
}

// Two runs of the same operations are looked at together.
function sameWork() {
  const of = panel => panel.run.ops.map(op => op.name).join();

  return panels.every(panel => of(panel) === of(panels[0]));
}

function key() {
  const event = d3.event;

  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT")
    return;
  const act = { ArrowRight: () => active.go(1), ArrowLeft: () => active.go(-1),
          Home: () => active.go(-Infinity), "+": () => active.zoomBy(1.6),
          "-": () => active.zoomBy(1 / 1.6), 0: () => active.show(0, active.run.length),
          Escape: () => active.choose(0) }[event.key];

  if (!act)
    return;
  act();
  event.preventDefault();
}

JSON.parse(document.getElementById("data").textContent)
  .forEach((run, i) => panels.push(new Panel(run, i)));
panels[0].activate();
d3.select(window).on("keydown", key).on("resize", () => panels.forEach(panel => panel.resize()));
