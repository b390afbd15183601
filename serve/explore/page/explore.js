// The page: controls set the state, the state asks, answers are drawn.

import { defaults, examples, read, settings, write } from "./state.js";
import { check, fillSelect, scaleOf, scales, slider, table } from "./controls.js";
import { find, make } from "./dom.js";
import { format, sample } from "./drawing.js";
import { drawCurves, drawPlane, frameOf, styleOf } from "./plots.js";

const quantities = [
  ["relative", "distance over the way that the iterates went"], ["distance", "distance from the iterates"],
  ["loss", "training loss"], ["excess", "excess norm of the gradient"],
];

let catalogue = null;
let state = read(location.hash);
// What is seen: the last answer, with the surface and the field of the last that had them, and what these are of.
const seen = { answer: null, surface: null, field: null, surfaceOf: "", fieldOf: "" };

const objective = () => catalogue.objectives.find((o) => o.name === state.objective) ?? catalogue.objectives[0];
const trained = () => !objective().view;
const view = () => (trained() ? seen.surface?.view : state.view ?? objective().view);

// --- asking

let flying = null; // the question under way: { draft, control }
let waiting = null; // the next one
let settle = 0;

// changed asks anew: at once for a draft, and for all of it when the hand rests.
function changed() {
  history.replaceState(null, "", write(state));
  clearTimeout(settle);
  settle = setTimeout(() => ask(false), 220);
  ask(true);
}

function ask(draft) {
  if (flying && !flying.draft) flying.control.abort(); // nobody waits for it any more
  if (flying?.draft) {
    waiting = { draft };
    return;
  }
  send(draft);
}

function question(draft) {
  const set = settings(state, catalogue);
  const loss = Object.entries(set).filter(([k]) => k.startsWith("objective.") && k !== "objective.theta");
  const surfaceOf = JSON.stringify([loss, view()]);
  const fieldOf = JSON.stringify([surfaceOf, Object.entries(set).filter(([k]) => k.startsWith("optimizer.")), state.own]);
  const want = ["run"];
  if (trained() || seen.surfaceOf !== surfaceOf + (draft ? "" : "full") && seen.surfaceOf !== surfaceOf + "full") want.push("surface");
  const shown = state.layers.includes("arrows") || state.layers.includes("regions");
  if (shown && !trained() && seen.fieldOf !== fieldOf + (draft ? "" : "full") && seen.fieldOf !== fieldOf + "full") want.push("field");
  const q = { set, want };
  if (state.own) q.own = state.own;
  if (!trained()) q.view = view();
  if (draft) q.draft = true;
  return { q, surfaceOf: surfaceOf + (draft ? "" : "full"), fieldOf: fieldOf + (draft ? "" : "full") };
}

async function send(draft) {
  const control = new AbortController(), mine = { draft, control };
  flying = mine;
  const { q, surfaceOf, fieldOf } = question(draft);
  let answer = null;
  try {
    const response = await fetch("answer?q=" + encodeURIComponent(JSON.stringify(q)), { signal: control.signal });
    answer = await response.json();
  } catch (error) {
    if (error.name !== "AbortError") wrong("The server does not answer: " + error.message);
  }
  if (answer && flying === mine) take(answer, surfaceOf, fieldOf, draft);
  if (flying !== mine) return;
  flying = null;
  if (waiting) {
    const next = waiting;
    waiting = null;
    send(next.draft);
  }
}

function take(answer, surfaceOf, fieldOf, draft) {
  if (answer.error) {
    wrong(answer.error);
    return;
  }
  wrong("");
  if (answer.surface) Object.assign(seen, { surface: answer.surface, surfaceOf });
  if (answer.field) Object.assign(seen, { field: answer.field, fieldOf });
  if (trained()) seen.field = null;
  if (draft && seen.answer?.run) { // monitors are of the last whole answer until the next
    for (const k of ["verdicts", "state_holds", "monitors", "sentences"]) answer.run[k] ??= k === "sentences" || k === "monitors" ? seen.answer.run[k] : [];
  }
  const others = JSON.stringify(answer.keys) !== JSON.stringify(seen.answer?.keys);
  seen.answer = answer;
  if (others) buildSliders(); // formulas that were typed in have hyperparameters of their own
  draw();
  tell(draft);
  document.documentElement.dataset.answered = draft ? "draft" : "full";
}

function wrong(text) {
  find("error").textContent = text;
}

// --- drawing

function draw() {
  if (!seen.answer) return;
  const { answer } = seen;
  drawPlane(find("plane"), view(), { ...answer, surface: seen.surface, field: seen.field }, state.layers);
  placeStart();
  drawCurves(find("curves"), curves(), answer.run);
}

