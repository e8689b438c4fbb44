// The panel: everything that is known about one row.

const list = (...entries) => {
  const kept = entries.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== ABSENT);
  return kept.length ? element("dl", {}, kept.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])) : null;
};
const part = (title, ...content) => (content.flat().some(Boolean) ? element("section", {}, element("h3", {}, title), ...content) : null);
const entries = (facts) => Object.entries(facts ?? {}).map(([name, value]) => [name, String(value)]);

function fullRate(rate) {
  if (!rate) return null;
  const ended = { narrow: "repeated until the interval was narrow", budget: "repeated until the time was spent" }[rate.ended];
  return [element("b", {}, `${number(rate.value)} /s `), ends(rate, number) || "no interval", element("small", {}, ` ${rate.n} repeats${ended ? `, ${ended}` : ""}`)];
}

function fullLatency(latency) {
  if (!latency) return null;
  const lines = ["p50", "p90", "p99"].map((name) => {
    const needs = latency.needs?.[name];
    const bound = latency.bounds?.[name];
    if (latency[name] === null) return `${name}: too few calls${needs ? `, ${needs} are needed` : ""}`;
    return [`${name}: ${milliseconds(latency[name])} ms`, bound == null ? null : element("small", {}, ` below ${milliseconds(bound)} with 99 % confidence`)];
  });
  return [...lines.map((line) => element("div", {}, line)), element("small", {}, `${latency.n.toLocaleString("en")} calls`)];
}

function metricsOf(row) {
  const intervals = Object.values(row.metrics);
  return Object.entries(row.metrics).map(([name, interval]) => [name, [
    bar(interval, span([interval], false).map((end, index) => (intervals.every((one) => one.value >= 0 && one.value <= 1) ? index : end)), false, row.look),
    element("b", {}, ` ${interval.value === null ? ABSENT : interval.value.toFixed(4)} `), ends(interval, (value) => value.toFixed(4)),
    element("div", {}, element("small", { class: interval.n < row.small ? "few" : "" }, `n ${interval.n.toLocaleString("en")}${interval.n < row.small ? ", a small sample" : ""}`)),
  ]]);
}

function publishedOf(row) {
  return row.published.map((figure) => element("div", { class: "published" },
    element("div", {}, `${figure.metric} `, element("b", {}, String(figure.value)), ` on ${figure.dataset} ${figure.split}`),
    element("div", {}, figure.difference !== null
      ? `${apart(figure.difference)}${within(figure)}`
      : `not comparable: ${figure.why}`),
    element("small", {}, figure.source)));
}

function apart(difference) {
  const size = Math.abs(difference).toFixed(4);
  return size === "0.0000" ? "measured: the same" : `measured ${difference > 0 ? "+" : "−"}${size} from it`;
}

function within(figure) {
  if (figure.within === null || figure.within === undefined) return "";
  return `, ${figure.within ? "within" : "outside"} the tolerance of ${figure.tolerance}`;
}

function searchOf(row) {
  return (row.batch_search ?? []).map((step) => [`batch ${step.batch_size}`, step.error ?? `${number(step.rate)} /s`]);
}

function dataOf({ dataset }) {
  if (!dataset) return [];
  return [["name", dataset.name], ["split", dataset.split], ["examples", `${dataset.n.toLocaleString("en")} of ${dataset.size.toLocaleString("en")}${dataset.unread ? `, ${dataset.unread} unread` : ""}`],
    ["fingerprint", element("code", {}, dataset.fingerprint)]];
}

