// The guides as TypeDoc reads them: copies of the Markdown files with a title and a section. The files themselves have neither, as
// GitHub would show both.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/** The sections of the sidebar, with their pages in order. Every page of docs/ has one place. */
export const SECTIONS = {
  "Start here": ["getting-started", "migrating", "recipes", "troubleshooting"],
  "Model families": [
    ...["t5", "flan-t5", "mt5", "umt5", "byt5", "rerankers", "madlad", "sentence-encoders"].map(
      (name) => `families/${name}`,
    ),
  ],
  Models: ["hub", "checkpoints", "export", "embeddings", "classification", "heads"],
  Reference: ["api", "generation-options", "cli"],
  "In production": ["service", "server", "deploying", "gpu", "performance", "security"],
  Internals: ["native", "fused-engine", "cuda-engine", "tokenizer-parity", "benchmarks"],
};

/** Pages outside of docs/, which go to the end. */
const PROJECT = ["models/demo/README.md", "server/README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
const PROJECT_SECTION = "Project";

const FENCED = /^(```[\s\S]*?^```$)/m;

/** The page of all examples, which a link to their folder leads to. */
const EXAMPLES = { folder: "examples", path: "docs/examples.md", section: "Start here" };

/**
 * Writes the copies below `work`, at the same relative paths, so that their links stay valid. `exports` are the
 * names that become links to the API, with what TypeDoc calls them. Returns the paths of the guides in their order, and that of the start page.
 */
export function writePages(source, work, exports) {
  const pages = Object.entries(SECTIONS).flatMap(([section, list]) =>
    list.map((name) => ({ section, path: posix.join("docs", `${name}.md`) })),
  );
  checkComplete(source, pages);
  for (const path of PROJECT) pages.push({ section: PROJECT_SECTION, path });
  const copy = (path, text) => page(text, { source, work, path, exports });
  for (const { section, path } of pages) {
    const text = readFileSync(join(source, path), "utf8");
    write(work, path, matterOf(text, section) + copy(path, text));
  }
  const examples = examplesPage(source);
  write(work, EXAMPLES.path, matterOf(examples, EXAMPLES.section) + examples);
  const readme = "README.md";
  // TypeDoc gives the start page the package's name as its heading.
  write(work, readme, copy(readme, readFileSync(join(source, readme), "utf8").replace(/^# .*\n+/, "")));
  const guides = [...pages, EXAMPLES].map(({ path }) => join(work, path));
  return { guides, readme: join(work, readme) };
}

/** What TypeDoc reads before a page. */
function matterOf(text, section) {
  const [, title = ""] = /^# (.*)$/m.exec(text) ?? [];
  return `---\ntitle: ${JSON.stringify(title.replaceAll("`", ""))}\ngroup: ${JSON.stringify(section)}\n---\n\n`;
}

/** The programs of examples/ on one page. */
function examplesPage(source) {
  const programs = readdirSync(join(source, EXAMPLES.folder)).filter((name) => name.endsWith(".mjs"));
  const sections = programs.sort().map((name) => {
    const code = readFileSync(join(source, EXAMPLES.folder, name), "utf8");
    return `## ${name}\n\n\`\`\`js\n${code}\`\`\`\n`;
  });
  return `# Examples\n\nSmall programs, one topic each. The tests run them all.\n\n${sections.join("\n")}`;
}

/** Throws unless `pages` has every file of docs/ once, and no other. */
function checkComplete(source, pages) {
  const listed = pages.map(({ path }) => path).sort();
  const found = ["docs", "docs/families"]
    .flatMap((folder) => readdirSync(join(source, folder)).map((name) => posix.join(folder, name)))
    .filter((path) => path.endsWith(".md"))
    .sort();
  const wrong = [
    ...found.filter((path) => !listed.includes(path)),
    ...listed.filter((path, index) => !found.includes(path) || listed[index - 1] === path),
  ];
  if (wrong.length > 0) {
    throw new Error(`Expected each page of docs/ once in scripts/docs/pages.mjs but received ${wrong.join(", ")}`);
  }
}

/** The text of a page. Its code blocks stay as they are. */
function page(text, place) {
  return text
    .split(FENCED)
    .map((part) => (part.startsWith("```") ? part : prose(part, place)))
    .join("");
}

function prose(text, place) {
  return text
    .split("\n")
    .map((line) => (line.startsWith("#") ? heading(line) : linkExports(line, place.exports)))
    .join("\n")
    .replace(/\]\((?!\w+:)([^)\s#]*)(#[^)\s]*)?\)/g, (_, target, anchor = "") => {
      // Of several hyphens in a row in GitHub's anchor, TypeDoc's has one.
      return `](${reachable(target, place)}${anchor.replace(/-+/g, "-")})`;
    });
}

/** TypeDoc makes the anchor of a heading from its text without inline code, GitHub with it: elements count as text. */
function heading(line) {
  return line.replace(/`([^`]*)`/g, (_, code) => `<code>${escapeHtml(code)}</code>`);
}

function escapeHtml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Makes inline code that is the name of an export a link to the API, unless it is the text of a link already. */
function linkExports(line, exports) {
  return line.replace(/(?<!\[[^\]]*)`(\w+)`/g, (code, name) => {
    const symbol = exports.get(name);
    return symbol === undefined ? code : `{@link ${symbol} | ${code}}`;
  });
}

/** Makes the target of a link a part of the site: files that are no pages are copied, a folder has a page. */
function reachable(target, { source, work, path }) {
  const file = posix.join(posix.dirname(path), target);
  if (file === EXAMPLES.folder) return posix.relative(posix.dirname(path), EXAMPLES.path);
  if (!file.endsWith(".md") && existsSync(join(source, file)) && statSync(join(source, file)).isFile()) {
    mkdirSync(dirname(join(work, file)), { recursive: true });
    copyFileSync(join(source, file), join(work, file));
  }
  return target;
}

function write(work, path, text) {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
}