// curves returns the curves of the chosen quantity over the steps.
function curves() {
  const { run } = seen.answer, out = [];
  const own = { loss: run.loss, excess: run.excess }[state.quantity];
  if (own) out.push({ name: "iterates", x: run.steps, y: own });
  for (const p of run.paths.slice(1)) if (p[state.quantity]) out.push({ name: p.name, x: run.steps, y: p[state.quantity] });
  return out;
}

function placeStart() {
  const handle = find("start");
  handle.hidden = trained() || !view();
  if (handle.hidden) return;
  const frame = frameOf(find("plane"), view());
  const [x, y] = [frame.x(state.theta[0]), frame.y(state.theta[1])];
  const box = find("plane").getBoundingClientRect();
  handle.style.left = Math.max(0, Math.min(box.width, x)) + "px";
  handle.style.top = Math.max(0, Math.min(box.height, y)) + "px";
  handle.setAttribute("aria-label", `start at theta1 ${format(state.theta[0])}, theta2 ${format(state.theta[1])}; arrow keys move it`);
}

// tell writes what is not drawn.
function tell(draft) {
  const { answer } = seen, { run } = answer;
  if (answer.command) find("command").textContent = answer.command;
  const legend = find("legend"), named = JSON.stringify(run.paths.map((p) => [p.name, p.ended]));
  if (legend.dataset.named !== named) { // most moves change none of them
    legend.dataset.named = named;
    legend.replaceChildren(...run.paths.map((p) => make("li", { title: p.ended ?? "" }, sample(styleOf(p.name)), p.name + (p.ended ? " (ends early)" : ""))));
  }
  const missing = new Map(); // names by the reason
  for (const w of [...(answer.without ?? []), ...(seen.field?.missing ? [{ name: "the bias", why: seen.field.missing }] : [])]) missing.set(w.why, [...(missing.get(w.why) ?? []), w.name]);
  const notes = [...missing].map(([why, names]) => `Not there: ${names.join(", ")}. ${why[0].toUpperCase()}${why.slice(1)}.`);
  if (seen.field && !seen.field.missing) notes.push("Arrows and hatching: the second-order term of the equation without memory, of the full batch and with the memory full; longer arrows, larger beside the main term. Whether it is what happens, the monitors say.");
  if (trained()) notes.push("The plane through the start, the end, and the point of the path farthest from the line between them.");
  find("plane-note").textContent = notes.join(" ");
  if (!draft) tabulate(answer);
  if (draft) return;
  sayVerdicts(run);
  find("sentences").replaceChildren(...(run.sentences ?? []).map((s) => make("li", { textContent: s })));
  table(find("monitors"), ["reading", "step", "value", "meaning"], (run.monitors ?? []).map((m) => [m.name, String(m.step), format(m.value), m.meaning]), [3]);
  const ended = run.paths.filter((p) => p.ended).map((p) => p.ended + ".");
  find("status").textContent = [`${answer.optimizer}: ${run.status} at step ${run.steps.at(-1)}, loss ${format(run.loss.at(-1))}.`, ...ended].join(" ");
}

// tabulate writes the numbers that are drawn, some rows of them.
function tabulate({ run, axes }) {
  const outline = some(run.paths[0].points.length, 25);
  table(find("plane-table"), ["step", ...run.paths.flatMap((p) => [p.name + " " + axes[0], axes[1]])], outline.map((i) => {
    const step = run.paths[0].steps[i];
    return [String(step), ...run.paths.flatMap((p) => {
      const at = p.points[p.steps.indexOf(step)];
      return at ? at.map(format) : ["–", "–"];
    })];
  }));
  const all = curves();
  table(find("curves-table"), ["step", ...all.map((k) => k.name)], some(run.steps.length, 25).map((i) => [String(run.steps[i]), ...all.map((k) => format(k.y[i]))]));
}

function sayVerdicts(run) {
  const count = (list, word) => (list ?? []).filter((v) => v === word).length;
  const judged = (run.verdicts ?? []).filter((v) => v && v !== "idle").length, asked = (run.state_holds ?? []).filter((v) => v).length;
  const items = [];
  if (judged) items.push(`● borne out, ○ hardly better, × not: memoryless-2 is borne out at ${count(run.verdicts, "borne out")} of ${judged} measured steps.`);
  if (asked) items.push(`● holds, × does not: state-2 holds at ${count(run.state_holds, "holds")} of ${asked}.`);
  find("verdicts").replaceChildren(...items.map((text) => make("li", { textContent: text })));
}

function some(n, most) {
  const step = Math.max(1, Math.ceil(n / most)), out = [];
  for (let i = 0; i < n; i += step) out.push(i);
  if (n && out.at(-1) !== n - 1) out.push(n - 1);
  return out;
}

// --- controls

