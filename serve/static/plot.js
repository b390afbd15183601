// One pair of axes on a canvas: curves, bands, marks, shaded stretches, a grid with labels, a cursor, and a stretch that is being dragged over.

import { contextOf, format, glyph, sample as sampleOf, ticks } from "./explore/drawing.js";

const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const shapes = [["circle", true], ["square", true], ["down", true], ["cross", false], ["circle", false], ["square", false]]; // and whether they are filled
const margin = { left: 62, right: 10, top: 8, bottom: 36 };

// colours reads the theme's, which change with it.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue("--" + name).trim();
  return { ink: of("ink"), grid: of("grid"), soft: of("soft"), shade: of("shade"), line: of("line"), mark: of("mark"), curves: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => of("c" + i)) };
}

// scaled returns a function from values to pixels, and its inverse.
function scaled(low, high, log, from, to) {
  const f = log ? Math.log10 : (v) => v, a = f(low), b = f(high);
  return {
    to: (v) => from + ((f(v) - a) / (b - a)) * (to - from),
    back: (p) => { const v = a + ((p - from) / (to - from)) * (b - a); return log ? Math.pow(10, v) : v; },
  };
}

const usable = (v, log) => v !== null && Number.isFinite(v) && (!log || v > 0);

// extent returns the least and the largest of what is drawn, with room, null where that is nothing.
function extent(series, key, log, within) {
  let low = Infinity, high = -Infinity;
  for (const s of series) {
    const other = key === "x" ? s.y : s.x;
    for (let i = 0; i < s.x.length; i++) {
      if (within && s.faint) continue;
      if (!usable(s[key][i], log) || other[i] === null) continue;
      if (within && (s.x[i] < within[0] || s.x[i] > within[1])) continue;
      low = Math.min(low, s[key][i]); high = Math.max(high, s[key][i]);
    }
  }
  return low > high ? null : [low, high];
}

export function range(series, log) { return extent(series, "x", log, null); }

function roomy([low, high], log, by) {
  if (log) {
    low = Math.max(low, high * 1e-12);
    const f = high > low ? Math.pow(high / low, by) : 2;
    return [low / f, high * f];
  }
  const room = high > low ? by * (high - low) : Math.abs(low) * 0.1 || 1;
  return [low - room, high + room];
}

export class Plot {
  constructor(canvas) {
    this.canvas = canvas;
    this.axes = null;
    this.hidden = new Set();
    this.cursor = null;
    this.drag = null;
  }

  // show draws axes over a range of x. linear says that a logarithmic y axis is wanted linear, or the other way round.
  show(axes, x, flipped) {
    this.axes = axes; this.x = x; this.flipped = flipped;
    this.draw();
  }

  get visible() { return this.axes.series.filter((s) => !this.hidden.has(s.name)); }

  get logY() {
    const log = Boolean(this.axes.logY) !== Boolean(this.flipped);
    return log && Boolean(extent(this.visible, "y", true, this.x));
  }

  draw() {
    const { canvas, axes } = this;
    if (!axes) return;
    const { c, w: width, h: height } = contextOf(canvas), shades = colours();
    if (!width || !height) return;
    const logX = Boolean(axes.logX), logY = this.logY;
    const x = roomy(this.x, logX, 0.01);
    let y = extent(this.visible, "y", logY, this.x);
    if (axes.minY !== undefined && (!logY || axes.minY > 0) && y) y = [Math.max(y[0], axes.minY), Math.min(y[1], axes.maxY)];
    if (!y || y[0] > y[1]) y = logY ? [0.1, 1] : [0, 1];
    y = roomy(axes.zero && !logY ? [Math.min(0, y[0]), Math.max(0, y[1])] : y, logY, 0.05);
    const bottom = height - margin.bottom, right = width - margin.right;
    const X = (this.toX = scaled(x[0], x[1], logX, margin.left, right)), Y = scaled(y[0], y[1], logY, bottom, margin.top);
    this.toY = Y;
    this.frame(c, shades, x, y, logX, logY, X, Y, width, bottom, right);
    c.save();
    c.beginPath(); c.rect(margin.left, margin.top, right - margin.left, bottom - margin.top); c.clip();
    for (const s of axes.shaded || []) {
      c.fillStyle = shades.shade;
      const from = X.to(Math.max(s.from, x[0])), to = X.to(Math.min(s.to, x[1]));
      if (to > from) c.fillRect(from, margin.top, to - from, bottom - margin.top);
    }
    if (axes.zero && !logY) line(c, margin.left, Y.to(0), right, Y.to(0), shades.ink, 1);
    for (const s of this.visible) this.curve(c, s, shades, X, Y, logX, logY);
    this.overlay(c, shades, X, bottom);
    c.restore();
  }

