// Controls: each has a label, takes the keyboard, and tells what changed.

import { make } from "./dom.js";

export function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, textContent: text })));
  select.value = chosen;
}

// Scales map a slider's position to a number.
const tidy = (v, digits = 3) => +v.toPrecision(digits);
export const scales = {
  log: (low, high) => ({ min: low, max: high, step: 0.01, to: (p) => tidy(10 ** p), back: (v) => Math.log10(v) }),
  // logOrZero has 0 at its left end.
  logOrZero: (low, high) => ({ min: low, max: high, step: 0.01, to: (p) => (p <= low ? 0 : tidy(10 ** p)), back: (v) => (v > 0 ? Math.log10(v) : low) }),
  // ofBeta is even in how long a memory lasts, 1/(1 - beta).
  ofBeta: () => ({ min: 0, max: 4, step: 0.01, to: (p) => +(1 - tidy(10 ** -p)).toFixed(7), back: (v) => -Math.log10(Math.max(1 - v, 1e-4)) }),
  whole: (low, high) => ({ min: low, max: high, step: 1, to: (p) => Math.round(p), back: (v) => v }),
  wholeLog: (low, high) => ({ min: Math.log10(low), max: Math.log10(high), step: 0.01, to: (p) => Math.min(high, Math.round(tidy(10 ** p, 2))), back: (v) => Math.log10(Math.max(v, 1)) }),
  linear: (low, high, step) => ({ min: low, max: high, step, to: (p) => tidy(p), back: (v) => v }),
};

// scaleOf returns the scale that suits a hyperparameter, null if a number field is all that does.
export function scaleOf(key) {
  const range = key.range ?? "";
  if (key.name === "lr") return scales.log(-5, 0);
  if (range.startsWith("[0,1") || range.startsWith("(0,1") || /^(beta|momentum|decay)/.test(key.name) && key.default >= 0 && key.default < 1) return scales.ofBeta();
  if (/eps/.test(key.name)) return scales.logOrZero(-16, 1);
  if (/weight_decay|^l2$/.test(key.name)) return scales.logOrZero(-5, 0);
  return null;
}

// slider returns a labelled slider with a number field beside it, and a function that shows a number. moved is told of new numbers, and of whether
// the hand is still on it.
export function slider({ id, label, hint, scale, value, moved }) {
  const number = make("input", { type: "number", step: "any", id: id + "-number" });
  number.setAttribute("aria-label", label + ", as a number");
  const parts = [number];
  let range = null;
  if (scale) {
    range = make("input", { type: "range", id, min: scale.min, max: scale.max, step: scale.step });
    range.addEventListener("input", () => {
      const v = scale.to(+range.value);
      number.value = v;
      range.setAttribute("aria-valuetext", String(v));
      moved(v);
    });
    parts.unshift(range);
  }
  const show = (v) => {
    number.value = v;
    if (range) {
      range.value = scale.back(v);
      range.setAttribute("aria-valuetext", String(v));
    }
  };
  number.addEventListener("change", () => {
    if (number.value === "" || !Number.isFinite(+number.value)) return;
    show(+number.value);
    moved(+number.value);
  });
  show(value);
  const name = make("label", { textContent: label, htmlFor: range ? id : number.id, title: hint ?? "" });
  return { node: make("div", { className: "slider" }, name, ...parts), show };
}

// check returns a labelled box.
export function check({ id, label, checked, moved, before }) {
  const box = make("input", { type: "checkbox", id, checked });
  box.addEventListener("change", () => moved(box.checked));
  const text = make("label", { htmlFor: id, textContent: label });
  return make("div", { className: "check" }, box, ...(before ? [before] : []), text);
}

// table fills a table with a header and rows of text.
export function table(target, header, rows, textual = []) {
  const cell = (tag, text, i) => make(tag, { textContent: text, className: textual.includes(i) ? "text" : "" });
  target.replaceChildren(
    make("thead", {}, make("tr", {}, ...header.map((h, i) => Object.assign(cell("th", h, i), { scope: "col" })))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((text, i) => cell("td", text, i))))),
  );
}
