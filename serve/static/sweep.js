// A sweep: any measurement against any key, seeds as bands, two keys as a table of colours, the run behind each point a click away.

import { find, get, make, table } from "./dom.js";
import { format } from "./explore/drawing.js";
import { Plot, range, sample } from "./plot.js";
import { state, writeAddress } from "./state.js";

export function closeSweep() { find("sweep").hidden = true; }

const seed = "seed";

export async function showSweep(path, openRun) {
  const box = find("sweep");
  box.hidden = false;
  box.replaceChildren(make("p", { textContent: "Reading the runs of the sweep..." }));
  let sweep;
  try { sweep = await get("api/sweep", new URLSearchParams({ path })); } catch (error) { box.replaceChildren(make("p", { role: "alert", textContent: error.message })); return; }
  const keys = sweep.keys.map((k, i) => ({ ...k, i })).filter((k) => k.name !== seed);
  const measures = sweep.measures.map((m, i) => ({ ...m, i })).filter((m) => sweep.rows.some((r) => r.measured[m.i] !== null));
  const select = (label, options, chosen) => make("select", { ariaLabel: label, onchange: () => draw() }, ...options.map((o) => make("option", { value: String(o.i), textContent: o.name, selected: o.name === chosen })));
  const usual = ["test_accuracy", "excess_max", "loss"].find((n) => measures.some((m) => m.name === n));
  const y = select("measurement", measures, usual), x = select("against", keys), by = select("curves for each", [{ i: -1, name: "(nothing)" }, ...keys], keys[1]?.name);
  const drawing = make("div");
  const close = make("button", { type: "button", textContent: "Close the sweep", onclick: () => { state.sweep = ""; writeAddress(true); closeSweep(); } });
  box.replaceChildren(make("h2", { textContent: "Sweep " + sweep.name }), make("div", { className: "bar" }, make("label", {}, "Measurement ", y), make("label", {}, "against ", x), make("label", {}, "curves for each ", by), close), drawing);
  const draw = () => {
    drawing.replaceChildren();
    const m = measures.find((c) => String(c.i) === y.value), k = keys.find((c) => String(c.i) === x.value), b = keys.find((c) => String(c.i) === by.value);
    if (m && k) { points(drawing, sweep, m, k, b === k ? undefined : b, openRun); if (b && b !== k) heat(drawing, sweep, m, k, b, openRun); }
    drawing.append(rows(sweep, m, openRun));
  };
  draw();
}

const asNumber = (v) => (typeof v === "number" ? v : NaN);
const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
const distinct = (sweep, k) => [...new Set(sweep.rows.map((r) => r.keys[k.i]))].sort(order);
const text = (v) => (v === null ? "(none)" : typeof v === "number" ? format(v) : String(v));

