// Runtimes side by side: the speed of one network under each runtime and precision, against the reference.

const asked = (row, name) => (row.asked?.[name] === "auto" ? "auto" : row[name]);

/** new / old with its interval from the two rates' intervals (MOVER on logarithms, as in `zoo compare`). */
function ratio(old, now) {
  const value = now.value / old.value;
  if (!hasEnds(old) || !hasEnds(now)) return { value, low: null, high: null };
  const down = Math.hypot(Math.log(now.value / now.low), Math.log(old.high / old.value));
  const up = Math.hypot(Math.log(now.high / now.value), Math.log(old.value / old.low));
  return { value, low: value * Math.exp(-down), high: value * Math.exp(up) };
}

/** A table of backbones by runtimes, or nothing where there is one runtime alone. */
function matrix(rows, metric, speed, all, open) {
  const timed = rows.filter((row) => SPEEDS[speed].read(row)?.value > 0);
  const modes = distinct(timed.map((row) => `${row.runtime}\n${row.precision}`)).map((mode) => mode.split("\n"))
    .sort((a, b) => all.runtimes.indexOf(a[0]) - all.runtimes.indexOf(b[0]) || all.precisions.indexOf(a[1]) - all.precisions.indexOf(b[1]));
  if (modes.length < 2) return null;
  const devices = distinct(timed.map((row) => row.device_id));
  const groups = new Map();
  for (const row of timed) {
    const key = JSON.stringify([row.backbone, asked(row, "batch_size"), row.device_id]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  const latest = (group, [runtime, precision]) => group.filter((row) => row.runtime === runtime && row.precision === precision)
    .sort((a, b) => (a.time < b.time ? 1 : -1))[0];
  const lines = [...groups].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })).slice(0, LINES).map(([key, group]) => {
    const [backbone, batch, device] = JSON.parse(key);
    const reference = latest(group, REFERENCE);
    const most = Math.max(...group.map((row) => SPEEDS[speed].read(row).value));
    return element("tr", {},
      element("th", { scope: "row" }, breakable(backbone), element("small", {}, ` batch ${batch}${devices.length > 1 ? ` on ${device}` : ""}`)),
      modes.map((mode) => cell(latest(group, mode), reference, most, metric, speed, open)));
  });
  const heads = modes.map(([runtime, precision]) => element("th", { scope: "col" },
    icon(all.of({ runtime, precision })), runtime, element("small", {}, precision)));
  const rest = groups.size > LINES ? `; the first ${LINES} of ${groups.size.toLocaleString("en")}, search for others` : "";
  const caption = `Runtimes side by side: inputs/s, ${SPEEDS[speed].short}, and how many times the rate of ${REFERENCE.join(" ")}${rest}`;
  return framed(caption, element("table", { class: "matrix" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "backbone"), heads)), element("tbody", {}, lines)));
}

function cell(row, reference, most, metric, speed, open) {
  if (!row) return element("td", { class: "figure absent" }, ABSENT);
  const rate = SPEEDS[speed].read(row);
  const found = row.metrics[metric];
  const times = reference && reference !== row ? ratio(SPEEDS[speed].read(reference), rate) : null;
  const clear = times && hasEnds(times) ? (times.low > 1 ? "faster" : times.high < 1 ? "slower" : "same") : "same";
  const words = times ? `×${times.value.toFixed(2)}` : reference ? "reference" : `no ${REFERENCE.join(" ")} here`;
  const note = times && (hasEnds(times) ? ends(times, (value) => value.toFixed(2)) : "no interval");
  return element("td", { class: `figure ${rate.value === most ? "most" : ""}` },
    element("button", { type: "button", class: "open", onclick: () => open(row), "aria-haspopup": "dialog",
      "aria-label": `${row.backbone}, ${setting(row)}: ${number(rate.value)} inputs/s, ${words}; all facts` },
    element("b", {}, number(rate.value)),
    element("span", { class: times ? clear : "quiet" }, words, note ? element("small", {}, ` ${note}`) : null),
    found ? element("small", {}, `${metric} ${score(found.value)}`) : null));
}
