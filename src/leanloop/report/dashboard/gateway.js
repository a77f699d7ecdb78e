// A gateway: its sessions, what they spend, what broke their caches, and how its canary does.
import { announce, fetchJson, h, put, where } from "./dom.js";
import { allSettings, count, dollars, inPoints, number, percent, seconds, whole } from "./format.js";
import { Table } from "./table.js";

const MODELLED = "modelled";

export class GatewayPage {
  constructor(name, main, crumbs) {
    this.name = name;
    this.main = main;
    this.crumbs = crumbs;
    this.api = `/api/${where("gateway", name)}`;
    this.rows = new Map();
    this.route = [];
    this.facts = h("p", {});
    this.cards = h("div", { class: "cards" });
    this.canary = h("section", {});
    this.breaks = breaksTable("What broke the prefix that a provider may have cached; tokens read anew and their dollars are modelled.");
    this.breakNote = h("p", { class: "dim" });
    this.table = this.makeTable();
    this.overview = h("div", {}, h("h1", { tabindex: -1 }, `Gateway ${name}`), this.facts, this.cards, this.canary, h("h2", {}, "Cache breaks"), this.breakNote, this.breaks.element, h("h2", {}, "Sessions"), this.table.element);
  }

  up() {
    return this.route.length ? "#/" : null;
  }

  async go(route) {
    const from = this.route;
    this.route = route;
    if (route[0] === "session") {
      this.crumbs([["all", "/"], [this.name, "#/"], [route[1]]]);
      await this.showSession(route[1]);
    } else {
      this.crumbs([["all", "/"], [this.name]]);
      put(this.main, this.overview);
      if (this.head) this.draw();
    }
    if (this.shown && !(from[1] && this.table.focusKey(from[1]))) this.main.querySelector("h1")?.focus();
    this.shown = true;
  }

  take(state) {
    if (state.whole) this.rows.clear();
    for (const row of state.rows) this.rows.set(row.id, row);
    const before = this.head;
    this.head = state.head;
    if (before && !before.canary?.fell_back && this.head.canary?.fell_back) announce("The canary is shown worse and is given up.");
    if (!this.route.length) this.draw();
  }

  draw() {
    const { total, sessions, with_outcome: told, shown } = this.head;
    this.facts.textContent = `${count(sessions, "session")}, ${count(total.calls, "call")}, ${whole(total.failed)} failed; ${count(told, "session")} with an outcome. Levers: ${this.head.levers === null ? "not told (the gateway was started by an earlier leanloop)" : allSettings(this.head.levers)}.`;
    put(this.cards, this.spending(total), this.caps());
    this.drawCanary();
    this.breakNote.textContent = this.head.breaks.length ? "" : "None so far.";
    this.breaks.element.hidden = !this.head.breaks.length;
    this.breaks.update(this.head.breaks);
    const list = [...this.rows.values()].sort((a, b) => (b.ended_at ?? 0) - (a.ended_at ?? 0)).slice(0, shown);
    this.table.update(list);
  }

  spending(total) {
    const unpriced = total.unpriced ? `; of ${count(total.unpriced, "call")} the price is unknown` : "";
    const uncounted = total.uncounted ? `; of ${count(total.uncounted, "call")} unknown` : "";
    return [card("Dollars", dollars(total.usd), `all sessions${unpriced}`), card("Tokens", whole(total.tokens), `input and output${uncounted}`)];
  }

  caps() {
    if (this.head.caps === null) return card("Caps", "unknown", "the gateway has not said");
    if (!this.head.caps.length) return card("Caps", "none", "nothing bounds what is spent");
    const show = (unit, value) => (unit === "usd" ? dollars(value) : whole(value));
    return this.head.caps.map((c) => card(`Cap a ${c.scope}`, `${show(c.unit, c.spent)} of ${show(c.unit, c.most)}`, c.scope === "day" ? "today, by UTC" : `the dearest ${c.scope}; ${whole(c.reached)} reached it`));
  }

