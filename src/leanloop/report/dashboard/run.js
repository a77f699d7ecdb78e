// One run as a timeline of its steps, or two runs of one task side by side.
import { fetchJson, h, put, s, where } from "./dom.js";
import { allSettings, count, dollars, label, number, seconds, whole } from "./format.js";

export const CLASSES = {
  uncached: "input, not cached",
  cache_read: "read from the cache",
  cache_write: "written to the cache",
  output: "output",
  reasoning: "reasoning",
};

export class RunView {
  // route: configuration, task, seed, and perhaps "beside" and another configuration.
  constructor(page, [id, task, seed, , other]) {
    this.page = page;
    this.key = { id, task, seed: seed || "0" };
    this.other = other || null;
    this.sides = h("div", { class: "sides" });
    this.choice = h("select", { id: "beside", onchange: () => this.choose(this.choice.value) });
    this.key_ = h("ul", { class: "key" }, Object.entries(CLASSES).map(([name, said]) => h("li", {}, square(name), said)));
    this.element = h("div", {}, h("h1", { tabindex: -1 }, `Task ${task}`), h("div", { class: "row" }, h("label", {}, "Beside it: ", this.choice)), this.key_, this.sides);
  }

  choose(other) {
    const { id, task, seed } = this.key;
    location.hash = `#/${where("run", id, task, seed, ...(other ? ["beside", other] : []))}`;
  }

  fetch(id, more = "") {
    const { task, seed } = this.key;
    const asked = new URLSearchParams({ id, task, seed });
    return fetchJson(`${this.page.api}/run?${asked}${more}`);
  }

  async load() {
    put(this.sides, h("p", { class: "dim" }, "Loading…"));
    const ids = [this.key.id, ...(this.other ? [this.other] : [])];
    const runs = await Promise.all(ids.map((id) => this.fetch(id)));
    const others = runs[0].others.filter((o) => o.id !== this.key.id);
    const named = (o) => `${label({ ...o, reference: "" }, this.page.baseline())}: ${o.success === null ? "missing" : number(o.success)}`;
    put(this.choice, h("option", { value: "" }, others.length ? "nothing" : "nothing else was run on this task"), others.map((o) => h("option", { value: o.id, selected: o.id === this.other }, named(o))));
    this.sides.classList.toggle("two", runs.length > 1);
    const most = Math.max(1, ...runs.flatMap((run) => run.steps.map((step) => known(sum(step.calls)))));
    const longest = Math.max(0.001, ...runs.flatMap((run) => run.steps.map(time)));
    put(this.sides, runs.map((run) => this.side(run, most, longest)));
  }

