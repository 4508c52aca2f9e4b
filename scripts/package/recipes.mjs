#!/usr/bin/env node
// Checks what runs elsewhere: the workflows with actionlint, and the Dockerfiles, that of docs/deploying.md included, with hadolint.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { exit, stderr } from "node:process";
import { root, tools, venvProgram } from "../setup/paths.mjs";

/** GitHub's runners that the workflows use. actionlint's own list is older than they are. */
const RUNNERS = ["ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "windows-2025"];

/** Rules that do not apply: versions of Debian's packages (an image is built for its updates), and users by number. */
const IGNORED_RULES = ["DL3008", "DL3066"];

const WORKFLOWS = join(".github", "workflows");
const DOCKERFILE = join("server", "deploy", "Dockerfile");
const RECIPES = join("docs", "deploying.md");

const read = (path) => readFileSync(join(root, path), "utf8");

/** What actionlint finds in the workflows, one text each. */
async function checkWorkflows() {
  const { createLinter } = createRequire(join(tools, "package.json"))("actionlint");
  const lint = await createLinter();
  return readdirSync(join(root, WORKFLOWS)).flatMap((name) =>
    lint(read(join(WORKFLOWS, name)), name)
      .filter(({ kind, message }) => kind !== "runner-label" || !RUNNERS.includes(/^label "(.*?)"/.exec(message)?.[1]))
      .map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`),
  );
}

/** The Dockerfiles, each with its name. */
function dockerfiles() {
  const recipes = [...read(RECIPES).matchAll(/^```text\n(FROM [\s\S]*?)^```$/gm)].map(([, text]) => [RECIPES, text]);
  if (recipes.length === 0) throw new Error(`Expected a Dockerfile in ${RECIPES} but found none`);
  return [[DOCKERFILE, read(DOCKERFILE)], ...recipes];
}

/** What hadolint finds, one text each. */
function checkDockerfiles() {
  const ignored = IGNORED_RULES.flatMap((rule) => ["--ignore", rule]);
  return dockerfiles().flatMap(([name, input]) => {
    const { status, stdout, error } = spawnSync(venvProgram("hadolint"), ["--no-color", ...ignored, "-"], {
      input,
      encoding: "utf8",
    });
    if (error !== undefined) throw error;
    return status === 0 ? [] : [`${name}, its Dockerfile:\n${stdout}`];
  });
}

const messages = [...(await checkWorkflows()), ...checkDockerfiles()];
if (messages.length > 0) {
  stderr.write(`${messages.join("\n")}\n`);
  exit(1);
}
