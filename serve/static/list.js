// The list of runs and sweeps: sorted, filtered, chosen from.

import { find, make } from "./dom.js";
import { format } from "./explore/drawing.js";
import { state } from "./state.js";

const columns = [
  ["shown", "show", () => "", (e) => (state.runs.includes(e.path) ? 0 : 1)],
  ["path", "run", (e) => e.path],
  ["state", "state", (e) => (e.kind === "sweep" ? "sweep" : e.state)],
  ["step", "step", (e) => (e.kind === "sweep" ? "" : `${e.step || 0} of ${e.steps || "?"}`), (e) => e.step || 0],
  ["loss", "loss at the end", (e) => (e.loss === undefined ? "" : format(e.loss)), (e) => (e.loss === undefined || e.loss === null ? Infinity : e.loss)],
  ["objective", "of", (e) => e.objective || ""],
  ["optimizer", "optimizer", (e) => e.optimizer || ""],
  ["changed", "last written", (e) => new Date(e.changed).toLocaleString(), (e) => -e.changed],
];
const numeric = new Set(["step", "loss"]);
const mostShown = 500;

const sorting = { key: "changed", up: true };
let entries = [], whole = true;

export function setEntries(list, all) { entries = list; whole = all; }
export function allEntries() { return entries; }

// show draws the list. choose is told of what was chosen, by a path and whether it is, openSweep of a sweep.
export function showList(choose, openSweep) {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (e) => { const text = columns.map(([, , of]) => of(e)).join(" ").toLowerCase(); return words.every((w) => text.includes(w)); };
  const [, , of, rank] = columns.find(([key]) => key === sorting.key);
  const order = rank || of;
  const compare = (a, b) => { const x = order(a), y = order(b); return (x < y ? -1 : x > y ? 1 : 0) * (sorting.up ? 1 : -1); };
  const chosen = new Set(state.runs);
  const fitting = entries.filter((e) => fits(e) || chosen.has(e.path)).sort(compare);
  const shown = fitting.slice(0, mostShown);
  const head = make("tr", {}, ...columns.map(([key, name]) => {
    const th = make("th", { scope: "col", className: numeric.has(key) ? "number" : "" });
    th.setAttribute("aria-sort", sorting.key === key ? (sorting.up ? "ascending" : "descending") : "none");
    const arrow = sorting.key === key ? (sorting.up ? " ▲" : " ▼") : "";
    th.append(make("button", { type: "button", textContent: name + arrow, onclick: () => { sorting.up = sorting.key === key ? !sorting.up : true; sorting.key = key; showList(choose, openSweep); } }));
    return th;
  }));
  const rows = shown.map((e) => {
    const cells = columns.map(([key, , text]) => {
      const td = make("td", { className: numeric.has(key) ? "number" : "" });
      if (key === "path") {
        td.className = "name";
        td.append(make("a", { href: "?" + new URLSearchParams(e.kind === "run" ? { run: e.path } : { sweep: e.path }), textContent: e.path === "." ? "(this folder)" : e.path, onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          e.kind === "run" ? choose(e.path, true, true) : openSweep(e.path);
        } }));
      } else if (key === "shown") {
        if (e.kind === "run") td.append(make("input", { type: "checkbox", checked: chosen.has(e.path), ariaLabel: "show " + e.path, onchange: (event) => choose(e.path, event.target.checked) }));
      } else td.textContent = text(e);
      if (key === "state" && e.problem) td.append(make("div", { className: "problem", textContent: e.problem }));
      return td;
    });
    return make("tr", { className: chosen.has(e.path) ? "chosen" : "" }, ...cells);
  });
  const box = find("runs"), top = box.scrollTop, focused = document.activeElement && box.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
  box.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  box.scrollTop = top;
  if (focused) [...box.querySelectorAll("input")].find((i) => i.ariaLabel === focused)?.focus();
  const running = entries.filter((e) => e.state === "running").length;
  find("count").textContent = `${entries.filter((e) => e.kind === "run").length} runs, ${running} running, ${state.runs.length} shown` +
    (shown.length < fitting.length ? `; the list shows ${shown.length} of ${fitting.length}: filter it` : "") + (whole ? "" : "; there are more, too deep or too many to list");
}
