// Success against one cost axis, with 95% intervals both ways.
import { h, put, s } from "./dom.js";
import { AXES, ends, label, number, percent } from "./format.js";
import { KINDS, kindOf, mark, swatch } from "./shapes.js";

const EDGE = { left: 46, right: 14, top: 12, bottom: 40 };
const ORDER = ["dropped", "alive", "reference", "member", "baseline", "recommended"];

export class Plot {
  constructor(open) {
    this.open = open;
    this.drawing = s("svg", { role: "img" });
    this.keys = h("ul", { class: "key" });
    this.note = h("p", { class: "dim" });
    this.element = h("figure", { class: "plot" }, this.drawing, this.keys, this.note);
    this.width = 0;
    new ResizeObserver((entries) => {
      const width = Math.round(entries[0].contentRect.width);
      if (width && Math.abs(width - this.width) > 4) {
        this.width = width;
        if (this.last) this.draw(...this.last);
      }
    }).observe(this.element);
  }

  draw(rows, axis, split, baseline) {
    this.last = [rows, axis, split, baseline];
    const { title, factor } = AXES[axis];
    const width = this.width || Math.round(this.element.getBoundingClientRect().width) || 600;
    const height = Math.round(Math.min(420, Math.max(260, width * 0.55)));
    const known = rows.filter((r) => r[split] && r[split][axis][0] !== null && r[split].success[0] !== null);
    known.sort((a, b) => ORDER.indexOf(kindOf(a)) - ORDER.indexOf(kindOf(b)));
    const means = known.map((r) => r[split][axis][0] * factor);
    const most = Math.max(0, ...means);
    const far = Math.max(0, ...known.map((r) => (r[split][axis][2] ?? 0) * factor));
    const right = Math.min(far, 2 * most) * 1.05 || 1;
    const x = (v) => EDGE.left + (Math.min(v, right) / right) * (width - EDGE.left - EDGE.right);
    const y = (v) => height - EDGE.bottom - v * (height - EDGE.top - EDGE.bottom);
    const parts = [...this.frame(width, height, right, x, y, title)];
    const labels = [];
    for (const row of known) parts.push(this.point(row, row[split], axis, factor, x, y, baseline, labels));
    parts.push(...this.names(labels, width));
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawing.setAttribute("aria-label", `Success against ${title} of ${known.length} configurations; the figures are in the table below`);
    put(this.drawing, parts);
    const kinds = ORDER.filter((k) => known.some((r) => kindOf(r) === k)).reverse();
    put(this.keys, kinds.map((k) => h("li", {}, swatch(k), KINDS[k])));
    const left = rows.length - known.length;
    this.note.textContent = known.length
      ? `${left ? `${left} not drawn: not run here, or a figure is unknown. ` : ""}Bars are 95% intervals; one that meets the edge goes on.`
      : "Nothing to draw yet: no run here, or this cost is unknown.";
  }

  *frame(width, height, right, x, y, title) {
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      yield s("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(share), y2: y(share) });
      yield s("text", { x: EDGE.left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share));
    }
    for (const tick of ticks(right, width < 500 ? 4 : 7)) {
      yield s("line", { class: "axis", x1: x(tick), x2: x(tick), y1: y(0), y2: y(0) + 4 });
      yield s("text", { x: x(tick), y: y(0) + 17, "text-anchor": "middle" }, number(tick).replace(/\.0+$/, ""));
    }
    yield s("line", { class: "axis", x1: EDGE.left, x2: width - EDGE.right, y1: y(0), y2: y(0) });
    yield s("text", { x: (EDGE.left + width - EDGE.right) / 2, y: height - 4, "text-anchor": "middle" }, title);
    yield s("text", { x: 4, y: 11 }, "");
  }

  point(row, figures, axis, factor, x, y, baseline, labels) {
    const kind = kindOf(row);
    const cost = figures[axis];
    const cx = x(cost[0] * factor);
    const cy = y(figures.success[0]);
    const bars = [];
    if (figures.success[1] !== null && figures.success[2] !== null) {
      bars.push(s("line", { class: "bar", x1: cx, x2: cx, y1: y(figures.success[1]), y2: y(figures.success[2]) }));
    }
    if (cost[1] !== null && cost[2] !== null) {
      bars.push(s("line", { class: "bar", x1: x(cost[1] * factor), x2: x(cost[2] * factor), y1: cy, y2: cy }));
    }
    const name = label(row, baseline);
    if (kind === "baseline" || kind === "recommended") labels.push([cx, cy, kind === "baseline" ? "baseline" : "recommended"]);
    else if (row.reference) labels.push([cx, cy, row.reference]);
    const said = `${name}: success ${percent(figures.success[0])} (${ends(figures.success, percent)}), ${AXES[axis].title} ${number(cost[0] * factor)}, n=${figures.success[3]}`;
    const faint = kind === "dropped" || kind === "alive" ? " faint" : "";
    return s(
      "g",
      { class: `point ${kind}${faint}`, "data-id": row.id, onclick: () => this.open(row.id) },
      s("title", {}, said),
      bars,
      s("g", { transform: `translate(${cx.toFixed(1)},${cy.toFixed(1)})` }, mark(kind, kind === "dropped" ? 3.5 : 5)),
    );
  }

  *names(labels, width) {
    const taken = [];
    for (const [x, y, text] of labels) {
      const shown = text.length > 26 ? `${text.slice(0, 25)}…` : text;
      const wide = shown.length * 6.6;
      const end = x + 10 + wide > width;
      let at = y - 9;
      while (taken.some(([a, b]) => Math.abs(b - at) < 13 && Math.abs(a - x) < wide + 20)) at -= 13;
      taken.push([x, at]);
      yield s("text", { class: "name", x: end ? x - 9 : x + 9, y: at, "text-anchor": end ? "end" : "start" }, shown);
    }
  }
}

function ticks(right, wanted) {
  const rough = right / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((m) => m >= rough);
  const found = [];
  for (let i = 0; i * step <= right * 1.0001; i++) found.push(Number((i * step).toPrecision(6)));
  return found;
}
