// Marks: a runtime has a colour and an outline, a precision a filling, so that neither needs the colour to be told.

const OUTLINES = {
  circle: "M-5.5,0a5.5,5.5 0 1,0 11,0a5.5,5.5 0 1,0 -11,0Z",
  square: "M-5,-5H5V5H-5Z",
  triangle: "M0,-6.5L6.2,4.8H-6.2Z",
  diamond: "M0,-7L7,0L0,7L-7,0Z",
  inverted: "M0,6.5L6.2,-4.8H-6.2Z",
  plus: "M-2.3,-6.5H2.3V-2.3H6.5V2.3H2.3V6.5H-2.3V2.3H-6.5V-2.3H-2.3Z",
  hexagon: "M-3.3,-5.8H3.3L6.6,0L3.3,5.8H-3.3L-6.6,0Z",
  star: "M0,-7L1.9,-2.3L6.7,-2.2L2.9,0.9L4.2,5.7L0,3L-4.2,5.7L-2.9,0.9L-6.7,-2.2L-1.9,-2.3Z",
};
const FILLINGS = ["full", "hollow", "dot", "bar", "stripe"];
const PRECISIONS = ["fp32", "bf16", "fp16", "int8", "tf32"];
const REFERENCE = ["tf", "fp32"];

const first = (values, wanted) => distinct([...wanted.filter((value) => values.includes(value)), ...values]);

/** Every runtime and precision of the page with its look, the reference first: filters never change a look. */
function looks(rows) {
  const runtimes = first(distinct(rows.map((row) => row.runtime)).sort(), [REFERENCE[0]]);
  const precisions = first(distinct(rows.map((row) => row.precision)).sort(), PRECISIONS);
  const outlines = Object.keys(OUTLINES);
  return {
    runtimes, precisions,
    of: (row) => ({
      colour: `series-${runtimes.indexOf(row.runtime) % outlines.length}`,
      outline: OUTLINES[outlines[runtimes.indexOf(row.runtime) % outlines.length]],
      filling: FILLINGS[Math.max(0, precisions.indexOf(row.precision)) % FILLINGS.length],
    }),
  };
}

/** The mark of a look, centred on 0,0. */
function mark({ colour, outline, filling }) {
  const inner = {
    dot: "M-2,0a2,2 0 1,0 4,0a2,2 0 1,0 -4,0Z",
    bar: "M-4,-1.2H4V1.2H-4Z",
    stripe: "M-1.2,-4H1.2V4H-1.2Z",
  }[filling];
  return shape("g", { class: `mark ${colour} ${filling}` },
    shape("path", { d: outline }), inner ? shape("path", { d: inner, class: "inner" }) : null);
}

/** The front's look in a legend. */
const dashes = () => shape("svg", { class: "icon", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, shape("path", { class: "front", d: "M-8,0H8" }));

function icon(look) {
  return shape("svg", { class: "icon", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, mark(look));
}

function legend(rows, all) {
  const runtimes = all.runtimes.filter((name) => rows.some((row) => row.runtime === name));
  const precisions = all.precisions.filter((name) => rows.some((row) => row.precision === name));
  const entry = (row, text, colour) => element("li", {}, icon({ ...all.of(row), ...colour }), text);
  return element("ul", { class: "legend", "aria-label": "Marks" },
    runtimes.map((runtime) => entry({ runtime, precision: all.precisions[0] }, runtime)),
    precisions.length > 1 || all.precisions.length > 1
      ? precisions.map((precision) =>
        entry({ runtime: runtimes[0], precision }, precision, { colour: "plain", outline: OUTLINES.circle }))
      : null);
}