function computeOf({ compute, clocks, check }) {
  const figures = compute ? [["FLOPs per input", [scaled(compute.flops), element("small", {}, ` ${compute.method}`)]], ["achieved", compute.achieved === null ? null : scaled(compute.achieved, "FLOP/s")],
    ["machine's peak", compute.peak === null ? null : [scaled(compute.peak, "FLOP/s"), element("small", {}, ` ${compute.peak_method}`)]],
    ["share of peak", compute.share === null ? null : `${number(100 * compute.share)} %`]] : [];
  const read = clocks ? [["clock", clocks.mhz === null ? null : `${number(clocks.mhz)} MHz (${clocks.source})`], ["memory clock", clocks.memory_mhz === null ? null : `${number(clocks.memory_mhz)} MHz`],
    ["power", clocks.watts === null ? null : `${number(clocks.watts)} W`], ["temperature", clocks.celsius === null ? null : `${number(clocks.celsius)} °C`], ["load before", clocks.load === null ? null : number(clocks.load)]] : [];
  return [...figures, ...read, ["outputs checked", check ? `${check.measure}: ${number(check.value)}, at least ${number(check.threshold)} is accepted (${check.n} inputs, against ${check.against})` : null]];
}

function machineOf({ machine, device, device_id: id }) {
  const gpus = machine.gpus.map((gpu) => ["GPU", `${gpu.name}, driver ${gpu.driver}, ${scaled(gpu.memory, "B")}`]);
  return [["ran on", [device, id].filter(Boolean).join(", ")], ...gpus, ["processor", `${machine.processor}, ${machine.cores} cores`], ["memory", scaled(machine.memory, "B")], ["system", machine.system]];
}

/** Show `row` in the dialog; Escape and the button close it, and the focus goes back to where it was. */
function showPanel(dialog, row) {
  const shown = ({ look, small, subject, hardware, ...facts }) => facts;
  const memory = row.memory && `${scaled(row.memory.peak, "B")} ${row.memory.kind}${row.memory.before ? `, ${scaled(row.memory.before, "B")} before loading` : ""}`;
  dialog.replaceChildren(
    element("header", {}, element("div", {}, element("h2", { id: "panel-title" }, icon(row.look), row.backbone), element("p", {}, `${row.task} · ${setting(row)}`)),
      element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    element("div", { class: "facts", tabindex: 0, role: "region", "aria-label": "All facts" }, [
      row.error !== null ? element("p", { class: "error" }, row.error) : null,
      row.notes.length ? element("ul", { class: "notes" }, row.notes.map((note) => element("li", {}, note))) : null,
      part("Metrics", list(...metricsOf(row))),
      part("Published", publishedOf(row)),
      part("Speed", list(["network alone", fullRate(row.throughput)], ["end to end", fullRate(row.end_to_end)], ["inputs from", row.inputs],
        ["latency", fullLatency(row.latency)], ["latency, end to end", fullLatency(row.latency_end_to_end)],
        ["load", duration(row.load)], ["first call", duration(row.first_call)], ["warm-up", duration(row.warm_up)])),
      part("Search for the batch size", list(...searchOf(row))),
      part("Size", list(["peak memory", memory], ["parameters", row.parameters?.toLocaleString("en")], ["weights", row.weights == null ? null : scaled(row.weights, "B")], ...computeOf(row))),
      part("Data", list(...dataOf(row))),
      part("Machine", list(...machineOf(row))),
      part("Versions", list(...entries(row.versions))),
      part("To repeat it", list(["command", element("code", {}, row.command)], ["seed", String(row.seed)], ["measured", row.time], ["took", duration(row.duration)],
        ["output", row.output], ["run", row.run], ["place in the run", row.order], ["beside it", row.beside ? `up to ${row.beside} other pairs` : null],
        ...Object.entries(row.digests).map(([role, digest]) => [`SHA-256, ${role}`, element("code", {}, digest)]),
        ...entries(row.environment).map(([name, value]) => [name, element("code", {}, value)]))),
      element("details", {}, element("summary", {}, "The row as it was written"), element("pre", { tabindex: 0 }, JSON.stringify(shown(row), null, 1))),
    ].filter(Boolean)));
  dialog.showModal();
  dialog.querySelector(".facts").scrollTop = 0;
}
