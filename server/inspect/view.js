// Elements for what the server answered. Texts are set as text, never as markup.
import { element, scrollingTable, shown } from "./element.js";
import { joined, toTree } from "./tree.js";

export const percent = (logProb) => {
  const value = Math.exp(logProb) * 100;
  return `${value >= 0.01 ? value.toFixed(2) : value.toExponential(1)} %`;
};

function bestToken({ id, piece, logProb }, target) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  bar.style.width = `${Math.exp(logProb) * 100}%`;
  const isTarget = id === target;
  return element(
    "li",
    isTarget ? { class: "is-target" } : {},
    bar,
    element("span", { class: "piece" }, shown(piece)),
    ...(isTarget ? [element("span", { class: "heard" }, " (token of the answer) ")] : []),
    element("span", { class: "number" }, percent(logProb)),
  );
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

/** The headings of the table, and which columns have numbers. */
const HEADINGS = [
  ["Position", true],
  ["Token", false],
  ["Probability", true],
  ["Rank", true],
  ["Entropy (bits)", true],
  ["Best tokens", false],
];

function positionsTable({ model, target, isGenerated, positions }) {
  const total = positions.reduce((sum, position) => sum + position.target.logProb, 0);
  const origin = isGenerated ? "the best answer" : "the given answer";
  const caption = `Tokens of ${origin} “${target}”. Log-probability of all: ${total.toFixed(4)}`;
  const head = HEADINGS.map(([text, isNumber]) =>
    element("th", { scope: "col", ...(isNumber && { class: "number" }) }, text),
  );
  return scrollingTable(`Tokens of ${model}`, caption, head, positions.map(positionRow));
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

/** A section for one model: its tokens, its cross-attention, and the tree of its answers. */
export function modelSection(analysis, attention, answers, number) {
  const heading = `model-${number}`;
  return element(
    "section",
    { "aria-labelledby": heading },
    element("h2", { id: heading }, `${analysis.model} (${analysis.precision})`),
    element("h3", {}, "Source"),
    element("p", { class: "piece" }, analysis.source.map(({ piece }) => shown(piece)).join(" ")),
    element("h3", {}, "Answer"),
    positionsTable(analysis),
    ...attention,
    element("h3", {}, "Answers of beam search"),
    element("div", { class: "tree" }, branches(joined(toTree(answers)))),
  );
}
