// Small helpers for elements, and questions to the server.

import { find, make } from "./explore/dom.js";

export { find, make };

// table returns a table of texts.
export function table(caption, header, rows, numeric = () => false) {
  const cells = (tag, row) => row.map((text, i) => make(tag, tag === "th" ? { scope: "col", className: numeric(i) ? "number" : "", textContent: text } : { className: numeric(i) ? "number" : "", textContent: text }));
  return make("table", {}, make("caption", { textContent: caption }), make("thead", {}, make("tr", {}, ...cells("th", header))), make("tbody", {}, ...rows.map((r) => make("tr", {}, ...cells("td", r)))));
}

// get asks the server. What it refuses is an error with its words.
export async function get(path, query, signal) {
  const address = path + (query && String(query) ? "?" + query : "");
  const answer = await fetch(address, { signal, credentials: "same-origin" });
  let value;
  try { value = await answer.json(); } catch { throw new Error(answer.status === 401 ? "The server was started anew: open the address that it printed." : `${path}: no answer that can be read (${answer.status})`); }
  if (!answer.ok) throw new Error(value.error || String(answer.status));
  return value;
}
