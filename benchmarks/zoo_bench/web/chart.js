// The charts: accuracy against speed with the Pareto front, and speed alone where nothing else was measured.

const SPEEDS = {
  throughput: { label: "inputs per second, network alone", short: "network alone", read: (row) => row.throughput },
  end_to_end: { label: "inputs per second, end to end", short: "end to end", read: (row) => row.end_to_end },
};

const NAMES = 40; // beside points; the others are told by pointing at them
const REACH = 24; // pixels from which a point is meant

const setting = (row) =>
  [row.runtime, row.precision, row.batch_size ? `batch ${row.batch_size}` : "", row.device_id ?? ""].filter(Boolean).join(" · ");

/** From figures to pixels, and back to round figures for the axis. */
function scale(from, to, start, end, logarithmic) {
  const map = logarithmic ? Math.log10 : (value) => value;
  const [low, high] = [map(from), map(to)];
  const at = (value) => start + ((map(value) - low) / (high - low || 1)) * (end - start);
  return { at, ticks: logarithmic ? decades(from, to, Math.abs(end - start)) : rounds(from, to, Math.abs(end - start)) };
}

function decades(from, to, room) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power += 1)
    for (const step of [1, 2, 5]) ticks.push(step * 10 ** power);
  const inside = ticks.filter((tick) => tick >= from && tick <= to);
  const whole = inside.filter((tick) => Number.isInteger(Math.round(1e6 * Math.log10(tick)) / 1e6));
  if (inside.length < 2) return rounds(from, to, room / 2);
  return inside.length > room / 45 && whole.length > 1 ? whole : inside;
}

function rounds(from, to, room) {
  const rough = (to - from) / Math.max(2, room / 55);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) ticks.push(tick);
  return ticks;
}

/** The ends of an axis around all figures and their intervals. */
function span(intervals, logarithmic) {
  const figures = intervals.flatMap((interval) => [interval.low, interval.value, interval.high])
    .filter((figure) => Number.isFinite(figure) && (!logarithmic || figure > 0));
  let [low, high] = [Math.min(...figures), Math.max(...figures)];
  if (logarithmic) {
    const pad = Math.max((high / low) ** 0.1, 1.25);
    return [low / pad, high * pad];
  }
  const pad = Math.max((high - low) * 0.1, 0.005);
  return [low - pad, high + pad];
}

/** The points that no other beats in both: sorted by speed, slowest first. */
function front(points, falling) {
  const better = (a, b) => (falling ? a < b : a > b);
  const kept = [];
  for (const point of [...points].sort((a, b) => b.speed.value - a.speed.value || (better(a.metric.value, b.metric.value) ? -1 : 1)))
    if (!kept.length || better(point.metric.value, kept.at(-1).metric.value)) kept.push(point);
  return kept.reverse();
}