function build() {
  fillSelect(find("example"), [["", "an example …"], ...examples.map((e, i) => [String(i), e.title])], "");
  fillSelect(find("objective"), catalogue.objectives.map((o) => [o.name, o.title]), state.objective);
  fillSelect(find("optimizer"), [...catalogue.optimizers.map((o) => [o.name, o.name]), ["", "my own formulas"]], state.own ? "" : state.optimizer);
  fillSelect(find("batch"), catalogue.batches.map((b) => [b, b === "full" ? "full batch" : objective().batch_size ? `${b}, of ${objective().batch_size} examples` : b]), state.batch);
  fillSelect(find("schedule"), catalogue.schedules.filter((s) => s !== "file").map((s) => [s, s]), state.schedule);
  fillSelect(find("quantity"), quantities, state.quantity);
  find("pairs").value = state.pairs;
  find("seed").value = state.seed;
  find("own").value = state.own;
  if (state.own) find("own-box").open = true;
  for (const box of document.querySelectorAll("[data-layer]")) box.checked = state.layers.includes(box.dataset.layer);
  find("starts").hidden = trained();
  find("seed-field").hidden = !trained();
  find("batch-field").hidden = !objective().batches;
  find("pairs-field").hidden = !objective().pairs;
  find("layers").hidden = find("views").hidden = trained();
  showStart();
  buildSliders();
  buildEquations();
}

function showStart() {
  find("theta1").value = state.theta[0];
  find("theta2").value = state.theta[1];
}

function optimizerKeys() {
  const keys = state.own ? seen.answer?.keys ?? [] : (catalogue.optimizers.find((o) => o.name === state.optimizer) ?? catalogue.optimizers[0]).keys;
  return [...keys, { name: "l2", default: 0, doc: "coupled weight decay: l2 theta is added to the gradient" }];
}

function buildSliders() {
  const chosen = catalogue.optimizers.find((o) => o.name === state.optimizer);
  find("optimizer-title").textContent = state.own ? "As typed in below." : chosen?.title ?? "";
  const nodes = [slider({ id: "lr", label: "lr, the step size", scale: scales.log(-5, 0), value: state.lr, moved: (v) => { state.lr = v; changed(); } }).node];
  for (const key of optimizerKeys()) {
    if (key.name === "lr") continue;
    const value = state.values[key.name] ?? key.default;
    const moved = (v) => { state.values = { ...state.values, [key.name]: v }; changed(); };
    if (typeof key.default === "boolean") nodes.push(check({ id: "o-" + key.name, label: key.name, checked: value, moved }));
    else nodes.push(slider({ id: "o-" + key.name, label: key.name, hint: key.doc, scale: scaleOf(key), value, moved }).node);
  }
  find("sliders").replaceChildren(...nodes);
  const set = (name) => (v) => { state[name] = v; changed(); };
  const most = trained() ? catalogue.max_trained : catalogue.max_steps;
  find("step-sliders").replaceChildren(
    slider({ id: "steps", label: "Steps", scale: scales.wholeLog(10, most), value: Math.min(state.steps, most), moved: set("steps") }).node,
    slider({ id: "stop", label: "Stop where the loss is below", scale: scales.logOrZero(-8, 1), value: state.stop, moved: set("stop") }).node,
    slider({ id: "begin", label: "Equations begin behind step", scale: scales.whole(0, 100), value: state.begin, moved: set("begin") }).node,
  );
  const nodes2 = [slider({ id: "warmup", label: "Warmup, in steps", scale: scales.whole(0, 200), value: state.warmup, moved: set("warmup") }).node];
  if (["linear", "cosine", "wsd"].includes(state.schedule)) nodes2.push(slider({ id: "final", label: "Factor of lr at the end", scale: scales.linear(0, 1, 0.01), value: state.final, moved: set("final") }).node);
  find("schedule-sliders").replaceChildren(...nodes2);
}

function buildEquations() {
  const boxes = catalogue.equations.filter((e) => e !== "central").map((name) => check({
    id: "e-" + name, label: name, checked: state.beside.includes(name), before: sample(styleOf(name)),
    moved: (on) => { state.beside = catalogue.equations.filter((e) => (e === name ? on : state.beside.includes(e))); changed(); },
  }));
  find("equations").replaceChildren(make("legend", { textContent: "Equations beside it" }), ...boxes);
}

function choose(id, act) {
  find(id).addEventListener("change", () => { act(find(id).value); build(); changed(); });
}

