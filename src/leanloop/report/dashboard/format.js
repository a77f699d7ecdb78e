// Numbers as people read them. What is unknown is said so and never shown as zero.

export const AXES = {
  usd: { title: "dollars a 1000 tasks", short: "$ a 1000 tasks", factor: 1000 },
  latency_s: { title: "seconds a task", short: "seconds", factor: 1 },
  tokens: { title: "tokens a task", short: "tokens", factor: 1 },
  tool_calls: { title: "tool calls a task", short: "tool calls", factor: 1 },
};

// Making a formatter takes longer than using it a hundred times.
const FORMATS = new Map();

function fixed(value, least, most = least) {
  const key = 10 * least + most;
  if (!FORMATS.has(key)) FORMATS.set(key, new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most }));
  return FORMATS.get(key).format(value);
}

export function number(value) {
  if (value === null || value === undefined) return "unknown";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.1) return Number(value.toPrecision(2)).toString();
  const digits = size < 10 ? 2 : size < 100 ? 1 : 0;
  return fixed(value, digits);
}

export function count(value, noun) {
  return `${fixed(value, 0)} ${noun}${value === 1 ? "" : "s"}`;
}

export function whole(value) {
  return value === null || value === undefined ? "unknown" : fixed(value, 0);
}

export function dollars(value) {
  if (value === null || value === undefined) return "unknown";
  if (value !== 0 && Math.abs(value) < 0.01) return `$${Number(value.toPrecision(2))}`;
  return `$${fixed(value, 2, value < 1 ? 4 : 2)}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "unknown";
  if (value < 0.1) return `${Number((1000 * value).toPrecision(2))} ms`;
  if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function percent(value) {
  return value === null || value === undefined ? "unknown" : `${(100 * value).toFixed(0)}%`;
}

export function ends([, low, high], show) {
  return low === null || high === null ? "interval unknown" : `${show(low)} to ${show(high)}`;
}

// Points of success without digits that say nothing.
export function inPoints(share) {
  return Number((100 * share).toPrecision(3)).toString();
}

export function chance(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

export function points(value) {
  return value === null ? "unknown" : `${value >= 0 ? "+" : "−"}${Math.abs(100 * value).toFixed(0)}`;
}

// What tells a configuration from the baseline.
export function label(row, baseline) {
  if (row.role === "baseline") return "baseline";
  if (row.reference) return row.reference;
  return changes(row.settings, baseline) || row.id;
}

export function changes(settings, baseline) {
  if (!settings) return "";
  const base = baseline || {};
  const found = [];
  for (const [name, value] of Object.entries(settings)) if (base[name] !== value) found.push(`${name}=${value}`);
  for (const name of Object.keys(base)) if (!(name in settings)) found.push(`${name}=off`);
  return found.join(" ");
}

export function allSettings(settings) {
  if (!settings) return "not told yet";
  return Object.entries(settings).map(([k, v]) => `${k}=${v}`).join(" ") || "all off";
}
