// Figures and elements: how a number reads, and how text reaches the document (as text, never as markup).

const ABSENT = "–";

/** Three significant digits, more before the point. */
function number(value) {
  if (value === null || value === undefined) return ABSENT;
  const size = Math.abs(value);
  if (size >= 99.95) return Math.round(value).toLocaleString("en");
  return value.toFixed(size >= 9.995 ? 1 : size >= 0.9995 || size === 0 ? 2 : 3);
}

/** A round figure on an axis: 20 k, not 20.0 k. */
const tick = (value) => (value >= 1e3 ? scaled(value).replace(/\.0+(?=\D)/, "") : String(Number(value.toPrecision(6))));

const score = (value) => (value === null || value === undefined ? ABSENT : value.toFixed(3));
const milliseconds = (seconds) => (seconds === null || seconds === undefined ? ABSENT : number(1e3 * seconds));

function duration(seconds) {
  if (seconds === null || seconds === undefined) return ABSENT;
  return seconds < 0.0995 ? `${number(1e3 * seconds)} ms` : `${number(seconds)} s`;
}

/** A count with a decimal prefix: 3.54 M, 8.75 GB. */
function scaled(value, unit = "") {
  if (value === null || value === undefined) return ABSENT;
  const steps = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const [step, prefix] = steps.find(([least]) => Math.abs(value) >= 0.9995 * least) ?? [1, ""];
  const shown = step === 1 && Number.isInteger(value) ? String(value) : number(value / step);
  return `${shown} ${prefix}${unit}`.trimEnd();
}

/** `[low, high]`, or nothing where it is unknown. */
function ends(interval, form) {
  if (!interval || interval.low === null || interval.low === undefined || interval.high === null) return "";
  return `[${form(interval.low)}, ${form(interval.high)}]`;
}

const hasEnds = (interval) => Boolean(ends(interval, String));

/** An element: attributes, `onclick` and the like as functions, children as nodes or text. */
function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** A name that may break after its separators, and nowhere else. */
const breakable = (name) => name.split(/(?<=[_.\/-])/).flatMap((piece, index) => (index ? [element("wbr"), piece] : [piece]));

/** A dataset's name without the folders that lead to it; the panel of a row has the whole. */
function brief(dataset) {
  const [, form, path] = dataset.match(/^(\w+:)?(.*)$/s);
  const parts = path.split("/");
  return parts.length > 3 ? `${form ?? ""}…/${parts.slice(-2).join("/")}` : dataset;
}

/** What stands above a table, and the table in a frame that it may be scrolled in. */
function framed(caption, table) {
  const id = `caption-${framed.count = (framed.count ?? 0) + 1}`;
  table.setAttribute("aria-labelledby", id);
  return [element("h3", { class: "caption", id }, caption), element("div", { class: "scroll", role: "region", tabindex: 0, "aria-labelledby": id }, table)];
}

/** A control under its label. */
function field(label, control, looks = "") {
  control.id = `field-${field.count = (field.count ?? 0) + 1}`;
  return element("div", { class: `field ${looks}` }, element("label", { for: control.id }, label), control);
}

/** A choice that keeps its order and says how many there are of each. */
const distinct = (values) => [...new Set(values)];
