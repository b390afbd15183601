// Drawing on canvas. Everything is drawn from the numbers of one answer; nothing is computed here but where a pixel lies.

import { contextOf, format, glyph, ticks } from "./drawing.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Each curve has a color, a dash and a mark, so that no two are told apart by color alone: the dash says which family it is of, and the mark which order.
const families = { memoryless: [7, 4], state: [2, 3], lift: [10, 3, 2, 3], iteration: [4, 2], "gradient-flow": [14, 4] };
const marks = ["none", "plus", "square", "triangle", "circle"];
const colors = {
  iterates: 0, "memoryless-1": 6, "memoryless-2": 1, "memoryless-3": 3, "memoryless-4": 5, "state-1": 7, "state-2": 2, "state-3": 4, "state-4": 3,
  "lift-1": 5, "lift-2": 4, "iteration-1": 6, "iteration-2": 1, "gradient-flow": 0,
};

export function styleOf(name) {
  const [, family, order] = /^(.*?)(?:-(\d))?$/.exec(name);
  return { color: css("--c" + (colors[name] ?? 0)), dash: families[family] ?? [], shape: marks[order ?? 0], fill: css("--paper"), width: name === "iterates" ? 2.4 : 2 };
}

// curve draws a line through points, broken where they are no numbers, with some marks along it.
function curve(c, points, style, markEvery) {
  c.strokeStyle = style.color;
  c.lineWidth = style.width;
  c.lineJoin = "round";
  c.setLineDash(style.dash);
  c.beginPath();
  let open = false;
  for (const p of points) {
    if (!p) { open = false; continue; }
    if (open) c.lineTo(p[0], p[1]);
    else c.moveTo(p[0], p[1]);
    open = true;
  }
  c.stroke();
  c.setLineDash([]);
  c.lineWidth = 1.5;
  let gone = markEvery / 2, last = null;
  for (const p of points) {
    if (p && last) gone += Math.hypot(p[0] - last[0], p[1] - last[1]);
    if (p && gone > markEvery) { glyph(c, style.shape, p[0], p[1], 4, style.fill); gone = 0; }
    last = p;
  }
}

const margin = { left: 46, right: 12, top: 10, bottom: 36 };

// frameOf returns the map from the view of a plane to pixels.
export function frameOf(canvas, view) {
  const box = canvas.getBoundingClientRect();
  const w = box.width - margin.left - margin.right, h = box.height - margin.top - margin.bottom;
  return {
    w, h,
    x: (v) => margin.left + ((v - view[0]) / (view[1] - view[0])) * w,
    y: (v) => margin.top + (1 - (v - view[2]) / (view[3] - view[2])) * h,
    backX: (px) => view[0] + ((px - margin.left) / w) * (view[1] - view[0]),
    backY: (py) => view[2] + (1 - (py - margin.top) / h) * (view[3] - view[2]),
  };
}

function mix(a, b, t) {
  const hex = (s) => [1, 3, 5].map((i) => parseInt(s.slice(i, i + 2), 16));
  const p = hex(a), q = hex(b);
  return p.map((v, i) => v + (q[i] - v) * t);
}

// heights returns the logarithms of losses over their least, on a scale that shows the valley.
function heights(surface) {
  const finite = surface.loss.filter((v) => v !== null);
  const least = Math.min(...finite), most = Math.max(...finite);
  const floor = Math.max((most - least) * 1e-4, 1e-300);
  const low = Math.log(floor), high = Math.log(most - least + floor);
  return surface.loss.map((v) => (v === null ? 1 : (Math.log(v - least + floor) - low) / Math.max(high - low, 1e-9)));
}

function drawSurface(c, frame, surface, contours) {
  const n = surface.n, view = surface.view, z = heights(surface);
  const image = new ImageData(n, n), low = css("--low"), high = css("--high");
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      const [r, g, b] = mix(low, high, z[j * n + i]);
      image.data.set([r, g, b, 255], 4 * ((n - 1 - j) * n + i));
    }
  }
  const small = document.createElement("canvas");
  small.width = small.height = n;
  small.getContext("2d").putImageData(image, 0, 0);
  const dx = (view[1] - view[0]) / (n - 1) / 2, dy = (view[3] - view[2]) / (n - 1) / 2;
  c.imageSmoothingEnabled = true;
  c.drawImage(small, frame.x(view[0] - dx), frame.y(view[3] + dy), frame.x(view[1] + dx) - frame.x(view[0] - dx), frame.y(view[2] - dy) - frame.y(view[3] + dy));
  if (!contours) return;
  c.strokeStyle = css("--contour");
  c.lineWidth = 0.8;
  for (let k = 1; k < 12; k++) isoline(c, frame, surface, z, k / 12);
}

