// A sweep: any measurement against any key, seeds as bands, two keys as a table of colours, the run behind each point a click away.

import { find, get, make, table } from "./dom.js";
import { format } from "./explore/drawing.js";
import { Plot, range, sample } from "./plot.js";
import { state, writeAddress } from "./state.js";

let shown = null; // the sweep that is drawn: { path, plot, legend }, the latter two, which draw, only where something was measured

export function closeSweep() { find("sweep").hidden = true; shown = null; }

export function redrawSweep() { shown?.plot?.draw(); shown?.legend?.(); } // colours are read as they are drawn

const seed = "seed";

// showSweep draws a sweep, anew where it has changed. openRuns is told which runs are to be looked at.
export async function showSweep(path, openRuns) {
  const box = find("sweep");
  box.hidden = false;
  if (shown?.path !== path) box.replaceChildren(make("p", { textContent: "Reading the runs of the sweep..." }));
  let sweep;
  try { sweep = await get("api/sweep", new URLSearchParams({ path })); } catch (error) { shown = null; box.replaceChildren(make("p", { role: "alert", textContent: error.message })); return; }
  if (state.sweep !== path) return; // another is looked at by now
  const keys = sweep.keys.map((k, i) => ({ ...k, i })).filter((k) => k.name !== seed);
  const measures = sweep.measures.map((m, i) => ({ ...m, i })).filter((m) => sweep.rows.some((r) => r.measured[m.i] !== null));
  const chosen = (name, options, usual) => (options.some((o) => o.name === state[name]) ? state[name] : usual);
  const select = (label, name, options, usual) => make("select", { ariaLabel: label, onchange: (e) => { state[name] = e.target.value; writeAddress(true); draw(); } },
    ...options.map((o) => make("option", { value: o.name, textContent: o.title || o.name, selected: o.name === chosen(name, options, usual) })));
  const usual = ["test_accuracy", "excess_max", "loss"].find((n) => measures.some((m) => m.name === n)) || measures[0]?.name;
  const y = select("measurement", "measure", measures, usual), x = select("against", "against", keys, keys[0]?.name);
  const by = select("curves for each", "by", [{ name: nothing, title: "(nothing)" }, ...keys], keys[1]?.name || nothing);
  const drawing = make("div");
  const close = make("button", { type: "button", textContent: "Close the sweep", onclick: () => { Object.assign(state, { sweep: "", measure: "", against: "", by: "" }); writeAddress(true); closeSweep(); } });
  const focused = box.contains(document.activeElement) ? document.activeElement.ariaLabel : null, open = box.querySelector("details")?.open;
  box.replaceChildren(make("h2", { textContent: "Sweep " + sweep.name }), make("div", { className: "bar" }, make("label", {}, "Measurement ", y), make("label", {}, "against ", x), make("label", {}, "curves for each ", by), close), drawing);
  const draw = () => {
    drawing.replaceChildren();
    shown = { path };
    const m = measures.find((c) => c.name === y.value), k = keys.find((c) => c.name === x.value), b = keys.find((c) => c.name === by.value);
    if (m && k) { points(drawing, sweep, m, k, b === k ? undefined : b, openRuns); if (b && b !== k) heat(drawing, sweep, m, k, b, openRuns); }
    drawing.append(rows(sweep, m, openRuns));
  };
  draw();
  if (open) box.querySelector("details").open = true;
  if (focused) [...box.querySelectorAll("select")].find((e) => e.ariaLabel === focused)?.focus();
}

const nothing = "none";
const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
const distinct = (sweep, k) => [...new Set(sweep.rows.map((r) => r.keys[k.i]))].sort(order);
const text = (v) => (v === null ? "(none)" : typeof v === "number" ? format(v) : String(v));

// isMemory says that a key is a beta, which is drawn by how long its memory lasts: .9, .99 and .999 are then equally far apart.
const isMemory = (k, values) => /(^|\.)(beta[0-9]*|momentum)$/.test(k.name) && values.every((v) => v >= 0 && v < 1);

