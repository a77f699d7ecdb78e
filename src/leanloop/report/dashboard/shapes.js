// Shapes tell kinds apart without colour.
import { s } from "./dom.js";

export const KINDS = {
  baseline: "baseline",
  recommended: "recommended",
  member: "on the frontier",
  alive: "in the race",
  reference: "reference",
  dropped: "dropped",
};

const PATHS = {
  baseline: (r) => `M${-r},${-r}H${r}V${r}H${-r}Z`,
  member: (r) => `M${-r},0A${r},${r} 0 1 0 ${r},0A${r},${r} 0 1 0 ${-r},0Z`,
  recommended: (r) => star(1.35 * r),
  alive: (r) => `M0,${-1.2 * r}L${1.2 * r},0L0,${1.2 * r}L${-1.2 * r},0Z`,
  reference: (r) => `M0,${-1.15 * r}L${1.1 * r},${0.9 * r}H${-1.1 * r}Z`,
  dropped: (r) => `M${-r},${-r}L${r},${r}M${r},${-r}L${-r},${r}`,
};

function star(r) {
  let path = "";
  for (let i = 0; i < 10; i++) {
    const reach = i % 2 ? 0.45 * r : r;
    const angle = (Math.PI * i) / 5;
    path += `${i ? "L" : "M"}${(reach * Math.sin(angle)).toFixed(2)},${(-reach * Math.cos(angle)).toFixed(2)}`;
  }
  return `${path}Z`;
}

export function kindOf(row) {
  return row.recommended ? "recommended" : row.role;
}

export function mark(kind, r = 5) {
  const open = kind === "dropped";
  return s("path", { class: "mark", d: PATHS[kind](r), "stroke-width": open ? 2 : 1, fill: open ? "none" : null });
}

export function swatch(kind) {
  return s("svg", { viewBox: "-8 -8 16 16", class: kind, "aria-hidden": "true" }, mark(kind));
}
