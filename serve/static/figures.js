// The figures of what is chosen: axes above one another with their legends, one cursor and one zoom for all.

import { find, make, table } from "./dom.js";
import { format } from "./explore/drawing.js";
import { Plot, nearest, range, sample } from "./plot.js";
import { state } from "./state.js";

const plots = new Map(); // by figure and axes
let changed = () => {}; // told when the zoom or what is hidden changed
let cursor = null;

export function onChange(f) { changed = f; }

// showFigures draws figures, in the elements that are there where they are the same ones. names are what curves are called on the page.
export function showFigures(figures, names) {
  const x = state.from !== null && state.to !== null ? [state.from, state.to] : null;
  const box = find("figures"), wanted = new Set();
  let before = null;
  for (const f of figures) {
    const id = "figure-" + f.name;
    wanted.add(id);
    let figure = document.getElementById(id);
    if (!figure || figure.dataset.axes !== String(f.axes.length)) {
      figure?.remove();
      figure = build(f, id);
    }
    if (before ? before.nextElementSibling !== figure : box.firstElementChild !== figure) before ? before.after(figure) : box.prepend(figure);
    before = figure;
    figure.querySelector("h3").textContent = f.title;
    figure.querySelector("figcaption").textContent = f.caption;
    for (const a of f.axes) a.logX = f.apart ? Boolean(a.logX) : state.logX || (state.abscissa === "loss" && Boolean(a.logX));
    const all = (!f.apart && x) || range(f.axes.flatMap((a) => a.series), Boolean(f.axes[0].logX)) || [0, 1];
    f.axes.forEach((a, i) => showAxes(figure, f, a, i, all, names));
  }
  for (const figure of [...box.children]) {
    if (wanted.has(figure.id)) continue;
    for (const key of [...plots.keys()]) if (key.startsWith(figure.id.slice("figure-".length) + "/")) plots.delete(key);
    figure.remove();
  }
  moveCursor(cursor);
}

function build(f, id) {
  const figure = make("figure", { id }, make("h3"));
  figure.dataset.axes = String(f.axes.length);
  f.axes.forEach((a, i) => {
    const canvas = make("canvas", { tabIndex: 0, role: "img" });
    const legend = make("div", { className: "legend" });
    figure.append(make("div", { className: "pair" }, canvas, legend));
    const plot = new Plot(canvas);
    plots.set(f.name + "/" + i, plot);
    follow(plot);
  });
  const details = make("details", {}, make("summary", { textContent: "Numbers" }), make("div", { className: "wide" }));
  details.ontoggle = () => { if (details.open) fillNumbers(figure, details.lastElementChild); };
  figure.append(make("figcaption"), details);
  return figure;
}

function showAxes(figure, f, a, i, x, names) {
  const key = f.name + "/" + i, plot = plots.get(key), canvas = plot.canvas;
  plot.apart = Boolean(f.apart);
  for (const s of a.series) s.label = (names(s.name) || s.name).replaceAll("\n", " ");
  plot.hidden = new Set(a.series.map((s) => s.name).filter((n) => state.hidden.has(n)));
  a.x ||= f.axes[f.axes.length - 1].x || "step";
  plot.show(a, x, state.flipped.has(key));
  canvas.setAttribute("aria-label", `${a.y} against ${a.x}: ${a.series.map((s) => s.label).filter(Boolean).join(", ")}. Numbers are in the table below.`);
  legend(canvas.nextElementSibling, plot, a, key);
  const details = figure.querySelector("details");
  if (details.open) fillNumbers(figure, details.lastElementChild);
}

function legend(box, plot, a, key) {
  const mark = a.series.map((s) => [s.name, s.label, s.color, s.dash, s.mark, s.line, s.marks, state.hidden.has(s.name)].join()).join("|") + plot.logY + (a.shaded ? a.shaded.length > 0 : "");
  if (box.dataset.mark === mark) return;
  box.dataset.mark = mark;
  const entries = a.series.filter((s) => s.name !== "").map((s) => {
    const button = make("button", { type: "button", title: "show or hide" }, sample(s), make("span", { className: "name", textContent: s.label }), make("span", { className: "value" }));
    button.dataset.name = s.name;
    button.setAttribute("aria-pressed", String(!state.hidden.has(s.name)));
    button.onclick = () => { state.hidden.has(s.name) ? state.hidden.delete(s.name) : state.hidden.add(s.name); changed(false); };
    return button;
  });
  const spans = [...new Set((a.shaded || []).map((s) => s.name))].map((name) => make("div", { className: "span" }, make("i"), make("span", { textContent: name.replaceAll("\n", " ") })));
  const axis = make("button", { type: "button", className: "axis", textContent: plot.logY ? "linear axis" : "logarithmic axis" });
  axis.onclick = () => { state.flipped.has(key) ? state.flipped.delete(key) : state.flipped.add(key); changed(false); };
  box.replaceChildren(...entries, ...spans, axis);
}

