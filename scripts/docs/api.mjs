// The site: TypeDoc renders the guides, and the API of both packages from the declarations that users get.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { tools } from "../setup/paths.mjs";
import { SECTIONS } from "./pages.mjs";

/** The packages, by the paths of their declarations. */
const PACKAGES = { "torch-t5": "dist/index.d.ts", "torch-t5-server": "server/dist/index.d.ts" };

/** The group of the packages in the sidebar: TypeDoc's name, and the one shown. */
const MODULES = "Modules";
const SHOWN_MODULES = "Packages";

/** What must have documentation: everything exported and every method. A property may be plain from its name. */
const DOCUMENTED = ["Class", "Interface", "TypeAlias", "Function", "Variable", "Enum", "Method", "Accessor"];

/** Types that only name a part of an exported type, which TypeDoc shows with its members. */
const PARTS = [
  ...["ACTIVATIONS", "AGGREGATION_STRATEGIES", "LABEL_FUNCTIONS", "POOLINGS", "PRECISIONS", "PROBLEM_TYPES"],
  ...["SCORE_REDUCTIONS", "codes", "Added", "AddedByNumber", "Computed", "Exact", "Given", "NativeProgress"],
  ...["ProcessorOption", "ScoreOf", "Selected"],
];

/** The names that both packages export, each with its name in a `{@link}`. */
export function exportedNames(source) {
  const names = Object.values(PACKAGES).flatMap((path) => {
    const text = readFileSync(join(source, path), "utf8");
    const module = JSON.stringify(posix.dirname(path));
    return [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list]) =>
      list.split(",").map((item) => {
        const name = item.trim().split(/\s+/).at(-1);
        return [name, `${module}.${name}`];
      }),
    );
  });
  return new Map(names);
}

/** Writes the site to `out`. Throws if TypeDoc warns of anything. */
export async function buildSite({ source, work, out, pages }) {
  const typedoc = createRequire(join(tools, "package.json")).resolve("typedoc");
  const { Application, Logger, LogLevel } = await import(pathToFileURL(typedoc).href);
  const entries = Object.values(PACKAGES).map((path) => join(source, path));
  const tsconfig = join(work, "tsconfig.json");
  writeFileSync(tsconfig, JSON.stringify(compilerSettings(source, entries)));

  const messages = [];
  class Collector extends Logger {
    log(message, level) {
      if (level >= LogLevel.Warn) messages.push(message);
    }
  }
  const app = await Application.bootstrap({
    name: "torch-t5",
    entryPoints: entries,
    tsconfig,
    basePath: source,
    readme: pages.readme,
    projectDocuments: pages.guides,
    excludeInternal: true,
    disableSources: true,
    githubPages: true,
    searchInComments: true,
    searchInDocuments: true,
    hideGenerator: true,
    highlightLanguages: ["bash", "javascript", "json", "jsonl", "python", "typescript"],
    sort: ["kind", "alphabetical-ignoring-documents"],
    groupOrder: [...Object.keys(SECTIONS), "*"].flatMap((name) => (name === "Reference" ? [name, MODULES] : [name])),
    navigation: { includeGroups: true, includeFolders: false },
    requiredToBeDocumented: DOCUMENTED,
    intentionallyNotExported: PARTS,
    validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: true },
  });
  app.logger = new Collector();
  const project = await app.convert();
  const fail = () => {
    throw new Error(messages.map((message) => message.replaceAll(work, "")).join("\n"));
  };
  if (project === undefined) return fail();
  for (const module of project.children ?? []) {
    const path = Object.entries(PACKAGES).find(([, entry]) => entry.startsWith(`${module.name}/`));
    if (path !== undefined) module.name = path[0];
  }
  for (const group of project.groups ?? []) {
    if (group.title === MODULES) group.title = SHOWN_MODULES;
  }
  app.validate(project);
  await app.generateDocs(project, out);
  if (messages.length > 0) fail();
}

function compilerSettings(source, files) {
  return {
    compilerOptions: {
      target: "ES2022",
      lib: ["ES2023", "ESNext.Disposable"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      typeRoots: [join(source, "node_modules", "@types")],
      types: ["node"],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    },
    files,
  };
}