  frame(c, shades, x, y, logX, logY, X, Y, width, bottom, right) {
    c.fillStyle = shades.ink; c.textAlign = "center"; c.textBaseline = "top";
    for (const v of ticks(x[0], x[1], Math.max(2, Math.floor(width / 110)), logX)) {
      line(c, X.to(v), margin.top, X.to(v), bottom, shades.grid, 1);
      c.fillText(format(v), X.to(v), bottom + 4);
    }
    c.textAlign = "right"; c.textBaseline = "middle";
    for (const v of ticks(y[0], y[1], 5, logY)) {
      line(c, margin.left, Y.to(v), right, Y.to(v), shades.grid, 1);
      c.fillText(format(v), margin.left - 5, Y.to(v));
    }
    c.textAlign = "center"; c.textBaseline = "bottom";
    c.fillText(this.axes.x, (margin.left + right) / 2, bottom + margin.bottom);
    c.save();
    c.translate(12, (margin.top + bottom) / 2); c.rotate(-Math.PI / 2);
    c.textBaseline = "middle";
    c.fillText(this.axes.y, 0, 0, bottom - margin.top + 2 * margin.top);
    c.restore();
  }

  curve(c, s, shades, X, Y, logX, logY) {
    const look = lookOf(s, shades), shade = look.color;
    const ok = (i) => usable(s.x[i], logX) && usable(s.y[i], logY);
    if (s.low && s.high) {
      c.globalAlpha = 0.2; c.fillStyle = shade; c.beginPath();
      let begun = false;
      const at = (i, v) => { if (!ok(i)) return; const py = usable(v[i], logY) ? Y.to(v[i]) : Y.to(s.y[i]); begun ? c.lineTo(X.to(s.x[i]), py) : c.moveTo(X.to(s.x[i]), py); begun = true; };
      for (let i = 0; i < s.x.length; i++) at(i, s.low);
      for (let i = s.x.length - 1; i >= 0; i--) at(i, s.high);
      c.fill(); c.globalAlpha = 1;
    }
    if (s.line) {
      c.strokeStyle = shade; c.lineWidth = look.width; c.lineJoin = "round";
      c.setLineDash(look.dash);
      c.beginPath();
      let pen = false, points = 0;
      for (let i = 0; i < s.x.length; i++) {
        if (!ok(i)) continue; // an unmeasured step lies between measured ones
        const px = X.to(s.x[i]), py = Y.to(s.y[i]);
        pen ? c.lineTo(px, py) : c.moveTo(px, py);
        pen = true; points++;
      }
      c.stroke(); c.setLineDash([]);
      if (points === 1) this.marks(c, s, look, X, Y, ok);
    }
    if (s.marks) this.marks(c, s, look, X, Y, ok);
  }

  marks(c, s, look, X, Y, ok) {
    c.strokeStyle = look.color; c.lineWidth = 1.5;
    for (let i = 0; i < s.x.length; i++) if (ok(i)) glyph(c, look.shape, X.to(s.x[i]), Y.to(s.y[i]), 3, look.fill);
  }

  overlay(c, shades, X, bottom) {
    if (this.drag) {
      c.fillStyle = shades.mark;
      c.fillRect(Math.min(...this.drag), margin.top, Math.abs(this.drag[1] - this.drag[0]), bottom - margin.top);
    }
    if (this.cursor !== null && this.cursor >= this.x[0] && this.cursor <= this.x[1]) {
      line(c, X.to(this.cursor), margin.top, X.to(this.cursor), bottom, shades.soft, 1);
    }
  }

  // valueAt returns the x at a place on the page, null outside of the axes.
  valueAt(clientX) {
    if (!this.toX) return null;
    const at = clientX - this.canvas.getBoundingClientRect().left;
    if (at < margin.left || at > this.canvas.clientWidth - margin.right) return null;
    return this.toX.back(at);
  }

  // pixelOf returns where on the canvas a place on the page is, within the axes.
  pixelOf(clientX) {
    const at = clientX - this.canvas.getBoundingClientRect().left;
    return Math.min(Math.max(at, margin.left), this.canvas.clientWidth - margin.right);
  }
}

// nearest returns the index of the measured value of a curve next to x, -1 where it does not reach there.
export function nearest(s, x) {
  let best = -1, distance = Infinity, low = Infinity, high = -Infinity;
  for (let i = 0; i < s.x.length; i++) {
    if (s.x[i] === null || s.y[i] === null) continue;
    low = Math.min(low, s.x[i]); high = Math.max(high, s.x[i]);
    const d = Math.abs(s.x[i] - x);
    if (d < distance) { distance = d; best = i; }
  }
  const room = 0.02 * (high - low);
  return best >= 0 && (s.faint || (x >= low - room && x <= high + room)) ? best : -1;
}

// lookOf is what a curve looks like.
function lookOf(s, shades) {
  const color = s.faint ? shades.line : shades.curves[s.color % shades.curves.length], [shape, solid] = shapes[(s.mark || 0) % shapes.length];
  return { color, width: s.faint ? 1 : 1.6, dash: dashes[(s.dash || 0) % dashes.length], line: Boolean(s.line), shape, fill: solid ? color : null };
}

// sample returns what a curve looks like, for a legend.
export function sample(s) {
  const look = lookOf(s, colours());
  return sampleOf(s.marks ? look : { ...look, shape: "none" });
}

function line(c, x0, y0, x1, y1, shade, width) {
  c.strokeStyle = shade; c.lineWidth = width;
  c.beginPath(); c.moveTo(x0, y0); c.lineTo(x1, y1); c.stroke();
}
