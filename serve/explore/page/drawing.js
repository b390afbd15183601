// What drawings on canvas have in common: units, ticks, numbers as text, marks, and samples of curves for legends.

import { make } from "./dom.js";

// contextOf returns a context whose units are CSS pixels, and its size, which is 0 while the canvas is not shown.
export function contextOf(canvas) {
  const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  const wide = Math.max(1, Math.round(w * ratio)), high = Math.max(1, Math.round(h * ratio));
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, w, h);
  c.font = "12px system-ui, 'Liberation Sans', sans-serif";
  return { c, w, h };
}

// ticks returns round values from low to high, at most about so many; on a logarithmic axis powers of ten, where there are two.
export function ticks(low, high, most, log = false) {
  if (!(high > low)) return [low];
  if (log) {
    const from = Math.ceil(Math.log10(low) - 1e-9), to = Math.floor(Math.log10(high) + 1e-9);
    const every = Math.max(1, Math.ceil((to - from + 1) / most)), out = [];
    for (let e = from; e <= to; e += every) out.push(Math.pow(10, e));
    if (out.length >= 2) return out;
  }
  const raw = (high - low) / most, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * (1 - 1e-9)), out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) out.push(k * step);
  return out;
}

// format writes a number with four digits at most, and nothing for what is none.
export function format(v) {
  if (v === null || v === undefined || !Number.isFinite(v)) return "";
  const size = Math.abs(v);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return v.toExponential(2).replace("e+", "e").replace(/\.?0+e/, "e");
  return String(Number(v.toPrecision(4)));
}

// glyph draws a mark, told from the others by its shape; fill, if any, is the colour within.
export function glyph(c, shape, x, y, r, fill) {
  c.beginPath();
  switch (shape) {
    case "circle": c.arc(x, y, r, 0, 7); break;
    case "square": c.rect(x - r, y - r, 2 * r, 2 * r); break;
    case "triangle": c.moveTo(x, y - r - 1); c.lineTo(x + r + 1, y + r); c.lineTo(x - r - 1, y + r); c.closePath(); break;
    case "down": c.moveTo(x, y + r); c.lineTo(x - r, y - r); c.lineTo(x + r, y - r); c.closePath(); break;
    case "cross": c.moveTo(x - r, y - r); c.lineTo(x + r, y + r); c.moveTo(x - r, y + r); c.lineTo(x + r, y - r); break;
    case "plus": c.moveTo(x - r, y); c.lineTo(x + r, y); c.moveTo(x, y - r); c.lineTo(x, y + r); break;
    default: return;
  }
  if (fill && shape !== "cross" && shape !== "plus") {
    const before = c.fillStyle;
    c.fillStyle = fill;
    c.fill();
    c.fillStyle = before;
  }
  c.stroke();
}

// sample returns what a curve looks like, for a legend: { color, width, dash } of its line, if it has one, and the shape and fill of its marks.
export function sample({ color, width, dash, line = true, shape, fill }) {
  const canvas = make("canvas", { className: "sample", "aria-hidden": "true" });
  requestAnimationFrame(() => { // in the page it has a size
    const { c, w, h } = contextOf(canvas);
    if (!w) return;
    c.strokeStyle = color;
    c.lineWidth = width;
    c.setLineDash(dash);
    if (line) { c.beginPath(); c.moveTo(1, h / 2); c.lineTo(w - 1, h / 2); c.stroke(); }
    c.setLineDash([]);
    c.lineWidth = 1.5;
    glyph(c, shape, w / 2, h / 2, 4, fill);
  });
  return canvas;
}
