// What the page does: lists runs, draws those that are chosen, and follows them.

import { find, get, make, table } from "./dom.js";
import { onChange, redraw, showFigures } from "./figures.js";
import { allEntries, setEntries, showList } from "./list.js";
import { readAddress, state, writeAddress } from "./state.js";
import { closeSweep, redrawSweep, showSweep } from "./sweep.js";

const inOneAnswer = 10; // runs
let asked = 0; // the newest question; answers to older ones are dropped
let source = null; // of events
let views = []; // answers, one for each group of runs
let stop = new AbortController();

function fail(error) {
  if (error.name !== "AbortError") find("problem").textContent = error.message;
}

async function refreshList() {
  try {
    const list = await get("api/runs");
    setEntries(list.entries, list.whole);
    find("folder").textContent = list.folder;
    followSweep(list.entries);
  } catch (error) { fail(error); }
  showList(choose, openSweep);
}

// followSweep draws the sweep anew where one of its runs has begun or ended.
let sweepMark = "";
function followSweep(entries) {
  const mark = state.sweep && entries.filter((e) => e.kind === "run" && (state.sweep === "." || e.path.startsWith(state.sweep + "/"))).map((e) => e.path + e.state).sort().join("|");
  const known = sweepMark;
  sweepMark = mark;
  if (known && mark && mark !== known) lookAtSweep();
}

// lookAtSweep shows the sweep that the address names, if it does.
function lookAtSweep() {
  if (state.sweep) showSweep(state.sweep, openRuns).catch(fail); else closeSweep();
}

function choose(path, on, alone = false) {
  openRuns(alone ? [path] : on ? [...state.runs, path] : state.runs.filter((r) => r !== path));
}

function openRuns(runs) {
  state.runs = runs;
  state.from = state.to = null;
  writeAddress(true);
  showList(choose, openSweep);
  refresh();
  listen();
}

function openSweep(path) {
  Object.assign(state, { sweep: path, measure: "", against: "", by: "" });
  sweepMark = "";
  writeAddress(true);
  lookAtSweep();
}

const groups = () => {
  const out = [];
  for (let i = 0; i < state.runs.length; i += inOneAnswer) out.push(state.runs.slice(i, i + inOneAnswer));
  return out;
};

// refresh asks for the figures of what is chosen, group by group, and draws what has come. only, if given, are the runs that have changed.
async function refresh(only = null) {
  const mine = ++asked;
  stop.abort();
  stop = new AbortController();
  if (!only) views = [];
  const parts = groups();
  find("controls").hidden = parts.length === 0;
  find("whole").disabled = state.from === null;
  find("abscissa").value = state.abscissa;
  find("logx").checked = state.logX;
  if (parts.length === 0) return draw();
  for (let i = 0; i < parts.length; i++) {
    if (only && views[i] && !parts[i].some((r) => only.has(r))) continue;
    const q = new URLSearchParams(parts[i].map((r) => ["run", r]));
    q.set("x", state.abscissa);
    if (state.from !== null) q.set("from", state.from);
    if (state.to !== null) q.set("to", state.to);
    if (state.runs.length > 1) { q.set("compared", "1"); q.set("points", Math.max(100, Math.min(1200, Math.round(12000 / state.runs.length)))); }
    try {
      const view = await get("api/panels", q, stop.signal);
      if (mine !== asked) return;
      views[i] = view;
      find("problem").textContent = Object.entries(Object.assign({}, ...views.filter(Boolean).map((v) => v.problems || {}))).map(([run, why]) => `${run}: ${why}`).join("; ");
      draw();
    } catch (error) {
      if (mine === asked) fail(error);
      if (error.name === "AbortError") return;
    }
  }
}

// merged are the figures of all groups, those of one name as one. Each run looks the same in all.
function merged() {
  const figures = new Map();
  const rank = new Map(state.runs.map((r, i) => [r, i]));
  for (const f of views.filter(Boolean).flatMap((v) => v.figures)) {
    const there = figures.get(f.name);
    if (!there) { figures.set(f.name, structuredClone(f)); continue; }
    for (const a of f.axes) {
      const same = there.axes.find((b) => b.y === a.y);
      if (!same) there.axes.push(structuredClone(a));
      else same.series.push(...a.series.filter((s) => !s.faint));
    }
  }
  const out = [...figures.values()];
  if (state.runs.length > 1) for (const s of out.flatMap((f) => f.axes).flatMap((a) => a.series)) if (rank.has(s.name)) { s.color = rank.get(s.name); s.dash = s.color + Math.floor(s.color / 8); }
  return out;
}