// isoline strokes the level set of values on a grid, by marching squares.
function isoline(c, frame, grid, z, level) {
  const n = grid.n, [x0, x1, y0, y1] = grid.view;
  const at = (i, j) => [frame.x(x0 + ((x1 - x0) * i) / (n - 1)), frame.y(y0 + ((y1 - y0) * j) / (n - 1))];
  const crosses = (u, v) => u !== null && v !== null && u >= level !== v >= level;
  c.beginPath();
  for (let j = 0; j + 1 < n; j++) {
    for (let i = 0; i + 1 < n; i++) {
      const [a, b, d, e] = [z[j * n + i], z[j * n + i + 1], z[(j + 1) * n + i + 1], z[(j + 1) * n + i]];
      if (!crosses(a, b) && !crosses(b, d) && !crosses(d, e)) continue;
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
      const crossings = [];
      for (let k = 0; k < 4; k++) {
        const [a, b] = [corners[k], corners[(k + 1) % 4]];
        const u = z[a[1] * n + a[0]], v = z[b[1] * n + b[0]];
        if (!crosses(u, v)) continue;
        const t = (level - u) / (v - u), p = at(...a), q = at(...b);
        crossings.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]);
      }
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        c.moveTo(...crossings[k]);
        c.lineTo(...crossings[k + 1]);
      }
    }
  }
  c.stroke();
}

// drawRegions hatches where the bias hinders the fall of the norm, and draws the border.
function drawRegions(c, frame, field) {
  const n = field.n, [x0, x1, y0, y1] = field.view;
  const w = (x1 - x0) / (n - 1), h = (y1 - y0) / (n - 1);
  c.save();
  c.beginPath();
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      if (!(field.drive[j * n + i] > 0)) continue;
      const x = frame.x(x0 + (i - 0.5) * w), y = frame.y(y0 + (j + 0.5) * h);
      c.rect(x, y, frame.x(x0 + (i + 0.5) * w) - x + 0.5, frame.y(y0 + (j - 0.5) * h) - y + 0.5);
    }
  }
  c.clip();
  c.strokeStyle = css("--hatch");
  c.globalAlpha = 0.5;
  c.lineWidth = 1;
  c.beginPath();
  const size = frame.w + frame.h + 200;
  for (let k = -size; k < size; k += 9) {
    c.moveTo(k, 0);
    c.lineTo(k + size, size);
  }
  c.stroke();
  c.restore();
}

// drawArrows draws the directions of the bias; the longer, the larger it is beside the main term.
function drawArrows(c, frame, field) {
  const n = field.n, [x0, x1, y0, y1] = field.view;
  const scaleX = frame.w / (x1 - x0), scaleY = frame.h / (y1 - y0);
  const every = n > 15 ? 2 : 1, longest = (0.62 * frame.w * every) / n;
  c.strokeStyle = css("--ink");
  c.lineWidth = 1.2;
  c.globalAlpha = 0.75;
  for (let j = 0; j < n; j += every) {
    for (let i = 0; i < n; i += every) {
      const [u, v] = field.bias[j * n + i], share = field.share[j * n + i];
      const length = Math.hypot(u * scaleX, v * scaleY);
      if (!(length > 0) || share === null) continue;
      const size = longest * (0.25 + 0.75 * (Math.min(1, Math.max(0, 1 + Math.log10(Math.max(share, 1e-3)) / 3))));
      const dx = (u * scaleX * size) / length, dy = (-v * scaleY * size) / length;
      const x = frame.x(x0 + ((x1 - x0) * i) / (n - 1)) - dx / 2, y = frame.y(y0 + ((y1 - y0) * j) / (n - 1)) - dy / 2;
      const head = Math.min(5, size / 2), angle = Math.atan2(dy, dx);
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(x + dx, y + dy);
      c.lineTo(x + dx - head * Math.cos(angle - 0.5), y + dy - head * Math.sin(angle - 0.5));
      c.moveTo(x + dx, y + dy);
      c.lineTo(x + dx - head * Math.cos(angle + 0.5), y + dy - head * Math.sin(angle + 0.5));
      c.stroke();
    }
  }
  c.globalAlpha = 1;
}

