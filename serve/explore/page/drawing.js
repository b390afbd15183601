// What drawings on canvas begin with: units, ticks, numbers as text.

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
