// Elements are made of text alone: nothing that comes from a task or a model is ever parsed.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function s(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
}

// Changes a text only where it differs, so that nothing is announced or laid out twice.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let lastSaid = 0;
let waiting = null;

// Tells those who listen to the page; not more often than they can listen.
export function announce(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    lastSaid = performance.now();
    document.getElementById("live").textContent = text;
  }, Math.max(0, 2000 - (performance.now() - lastSaid)));
}

export async function fetchJson(path, options = {}) {
  const answer = await fetch(path, options);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error || answer.statusText);
  return found;
}

export function where(...parts) {
  return parts.map((p) => encodeURIComponent(p)).join("/");
}