  side(run, most, longest) {
    const facts = [
      ["configuration", h("a", { href: `#/${where("configuration", run.id)}` }, this.page.labelOf(run.id))],
      ["settings", allSettings(run.settings)],
      ["ended", [run.status, run.reason && `: ${run.reason}`]],
      ["success", run.success === null ? "missing" : number(run.success)],
      ["answer", run.answer === null ? "none" : run.answer || "(empty)"],
      ["cost", `${dollars(run.usd)}, ${seconds(run.wall_s)}, ${count(run.model_calls, "model call")}, ${count(run.tool_calls, "tool call")}`],
      ["tokens", classes(fold(run.tokens))],
      run.learned ? ["kept for later tasks", count(run.learned, "change")] : null,
    ];
    const left = Object.entries(run.left_out).map(([lever, why]) => `${lever}: ${why}`);
    const notes = [...run.notes, ...left];
    return h(
      "section",
      { class: "run", "aria-label": this.page.labelOf(run.id) },
      h("h2", {}, this.page.labelOf(run.id)),
      h("dl", { class: "facts" }, facts.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      run.prompt ? h("details", {}, h("summary", {}, "The task's text"), h("pre", { tabindex: 0 }, run.prompt)) : null,
      notes.length ? h("details", { open: true }, h("summary", {}, "What could not be rebuilt of what was sent"), h("ul", {}, notes.map((n) => h("li", {}, n)))) : null,
      run.steps.length ? h("ol", { class: "steps" }, run.steps.map((step, i) => this.step(run, step, i, most, longest))) : h("p", { class: "dim" }, "This run has no steps: it was recorded elsewhere, or ended before one."),
    );
  }

  step(run, step, place, most, longest) {
    const usd = step.calls.some((c) => c.usd === null) ? null : step.calls.reduce((a, c) => a + c.usd, 0);
    const models = [...new Set(step.calls.map((c) => c.model))].join(", ");
    const tokens = sum(step.calls);
    return h(
      "li",
      { class: "step" },
      h("h3", {}, `Step ${place + 1}`, h("span", {}, step.calls.length ? `${models}, ${dollars(usd)}, ${seconds(time(step))}` : "no model was asked")),
      bar(tokens, most, time(step), longest),
      classes(tokens),
      step.calls.length > 1 || step.calls.some((c) => c.purpose !== "act") ? this.calls(step) : null,
      step.text ? h("details", { open: step.text.length < 400 }, h("summary", {}, "What the model said"), h("pre", { tabindex: 0 }, step.text)) : null,
      step.tools.map(tool),
      this.sent(run, step, place),
    );
  }

  calls(step) {
    return h("details", {}, h("summary", {}, count(step.calls.length, "model call")), h("ul", {}, step.calls.map((c) => h("li", {}, `${c.purpose}: ${c.model} (${c.model_ref}), ${dollars(c.usd)}, ${seconds(c.latency_s)}, tokens ${c.evidence}. `, classes(fold(c.tokens))))));
  }

  sent(run, step, place) {
    if (!step.sent) return h("p", { class: "dim" }, "What was sent cannot be rebuilt here.");
    const { changes, messages, chars, chars_before: before } = step.sent;
    const saved = before === chars ? "" : `, ${whole(before)} before levers`;
    const request = h("div", {});
    const show = async (event) => {
      event.target.disabled = true;
      put(request, wholeRequest(await this.fetch(run.id, `&step=${place}`)));
    };
    return [
      h("p", { class: "dim" }, `Sent: ${count(messages, "message")}, ${whole(chars)} characters${saved}.`),
      byLever(changes).map(([lever, own]) => leverChanges(lever, own)),
      h("p", {}, h("button", { onclick: show }, "Show the whole request")),
      request,
    ];
  }
}

function tool(use) {
  const by = use.answered_by === "tool" ? "answered by the tool" : `answered by ${use.answered_by}, no tool was called`;
  return h(
    "div",
    { class: "tool" },
    h("p", {}, h("code", {}, use.name), ` ${by}${use.is_error ? ", an error" : ""}, ${seconds(use.latency_s)}`),
    h("pre", { tabindex: 0 }, use.arguments),
    h("details", {}, h("summary", {}, `What the model was shown: ${count(use.observation.length, "character")}`), h("pre", { tabindex: 0 }, use.observation)),
  );
}

function byLever(changes) {
  const found = new Map();
  for (const change of changes) found.set(change.lever, [...(found.get(change.lever) || []), change]);
  return [...found];
}

function leverChanges(lever, own) {
  const counts = new Map();
  for (const c of own) {
    const what = c.role ? `${c.what} ${c.role === "tool" ? "result" : c.role}` : c.what;
    counts.set(what, (counts.get(what) || 0) + 1);
  }
  const said = [...counts].map(([what, n]) => (n > 1 ? `${what} ×${n}` : what)).join(", ");
  const less = own.reduce((a, c) => a + c.chars_after - c.chars_before, 0);
  const size = own.some((c) => c.role) ? ` (${less > 0 ? "+" : "−"}${whole(Math.abs(less))} characters)` : "";
  return h(
    "div",
    { class: "lever" },
    h("details", {}, h("summary", {}, h("strong", {}, `${lever} = ${own[0].setting}`), ` ${said}${size}`), h("p", { class: "why" }, `Why: ${own[0].why}`), own.map(oneChange)),
  );
}

function oneChange(c) {
  const place = c.where === null ? c.what : `${c.what}: message ${c.where + 1}, ${c.role}, ${whole(c.chars_before)} to ${whole(c.chars_after)} characters`;
  const side = (title, text) => h("div", {}, h("span", { class: "dim" }, title), h("pre", { tabindex: 0 }, text || "(nothing)"));
  return h("div", {}, h("p", {}, place), h("div", { class: "beforeafter" }, side("before", c.before), side("sent", c.after)));
}

function wholeRequest(request) {
  const tools = request.tools.map((t) => t.name).join(", ") || "none";
  const text = (m) => [m.text, ...(m.calls || []).map((c) => `${c.name}(${JSON.stringify(c.arguments)})`)].filter(Boolean).join("\n");
  return [
    h("p", { class: "dim" }, `To ${request.model}, ${whole(request.max_output_tokens)} tokens of output at most; tools: ${tools}${request.tools_allowed ? "" : " (no call allowed)"}.`),
    request.messages.map((m) => h("div", { class: "tool" }, h("p", { class: "dim" }, m.name ? `${m.role}: ${m.name}` : m.role), h("pre", { tabindex: 0 }, text(m)))),
  ];
}

// Both lives of a cache write are one class here.
function fold(tokens) {
  const { cache_write_5m: short, cache_write_1h: long } = tokens;
  return { uncached: tokens.uncached_input, cache_read: tokens.cache_read, cache_write: short === null || long === null ? null : short + long, output: tokens.output, reasoning: tokens.reasoning };
}

function sum(calls) {
  const found = Object.fromEntries(Object.keys(CLASSES).map((name) => [name, 0]));
  for (const call of calls) {
    const own = fold(call.tokens);
    for (const name of Object.keys(found)) found[name] = found[name] === null || own[name] === null ? null : found[name] + own[name];
  }
  return found;
}

function known(tokens) {
  return Object.values(tokens).reduce((a, v) => a + (v ?? 0), 0);
}

function time(step) {
  return step.calls.reduce((a, c) => a + c.latency_s, 0) + step.tools.reduce((a, t) => a + t.latency_s, 0);
}

function square(name) {
  return s("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, s("rect", { class: `c-${name}`, width: 10, height: 10 }));
}

function classes(tokens) {
  const parts = Object.entries(CLASSES).filter(([name]) => tokens[name] !== 0).map(([name, said]) => h("span", {}, square(name), `${tokens[name] === null ? "unknown" : whole(tokens[name])} ${said}`));
  if (!parts.length) return h("p", { class: "classes dim" }, "no tokens");
  return h("p", { class: "classes" }, parts.map((p, i) => [i ? " · " : null, p]));
}

function bar(tokens, most, took, longest) {
  const parts = [];
  let at = 0;
  for (const name of Object.keys(CLASSES)) {
    const width = (100 * (tokens[name] ?? 0)) / most;
    if (width) parts.push(s("rect", { class: `c-${name}`, x: at, width, height: 10, "vector-effect": "non-scaling-stroke" }));
    at += width;
  }
  if (Object.values(tokens).includes(null)) parts.push(s("rect", { class: "unknown", x: Math.min(at, 94), width: 6, height: 10, "vector-effect": "non-scaling-stroke" }));
  parts.push(s("rect", { class: "seconds", y: 12, width: (100 * took) / longest, height: 3 }));
  return s("svg", { class: "tokens", viewBox: "0 0 100 15", preserveAspectRatio: "none", "aria-hidden": "true" }, parts);
}
