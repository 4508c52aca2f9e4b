// Cross-attention as a heat map: a table whose cells have the weights as numbers and as colors.
import { element, scrollingTable, shown } from "./element.js";

/** The name of a choice in a sentence. */
const named = (choice, what) => (choice === "" ? `all ${what}s` : `${what} ${choice}`);

function heatMap({ model, source, target, weights }, { layer, head }) {
  const columns = source.map(({ piece }) =>
    element("th", { scope: "col", class: "source" }, element("span", { class: "piece" }, shown(piece))),
  );
  const rows = target.map(({ piece }, row) => {
    const largest = Math.max(...weights[row]);
    const cells = weights[row].map((weight) => {
      const cell = element("td", weight === largest ? { class: "largest" } : {}, weight.toFixed(2));
      cell.style.setProperty("--weight", `${weight * 100}%`);
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row", class: "piece" }, shown(piece)), ...cells);
  });
  const caption = `Weights of the source's tokens (columns) for each token of the answer (rows): ${named(layer, "layer")}, ${named(head, "head")}`;
  const made = scrollingTable(`Cross-attention of ${model}`, caption, [element("td"), ...columns], rows);
  made.classList.add("heat");
  return made;
}

function choice(id, label, count, value) {
  const options = [new Option("Mean of all", ""), ...Array.from({ length: count }, (_, index) => new Option(index))];
  const select = element("select", { id }, ...options);
  select.value = value;
  if (select.selectedIndex === -1) select.value = ""; // a layer that this model has not
  return { select, field: element("div", { class: "field" }, element("label", { for: id }, label), select) };
}

/**
 * The cross-attention of a model, with a choice of layer and head. `chosen` has the values of both, "" for the mean of
 * all, and `load(chosen)` resolves to the server's answer. `onChoice` hears of each choice.
 */
export async function attentionPart({ precision, layers, heads, number }, chosen, load, onChoice) {
  const heading = element("h3", {}, "Cross-attention");
  if (precision !== "exact") {
    const reason = `Not available: only a model in “exact” returns attention weights, and this one runs in “${precision}”.`;
    return [heading, element("p", { class: "hint" }, reason)];
  }
  const layer = choice(`layer-${number}`, "Layer", layers, chosen.layer);
  const head = choice(`head-${number}`, "Head", heads, chosen.head);
  const place = element("div");
  let latest = 0;
  async function show() {
    const current = ++latest;
    const values = { layer: layer.select.value, head: head.select.value };
    let content;
    try {
      content = heatMap(await load(values), values);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      content = element("p", { class: "error" }, `Not available: ${error.message}`);
    }
    if (current === latest) place.replaceChildren(content);
  }
  for (const { select } of [layer, head]) {
    select.addEventListener("change", () => {
      onChoice({ layer: layer.select.value, head: head.select.value });
      show().catch(() => {}); // another question was asked
    });
  }
  await show();
  return [heading, element("div", { class: "choices" }, layer.field, head.field), place];
}
