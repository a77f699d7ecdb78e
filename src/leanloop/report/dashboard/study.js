// A study: how it stands, its configurations, and what it asks of whoever runs it.
import { announce, h, put, s, say, where } from "./dom.js";
import { AXES, allSettings, chance, count, dollars, ends, inPoints, label, number, percent, points, seconds, whole } from "./format.js";
import { Plot } from "./plot.js";
import { KINDS, kindOf, swatch } from "./shapes.js";
import { Table } from "./table.js";
import { Controls } from "./controls.js";
import { ConfigurationView } from "./configuration.js";
import { RunView } from "./run.js";

const STATES = {
  running: "running",
  paused: "paused: no run begins until it is resumed",
  stopping: "stopping: runs under way end first",
  stopped: "stopped; leanloop optimize goes on with it",
  done: "done",
  ended: "its process has ended; leanloop optimize goes on with it",
  unknown: "not heard of; it may run on another machine",
};
const RANK = { baseline: 0, recommended: 1, member: 2, alive: 3, reference: 4, dropped: 5 };

export class StudyPage {
  constructor(name, main, crumbs) {
    this.name = name;
    this.main = main;
    this.crumbs = crumbs;
    this.api = `/api/${where("study", name)}`;
    this.rows = new Map();
    this.head = null;
    this.view = null;
    this.route = [];
    this.overview = new Overview(this);
  }

  // Takes in what changed and draws what is in sight.
  take(state) {
    const before = this.head;
    if (state.whole) this.rows.clear();
    for (const row of state.rows) this.rows.set(row.id, row);
    this.head = state.head;
    this.tell(before, state);
    if (this.view === this.overview) this.overview.draw();
    else this.view?.changed?.(state);
  }

  tell(before, state) {
    if (!before) return;
    const said = [];
    if (before.state !== this.head.state) said.push(`The study is ${STATES[this.head.state]}.`);
    if (before.phase !== this.head.phase && this.head.phase === "holdout") said.push("The search has ended; the holdout runs.");
    if (!before.finding && this.head.finding) said.push(`The study has a result: ${this.head.finding.why}.`);
    const out = state.rows.filter((r) => r.role === "dropped" && !this.told?.has(r.id));
    if (this.told && out.length) said.push(`${count(out.length, "configuration")} dropped.`);
    this.told = new Set([...this.rows.values()].filter((r) => r.role === "dropped").map((r) => r.id));
    if (said.length) announce(said.join(" "));
  }

  baseline() {
    return this.rows.get(this.head?.baseline)?.settings ?? null;
  }

  labelOf(id) {
    const row = this.rows.get(id);
    return row ? label(row, this.baseline()) : id;
  }

  up() {
    if (!this.route.length) return null;
    return this.route[0] === "run" ? `#/${where("configuration", this.route[1])}` : "#/";
  }

  async go(route) {
    const from = this.route;
    this.route = route;
    const top = ["all", "/"];
    if (route[0] === "configuration") {
      this.crumbs([top, [this.name, "#/"], [route[1]]]);
      this.view = new ConfigurationView(this, route[1]);
    } else if (route[0] === "run") {
      const here = `#/${where("configuration", route[1])}`;
      this.crumbs([top, [this.name, "#/"], [route[1], here], [route[2]]]);
      this.view = new RunView(this, route.slice(1));
    } else {
      this.crumbs([top, [this.name]]);
      this.view = this.overview;
    }
    put(this.main, this.view.element);
    if (this.view === this.overview && this.head) this.overview.draw();
    await this.view.load?.();
    if (this.firstShown) this.focus(from);
    this.firstShown = true;
  }

  // Where the keyboard was, or the heading of what is new.
  focus(from) {
    const table = this.view.table;
    const key = this.route.length ? (from[0] === "run" ? `${from[2]}/${from[3]}` : null) : from[1];
    if (key && table?.focusKey(key)) return;
    this.main.querySelector("h1")?.focus();
    window.scrollTo(0, 0);
  }
}

class Overview {
  constructor(page) {
    this.page = page;
    this.axis = null;
    this.split = "search";
    this.state = h("span", { class: "badge", id: "state" });
    this.facts = h("p", { class: "dim" });
    this.cards = { usd: new Card("Dollars"), runs: new Card("Runs of the search"), time: new Card("Time") };
    this.controls = new Controls(page);
    this.finding = h("div", {});
    this.words = h("p", {});
    this.axisChoice = h("select", { id: "axis", onchange: () => this.choose("axis", this.axisChoice.value) }, Object.entries(AXES).map(([k, a]) => h("option", { value: k }, a.title)));
    this.splitChoice = h("select", { id: "split", onchange: () => this.choose("split", this.splitChoice.value) }, h("option", { value: "search" }, "search split"), h("option", { value: "holdout" }, "holdout"));
    this.plot = new Plot((id) => (location.hash = `#/${where("configuration", id)}`));
    this.table = this.makeTable();
    this.levers = this.makeLevers();
    this.leverNote = h("p", { class: "dim" });
    this.holdout = this.makeHoldout();
    this.holdoutPart = h("section", { hidden: true }, h("h2", {}, "Holdout"), h("p", { class: "dim" }, "Tasks that the search never saw."), this.holdout.element);
    this.leverPart = h("section", {}, h("h2", {}, "Lever by lever"), this.leverNote, this.levers.element);
    this.element = h(
      "div",
      {},
      h("h1", { tabindex: -1 }, `Study ${page.name}`),
      h("div", { class: "row" }, this.state, this.controls.element),
      this.facts,
      h("div", { class: "cards" }, Object.values(this.cards).map((c) => c.element)),
      this.finding,
      h("section", {}, h("h2", {}, "Frontier"), this.words, h("div", { class: "row" }, h("label", {}, "Cost: ", this.axisChoice), h("label", {}, "Tasks: ", this.splitChoice)), this.plot.element, this.table.element),
      this.holdoutPart,
      this.leverPart,
    );
  }

