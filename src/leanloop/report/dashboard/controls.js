// What a person may ask of the process that runs the study.
import { announce, fetchJson, h, put, say } from "./dom.js";
import { dollars, whole } from "./format.js";

export class Controls {
  constructor(page) {
    this.page = page;
    this.pause = h("button", { id: "pause", onclick: () => this.ask({ action: this.head.asked === "pause" ? "resume" : "pause" }) }, "Pause");
    this.stop = h("button", { id: "stop", onclick: () => this.stopping.showModal() }, "Stop…");
    this.raise = h("button", { id: "raise", onclick: () => this.openCaps() }, "Raise a cap…");
    this.problem = h("p", { class: "bad", role: "alert" });
    this.stopping = this.stopDialog();
    this.caps = h("dialog", { "aria-labelledby": "caps-title" });
    this.element = h("div", { class: "row" }, this.pause, this.stop, this.raise, this.problem, this.stopping, this.caps);
  }

  draw(head) {
    this.head = head;
    const runs = !["done", "stopped", "ended"].includes(head.state);
    say(this.pause, head.asked === "pause" && runs ? "Resume" : "Pause");
    this.pause.disabled = !runs || head.state === "stopping";
    this.stop.disabled = !runs || head.state === "stopping";
    const why = runs ? null : "No process runs this study now";
    for (const button of [this.pause, this.stop]) {
      if (why) button.title = why;
      else button.removeAttribute("title");
    }
    this.raise.disabled = head.max_usd === null && head.max_runs === null;
  }

  stopDialog() {
    const close = () => dialog.close();
    const go = () => {
      close();
      this.ask({ action: "stop" });
    };
    const dialog = h(
      "dialog",
      { "aria-labelledby": "stop-title" },
      h("h2", { id: "stop-title" }, "Stop the study?"),
      h("p", {}, "Runs under way end and are kept; no other begins. leanloop optimize goes on with it later."),
      h("div", { class: "row" }, h("button", { class: "main", id: "stop-yes", onclick: go }, "Stop it"), h("button", { onclick: close }, "Go on")),
    );
    return dialog;
  }

  openCaps() {
    const { max_usd, max_runs, spent_usd, search_runs } = this.head;
    const usd = max_usd === null ? null : h("input", { id: "max-usd", type: "number", min: max_usd, step: "any", inputmode: "decimal", placeholder: String(max_usd) });
    const runs = max_runs === null ? null : h("input", { id: "max-runs", type: "number", min: max_runs, step: 1, inputmode: "numeric", placeholder: String(max_runs) });
    const said = h("p", { class: "bad", role: "alert" });
    const go = async () => {
      const order = { action: "raise" };
      if (usd?.value) order.max_usd = Number(usd.value);
      if (runs?.value) order.max_runs = Number(runs.value);
      const problem = await this.ask(order);
      if (problem) said.textContent = problem;
      else this.caps.close();
    };
    const onkey = (event) => {
      if (event.key === "Enter" && event.target.tagName === "INPUT") go();
    };
    put(
      this.caps,
      h("h2", { id: "caps-title" }, "Raise a cap"),
      h("p", { class: "dim" }, "It holds at once, and for good: also when the study is run again."),
      h("div", { onkeydown: onkey }, usd && h("label", {}, `Dollars (now ${dollars(max_usd)}, ${dollars(spent_usd)} spent)`, usd), runs && h("label", {}, `Runs of the search (now ${whole(max_runs)}, ${whole(search_runs)} made)`, runs)),
      said,
      h("div", { class: "row" }, h("button", { class: "main", id: "raise-yes", onclick: go }, "Raise"), h("button", { onclick: () => this.caps.close() }, "Leave it")),
    );
    this.caps.showModal();
  }

  // What went wrong, or null.
  async ask(order) {
    this.problem.textContent = "";
    try {
      const body = JSON.stringify(order);
      const state = await fetchJson(`${this.page.api}/control`, { method: "POST", headers: { "content-type": "application/json" }, body });
      this.page.take(state);
      announce({ pause: "Paused.", resume: "Resumed.", stop: "Stopping.", raise: "The cap is raised." }[order.action]);
      return null;
    } catch (error) {
      if (order.action !== "raise") this.problem.textContent = error.message;
      return error.message;
    }
  }
}
