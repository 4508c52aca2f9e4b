// Elements whose texts are set as text, never as markup.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A piece whose spaces and line breaks can be seen. */
export function shown(piece) {
  return piece === "" ? "(empty)" : piece.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

/** A table that scrolls by itself, also with the keyboard. */
export function scrollingTable(label, caption, head, rows) {
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows),
    ),
  );
}
