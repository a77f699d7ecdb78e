// All studies and gateways of the store.
import { fetchJson, h, put, where } from "./dom.js";

export async function showList(main, crumbs) {
  crumbs([["all", "/"]]);
  const found = await fetchJson("/api/list");
  const part = (title, kind, names, none) => [
    h("h2", {}, title),
    names.length ? h("ul", { class: "list" }, names.map((n) => h("li", {}, h("a", { href: `/${where(kind, n)}` }, n)))) : h("p", { class: "dim" }, none),
  ];
  put(
    main,
    h("h1", { tabindex: -1 }, "Studies and gateways"),
    part("Studies", "study", found.studies, "None in this store yet: leanloop optimize STUDY.toml makes one."),
    part("Gateways", "gateway", found.gateways, "None in this store yet: leanloop gateway makes one."),
  );
}
