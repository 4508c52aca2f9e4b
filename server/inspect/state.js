// The question as a link: everything but the API key is in the fragment, which no server sees.

/** The fields of the layer and the head of cross-attention: of the first model, and of the one beside it. */
export const ATTENTION_FIELDS = [
  { layer: "layer", head: "head" },
  { layer: "otherLayer", head: "otherHead" },
];

/** The names of the form's fields that a link has. */
export const FIELDS = [
  ...["text", "target", "model", "other", "top", "beams"],
  ...ATTENTION_FIELDS.flatMap(({ layer, head }) => [layer, head]),
];

/** The fragment of a question. Empty fields are left out. */
export function toFragment(question) {
  const parameters = new URLSearchParams();
  for (const name of FIELDS) if (question[name]) parameters.set(name, question[name]);
  return parameters.toString();
}

/** The question of a fragment. */
export function fromFragment(fragment) {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ""));
  return Object.fromEntries(FIELDS.filter((name) => parameters.has(name)).map((name) => [name, parameters.get(name)]));
}
