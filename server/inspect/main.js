// The page: reads the form or the link, asks the server, and shows the answers.
import { FIELDS, fromFragment, toFragment } from "./state.js";
import { modelSection } from "./view.js";

const form = document.querySelector("#question");
const status = document.querySelector("#status");
const results = document.querySelector("#results");
const keyField = document.querySelector("#key-field");

/** Ends the requests of an earlier question. */
let running = new AbortController();

async function ask(path, body, signal) {
  const key = form.elements.key.value;
  const response = await fetch(path, {
    signal,
    method: body === undefined ? "GET" : "POST",
    headers: { ...(body && { "content-type": "application/json" }), ...(key && { authorization: `Bearer ${key}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (response.status === 401) keyField.hidden = false;
  if (!response.ok) throw new Error(typeof answer.error === "string" ? answer.error : answer.error.message);
  return answer;
}

function report(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("error", isError);
}

/** The models that generate, as options of both fields. */
async function listModels() {
  const { models } = await ask("../info");
  const names = models.filter(({ kind }) => kind === "generation").map(({ name }) => name);
  const { model, other } = form.elements;
  const chosen = [model.value, other.value];
  model.replaceChildren(...names.map((name) => new Option(name)));
  other.replaceChildren(new Option("nothing", ""), ...names.map((name) => new Option(name)));
  if (names.includes(chosen[0])) model.value = chosen[0];
  if (names.includes(chosen[1])) other.value = chosen[1];
}

async function inspect() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const question = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value]));
  history.replaceState(null, "", `#${toFragment(question)}`);
  report("Computing…");
  try {
    if (form.elements.model.options.length === 0) await listModels();
    const { text, target, top, beams } = question;
    const chosen = [form.elements.model.value, form.elements.other.value];
    const models = [...new Set(chosen)].filter((name) => name !== "");
    const sections = await Promise.all(
      models.map(async (model, number) => {
        const body = { model, text, topK: Number(top), ...(target && { target }) };
        const [analysis, answers] = await Promise.all([
          ask("analysis", body, signal),
          ask("alternatives", { model, text, beams: Number(beams) }, signal),
        ]);
        return modelSection(analysis, answers, number);
      }),
    );
    results.replaceChildren(...sections);
    report(`Done: ${models.join(" and ")}.`);
  } catch (error) {
    if (!signal.aborted) report(error.message, true);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  inspect();
});

document.querySelector("#share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    report("The link is copied.");
  } catch {
    report(`Copy this link: ${location.href}`);
  }
});

const linked = fromFragment(location.hash);
try {
  await listModels();
} catch (error) {
  report(error.message, true);
}
for (const [name, value] of Object.entries(linked)) form.elements[name].value = value;
if (linked.text) inspect();