// follow moves the cursor with the pointer and the keys, and zooms.
function follow(plot) {
  const canvas = plot.canvas;
  canvas.onpointermove = (e) => {
    if (plot.apart) { point(plot, plot.valueAt(e.clientX)); return; }
    if (plot.drag) { plot.drag[1] = plot.pixelOf(e.clientX); plot.draw(); return; }
    moveCursor(plot.valueAt(e.clientX));
  };
  canvas.onpointerleave = (e) => { // a finger that is lifted leaves the cursor
    if (e.pointerType === "touch") return;
    if (plot.apart) point(plot, null); else if (!plot.drag) moveCursor(null);
  };
  canvas.onpointerdown = (e) => {
    if (plot.apart || e.button !== 0 || plot.valueAt(e.clientX) === null) return;
    plot.drag = [plot.pixelOf(e.clientX), plot.pixelOf(e.clientX)];
    canvas.setPointerCapture(e.pointerId);
  };
  canvas.onpointerup = (e) => {
    if (!plot.drag) return;
    const [a, b] = plot.drag;
    plot.drag = null;
    const small = 5;
    if (Math.abs(a - b) < small) { plot.draw(); moveCursor(plot.valueAt(e.clientX)); return; }
    zoom(plot.toX.back(Math.min(a, b)), plot.toX.back(Math.max(a, b)));
  };
  canvas.onpointercancel = () => { plot.drag = null; plot.draw(); };
  canvas.ondblclick = () => { if (!plot.apart) zoom(null, null); };
  canvas.onkeydown = (e) => {
    if (plot.apart) return; // its x is not that of the others
    const [low, high] = plot.x, log = Boolean(plot.axes.logX);
    const f = log ? Math.log : (v) => v, back = log ? Math.exp : (v) => v, width = f(high) - f(low);
    const at = f(cursor === null ? back((f(low) + f(high)) / 2) : cursor);
    const near = 0.01, in2 = 0.5;
    switch (e.key) {
      case "ArrowLeft": moveCursor(back(Math.max(f(low), at - near * width))); break;
      case "ArrowRight": moveCursor(back(Math.min(f(high), at + near * width))); break;
      case "+": case "=": zoom(back(Math.max(f(low), at - in2 * width / 2)), back(Math.min(f(high), at + in2 * width / 2))); break;
      case "-": zoom(back(at - width), back(at + width)); break;
      case "0": case "Escape": zoom(null, null); break;
      default: return;
    }
    e.preventDefault();
  };
}

function zoom(low, high) { state.from = low; state.to = high; changed(true); }

// moveCursor shows what all curves are at a place; null shows none.
function moveCursor(x) {
  cursor = x;
  for (const plot of plots.values()) if (plot.axes && !plot.apart) point(plot, x);
}

// point shows what a plot's curves are at a place.
function point(plot, x) {
  if (plot.cursor !== x) { plot.cursor = x; plot.draw(); }
  const values = new Map();
  for (const s of plot.axes.series) {
    const i = x === null ? -1 : nearest(s, x);
    if (s.name !== "" && !s.faint) values.set(s.name, i < 0 ? "" : format(s.y[i]));
  }
  for (const button of plot.canvas.nextElementSibling.querySelectorAll("button[data-name]")) button.lastElementChild.textContent = values.get(button.dataset.name) ?? "";
}

// fillNumbers writes what the curves of a figure are at some places, evenly over what is shown.
function fillNumbers(figure, box) {
  const rows = 40, name = figure.id.slice("figure-".length), tables = [];
  for (const [key, plot] of plots) {
    if (!key.startsWith(name + "/") || !plot.axes) continue;
    const series = plot.visible.filter((s) => s.name !== "" && !s.faint), xs = [...new Set(series.flatMap((s) => s.x.filter((v) => v !== null && v >= plot.x[0] && v <= plot.x[1])))].sort((a, b) => a - b);
    const every = Math.max(1, Math.ceil(xs.length / rows)), places = xs.filter((_, i) => i % every === 0);
    tables.push(table(`${plot.axes.y}, ${every > 1 ? `every ${every}th of ` : ""}${xs.length} places that are drawn`, [plot.axes.x, ...series.map((s) => s.label)],
      places.map((x) => [format(x), ...series.map((s) => { const i = s.x.indexOf(x); return i < 0 ? "" : format(s.y[i]); })]), () => true));
  }
  box.replaceChildren(...tables);
}

export function redraw() {
  for (const plot of plots.values()) {
    plot.draw();
    const box = plot.canvas.nextElementSibling;
    box.dataset.mark = "";
    if (plot.axes) legend(box, plot, plot.axes, [...plots].find(([, p]) => p === plot)[0]);
  }
  moveCursor(cursor);
}
