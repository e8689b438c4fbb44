// The page: its heading, its filter, and a section for each task, dataset and machine.

const data = JSON.parse(document.getElementById("data").textContent);
const all = looks(data.rows);
for (const row of data.rows) {
  row.small = data.small;
  row.look = all.of(row);
  row.words = [row.task, row.backbone, row.runtime, row.precision, row.device_id, row.device, row.hardware, row.dataset?.name,
    row.dataset?.split, row.error, ...row.notes].filter(Boolean).join(" ").toLowerCase();
}
const dialog = document.getElementById("panel");
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
const open = (row) => showPanel(dialog, row);
const chosen = { text: "", task: "", runtime: "", precision: "", hardware: "", speed: "throughput" };
const kept = data.subjects.map(() => ({ order: {}, metric: null }));

function fits(row) {
  return ["task", "runtime", "precision", "hardware"].every((name) => !chosen[name] || row[name] === chosen[name])
    && chosen.text.toLowerCase().split(/\s+/).every((word) => row.words.includes(word));
}

function heading() {
  const failed = data.rows.filter((row) => row.error !== null).length;
  const days = distinct(data.rows.map((row) => row.time.slice(0, 10))).sort();
  const count = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;
  const versions = distinct(data.rows.map((row) => Object.entries(row.versions).map((pair) => pair.join(" ")).join(", ")));
  document.getElementById("head").append(
    element("h1", {}, "Accuracy and speed, measured together"),
    element("p", {}, [count(data.rows.length, "row"), count(distinct(data.rows.map((row) => row.backbone)).length, "backbone"),
      all.runtimes.length > 1 ? count(all.runtimes.length, "runtime") : "", failed ? `${failed} failed` : "",
      days.length > 1 ? `${days[0]} to ${days.at(-1)}` : days[0]].filter(Boolean).join(" · ")),
    element("p", { class: "quiet" }, data.machines.join(" | ")),
    element("p", { class: "quiet" }, versions.length > 1 ? "Versions differ between rows; each row names its own." : versions[0]),
    element("p", { class: "quiet" }, "Brackets and bars are 95 % intervals. Made by ", element("code", {}, "zoo report"), " from rows of ", element("code", {}, "zoo bench"), "."));
}

function filters() {
  const select = (name, label, any) => {
    const values = distinct(data.rows.map((row) => row[name])).sort();
    if (values.length < 2 && name !== "task" && name !== "runtime") return null;
    return field(label, element("select", { name, onchange: change },
      element("option", { value: "" }, any), values.map((value) => element("option", { value }, value))));
  };
  const form = document.getElementById("filter");
  form.append(...[
    field("Search", element("input", { type: "search", name: "text", placeholder: "name, dataset, note …", oninput: change, autocomplete: "off", spellcheck: "false" }), "search"),
    select("task", "Task", "all tasks"), select("runtime", "Runtime", "all runtimes"), select("precision", "Precision", "all"), select("hardware", "Machine", "all machines"),
    field("Speed", element("select", { name: "speed", onchange: change },
      Object.entries(SPEEDS).map(([value, { short }]) => element("option", { value }, short)))),
    element("output", { "aria-live": "polite" }),
  ].filter(Boolean));
  form.addEventListener("submit", (event) => event.preventDefault());
  function change(event) {
    chosen[event.target.name] = event.target.value;
    draw();
  }
}

function draw() {
  const rows = data.rows.filter(fits);
  document.querySelector("#filter output").textContent = `${rows.length} of ${data.rows.length} rows`;
  const right = rows.filter((row) => row.error === null);
  const failed = rows.filter((row) => row.error !== null);
  document.getElementById("found").replaceChildren(...[
    contents(right, failed),
    ...data.subjects.map((subject, index) => section(subject, right.filter((row) => row.subject === index), kept[index])),
    failed.length ? failures(failed) : null,
    rows.length ? null : element("p", { class: "empty" }, "No row fits the filter."),
  ].filter(Boolean));
}

