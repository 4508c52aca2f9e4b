#!/usr/bin/env node
// Writes docs/generation-options.md from the library's table of generation options; with --check, compares the file instead.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stderr } from "node:process";
import { GENERATION_OPTIONS, OPTION_GROUPS } from "torch-t5";
import { root } from "./setup/paths.mjs";

const FILE = join(root, "docs", "generation-options.md");

/** The options that have a property, as code. */
const namesOf = (isNamed) =>
  Object.entries(GENERATION_OPTIONS).flatMap(([name, option]) => (isNamed(option) ? [`\`${name}\``] : []));

const list = (names, type) => new Intl.ListFormat("en", { type }).format(names);

const INTRODUCTION = `# Generation options

<!-- Written by \`npm run generation-options\` from lib/generation/option-table.ts. -->

The options of \`generate\` and \`stream\`: Hugging Face's \`GenerationConfig\` in camelCase. \`torch-t5 generate\` has them as
flags in kebab case: \`maxNewTokens\` is \`--max-new-tokens\`.

An option that isn't given has its value in the model's \`generation_config.json\`, else the default of this page, which
is Hugging Face's. That file can't set ${list(
  namesOf(({ isCallOnly }) => isCallOnly),
  "disjunction",
)}.

Without what the column "needs" names, an option has no effect. A call that sets it is refused, unless its value changes
nothing. In \`generation_config.json\` such an option is ignored, as in Hugging Face. Only
${list(
  namesOf(({ requires, isCallOnly }) => requires && !isCallOnly),
  "conjunction",
)} are refused there as well.
`;

const NEEDS = {
  doSample: "`doSample`",
  numBeams: "`numBeams` over 1",
  noBeams: "no beams",
  eosTokenId: "`eosTokenId`",
  tokenizer: "a tokenizer",
};

/** Options' names in a text as code. */
const withCode = (text) =>
  text.replace(/\b[a-z]+[A-Z]\w*/g, (name) => (name in GENERATION_OPTIONS ? `\`${name}\`` : name));

function rowOf([name, { default: constant, computedDefault, needs, requires, help }]) {
  const standard = constant === undefined ? withCode(computedDefault ?? "none") : `\`${constant}\``;
  return [`\`${name}\``, standard, NEEDS[needs ?? requires] ?? "", withCode(help)];
}

function table(rows) {
  const lines = [["option", "default", "needs", "effect"], ...rows];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const text = (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [text(lines[0]), rule, ...lines.slice(1).map(text)].join("\n");
}

function page() {
  const sections = Object.entries(OPTION_GROUPS).map(([group, title]) => {
    const rows = Object.entries(GENERATION_OPTIONS).filter(([, option]) => option.group === group);
    return `## ${withCode(title)}\n\n${table(rows.map(rowOf))}\n`;
  });
  return [INTRODUCTION, ...sections].join("\n");
}

if (!argv.includes("--check")) {
  writeFileSync(FILE, page());
} else if (readFileSync(FILE, "utf8") !== page()) {
  stderr.write("docs/generation-options.md is out of date; run `npm run generation-options`\n");
  exit(1);
}
