// What is looked at, which is what the address says, so that it can be kept and sent.

export const state = { runs: [], sweep: "", measure: "", against: "", by: "", abscissa: "step", logX: false, from: null, to: null, hidden: new Set(), flipped: new Set(), filter: "" };

export function readAddress() {
  const q = new URLSearchParams(location.search);
  const number = (name) => (q.has(name) && Number.isFinite(Number(q.get(name))) ? Number(q.get(name)) : null);
  state.runs = q.getAll("run");
  state.sweep = q.get("sweep") || "";
  state.measure = q.get("measure") || ""; state.against = q.get("against") || ""; state.by = q.get("by") || "";
  state.abscissa = ["step", "time", "loss"].includes(q.get("x")) ? q.get("x") : "step";
  state.logX = q.get("log") === "x";
  state.from = number("from"); state.to = number("to");
  state.hidden = new Set(q.getAll("hide"));
  state.flipped = new Set(q.getAll("flip"));
  state.filter = q.get("filter") || "";
  return state;
}

export function address() {
  const q = new URLSearchParams();
  for (const r of state.runs) q.append("run", r);
  if (state.sweep) {
    q.set("sweep", state.sweep);
    for (const name of ["measure", "against", "by"]) if (state[name]) q.set(name, state[name]);
  }
  if (state.abscissa !== "step") q.set("x", state.abscissa);
  if (state.logX) q.set("log", "x");
  if (state.from !== null) q.set("from", state.from);
  if (state.to !== null) q.set("to", state.to);
  for (const h of state.hidden) q.append("hide", h);
  for (const f of state.flipped) q.append("flip", f);
  if (state.filter) q.set("filter", state.filter);
  return q;
}

// writeAddress puts what is looked at into the address; push makes it one that the browser's button goes back from.
export function writeAddress(push = false) {
  const q = String(address()), to = location.pathname + (q ? "?" + q : "");
  if (to === location.pathname + location.search) return;
  history[push ? "pushState" : "replaceState"](null, "", to);
}
