// Which page this is, and what every page shares: the way up, Escape, and the state of the connection.
import { fetchJson, h, put, where } from "./dom.js";
import { showList } from "./list.js";
import { StudyPage } from "./study.js";
import { GatewayPage } from "./gateway.js";

const main = document.getElementById("main");
const [kind, name] = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);

export function crumbs(parts) {
  const items = parts.map(([text, href], i) =>
    h("li", {}, i === parts.length - 1 ? h("span", { "aria-current": "page" }, text) : h("a", { href }, text)),
  );
  put(document.getElementById("crumbs"), h("ol", {}, items));
}

function fail(error) {
  put(main, h("h1", {}, "This cannot be shown"), h("p", { class: "bad", role: "alert" }, error.message), h("p", {}, h("a", { href: "/" }, "All studies and gateways")));
}

// A page is told of each change; its first message has everything, later ones what is new.
function follow(page, path) {
  const link = document.getElementById("link");
  let connected = false;
  const source = new EventSource(`${path}/events`);
  source.addEventListener("state", (event) => {
    connected = true;
    link.textContent = "live";
    const start = performance.now();
    page.take(JSON.parse(event.data));
    void document.body.offsetHeight; // lays the page out, so that this is measured too
    measure(performance.now() - start);
  });
  source.addEventListener("error", () => {
    link.textContent = "not connected: trying again";
    if (!connected) fetchJson(path).catch(fail);
  });
}

const told = { redraws: 0, lastRedrawMs: 0, slowestRedrawMs: 0 };
window.leanloop = told;

function measure(ms) {
  told.redraws += 1;
  told.lastRedrawMs = ms;
  told.slowestRedrawMs = Math.max(told.slowestRedrawMs, ms);
  document.documentElement.dataset.redrawMs = ms.toFixed(1);
}

function start() {
  if (!kind) return void showList(main, crumbs).catch(fail);
  document.title = `leanloop: ${name}`;
  const page = kind === "study" ? new StudyPage(name, main, crumbs) : new GatewayPage(name, main, crumbs);
  const path = `/api/${where(kind, name)}`;
  const go = () => Promise.resolve(page.go(location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent))).catch(fail);
  window.addEventListener("hashchange", () => {
    if (location.hash !== "#main") go();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    const up = page.up();
    if (up !== null) location.hash = up;
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
    main.scrollIntoView();
  });
  go();
  follow(page, path);
  window.leanloop.page = page;
}

start();