// The surface with its contours, which stays while curves move.
const drawn = { key: null, surface: null, canvas: null };

function ground(canvas, view, frame, surface, contours) {
  const key = JSON.stringify([view, canvas.width, canvas.height, contours, css("--low")]);
  if (drawn.surface === surface && drawn.key === key) return drawn.canvas;
  const under = document.createElement("canvas");
  under.width = canvas.width;
  under.height = canvas.height;
  const c = under.getContext("2d"), ratio = window.devicePixelRatio || 1;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawSurface(c, frame, surface, contours);
  Object.assign(drawn, { key, surface, canvas: under });
  return under;
}

// drawPlane draws the plane of the parameters.
export function drawPlane(canvas, view, answer, layers) {
  const { c, w, h } = contextOf(canvas);
  if (!view) return;
  const frame = frameOf(canvas, view);
  c.save();
  c.beginPath();
  c.rect(margin.left, margin.top, frame.w, frame.h);
  c.clip();
  if (answer.surface) c.drawImage(ground(canvas, view, frame, answer.surface, layers.includes("contours")), 0, 0, w, h);
  if (answer.field && !answer.field.missing) {
    if (layers.includes("regions")) drawRegions(c, frame, answer.field);
    if (layers.includes("arrows")) drawArrows(c, frame, answer.field);
  }
  const paths = answer.run?.paths ?? [];
  for (const path of paths) {
    const points = path.points.map((p) => (p[0] === null || p[1] === null ? null : [clamp(frame.x(p[0])), clamp(frame.y(p[1]))]));
    if (path.name === "iterates") { // on a halo, to be seen on any ground
      curve(c, points, { color: css("--paper"), width: 5, dash: [], shape: "none" }, Infinity);
      curve(c, points, styleOf(path.name), 90);
      c.fillStyle = css("--c0");
      if (points.length <= 150) for (const p of points) if (p) { c.beginPath(); c.arc(p[0], p[1], 1.8, 0, 7); c.fill(); }
      const end = points.findLast((p) => p);
      if (end) { c.beginPath(); c.arc(end[0], end[1], 5, 0, 7); c.fill(); }
      continue;
    }
    curve(c, points, styleOf(path.name), 70);
  }
  c.restore();
  axes(c, frame, w, h, ticks(view[0], view[1], 6), ticks(view[2], view[3], 5), answer.axes ?? [], format);
}

const clamp = (v) => Math.max(-1e5, Math.min(1e5, v));

function axes(c, frame, w, h, xs, ys, names, say) {
  c.fillStyle = css("--soft");
  c.strokeStyle = css("--line");
  c.lineWidth = 1;
  c.textAlign = "center";
  c.textBaseline = "top";
  for (const v of xs) {
    const x = frame.x(v);
    c.beginPath(); c.moveTo(x, h - margin.bottom); c.lineTo(x, h - margin.bottom + 4); c.stroke();
    c.fillText(say(v), x, h - margin.bottom + 6);
  }
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (const v of ys) {
    const y = frame.y(v);
    c.beginPath(); c.moveTo(margin.left - 4, y); c.lineTo(margin.left, y); c.stroke();
    c.fillText(say(v), margin.left - 6, y);
  }
  c.textAlign = "right";
  c.textBaseline = "bottom";
  c.fillText(names[0] ?? "", w - margin.right, h - 2);
  c.textAlign = "left";
  c.textBaseline = "top";
  c.strokeStyle = css("--paper"); // on a halo, to be read on any ground
  c.lineWidth = 4;
  c.lineJoin = "round";
  c.strokeText(names[1] ?? "", margin.left + 6, margin.top + 4);
  c.fillStyle = css("--ink");
  c.fillText(names[1] ?? "", margin.left + 6, margin.top + 4);
}