/** Links to the sections, where there are several. */
function contents(right, failed) {
  const links = data.subjects.map((subject, index) => [index, right.filter((row) => row.subject === index).length]).filter(([, count]) => count)
    .map(([index, count]) => element("li", {}, element("a", { href: `#subject-${index}` }, named(data.subjects[index])), element("small", {}, ` ${count}`)));
  if (failed.length) links.push(element("li", {}, element("a", { href: "#failed" }, "Failed"), element("small", {}, ` ${failed.length}`)));
  return links.length > 1 ? element("nav", { "aria-label": "Sections" }, element("ul", {}, links)) : null;
}

const named = (subject) => (subject.dataset ? `${subject.task} on ${brief(subject.dataset)} ${subject.split}`.trim() : `${subject.task}, speed alone`);

function title(subject) {
  if (!subject.dataset) return [`${subject.task}: `, element("span", {}, "speed alone")];
  return [`${subject.task} on `, element("span", { title: subject.dataset }, `${brief(subject.dataset)} ${subject.split}`.trim())];
}

function about(subject, rows) {
  const some = subject.n < subject.size ? `${subject.n.toLocaleString("en")} of ${subject.size.toLocaleString("en")} examples` : `${subject.n.toLocaleString("en")} examples`;
  const parts = subject.dataset ? [some] : ["no metrics: the data has no labels that fit, so nothing is ranked by accuracy"];
  if (data.machines.length > 1) parts.push(subject.machine);
  return element("p", { class: "quiet" }, parts.join(" · "),
    subject.dataset && subject.n < data.small ? element("span", { class: "chip", title: "intervals are wide: small differences mean nothing" }, "small sample") : null,
    rows.some((row) => row.beside) ? element("span", { class: "chip", title: "pairs that ran at the same time took speed from each other" }, "some speeds measured beside other pairs") : null);
}

function section(subject, rows, state) {
  if (!rows.length) return null;
  const metrics = distinct(rows.flatMap((row) => Object.keys(row.metrics)));
  const holder = element("div", { class: "holder" });
  const side = element("div");
  const picture = () => {
    const metric = metrics.includes(state.metric) ? state.metric : metrics[0];
    const common = { falling: data.falling.includes(metric), all, open, width: Math.max(280, Math.floor(holder.clientWidth)) };
    holder.replaceChildren(metrics.length ? scatter(rows, metric, chosen.speed, common) : strip(rows, chosen.speed, common));
    side.replaceChildren(...(matrix(rows, metric, chosen.speed, all, open) ?? []));
  };
  const choice = metrics.length > 1 ? field("Metric", element("select", {
    onchange: (event) => { state.metric = event.target.value; picture(); } },
    metrics.map((name) => element("option", { value: name, selected: name === state.metric }, name))), "metric") : null;
  state.order.falling ??= data.falling.includes(metrics[0]);
  const name = named(subject);
  const key = element("ul", { class: "legend" }, element("li", {}, dashes(), "Pareto front: nothing is both faster and better"));
  const made = element("section", { class: "subject", id: `subject-${data.subjects.indexOf(subject)}`, "aria-label": name },
    element("h2", {}, title(subject)), about(subject, rows),
    element("div", { class: "above" }, element("div", { class: "legends" }, legend(rows, all), metrics.length && rows.length > 1 ? key : null), choice),
    holder, side, ...table(rows, metrics, "All rows; a click on a heading sorts, on a row shows all its facts", state.order, open));
  new ResizeObserver(() => {
    if (holder.clientWidth !== state.width) { state.width = holder.clientWidth; picture(); }
  }).observe(holder);
  state.width = null;
  return made;
}

function failures(rows) {
  return element("section", { class: "subject failures", id: "failed", "aria-label": "Failed" }, element("h2", {}, "Failed"),
    element("p", { class: "quiet" }, "Pairs without figures, and why."),
    element("ul", {}, rows.map((row) => element("li", {},
      element("button", { type: "button", class: "open", "aria-haspopup": "dialog", onclick: () => open(row) },
        element("b", {}, `${row.task}/${row.backbone}`), element("small", {}, ` ${setting(row)}`)),
      element("p", {}, row.error)))));
}

heading();
filters();
draw();