/** A scatter of `metric` against `speed`; `open` is called with the row of a point. */
function scatter(rows, metric, speed, { falling, all, open, width }) {
  const points = rows
    .map((row) => ({ row, metric: row.metrics[metric], speed: SPEEDS[speed].read(row) }))
    .filter((point) => Number.isFinite(point.metric?.value) && point.speed?.value > 0)
    .sort((a, b) => a.speed.value - b.speed.value);
  if (!points.length) return element("p", { class: "empty" }, "No row has both figures.");
  const height = points.length < 2 ? 200 : width < 520 ? 320 : 380; // one point has nothing to lie above
  const box = { left: 52, right: width - 14, top: 14, bottom: height - 46 };
  const x = scale(...span(points.map((point) => point.speed), true), box.left, box.right, true);
  const y = scale(...span(points.map((point) => point.metric), false), box.bottom, box.top, false);
  for (const point of points) [point.x, point.y] = [x.at(point.speed.value), y.at(point.metric.value)];
  const best = front(points, falling);
  const svg = shape("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `${metric} against ${SPEEDS[speed].label}; ${points.length} points, arrow keys move between them` });
  svg.append(grid(x, y, box, `${metric}${falling ? " (less is better)" : ""}`, `${SPEEDS[speed].label} (log scale)`),
    points.length < 2 ? "" : shape("path", { class: "front", d: stairs(best, box, falling) }),
    ...points.map((point) => whiskers(point, x, y)),
    labels(points, best, box));
  return figure(svg, points, (point) => summary(point.row, metric, speed, best.includes(point)), all, open);
}

function grid(x, y, box, up, along) {
  const group = shape("g", { class: "grid", "aria-hidden": "true" });
  for (const value of y.ticks)
    group.append(shape("line", { x1: box.left, x2: box.right, y1: y.at(value), y2: y.at(value) }),
      shape("text", { x: box.left - 8, y: y.at(value) + 4, "text-anchor": "end" }, tick(value)));
  for (const value of x.ticks)
    group.append(shape("line", { x1: x.at(value), x2: x.at(value), y1: box.top, y2: box.bottom }),
      shape("text", { x: x.at(value), y: box.bottom + 18, "text-anchor": "middle" }, tick(value)));
  group.append(shape("text", { class: "axis", x: (box.left + box.right) / 2, y: box.bottom + 38, "text-anchor": "middle" }, along));
  if (up) group.append(shape("text", { class: "axis", x: 0, y: 0, "text-anchor": "middle",
    transform: `translate(12 ${(box.top + box.bottom) / 2}) rotate(-90)` }, up));
  return group;
}

/** The front as stairs: what is reached at that speed or faster. */
function stairs(best, box, falling) {
  const start = `M${box.left},${best[0].y}`;
  const steps = best.map((point, index) => `H${point.x}V${best[index + 1]?.y ?? (falling ? box.top : box.bottom)}`);
  return start + steps.join("");
}

function whiskers({ row, x: left, y: top, metric, speed }, x, y) {
  const group = shape("g", { class: `whisker ${row.look.colour}`, "aria-hidden": "true" });
  if (hasEnds(metric)) group.append(shape("line", { x1: left, x2: left, y1: y.at(metric.low), y2: y.at(metric.high) }));
  if (hasEnds(speed)) group.append(shape("line", { x1: x.at(speed.low), x2: x.at(speed.high), y1: top, y2: top }));
  return group;
}

/** Names beside points, of the front first, where there is room; each backbone once. */
function labels(points, best, box) {
  const group = shape("g", { class: "names", "aria-hidden": "true" });
  const taken = points.map((point) => [point.x - 8, point.y - 8, point.x + 8, point.y + 8]);
  const named = new Set();
  for (const point of distinct([...[...best].reverse(), ...points])) {
    const name = point.row.backbone;
    const long = name.length * 6.6;
    const places = [[11, 4, 0], [-11 - long, 4, 0], [-long / 2, -13, 0], [-long / 2, 22, 0]];
    const free = named.has(name) ? undefined : places.map(([dx, dy]) => [point.x + dx, point.y + dy]).find(([left, base]) => {
      const mine = [left, base - 11, left + long, base + 4];
      return mine[0] >= box.left && mine[2] <= box.right && mine[1] >= box.top && mine[3] <= box.bottom
        && !taken.some((other) => mine[0] < other[2] && other[0] < mine[2] && mine[1] < other[3] && other[1] < mine[3]);
    });
    if (!free) continue;
    if (named.size >= NAMES) break;
    named.add(name);
    taken.push([free[0], free[1] - 11, free[0] + long, free[1] + 4]);
    group.append(shape("text", { x: free[0], y: free[1] }, name));
  }
  return group;
}

/** What a point says in words. */
function summary(row, metric, speed, onFront) {
  const rate = SPEEDS[speed].read(row);
  const found = metric ? row.metrics[metric] : null;
  return [
    row.backbone, setting(row),
    found ? `${metric} ${score(found.value)} ${ends(found, score)} n ${found.n.toLocaleString("en")}${found.n < row.small ? ", a small sample" : ""}` : "",
    `${number(rate.value)} inputs/s ${ends(rate, number)}, ${SPEEDS[speed].short}`,
    row.beside ? `measured beside up to ${row.beside} other pairs` : "",
    onFront ? "on the Pareto front" : "",
  ].filter(Boolean);
}

/** Speed alone: a line for each row, fastest first, on a logarithmic axis. */
function strip(rows, speed, { all, open, width }) {
  const points = rows.map((row) => ({ row, speed: SPEEDS[speed].read(row) })).filter((point) => point.speed?.value > 0)
    .sort((a, b) => b.speed.value - a.speed.value);
  if (!points.length) return element("p", { class: "empty" }, "No row has this figure.");
  const line = 40;
  const box = { left: 14, right: width - 14, top: 8, bottom: 12 + line * points.length };
  const x = scale(...span(points.map((point) => point.speed), true), box.left, box.right, true);
  const y = { at: (value) => value, ticks: [] };
  const height = box.bottom + 46;
  const svg = shape("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `${SPEEDS[speed].label}; ${points.length} points, arrow keys move between them` });
  const names = shape("g", { class: "names", "aria-hidden": "true" });
  points.forEach((point, index) => {
    [point.x, point.y] = [x.at(point.speed.value), box.top + line * index + 28];
    const right = point.x > width / 2;
    names.append(shape("text", { x: right ? point.x + 6 : point.x - 6, y: point.y - 12, "text-anchor": right ? "end" : "start" },
      `${point.row.backbone} · ${point.row.runtime} ${point.row.precision}`));
  });
  svg.append(grid(x, y, box, "", `${SPEEDS[speed].label} (log scale)`), ...points.map((point) => whiskers(point, x, y)), names);
  return figure(svg, points, (point) => summary(point.row, null, speed, false), all, open);
}

/** Points that can be pointed at, tapped, and walked with the arrow keys: one stop of the Tab key for each chart. */
function figure(svg, points, words, all, open) {
  const tip = element("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const nodes = points.map((point, index) => shape("g", { class: "point", role: "button", tabindex: index ? -1 : 0,
    transform: `translate(${point.x} ${point.y})`, "aria-label": words(point).join(", "),
    onfocus: () => show(index), onblur: hide, onkeydown: (event) => walk(event, index) },
  shape("circle", { class: "target", r: 13 }), mark(point.row.look)));
  function hide() {
    tip.hidden = true;
    nodes.forEach((node) => node.classList.remove("near"));
    svg.classList.remove("aimed");
  }
  function show(index) {
    hide();
    const point = points[index];
    nodes[index].classList.add("near");
    tip.replaceChildren(...words(point).map((line, number) => element(number ? "div" : "strong", {}, line)));
    tip.hidden = false;
    const left = Math.min(Math.max(0, point.x - tip.offsetWidth / 2), svg.clientWidth - tip.offsetWidth);
    const above = point.y - tip.offsetHeight - 16;
    tip.style.transform = `translate(${Math.max(0, left)}px, ${above > 0 ? above : point.y + 18}px)`;
  }
  /** Points may lie on top of each other: the nearest is meant, not the uppermost. */
  function aimed(event) {
    const frame = svg.getBoundingClientRect();
    const far = points.map(({ x, y }) => Math.hypot(event.clientX - frame.left - x, event.clientY - frame.top - y));
    const index = far.indexOf(Math.min(...far));
    return far[index] <= REACH ? index : null;
  }
  svg.addEventListener("pointermove", (event) => {
    const index = aimed(event);
    if (index === null) return hide();
    show(index);
    svg.classList.add("aimed");
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("click", (event) => {
    const index = event.detail ? aimed(event) : nodes.indexOf(event.target.closest(".point")); // 0: no pointer, a reader
    if (index === null || index < 0) return;
    nodes[index].focus();
    open(points[index].row);
  });
  function walk(event, index) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -index, End: nodes.length - 1 - index };
    if (event.key === "Enter" || event.key === " ") open(points[index].row);
    else if (event.key in steps) {
      const next = nodes[(index + steps[event.key] + nodes.length) % nodes.length];
      nodes.forEach((node) => node.setAttribute("tabindex", node === next ? 0 : -1));
      next.focus();
    } else return;
    event.preventDefault();
  }
  svg.append(shape("g", {}, nodes));
  return element("div", { class: "plot" }, svg, tip);
}
