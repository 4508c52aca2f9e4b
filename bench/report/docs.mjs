// Writes the tables and plots of suites that load a service into the documentation: between two comments of a page.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { root } from "../../scripts/setup/paths.mjs";
import { SUITES } from "../data/suites.mjs";
import { renderLoad, renderLoadPlot } from "./load.mjs";
import { versionsOf } from "./markdown.mjs";
import { serviceGoals } from "./service-goals.mjs";
import { summarize } from "./summary.mjs";

/** The page of each suite. */
const PAGES = { service: "service.md", server: "server.md" };
const FORMATTER = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
const IMAGES = "images";
const WIDTH = 120;
const beginning = (suite) => `<!-- npm run bench -- ${suite} -->`;
const END = "<!-- end of the measurement -->";

/** Writes what the records have into the pages of a folder. Returns the paths of the files that it wrote. */
export function writeDocs(records, folder) {
  return summarize(records).flatMap((group) => {
    const page = PAGES[group.suite];
    if (!page) return [];
    const path = join(folder, page);
    const image = `${IMAGES}/bench-${group.suite}.svg`;
    writeFileSync(path, insert(readFileSync(path, "utf8"), group.suite, renderSection(group, records, image), path));
    execFileSync(execPath, [FORMATTER, "format", "--write", path], { stdio: "pipe" });
    writeFileSync(join(folder, image), renderLoadPlot(group, SUITES[group.suite]));
    return [path, join(folder, image)];
  });
}

/** The text of a page with a section between its comments. Throws an Error where the page lacks them. */
export function insert(text, suite, section, path) {
  const start = text.indexOf(beginning(suite));
  const end = text.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error(`Expected ${beginning(suite)} and ${END} in ${path}`);
  return `${text.slice(0, start)}${beginning(suite)}\n\n${section}\n\n${text.slice(end)}`;
}

function renderSection(group, records, image) {
  const goals = serviceGoals(group);
  return [
    wrap(describe(group, records)),
    ...(goals ? [goals] : []),
    ...renderLoad(group, SUITES[group.suite]),
    `![${group.suite}, ${group.model}](${image})`,
  ].join("\n\n");
}

function describe({ suite, model, series }, records) {
  const run = records.find(({ type }) => type === "run");
  const trials = Math.max(...series.flatMap(({ figures }) => [...figures.values()].map(({ count }) => count)));
  const { processor, cores, node } = run.machine;
  const peers = [...versionsOf(records, suite)].flatMap(([, packages]) => Object.entries(packages));
  const versions = [...new Map(peers)].map((pair) => pair.join(" ")).join(", ");
  return [
    `\`npm run bench -- ${suite}\` on ${processor}, ${cores} cores, ${run.settings.threads} threads; ${model}'s size with random`,
    `weights; medians of ${trials} interleaved trials, ${run.started.slice(0, 10)}. Node ${node}, ${versions}. In parentheses: the rate`,
    "as a multiple of torch-t5's in the same kind of precision and the same trials.",
  ].join(" ");
}

/** A text in lines of at most 120 columns. */
function wrap(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.join("\n");
}
