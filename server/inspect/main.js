// The page: reads the form or the link, asks the server, and shows the answers.
import { ask } from "./ask.js";
import { attentionPart } from "./attention.js";
import { ATTENTION_FIELDS, FIELDS, fromFragment, toFragment } from "./state.js";
import { modelSection } from "./view.js";

const form = document.querySelector("#question");
const fields = form.elements;
const status = document.querySelector("#status");
const results = document.querySelector("#results");
const keyField = document.querySelector("#key-field");

/** Ends the requests of an earlier question. */
let running = new AbortController();
/** The models of the link, until the server has listed its own. */
let linkedModels = {};

const request = (path, body, signal) => ask(path, { body, signal, key: fields.key.value });

function report(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("error", isError);
}

function fail(error) {
  report(error.message, true);
  results.replaceChildren();
  if (error.status !== 401) return;
  keyField.hidden = false;
  fields.key.focus();
}

/** Makes the models that generate the options of both fields, and chooses those of the link. */
async function listModels() {
  if (fields.model.options.length === 0) {
    const { models } = await request("../info");
    const names = models.filter(({ kind }) => kind === "generation").map(({ name }) => name);
    if (names.length === 0) throw new Error("The server has no model that generates, or has not loaded it yet.");
    fields.model.replaceChildren(...names.map((name) => new Option(name)));
    fields.other.replaceChildren(new Option("nothing", ""), ...names.map((name) => new Option(name)));
  }
  const { model, other } = linkedModels;
  linkedModels = {};
  choose(fields.model, model);
  choose(fields.other, other);
}

function choose(select, name) {
  if (name === undefined) return;
  select.value = name;
  if (select.selectedIndex !== -1) return;
  select.selectedIndex = 0;
  throw new Error(`The server has no model “${name}” that generates.`);
}

function updateLink() {
  const question = Object.fromEntries(FIELDS.map((name) => [name, fields[name].value]));
  history.replaceState(null, "", `#${toFragment(question)}`);
  return question;
}

/** The section of a model, the first one or the one beside it. */
async function sectionOf(model, number, { text, target, top, beams }, signal) {
  const [{ analysis, attention }, answers] = await Promise.all([
    request("analysis", { model, text, topK: Number(top), ...(target && { target }) }, signal).then(async (found) => ({
      analysis: found,
      attention: await attentionOf(found, text, number, signal),
    })),
    request("alternatives", { model, text, beams: Number(beams) }, signal),
  ]);
  return modelSection(analysis, attention, answers, number);
}

function attentionOf({ model, target, precision, layers, heads }, text, number, signal) {
  const { layer, head } = ATTENTION_FIELDS[number];
  const load = (chosen) => {
    const indices = Object.entries(chosen).filter(([, value]) => value !== "");
    const body = { model, text, target, ...Object.fromEntries(indices.map(([name, value]) => [name, Number(value)])) };
    return request("attention", body, signal);
  };
  const onChoice = (chosen) => {
    fields[layer].value = chosen.layer;
    fields[head].value = chosen.head;
    updateLink();
  };
  const chosen = { layer: fields[layer].value, head: fields[head].value };
  return attentionPart({ precision, layers, heads, number }, chosen, load, onChoice);
}

async function inspect() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  report("Computing…");
  results.setAttribute("aria-busy", "true");
  try {
    await listModels();
    if (signal.aborted) return;
    const question = updateLink();
    const models = [...new Set([question.model, question.other])].filter((name) => name !== "");
    const sections = await Promise.all(models.map((model, number) => sectionOf(model, number, question, signal)));
    results.replaceChildren(...sections);
    report(`Done: ${models.join(" and ")}.`);
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    if (!signal.aborted) results.removeAttribute("aria-busy");
  }
}

/** Fills the form as the link states it. What the link lacks has its default. */
function readLink() {
  const { model, other = "", ...linked } = fromFragment(location.hash);
  for (const name of FIELDS)
    if (name !== "model" && name !== "other") fields[name].value = linked[name] ?? fields[name].defaultValue;
  linkedModels = { model, other };
  return fields.text.value !== "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  inspect();
});

// The layers of another model are others.
for (const [number, name] of ["model", "other"].entries()) {
  fields[name].addEventListener("change", () => {
    for (const field of Object.values(ATTENTION_FIELDS[number])) fields[field].value = "";
  });
}

fields.text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

document.querySelector("#share").addEventListener("click", async () => {
  updateLink();
  try {
    await navigator.clipboard.writeText(location.href);
    report("The link is copied.");
  } catch {
    report(`Copy this link: ${location.href}`);
  }
});

addEventListener("hashchange", () => {
  if (readLink()) inspect();
});

if (readLink()) await inspect();
else await listModels().catch(fail);