  choose(name, value) {
    this[name] = value;
    this.chosen = true;
    this.draw();
  }

  draw() {
    const { head, rows } = this.page;
    if (!head) return;
    const baseline = this.page.baseline();
    const list = [...rows.values()].filter((r) => r.runs || r.role !== "alive" || r.settings);
    if (!this.axis) this.axis = Object.keys(head.objectives).find((n) => n in AXES) || "usd";
    this.axisChoice.value = this.axis;
    list.sort((a, b) => RANK[kindOf(a)] - RANK[kindOf(b)] || (b.p_frontier ?? -1) - (a.p_frontier ?? -1) || b.runs - a.runs || (a.id < b.id ? -1 : 1));
    this.drawHead(head);
    this.controls.draw(head);
    this.drawFinding(head, baseline);
    this.plot.draw(list, this.axis, this.split, baseline);
    const stamp = JSON.stringify([this.split, baseline]);
    this.table.update(list, stamp);
    const held = list.filter((r) => r.holdout);
    this.holdoutPart.hidden = !held.length;
    this.holdout.update(held, stamp);
    this.drawLevers(head);
  }

  drawHead(head) {
    say(this.state, STATES[head.state]);
    const models = Object.entries(head.models).map(([k, v]) => `${k} is ${v}`).join(", ");
    say(this.facts, `${count(head.runs, "run")} of ${count(head.configurations, "configuration")}${head.phase === "holdout" ? "; the holdout runs" : ""}. Margin ${inPoints(head.margin)} points. ${models}.`);
    const unknown = head.unpriced_calls ? `; of ${count(head.unpriced_calls, "call")} the price is unknown` : "";
    this.cards.usd.draw(`${dollars(head.spent_usd)}${head.max_usd === null ? "" : ` of ${dollars(head.max_usd)}`}`, (head.max_usd === null ? "no cap" : "search and holdout") + unknown, head.max_usd === null ? null : head.spent_usd / head.max_usd);
    this.cards.runs.draw(`${whole(head.search_runs)}${head.max_runs === null ? "" : ` of ${whole(head.max_runs)}`}`, `${count(head.runs - head.search_runs, "run")} of the holdout`, head.max_runs === null ? null : head.search_runs / head.max_runs);
    const left = head.holdout_left_s === null || head.state === "done" ? "" : `the holdout needs about ${seconds(head.holdout_left_s)}`;
    const cap = head.max_wall_s === null ? "no cap" : `${seconds(Math.max(0, head.max_wall_s - head.elapsed_s))} left`;
    this.cards.time.draw(`${seconds(head.elapsed_s)}${head.max_wall_s === null ? "" : ` of ${seconds(head.max_wall_s)}`}`, [cap, left].filter(Boolean).join("; "), head.max_wall_s === null ? null : head.elapsed_s / head.max_wall_s);
    const words = [];
    if (head.frontier) {
      if (head.frontier.p_wrong !== null) words.push(`That what is called the frontier is wrong has probability ${head.frontier.p_wrong.toFixed(2)}`);
      if (head.frontier.p_helps !== null) words.push(`that anything beats the baseline ${head.frontier.p_helps.toFixed(2)}`);
      words.push(`modelled from the search's runs, up to the margins, after ${count(head.frontier.runs, "run")}`);
    }
    say(this.words, `${words.join(", ")}${words.length ? "." : ""} ${head.stopped_because ? `The search ended: ${head.stopped_because}.` : ""}`.trim());
  }

  drawFinding(head, baseline) {
    const found = head.finding;
    const told = JSON.stringify([found, baseline]);
    if (told === this.findingTold) return;
    this.findingTold = told;
    if (!found) return put(this.finding);
    const row = this.page.rows.get(found.recommended);
    const title = row ? ["Recommended: ", h("a", { href: `#/${where("configuration", row.id)}` }, label(row, baseline))] : ["Nothing is recommended"];
    const paid = found.search_usd === null ? "" : ` Search and holdout cost ${dollars(found.search_usd)}${found.break_even_tasks === null ? "" : `, paid back after ${count(found.break_even_tasks, "task")}`}.`;
    put(this.finding, h("div", { class: "finding" }, h("h2", {}, title), h("p", {}, `${found.why}.${paid}`), row ? h("p", { class: "dim" }, allSettings(row.settings)) : null));
  }