function points(box, sweep, m, k, b, openRuns) {
  const values = distinct(sweep, k), numeric = values.every((v) => typeof v === "number"), memory = numeric && isMemory(k, values);
  const at = (v) => (memory ? 1 / (1 - v) : numeric ? v : values.indexOf(v));
  const log = memory || (numeric && values[0] > 0 && values[values.length - 1] / values[0] >= 50);
  const xName = memory ? `memory 1/(1 - ${k.name}) (steps)` : k.name + (k.unit ? ` (${k.unit})` : "");
  const groups = b ? distinct(sweep, b) : [null];
  const series = [], places = [];
  groups.forEach((g, i) => {
    const of = (v) => sweep.rows.filter((r) => r.keys[k.i] === v && (!b || r.keys[b.i] === g) && r.measured[m.i] !== null);
    const name = b ? `${b.name} ${text(g)}` : "mean", curve = { name, label: name, x: [], y: [], low: [], high: [], color: i, dash: i, line: true };
    const dots = { name: name + " (runs)", label: name, x: [], y: [], color: i, mark: i, marks: true };
    for (const v of values) {
      const there = of(v);
      if (!there.length) continue;
      const ys = there.map((r) => r.measured[m.i]), mean = ys.reduce((s, y) => s + y, 0) / ys.length;
      curve.x.push(at(v)); curve.y.push(mean); curve.low.push(Math.min(...ys)); curve.high.push(Math.max(...ys));
      for (const r of there) { dots.x.push(at(v)); dots.y.push(r.measured[m.i]); places.push({ x: at(v), y: r.measured[m.i], r }); }
    }
    if (curve.x.length) series.push(curve, dots);
  });
  if (!series.length) { box.append(make("p", { textContent: "Nothing of this was measured yet." })); return; }
  const canvas = make("canvas", { role: "img", ariaLabel: `${m.name} against ${k.name}; the runs are in the table below` });
  const legend = make("div", { className: "legend" });
  shown.legend = () => legend.replaceChildren(...series.filter((s) => s.line).map((s) => make("div", { className: "span" }, sample({ ...s, marks: true, mark: s.color }), make("span", { className: "name", textContent: s.label }))));
  shown.legend();
  const note = make("figcaption", { textContent: `${m.meaning || m.name}${m.unit ? ` (${m.unit})` : ""}. Each mark is a run, a click opens it; lines are means over runs that differ in nothing else that is drawn, their bands reach from the least to the largest.` + (numeric ? "" : ` ${k.name}: ${values.map((v, i) => `${i} is ${text(v)}`).join(", ")}.`) });
  box.append(make("figure", {}, make("div", { className: "pair" }, canvas, legend), note));
  const plot = (shown.plot = new Plot(canvas));
  plot.show({ x: xName, y: m.name + (m.unit ? ` (${m.unit})` : ""), logX: log, logY: false, series }, range(series, log));
  const nearest = (e) => {
    const frame = canvas.getBoundingClientRect();
    let best = null, distance = 12;
    for (const p of places) {
      const d = Math.hypot(plot.toX.to(p.x) - (e.clientX - frame.left), plot.toY.to(p.y) - (e.clientY - frame.top));
      if (d < distance && p.r.run) { best = p; distance = d; }
    }
    return best;
  };
  canvas.onclick = (e) => { const best = nearest(e); if (best) openRuns([best.r.run]); };
  canvas.onpointermove = (e) => {
    const best = nearest(e);
    canvas.style.cursor = best ? "pointer" : "default";
    canvas.title = best ? `${best.r.run.split("/").pop()}: ${sweep.keys.map((key, i) => `${key.name} ${text(best.r.keys[i])}`).join(", ")}, ${m.name} ${format(best.y)}` : "";
  };
}

// heat is a table whose cells are coloured by the mean of a measurement; numbers stand in them, so colours add nothing that is not read. What is below 0 has
// another colour than what is above.
function heat(box, sweep, m, k, b, openRuns) {
  const xs = distinct(sweep, k), ys = distinct(sweep, b), cells = new Map();
  let low = Infinity, high = -Infinity;
  for (const y of ys) for (const x of xs) {
    const there = sweep.rows.filter((r) => r.keys[k.i] === x && r.keys[b.i] === y && r.measured[m.i] !== null);
    if (!there.length) continue;
    const mean = there.reduce((s, r) => s + r.measured[m.i], 0) / there.length;
    cells.set(y + "\u0000" + x, { mean, there });
    low = Math.min(low, mean); high = Math.max(high, mean);
  }
  if (low > high) return;
  const signed = low < 0 && high > 0, farthest = Math.max(-low, high);
  const t = make("table", {}, make("caption", { textContent: `Mean ${m.name}${m.unit ? ` (${m.unit})` : ""}: ${b.name} down, ${k.name} across; ` +
    (signed ? `blue is below 0, orange above, the stronger the farther, up to ${format(farthest)}` : `the stronger the colour, the larger, from ${format(low)} to ${format(high)}`) }));
  t.append(make("thead", {}, make("tr", {}, make("th", { scope: "col", textContent: `${b.name} \\ ${k.name}` }), ...xs.map((x) => make("th", { scope: "col", className: "number", textContent: text(x) })))));
  const body = make("tbody");
  for (const y of ys) {
    const row = make("tr", {}, make("th", { scope: "row", textContent: text(y) }));
    for (const x of xs) {
      const cell = cells.get(y + "\u0000" + x), td = make("td", { className: "number" });
      if (cell) {
        const share = signed ? Math.abs(cell.mean) / farthest : high > low ? (cell.mean - low) / (high - low) : 0;
        td.className = "number heat";
        td.style.background = `color-mix(in srgb, var(${signed && cell.mean > 0 ? "--c1" : "--c0"}) ${Math.round(5 + 45 * share)}%, var(--paper))`;
        const runs = cell.there.map((r) => r.run).filter(Boolean);
        td.append(runs.length ? link(runs, format(cell.mean), openRuns) : format(cell.mean));
      }
      row.append(td);
    }
    body.append(row);
  }
  t.append(body);
  box.append(make("div", { className: "wide" }, t));
}

// link opens runs, or by the browser's own ways a page of them.
const link = (runs, textContent, openRuns) => make("a", { href: "?" + new URLSearchParams(runs.map((r) => ["run", r])), textContent, onclick: (e) => {
  if (e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  openRuns(runs);
} });

function rows(sweep, m, openRuns) {
  const t = table("Runs", [...sweep.keys.map((k) => k.name), m ? m.name : "measured", "status"], sweep.rows.map((r) => [...r.keys.map(text), m ? format(r.measured[m.i]) : "", r.status + (r.reason ? ": " + r.reason : "")]));
  [...t.tBodies[0].rows].forEach((tr, i) => { if (sweep.rows[i].run) tr.lastElementChild.append(" ", link([sweep.rows[i].run], "open", openRuns)); });
  return make("details", {}, make("summary", { textContent: `All ${sweep.rows.length} runs` }), make("div", { className: "wide" }, t));
}
