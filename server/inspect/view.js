// Elements for what the server answered. Texts are set as text, never as markup.
import { joined, toTree } from "./tree.js";

/** A special piece, a line break and the like have a name that can be seen and heard. */
export function shown(piece) {
  return piece === "" ? "(empty)" : piece.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

export const percent = (logProb) => {
  const value = Math.exp(logProb) * 100;
  return `${value >= 0.01 ? value.toFixed(2) : value.toExponential(1)} %`;
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function bestToken({ id, piece, logProb }, target) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  bar.style.width = `${Math.exp(logProb) * 100}%`;
  const item = element(
    "li",
    id === target ? { class: "is-target" } : {},
    bar,
    element("span", { class: "piece" }, shown(piece)),
    element("span", { class: "number" }, percent(logProb)),
  );
  return item;
}

function positionRow({ target, rank, entropy, top }, index) {
  return element(
    "tr",
    {},
    element("th", { scope: "row", class: "number" }, String(index)),
    element("td", { class: "piece" }, shown(target.piece)),
    element("td", { class: "number" }, percent(target.logProb)),
    element("td", { class: "number" }, String(rank)),
    element("td", { class: "number" }, entropy.toFixed(3)),
    element("td", {}, element("ul", { class: "best" }, ...top.map((token) => bestToken(token, target.id)))),
  );
}

function positionsTable({ model, target, isGenerated, positions }) {
  const headings = ["Position", "Token", "Probability", "Rank", "Entropy (bits)", "Best tokens"];
  const total = positions.reduce((sum, position) => sum + position.target.logProb, 0);
  const origin = isGenerated ? "the best answer" : "the given answer";
  const caption = `Tokens of ${origin} “${target}”. Log-probability of all: ${total.toFixed(4)}`;
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Tokens of ${model}` },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...positions.map(positionRow)),
    ),
  );
}

function branches(nodes) {
  return element(
    "ul",
    {},
    ...nodes.map(({ pieces, answers, children }) => {
      const text = pieces.map(({ piece }) => shown(piece)).join("");
      const logProb = pieces.reduce((sum, piece) => sum + piece.logProb, 0);
      const item = element("li", {}, element("span", { class: "piece" }, text), ` ${percent(logProb)}`);
      for (const answer of answers) item.append(` — answer “${answer.text}”, score ${answer.score.toFixed(4)}`);
      if (children.length > 0) item.append(branches(children));
      return item;
    }),
  );
}

/** A section for one model: its tokens, and the tree of its answers. */
export function modelSection(analysis, answers, number) {
  const heading = `model-${number}`;
  return element(
    "section",
    { "aria-labelledby": heading },
    element("h2", { id: heading }, `${analysis.model} (${analysis.precision})`),
    element("h3", {}, "Source"),
    element("p", { class: "piece" }, analysis.source.map(({ piece }) => shown(piece)).join(" ")),
    element("h3", {}, "Answer"),
    positionsTable(analysis),
    element("h3", {}, "Answers of beam search"),
    element("div", { class: "tree" }, branches(joined(toTree(answers)))),
  );
}
