// The state of the page, which its address keeps: what it says is what is seen.

export const defaults = Object.freeze({
  objective: "bilinear", theta: [2.8, 3.5], seed: 0, batch: "full", pairs: "2:1.5",
  optimizer: "adam", own: "", values: {}, lr: 0.01, steps: 400, begin: 10, substeps: 1,
  schedule: "constant", warmup: 0, final: 0, stop: 0,
  beside: ["memoryless-1", "memoryless-2", "state-2"],
  layers: ["contours", "arrows", "regions"], quantity: "relative", view: null,
});

// read returns the state of an address's hash. What is wrong in it counts as not given.
export function read(hash) {
  let given = {};
  try {
    given = JSON.parse(decodeURIComponent(hash.replace(/^#/, "")) || "{}");
  } catch {
    given = {};
  }
  const state = structuredClone(defaults);
  if (given === null || typeof given !== "object") return state;
  for (const key of Object.keys(defaults)) {
    if (key in given && sameKind(given[key], defaults[key], key)) state[key] = given[key];
  }
  return state;
}

function sameKind(value, like, key) {
  if (key === "view") return value === null || isNumbers(value, 4);
  if (key === "theta") return isNumbers(value, 2);
  if (Array.isArray(like)) return Array.isArray(value) && value.every((v) => typeof v === "string");
  if (typeof like === "number") return Number.isFinite(value);
  return typeof value === typeof like && value !== null;
}

function isNumbers(value, n) {
  return Array.isArray(value) && value.length === n && value.every(Number.isFinite);
}

// write returns the hash of a state: what differs from the defaults.
export function write(state) {
  const out = {};
  for (const [key, value] of Object.entries(state)) {
    if (JSON.stringify(value) !== JSON.stringify(defaults[key])) out[key] = value;
  }
  return Object.keys(out).length ? "#" + encodeURIComponent(JSON.stringify(out)) : "#";
}

// settings returns the keys of a config that a state sets.
export function settings(state, catalogue) {
  const objective = catalogue.objectives.find((o) => o.name === state.objective) ?? catalogue.objectives[0];
  const set = { "objective.name": objective.name, ...objective.set };
  const trained = !objective.view;
  if (trained) set.seed = state.seed;
  else set["objective.theta"] = state.theta;
  if (objective.pairs) set["objective.pairs"] = parsePairs(state.pairs);
  if (objective.batches && state.batch !== "full") {
    set["batch.mode"] = state.batch;
    if (objective.batch_size) set["batch.size"] = objective.batch_size;
  }
  if (!state.own) set["optimizer.name"] = state.optimizer;
  set["optimizer.lr"] = state.lr;
  for (const [key, value] of Object.entries(state.values)) set["optimizer." + key] = value;
  set.steps = Math.min(state.steps, trained ? catalogue.max_trained : catalogue.max_steps);
  set.beside = state.beside;
  set["flow.start"] = state.begin;
  if (state.substeps !== 1) set["flow.steps"] = state.substeps;
  if (state.schedule !== "constant") {
    set["schedule.shape"] = state.schedule;
    if (["linear", "cosine", "wsd"].includes(state.schedule)) set["schedule.final"] = state.final;
    if (state.schedule === "wsd") set["schedule.stable"] = Math.round(set.steps / 2);
    if (state.schedule === "step") set["schedule.every"] = Math.max(1, Math.round(set.steps / 3));
  }
  if (state.stop > 0) set["stop.loss"] = state.stop;
  if (state.warmup > 0) set["schedule.warmup"] = state.warmup;
  return set;
}

// parsePairs reads x:y,x:y; what is no number is sent as it is, for the server to say what is wrong.
function parsePairs(text) {
  return text.split(",").map((pair) => pair.split(":").map((v) => (v.trim() !== "" && Number.isFinite(+v) ? +v : v.trim())));
}

// examples are states to begin with.
export const examples = [
  { title: "Adam at lr 0.01, three equations beside it", state: {} },
  { title: "The paper's Figure 2: beta1 0.9, beta2 0.999", state: figure2(0.9, 0.999) },
  { title: "Figure 2: beta1 0.99, less far along the valley", state: figure2(0.99, 0.999) },
  { title: "Figure 2: beta1 0.9, beta2 0.9", state: figure2(0.9, 0.9) },
  { title: "A short memory: higher orders come nearer", state: { values: { beta1: 0.3, beta2: 0.5, eps: 1 }, lr: 0.05, steps: 100, beside: ["memoryless-1", "memoryless-2", "memoryless-3", "memoryless-4"] } },
  { title: "Past the edge of stability, with the lift", state: { theta: [2.7, 0.3], optimizer: "gd", lr: 0.08, steps: 120, begin: 2, beside: ["memoryless-2", "lift-1", "lift-2"], view: [1.8, 3, 0, 0.8] } },
  { title: "Heavy ball in Rosenbrock's valley", state: { objective: "rosenbrock", theta: [-1.2, 1], optimizer: "heavy-ball", lr: 0.0005, steps: 800, beside: ["memoryless-1", "memoryless-2", "state-1", "state-2"] } },
  { title: "Handwritten digits", state: { objective: "network", lr: 0.01, steps: 60, beside: ["state-1", "state-2"] } },
];

function figure2(beta1, beta2) {
  return { values: { beta1, beta2, eps: 1e-6 }, lr: 0.001, steps: 8000, stop: 0.0002, beside: ["memoryless-2", "state-2"], view: [0.3, 3, 1, 3.7] };
}