function listen() {
  find("controls").addEventListener("submit", (e) => e.preventDefault());
  choose("example", (i) => { if (i !== "") state = { ...structuredClone(defaults), ...structuredClone(examples[+i].state) }; });
  choose("objective", (name) => {
    state.objective = name;
    const o = objective();
    Object.assign(state, { view: null, theta: o.start ?? state.theta, batch: o.batches ? state.batch : "full", pairs: o.pairs ? state.pairs : defaults.pairs });
    if (!o.view) state.steps = Math.min(state.steps, 60);
  });
  choose("optimizer", (name) => {
    if (name === "") { find("own-box").open = true; if (!find("own").value) fillOwn(); state.own = find("own").value; state.values = {}; return; }
    const o = catalogue.optimizers.find((k) => k.name === name);
    Object.assign(state, { optimizer: name, own: "", values: {} });
    if (!o.keys.some((k) => k.name === "beta1")) state.lr = Math.min(state.lr, 0.01);
  });
  choose("batch", (v) => { state.batch = v; });
  choose("schedule", (v) => { state.schedule = v; });
  choose("quantity", (v) => { state.quantity = v; });
  choose("pairs", (v) => { state.pairs = v; });
  choose("seed", (v) => { state.seed = Math.max(0, Math.round(+v) || 0); });
  for (const [i, id] of ["theta1", "theta2"].entries()) {
    find(id).addEventListener("input", () => {
      if (find(id).value === "" || !Number.isFinite(+find(id).value)) return;
      state.theta = state.theta.with(i, +find(id).value);
      changed();
    });
  }
  for (const box of document.querySelectorAll("[data-layer]")) {
    box.addEventListener("change", () => {
      state.layers = defaults.layers.filter((l) => (l === box.dataset.layer ? box.checked : state.layers.includes(l)));
      draw();
      changed();
    });
  }
  find("own-fill").addEventListener("click", fillOwn);
  find("own-use").addEventListener("click", () => { state.own = find("own").value; state.values = {}; changed(); build(); });
  find("copy").addEventListener("click", copyCommand);
  find("zoom-in").addEventListener("click", () => zoom(0.7));
  find("zoom-out").addEventListener("click", () => zoom(1 / 0.7));
  find("fit").addEventListener("click", fit);
  dragStart();
  new ResizeObserver(draw).observe(find("plane"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { delete find("legend").dataset.named; buildEquations(); draw(); if (seen.answer) tell(true); });
  addEventListener("hashchange", () => { state = read(location.hash); build(); changed(); });
}

function fillOwn() {
  find("own").value = (catalogue.optimizers.find((o) => o.name === state.optimizer) ?? catalogue.optimizers[0]).source;
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText(find("command").textContent);
    find("copy").textContent = "Copied";
  } catch { // without permission: it is selected, to be copied by hand
    getSelection().selectAllChildren(find("command"));
    find("copy").textContent = "Selected: copy it by hand";
  }
  setTimeout(() => { find("copy").textContent = "Copy the command"; }, 2000);
}

function zoom(by) {
  if (trained() || !view()) return;
  const [x0, x1, y0, y1] = view(), [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2];
  state.view = [cx + (x0 - cx) * by, cx + (x1 - cx) * by, cy + (y0 - cy) * by, cy + (y1 - cy) * by].map((v) => +v.toPrecision(6));
  changed();
}

// fit shows all of the iterates, and the start.
function fit() {
  const points = seen.answer?.run.paths[0].points.filter((p) => p[0] !== null && p[1] !== null);
  if (trained() || !points?.length) return;
  const range = (k) => {
    const v = [...points.map((p) => p[k]), state.theta[k]], low = Math.min(...v), high = Math.max(...v), room = Math.max(0.15 * (high - low), 0.02);
    return [low - room, high + room].map((x) => +x.toPrecision(6));
  };
  state.view = [...range(0), ...range(1)];
  changed();
}

function dragStart() {
  const handle = find("start");
  const move = (x, y) => {
    state.theta = [+x.toPrecision(4), +y.toPrecision(4)];
    showStart();
    placeStart();
    changed();
  };
  const at = (e) => {
    const box = find("plane").getBoundingClientRect(), frame = frameOf(find("plane"), view());
    const inside = (v, low, high) => Math.max(low, Math.min(high, v));
    const [x0, x1, y0, y1] = view();
    move(inside(frame.backX(e.clientX - box.left), x0, x1), inside(frame.backY(e.clientY - box.top), y0, y1));
  };
  handle.addEventListener("pointerdown", (e) => { handle.setPointerCapture(e.pointerId); });
  handle.addEventListener("pointermove", (e) => { if (handle.hasPointerCapture(e.pointerId)) at(e); });
  find("plane").addEventListener("click", (e) => { if (!trained() && view()) at(e); });
  handle.addEventListener("keydown", (e) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
    if (!by) return;
    e.preventDefault();
    const [x0, x1, y0, y1] = view(), part = e.shiftKey ? 0.1 : 0.01;
    move(state.theta[0] + by[0] * part * (x1 - x0), state.theta[1] + by[1] * part * (y1 - y0));
  });
}

async function begin() {
  try {
    catalogue = await (await fetch("catalogue")).json();
  } catch (error) {
    wrong("The server does not answer: " + error.message);
    return;
  }
  build();
  listen();
  ask(false);
}

begin();
