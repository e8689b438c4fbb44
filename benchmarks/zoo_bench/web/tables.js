// The table of a section: columns with their figures and intervals, sorted by a click or a key on a heading.

const METRIC_COLUMNS = 3;
const LINES = 100; // of a table at first: a browser takes seconds for thousands

/** The columns of a section; each reads a figure or a text from a row, and says how it is shown. */
function columns(rows, metrics) {
  const has = (read) => rows.some((row) => read(row) !== null && read(row) !== undefined);
  const found = metrics.slice(0, METRIC_COLUMNS).map((name, index) => ({
    name, figure: true, wide: index > 0, read: (row) => row.metrics[name]?.value, interval: index ? null : (row) => row.metrics[name],
    show: (row) => (index ? score(row.metrics[name]?.value) : scored(row.metrics[name], row)),
  }));
  const all = [
    { name: "backbone", read: (row) => row.backbone, head: true },
    { name: "runtime", wide: true, read: (row) => row.runtime },
    { name: "precision", wide: true, read: (row) => row.precision },
    { name: "batch", wide: true, figure: true, read: (row) => row.batch_size, show: (row) => String(row.batch_size ?? ABSENT) },
    { name: "device", read: (row) => row.device_id, when: distinct(rows.map((row) => row.device_id)).length > 1 },
    ...found,
    { name: "training s", title: "weights read, features computed, the head trained", figure: true, read: (row) => row.fit?.seconds,
      show: (row) => (row.fit?.seconds == null ? ABSENT : number(row.fit.seconds)), when: has((row) => row.fit?.seconds) },
    { name: "size", title: "the fitted model as it was saved", figure: true, read: (row) => row.fit?.saved, show: (row) => scaled(row.fit?.saved, "B"),
      when: has((row) => row.fit?.saved) },
    { name: "inputs/s", title: "offline, the network alone", figure: true, read: (row) => row.throughput?.value,
      interval: (row) => row.throughput, log: true, show: (row) => ranged(row.throughput) },
    { name: "end to end /s", title: "offline, from files or texts to predictions", figure: true,
      read: (row) => row.end_to_end?.value, show: (row) => ranged(row.end_to_end) },
    { name: "p50 ms", title: "single stream, the network alone", figure: true, read: (row) => row.latency?.p50, show: (row) => milliseconds(row.latency?.p50) },
    { name: "p90 ms", figure: true, read: (row) => row.latency?.p90, show: (row) => milliseconds(row.latency?.p90) },
    { name: "p99 ms", figure: true, read: (row) => row.latency?.p99, show: (row) => milliseconds(row.latency?.p99) },
    { name: "peak memory", figure: true, read: (row) => row.memory?.peak, show: (row) => scaled(row.memory?.peak, "B") },
    { name: "parameters", figure: true, read: (row) => row.parameters, show: (row) => scaled(row.parameters) },
    { name: "FLOPs/input", figure: true, read: (row) => row.compute?.flops, show: (row) => scaled(row.compute?.flops), when: has((row) => row.compute?.flops) },
    { name: "of peak", title: "achieved FLOP/s as a share of the machine's measured peak", figure: true, read: (row) => row.compute?.share,
      show: (row) => (row.compute?.share == null ? ABSENT : `${number(100 * row.compute.share)} %`), when: has((row) => row.compute?.share) },
  ];
  return all.filter((column) => column.when !== false);
}

function scored(interval, row) {
  if (!interval) return ABSENT;
  const few = interval.n < row.small;
  const others = interval.n === row.dataset?.n ? "" : ` n ${interval.n.toLocaleString("en")}`; // the heading says how many
  return [element("b", {}, score(interval.value)),
    element("small", { class: few ? "few" : "", title: few ? "a small sample" : null }, `${ends(interval, score)}${others}`)];
}

function ranged(interval) {
  if (!interval) return ABSENT;
  return [element("b", {}, number(interval.value)), element("small", {}, ends(interval, number) || `n ${interval.n}: no interval`)];
}