// shortNames are what paths have behind the folder that all are in.
function shortNames(paths) {
  const parts = paths.map((p) => p.split("/"));
  let shared = 0;
  while (parts.length > 1 && parts.every((p) => p.length - 1 > shared && p[shared] === parts[0][shared])) shared++;
  return new Map(paths.map((p, i) => [p, parts[i].slice(paths.length === 1 ? -1 : shared).join("/")]));
}

function draw() {
  const first = views.find(Boolean), names = shortNames(state.runs);
  showFigures(merged(), (name) => names.get(name));
  const said = state.runs.length === 1 && first ? first.sentences || [] : [];
  find("said").replaceChildren(...(said.length ? [make("h2", { textContent: "What it says" })] : []), ...said.map((text) => make("p", { textContent: text })));
  find("config").hidden = !(state.runs.length === 1 && first && first.config);
  find("config").lastElementChild.textContent = (first && first.config) || "";
  find("differences").replaceChildren(...(state.runs.length > 1 && first ? [differences(names)] : []));
  document.title = state.runs.length === 1 ? `${names.get(state.runs[0])} · shadowflow` : state.runs.length ? `${state.runs.length} runs · shadowflow` : "shadowflow";
}

// differences is the table of keys in which configs differ, over all groups: those of each are beside its first run.
function differences(names) {
  const header = [], rows = [];
  for (const v of views.filter((v) => v && v.differences)) for (const key of v.differences.Header.slice(1)) if (!header.includes(key)) header.push(key);
  for (const v of views.filter((v) => v && v.differences)) for (const row of v.differences.Rows) rows.push([names.get(row[0]) || row[0], ...header.map((key) => { const i = v.differences.Header.indexOf(key); return i < 0 ? "" : row[i]; })]);
  return table(header.length ? "What the runs differ in" : "The runs have the same config", ["run", ...header], rows);
}

// listen follows the runs that are chosen. Between two questions there is twice the time that an answer takes.
function listen() {
  source?.close();
  source = new EventSource("api/events?" + new URLSearchParams(state.runs.map((r) => ["run", r])));
  const pending = new Set();
  let busy = false;
  const turn = async () => {
    if (busy || pending.size === 0) return;
    busy = true;
    const changed = new Set(pending), began = performance.now();
    pending.clear();
    await refresh(changed);
    setTimeout(() => { busy = false; turn(); }, Math.max(250, 2 * (performance.now() - began)));
  };
  source.addEventListener("rows", (e) => { for (const run of JSON.parse(e.data)) pending.add(run); turn(); });
  source.addEventListener("ready", (e) => { // what came between the answer and this, or while there was no connection
    const read = Object.assign({}, ...views.filter(Boolean).map((v) => v.marks));
    for (const [run, mark] of Object.entries(JSON.parse(e.data))) if (read[run] !== undefined && read[run] !== mark) pending.add(run);
    refreshList();
    turn();
  });
  source.addEventListener("list", refreshList);
  source.onopen = () => { find("link").textContent = "live"; };
  source.onerror = () => { find("link").textContent = "not connected; trying again"; };
}

async function start() {
  readAddress();
  find("filter").value = state.filter;
  find("filter").oninput = (e) => { state.filter = e.target.value; writeAddress(); showList(choose, openSweep); };
  find("none").onclick = () => openRuns([]);
  find("abscissa").onchange = (e) => { state.abscissa = e.target.value; state.from = state.to = null; writeAddress(true); refresh(); };
  find("logx").onchange = (e) => { state.logX = e.target.checked; state.from = state.to = null; writeAddress(true); refresh(); };
  find("whole").onclick = () => { state.from = state.to = null; writeAddress(true); refresh(); };
  onChange((ask) => { writeAddress(); ask ? refresh() : draw(); });
  window.addEventListener("popstate", () => { readAddress(); showList(choose, openSweep); lookAtSweep(); refresh(); listen(); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { redraw(); redrawSweep(); });
  new ResizeObserver(redraw).observe(find("figures"));
  new ResizeObserver(redrawSweep).observe(find("sweep"));
  await refreshList();
  document.documentElement.dataset.listed = String(Math.round(performance.now())); // milliseconds since the address was opened
  if (state.runs.length === 0 && !state.sweep) { // the run that goes on, or the newest
    const runs = allEntries().filter((e) => e.kind === "run"), newest = runs.find((e) => e.state === "running") || runs.sort((a, b) => b.changed - a.changed)[0];
    if (newest) { state.runs = [newest.path]; writeAddress(); showList(choose, openSweep); }
  }
  lookAtSweep();
  await refresh();
  document.documentElement.dataset.figures = String(Math.round(performance.now()));
  listen();
}

start().catch(fail);