function points(box, sweep, m, k, b, openRun) {
  const values = distinct(sweep, k), numeric = values.every((v) => typeof v === "number"), at = (v) => (numeric ? v : values.indexOf(v));
  const log = numeric && values[0] > 0 && values[values.length - 1] / values[0] >= 50;
  const groups = b ? distinct(sweep, b) : [null];
  const series = [], places = [];
  groups.forEach((g, i) => {
    const of = (v) => sweep.rows.filter((r) => r.keys[k.i] === v && (!b || r.keys[b.i] === g) && r.measured[m.i] !== null);
    const name = b ? `${b.name} ${text(g)}` : "mean", curve = { name, label: name, x: [], y: [], low: [], high: [], color: i, dash: Math.floor(i / 8), line: true };
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
  const names = series.filter((s) => s.line).map((s) => make("span", { className: "name", textContent: s.label }));
  const legend = make("div", { className: "legend" }, ...series.filter((s) => s.line).map((s) => { const c = make("canvas", { ariaHidden: "true" }); const row = make("div", { className: "span" }, c, names.shift()); requestAnimationFrame(() => sample(c, { ...s, marks: true, mark: s.color })); return row; }));
  const note = make("figcaption", { textContent: `${m.meaning || m.name}${m.unit ? ` (${m.unit})` : ""}. Each mark is a run, a click opens it; lines are means over runs that differ in nothing else that is drawn, their bands reach from the least to the largest.` + (numeric ? "" : ` ${k.name}: ${values.map((v, i) => `${i} is ${text(v)}`).join(", ")}.`) });
  box.append(make("figure", {}, make("div", { className: "pair" }, canvas, legend), note));
  const plot = new Plot(canvas);
  plot.show({ x: k.name, y: m.name + (m.unit ? ` (${m.unit})` : ""), logX: log, logY: false, series }, range(series, log));
  canvas.onclick = (e) => {
    const frame = canvas.getBoundingClientRect();
    let best = null, distance = 12;
    for (const p of places) {
      const d = Math.hypot(plot.toX.to(p.x) - (e.clientX - frame.left), plot.toY.to(p.y) - (e.clientY - frame.top));
      if (d < distance && p.r.run) { best = p; distance = d; }
    }
    if (best) openRun(best.r.run);
  };
}

// heat is a table whose cells are coloured by the mean of a measurement; numbers stand in them, so colours add nothing that is not read.
function heat(box, sweep, m, k, b, openRun) {
  const xs = distinct(sweep, k), ys = distinct(sweep, b), cells = new Map();
  let low = Infinity, high = -Infinity;
  for (const y of ys) for (const x of xs) {
    const there = sweep.rows.filter((r) => r.keys[k.i] === x && r.keys[b.i] === y && r.measured[m.i] !== null);
    if (!there.length) continue;
    const mean = there.reduce((s, r) => s + r.measured[m.i], 0) / there.length;
    cells.set(y + "\u0000" + x, { mean, there });
    low = Math.min(low, mean); high = Math.max(high, mean);
  }
  const t = make("table", {}, make("caption", { textContent: `Mean ${m.name}: ${b.name} down, ${k.name} across; the stronger the colour, the larger` }));
  t.append(make("thead", {}, make("tr", {}, make("th", { scope: "col", textContent: `${b.name} \\ ${k.name}` }), ...xs.map((x) => make("th", { scope: "col", className: "number", textContent: text(x) })))));
  const body = make("tbody");
  for (const y of ys) {
    const row = make("tr", {}, make("th", { scope: "row", textContent: text(y) }));
    for (const x of xs) {
      const cell = cells.get(y + "\u0000" + x), td = make("td", { className: "number" });
      if (cell) {
        const share = high > low ? (cell.mean - low) / (high - low) : 0;
        td.style.background = `color-mix(in srgb, var(--c0) ${Math.round(5 + 45 * share)}%, var(--paper))`;
        const first = cell.there.find((r) => r.run);
        td.append(first ? make("a", { href: "?" + new URLSearchParams({ run: first.run }), textContent: format(cell.mean), onclick: (e) => { e.preventDefault(); openRun(first.run); } }) : format(cell.mean));
      }
      row.append(td);
    }
    body.append(row);
  }
  t.append(body);
  box.append(make("div", { className: "wide" }, t));
}

function rows(sweep, m, openRun) {
  const t = table("Runs", [...sweep.keys.map((k) => k.name), m ? m.name : "measured", "status"], sweep.rows.map((r) => [...r.keys.map(text), m ? format(r.measured[m.i]) : "", r.status + (r.reason ? ": " + r.reason : "")]));
  [...t.tBodies[0].rows].forEach((tr, i) => {
    const run = sweep.rows[i].run;
    if (run) tr.lastElementChild.append(" ", make("a", { href: "?" + new URLSearchParams({ run }), textContent: "open", onclick: (e) => { e.preventDefault(); openRun(run); } }));
  });
  const details = make("details", {}, make("summary", { textContent: `All ${sweep.rows.length} runs` }), make("div", { className: "wide" }, t));
  return details;
}