/** The interval as a bar with its figure, on one scale for the whole column. */
function bar(interval, [from, to], logarithmic, look) {
  if (!Number.isFinite(interval?.value)) return null;
  const x = scale(from, to, 3, 77, logarithmic);
  const svg = shape("svg", { class: "bar", viewBox: "0 0 80 10", width: 80, height: 10, "aria-hidden": "true" },
    shape("line", { class: "rail", x1: 0, x2: 80, y1: 5, y2: 5 }));
  if (hasEnds(interval)) {
    const [low, high] = [x.at(interval.low), x.at(interval.high)];
    svg.append(shape("rect", { class: look.colour, x: low, width: Math.max(2, high - low), y: 2.5, height: 5, rx: 2.5 }));
  }
  svg.append(shape("circle", { class: look.colour, cx: x.at(interval.value), cy: 5, r: 2.5 }));
  return svg;
}

/** A section's table; `order` is kept by the caller, so that a filter does not undo it. */
function table(rows, metrics, caption, order, open) {
  const shown = columns(rows, metrics);
  const spans = new Map(shown.filter((column) => column.interval).map((column) => {
    const intervals = rows.map(column.interval).filter((interval) => Number.isFinite(interval?.value));
    return [column, intervals.length ? span(intervals, column.log) : [0, 1]];
  }));
  order.name ??= metrics[0] ?? "inputs/s";
  order.down ??= !order.falling;
  const body = element("tbody");
  const heads = shown.map((column) => element("th", { scope: "col", class: looksOf(column), title: column.title },
    element("button", { type: "button", onclick: () => sort(column) }, column.name, element("span", { class: "arrow", "aria-hidden": "true" }))));
  const more = element("button", { type: "button", class: "more", onclick: () => { order.whole = true; draw(); } },
    `Show all ${rows.length.toLocaleString("en")} rows`);
  function sort(column) {
    order.down = order.name === column.name ? !order.down : Boolean(column.figure);
    order.name = column.name;
    draw();
  }
  function draw() {
    shown.forEach((column, index) => heads[index].setAttribute("aria-sort",
      column.name === order.name ? (order.down ? "descending" : "ascending") : "none"));
    const by = shown.find((column) => column.name === order.name) ?? shown[0];
    const most = order.whole ? rows.length : LINES;
    body.replaceChildren(...sorted(rows, by.read, order.down).slice(0, most).map((row) => line(row)));
    more.hidden = rows.length <= most;
  }
  function line(row) {
    const cells = shown.map((column) => column.head
      ? element("th", { scope: "row" }, element("button", { type: "button", class: "open", onclick: () => open(row), "aria-haspopup": "dialog",
        "aria-label": `${row.backbone}, ${setting(row)}: all facts` }, icon(row.look),
        element("span", {}, breakable(row.backbone), element("small", { class: "narrow" }, [row.runtime, row.precision, row.batch_size].filter(Boolean).join(" · ")))))
      : element("td", { class: looksOf(column) },
        column.interval ? bar(column.interval(row), spans.get(column), column.log, row.look) : null,
        column.show ? column.show(row) : String(column.read(row) ?? ABSENT)));
    return element("tr", { onclick: (event) => { if (!event.target.closest("button")) open(row); } }, cells);
  }
  draw();
  return [...framed(caption, element("table", { class: "rows" }, element("thead", {}, element("tr", {}, heads)), body)), rows.length > LINES ? more : ""];
}

const looksOf = (column) => [column.figure ? "figure" : "", column.wide ? "wide" : ""].join(" ").trim();

/** Rows by a figure or a text, equals by speed; those without one come last either way. */
function sorted(rows, read, down) {
  const absent = (value) => value === null || value === undefined;
  return [...rows].sort((left, right) => {
    const [a, b] = [read(left), read(right)];
    if (absent(a) || absent(b)) return absent(a) - absent(b);
    const found = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return (down ? -found : found) || (right.throughput?.value ?? 0) - (left.throughput?.value ?? 0);
  });
}
