// A table whose rows are changed in place, and gone through with the arrow keys.
import { h, put } from "./dom.js";

export class Table {
  // columns: {title, cell(row) -> text | [text, small] | Node, num, wide}; the first names the row.
  constructor({ caption, columns, key, link = null, tall = false }) {
    this.columns = columns;
    this.key = key;
    this.link = link;
    this.rows = new Map();
    this.caption = h("span", {}, caption);
    this.body = h("tbody", { onkeydown: (e) => this.onKey(e), onclick: (e) => this.onClick(e) });
    const head = h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col" }, c.title))));
    const table = h("table", {}, h("caption", {}, this.caption), head, this.body);
    this.element = h("div", { class: tall ? "box tall" : "box", tabindex: link ? null : 0, role: "region", "aria-label": caption }, table);
  }

  // stamp: what the cells depend on beside their row; a row that is the very same is left alone.
  update(list, stamp = "") {
    const left = new Set(this.rows.keys());
    let place = 0;
    for (const row of list) {
      const key = this.key(row);
      left.delete(key);
      let line = this.rows.get(key);
      if (!line) {
        line = this.newLine(row);
        this.rows.set(key, line);
      }
      if (line.row !== row || line.stamp !== stamp) this.fillLine(line, row);
      line.row = row;
      line.stamp = stamp;
      const there = this.body.children[place++];
      if (there !== line.element) this.body.insertBefore(line.element, there || null);
    }
    for (const key of left) {
      this.rows.get(key).element.remove();
      this.rows.delete(key);
    }
    this.rove();
  }

  newLine(row) {
    const cells = this.columns.map((c, i) => (i ? h("td", { class: [c.num && "num", c.wide && "wide"].filter(Boolean).join(" ") || null }) : h("th", { scope: "row" })));
    const link = this.link ? h("a", { href: this.link(row), tabindex: -1 }) : null;
    if (link) cells[0].append(link);
    return { element: h("tr", { "data-open": Boolean(link), "data-key": this.key(row) }, cells), cells, link, shown: [] };
  }

  fillLine(line, row) {
    this.columns.forEach((column, i) => {
      const value = column.cell(row);
      const told = value instanceof Node ? column.same?.(row) ?? {} : Array.isArray(value) ? value.join("\n") : String(value);
      if (line.shown[i] === told) return;
      line.shown[i] = told;
      const parts = Array.isArray(value) ? [value[0], h("span", { class: "ends" }, value[1])] : [value];
      if (i === 0 && line.link) put(line.link, parts);
      else put(line.cells[i], parts);
    });
  }

  links() {
    return [...this.body.querySelectorAll("a")];
  }

  // One stop of the tab key for the whole table; the arrow keys go on from there.
  rove() {
    const links = this.links();
    if (links.length && !links.some((l) => l.tabIndex === 0)) links[0].tabIndex = 0;
  }

  onKey(event) {
    const links = this.links();
    const at = links.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.focusOn(links[Math.max(0, Math.min(links.length - 1, to))]);
  }

  focusOn(link) {
    for (const other of this.links()) other.tabIndex = other === link ? 0 : -1;
    link.focus();
  }

  focusKey(key) {
    const line = this.rows.get(key);
    if (line?.link) this.focusOn(line.link);
    return Boolean(line?.link);
  }

  onClick(event) {
    if (event.target.closest("a") || getSelection().toString()) return;
    const link = event.target.closest("tr")?.querySelector("a");
    if (link) link.click();
  }
}
