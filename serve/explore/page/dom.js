// Elements of a page. Texts of others only ever become text.

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