const strip = 34; // height of the verdicts below the curves

// drawCurves draws curves over the steps on a logarithmic axis, and the verdicts below.
export function drawCurves(canvas, curves, run) {
  const { c, w, h } = contextOf(canvas);
  const values = curves.flatMap((k) => k.y.filter((v) => v !== null && v > 0));
  const last = run.steps.at(-1) ?? 1;
  if (!values.length) {
    c.fillStyle = css("--soft");
    c.fillText("Nothing to show: choose an equation, or another quantity.", margin.left, h / 2);
    return;
  }
  let low = Math.log10(Math.max(Math.min(...values), 1e-17)), high = Math.min(Math.log10(Math.max(...values)), low + 17); // a curve that runs away leaves room for the others
  if (high - low < 0.5) { low -= 0.3; high += 0.3; }
  const view = [0, last, low, high + 0.04 * (high - low)];
  const inner = { w: w - margin.left - margin.right, h: h - margin.top - margin.bottom - strip };
  const frame = {
    ...inner,
    x: (v) => margin.left + (v / Math.max(last, 1)) * inner.w,
    y: (v) => margin.top + (1 - (v - view[2]) / (view[3] - view[2])) * inner.h,
  };
  c.strokeStyle = css("--line");
  c.lineWidth = 1;
  const decades = ticks(low, high, 5).filter((v) => Number.isInteger(v));
  for (const v of decades) { c.beginPath(); c.moveTo(margin.left, frame.y(v)); c.lineTo(w - margin.right, frame.y(v)); c.stroke(); }
  c.save();
  c.beginPath();
  c.rect(margin.left, margin.top - 4, inner.w, inner.h + 8);
  c.clip();
  for (const k of curves) curve(c, k.y.map((v, i) => (v === null || !(v > 0) ? null : [frame.x(k.x[i]), frame.y(Math.log10(v))])), styleOf(k.name), 80);
  c.restore();
  c.fillStyle = css("--soft");
  c.textAlign = "right";
  c.textBaseline = "middle";
  const shown = decades.length > 1 ? decades : [low, high];
  for (const v of shown) c.fillText(Number.isInteger(v) && Math.abs(v) > 2 ? "1e" + String(v).replace("-", "−") : format(10 ** v), margin.left - 6, frame.y(v));
  c.textAlign = "center";
  c.textBaseline = "top";
  for (const v of ticks(0, last, 6)) c.fillText(format(v), frame.x(v), h - margin.bottom + 14);
  c.textAlign = "right";
  c.textBaseline = "bottom";
  c.fillText("step", w - margin.right, h);
  verdicts(c, frame, run, margin.top + inner.h + 14, run.verdicts ?? [], "2", { "borne out": "filled", idle: "dot", "hardly better": "open", worse: "crossed", "against the realized bias": "crossed" });
  verdicts(c, frame, run, margin.top + inner.h + 32, run.state_holds ?? [], "s", { holds: "filled", "does not hold": "crossed" });
}

// verdicts draws a row of marks: filled where an equation holds, crossed where it does not.
function verdicts(c, frame, run, y, says, label, kinds) {
  if (!says.some((v) => v)) return;
  c.fillStyle = css("--soft");
  c.textAlign = "right";
  c.textBaseline = "middle";
  c.fillText(label === "2" ? "2nd" : "state", margin.left - 8, y);
  c.strokeStyle = css("--ink");
  c.lineWidth = 1.4;
  says.forEach((v, i) => {
    if (!v) return;
    const x = frame.x(run.steps[i]);
    c.fillStyle = css("--ink");
    c.beginPath();
    switch (kinds[v]) {
      case "filled": c.arc(x, y, 4, 0, 7); c.fill(); break;
      case "dot": c.arc(x, y, 1.5, 0, 7); c.fill(); break;
      case "open": c.arc(x, y, 3.5, 0, 7); c.stroke(); break;
      case "crossed": c.moveTo(x - 4, y - 4); c.lineTo(x + 4, y + 4); c.moveTo(x + 4, y - 4); c.lineTo(x - 4, y + 4); c.stroke(); break;
    }
  });
}