  makeTable() {
    const cost = (axis) => ({
      title: AXES[axis].short,
      num: true,
      cell: (row) => figure(row[this.split]?.[axis], (v) => number(v === null ? null : v * AXES[axis].factor)),
    });
    return new Table({
      caption: "Configurations, named by what differs from the baseline: mean and 95% interval on the tasks chosen above. Arrow keys go from row to row, Enter opens one.",
      key: (row) => row.id,
      link: (row) => `#/${where("configuration", row.id)}`,
      tall: true,
      columns: [
        { title: "configuration", cell: (row) => [label(row, this.page.baseline()), row.id] },
        { title: "standing", cell: (row) => role(row), same: (row) => kindOf(row) },
        { title: "n", num: true, cell: (row) => whole(row[this.split]?.success[3] ?? 0) },
        { title: "success", num: true, cell: (row) => figure(row[this.split]?.success, percent) },
        ...Object.keys(AXES).map(cost),
        { title: "p on the frontier", num: true, cell: (row) => chance(row.p_frontier) },
        { title: "why dropped", wide: true, cell: (row) => row.why },
      ],
    });
  }

  makeHoldout() {
    return new Table({
      caption: "On the holdout: mean and 95% interval, and what is shown against the baseline.",
      key: (row) => row.id,
      link: (row) => `#/${where("configuration", row.id)}`,
      columns: [
        { title: "configuration", cell: (row) => [label(row, this.page.baseline()), row.id] },
        { title: "n", num: true, cell: (row) => whole(row.holdout.success[3]) },
        { title: "success", num: true, cell: (row) => figure(row.holdout.success, percent) },
        ...Object.entries(AXES).map(([axis, a]) => ({ title: a.short, num: true, cell: (row) => figure(row.holdout[axis], (v) => number(v === null ? null : v * a.factor)) })),
        { title: "against the baseline", wide: true, cell: (row) => row.verdict?.sentence ?? "" },
      ],
    });
  }

  makeLevers() {
    const ratio = (axis, title) => ({ title, num: true, cell: (row) => figure(row.verdict[axis], (v) => (v === null ? "unknown" : `×${v.toFixed(2)}`)) });
    return new Table({
      caption: "Each lever changed alone against the baseline, on the tasks of the search that both were run on; paired, with 95% intervals.",
      key: (row) => `${row.lever}=${row.setting}`,
      columns: [
        { title: "lever", cell: (row) => `${row.lever} = ${row.setting}` },
        { title: "n", num: true, cell: (row) => whole(row.verdict.success[3]) },
        { title: "success, points", num: true, cell: (row) => figure(row.verdict.success, points) },
        { title: "−50 … +50 points", cell: (row) => forest(row.verdict.success), same: (row) => row.verdict.success.join() },
        ratio("usd", "dollars"),
        ratio("latency_s", "seconds"),
        ratio("tokens", "tokens"),
        ratio("tool_calls", "tool calls"),
        { title: "what is shown", wide: true, cell: (row) => row.verdict.sentence },
      ],
    });
  }

  drawLevers(head) {
    const told = JSON.stringify(head.levers);
    if (told === this.leversTold) return;
    this.leversTold = told;
    this.leverNote.textContent = head.levers.length ? "" : "Not judged yet: this comes now and then while the search runs, and at its end.";
    this.levers.element.hidden = !head.levers.length;
    this.levers.update(head.levers);
  }
}

class Card {
  constructor(title) {
    this.big = h("p", { class: "big" });
    this.small = h("p", { class: "dim" });
    this.part = s("rect", { class: "part", height: 10, width: 0 });
    this.meter = s("svg", { class: "meter", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "all", width: 100, height: 10, "vector-effect": "non-scaling-stroke" }), this.part);
    this.element = h("section", { class: "card" }, h("h2", {}, title), this.big, this.meter, this.small);
  }

  draw(big, small, share) {
    say(this.big, big);
    say(this.small, small);
    this.meter.toggleAttribute("hidden", share === null);
    this.meter.style.display = share === null ? "none" : "";
    this.part.setAttribute("width", String(100 * Math.min(1, share ?? 0)));
    this.meter.classList.toggle("full", share !== null && share >= 1);
  }
}

export function figure(interval, show) {
  if (!interval) return "–";
  return interval[0] === null ? "unknown" : [show(interval[0]), ends(interval, show)];
}

export function role(row) {
  const kind = kindOf(row);
  return h("span", { class: "role" }, h("span", { class: kind }, swatch(kind)), KINDS[kind]);
}

function forest([mean, low, high]) {
  const x = (v) => 72 + 144 * Math.max(-0.5, Math.min(0.5, v));
  const parts = [s("line", { class: "zero", x1: 72, x2: 72, y1: 0, y2: 18 })];
  if (low !== null && high !== null) parts.push(s("line", { class: "bar", x1: x(low), x2: x(high), y1: 9, y2: 9 }));
  if (mean !== null) parts.push(s("circle", { class: "dot", cx: x(mean), cy: 9, r: 4 }));
  return s("svg", { class: "forest", viewBox: "-4 0 152 18", "aria-hidden": "true" }, parts);
}
