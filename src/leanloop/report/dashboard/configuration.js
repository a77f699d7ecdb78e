// One configuration: its figures, and every run of it.
import { fetchJson, h, put, where } from "./dom.js";
import { AXES, allSettings, chance, dollars, label, number, percent, seconds, whole } from "./format.js";
import { figure, role } from "./study.js";
import { Table } from "./table.js";

const WAIT_MS = 2000;
const AT_ONCE = 80;

export class ConfigurationView {
  constructor(page, id) {
    this.page = page;
    this.id = id;
    this.title = h("h1", { tabindex: -1 }, id);
    this.facts = h("dl", { class: "facts" });
    this.figures = h("div", {});
    this.filter = h("input", { type: "search", "aria-label": "Show tasks whose name or ending has this text", placeholder: "task, family or ending", oninput: () => this.draw() });
    this.table = new Table({
      caption: "Runs. Arrow keys go from row to row, Enter opens one.",
      key: (run) => `${run.task}/${run.seed}`,
      link: (run) => `#/${where("run", id, run.task, String(run.seed))}`,
      tall: true,
      columns: [
        { title: "task", cell: (run) => (run.family ? [run.task, run.family] : run.task) },
        { title: "split", cell: (run) => run.split },
        { title: "success", num: true, cell: (run) => (run.success === null ? "missing" : number(run.success)) },
        { title: "ended", cell: (run) => (run.reason ? [run.status, run.reason] : run.status), wide: true },
        { title: "dollars", num: true, cell: (run) => dollars(run.usd) },
        { title: "seconds", num: true, cell: (run) => seconds(run.latency_s) },
        { title: "tokens", num: true, cell: (run) => whole(run.tokens) },
        { title: "tool calls", num: true, cell: (run) => whole(run.tool_calls) },
        { title: "steps", num: true, cell: (run) => whole(run.steps) },
      ],
    });
    this.element = h("div", {}, this.title, this.facts, this.figures, h("h2", {}, "Tasks and runs"), h("div", { class: "row" }, this.filter), this.table.element);
  }

  async load() {
    this.found = await fetchJson(`${this.page.api}/configuration?id=${encodeURIComponent(this.id)}`);
    this.loadedAt = performance.now();
    this.draw();
  }

  // More runs may have come; they are asked for now and then, not at every one.
  changed(state) {
    if (!state.rows.some((row) => row.id === this.id) || this.waiting) return;
    this.waiting = setTimeout(
      () => {
        this.waiting = null;
        if (this.page.view === this) this.load().catch(() => {});
      },
      Math.max(0, WAIT_MS - (performance.now() - this.loadedAt)),
    );
  }

  draw() {
    const { row, runs } = this.found;
    const start = performance.now();
    this.title.textContent = label(row, this.page.baseline());
    const facts = [
      ["id", row.id],
      ["standing", role(row)],
      ["settings", allSettings(row.settings)],
      ["p on the frontier", chance(row.p_frontier)],
      row.why ? ["why dropped", row.why] : null,
      row.verdict ? ["on the holdout", row.verdict.sentence] : null,
    ];
    put(this.facts, facts.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
    put(this.figures, this.splits(row));
    const wanted = this.filter.value.toLowerCase();
    this.wanted = runs.filter((r) => !wanted || `${r.task} ${r.family} ${r.status} ${r.reason}`.toLowerCase().includes(wanted));
    this.fill(Math.max(AT_ONCE, this.table.rows.size));
    void document.body.offsetHeight;
    document.documentElement.dataset.runsMs = (performance.now() - start).toFixed(1);
  }

  // Hundreds of rows come a part a frame, so that the page answers meanwhile.
  fill(upTo) {
    const list = this.wanted;
    this.table.update(list.slice(0, upTo));
    if (upTo >= list.length) return;
    requestAnimationFrame(() => {
      if (this.wanted === list && this.element.isConnected) this.fill(upTo + AT_ONCE);
    });
  }

  splits(row) {
    const known = ["search", "holdout"].filter((split) => row[split]);
    if (!known.length) return h("p", { class: "dim" }, "No run yet.");
    const cell = (value) => h("td", { class: "num" }, Array.isArray(value) ? [value[0], h("span", { class: "ends" }, value[1])] : value);
    const line = (split) =>
      h("tr", {}, h("th", { scope: "row" }, split), cell(whole(row[split].success[3])), cell(figure(row[split].success, percent)), Object.entries(AXES).map(([axis, a]) => cell(figure(row[split][axis], (v) => number(v === null ? null : v * a.factor)))));
    const head = ["tasks", "n", "success", ...Object.values(AXES).map((a) => a.short)];
    return h("div", { class: "box", tabindex: 0, role: "region", "aria-label": "Figures" }, h("table", {}, h("thead", {}, h("tr", {}, head.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, known.map(line))));
  }
}
