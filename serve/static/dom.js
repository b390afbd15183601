// Small helpers for elements. Texts of others only ever become text.

// make returns an element with properties, attributes where their names have a hyphen, and children.
export function make(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "scope") e.setAttribute(name, value);
    else e[name] = value;
  }
  e.append(...children);
  return e;
}

export const find = (id) => document.getElementById(id);

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