  drawCanary() {
    const c = this.head.canary;
    if (!c) return put(this.canary);
    const verdict = c.fell_back ? "Shown worse: new sessions run as before." : "Not shown worse so far.";
    const line = (arm) => h("tr", {}, h("th", { scope: "row" }, arm.arm), h("td", {}, allSettings(arm.settings)), h("td", { class: "num" }, whole(arm.outcomes)), h("td", { class: "num" }, percent(arm.success)));
    const head = ["", "levers", "outcomes", "success"].map((t) => h("th", { scope: "col" }, t));
    put(this.canary, h("h2", {}, "Canary"), h("p", {}, h("strong", {}, verdict), ` ${percent(c.share)} of new sessions, margin ${inPoints(c.margin)} points.`), h("div", { class: "box", tabindex: 0, role: "region", "aria-label": "Canary" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, c.arms.map(line)))));
  }

  makeTable() {
    return new Table({
      caption: "Sessions, those heard of last first. Arrow keys go from row to row, Enter opens one.",
      key: (row) => row.id,
      link: (row) => `#/${where("session", row.id)}`,
      tall: true,
      columns: [
        { title: "session", cell: (row) => (row.task ? [row.task, row.id] : row.id) },
        { title: "levers", cell: (row) => allSettings(row.settings), wide: true },
        { title: "model", cell: (row) => row.model || "unknown" },
        { title: "calls", num: true, cell: (row) => (row.failed ? [whole(row.calls), `${row.failed} failed`] : whole(row.calls)) },
        { title: "dollars", num: true, cell: (row) => (row.unpriced ? [dollars(row.usd), "and some unknown"] : dollars(row.usd)) },
        { title: "tokens", num: true, cell: (row) => (row.uncounted ? [whole(row.tokens), "and some unknown"] : whole(row.tokens)) },
        { title: "seconds", num: true, cell: (row) => seconds(row.started_at === null ? null : row.ended_at - row.started_at) },
        { title: "success", num: true, cell: (row) => (row.success === null ? "not told" : number(row.success)) },
        { title: "cache breaks", cell: (row) => row.breaks.map((b) => `${b.why} ×${b.count}: ${dollars(b.usd)} ${MODELLED}`).join("; "), wide: true },
      ],
    });
  }

  async showSession(id) {
    const { row, calls } = await fetchJson(`${this.api}/session?id=${encodeURIComponent(id)}`);
    const table = new Table({
      caption: "Calls in the order in which they ended; kept is how many messages of the conversation before the request begins with.",
      key: (call) => String(call.place),
      columns: [
        { title: "call", cell: (c) => `${c.place + 1}: ${c.purpose}` },
        { title: "model", cell: (c) => c.model },
        { title: "status", num: true, cell: (c) => (c.error ? [String(c.status), c.error] : String(c.status)) },
        { title: "kept", num: true, cell: (c) => whole(c.kept) },
        { title: "added", num: true, cell: (c) => whole(c.added) },
        { title: "input", num: true, cell: (c) => [whole(c.input), `${c.tokens.cache_read === null ? "unknown" : whole(c.tokens.cache_read)} cached`] },
        { title: "output", num: true, cell: (c) => whole(c.output) },
        { title: "dollars", num: true, cell: (c) => dollars(c.usd) },
        { title: "seconds", num: true, cell: (c) => [seconds(c.latency_s), `first byte ${seconds(c.first_byte_s)}`] },
        { title: "tokens are", cell: (c) => c.evidence },
      ],
    });
    table.update(calls.map((c, place) => ({ ...c, place })));
    const breaks = breaksTable("What broke its prefix; modelled.");
    breaks.update(row.breaks);
    put(this.main, h("div", {}, h("h1", { tabindex: -1 }, `Session ${row.task || row.id}`), h("p", {}, `${count(row.calls, "call")}, ${dollars(row.usd)}, levers: ${allSettings(row.settings)}`), row.breaks.length ? breaks.element : null, h("h2", {}, "Calls"), table.element));
  }
}

function breaksTable(caption) {
  return new Table({
    caption,
    key: (row) => row.why,
    columns: [
      { title: "what changed", cell: (row) => row.why },
      { title: "requests", num: true, cell: (row) => whole(row.count) },
      { title: `tokens read anew (${MODELLED})`, num: true, cell: (row) => whole(row.tokens) },
      { title: `dollars (${MODELLED})`, num: true, cell: (row) => dollars(row.usd) },
    ],
  });
}

function card(title, big, small) {
  return h("section", { class: "card" }, h("h2", {}, title), h("p", { class: "big" }, big), h("p", { class: "dim" }, small));
}
