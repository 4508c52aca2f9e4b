#!/usr/bin/env node
// `npm run docs`: writes the documentation into docs/site as static files: the guides of docs/, and the API that TypeDoc reads from
// the declarations in dist/ and server/dist/. Fails for a link to nothing, and for an export without documentation.
// `node scripts/docs.mjs [--source <checkout>] [--out <folder>]`.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { parseArgs } from "node:util";
import { buildSite, exportedNames } from "./docs/api.mjs";
import { checkLinks } from "./docs/links.mjs";
import { writePages } from "./docs/pages.mjs";
import { root } from "./setup/paths.mjs";

const { values } = parseArgs({ options: { source: { type: "string" }, out: { type: "string" } }, args: argv.slice(2) });
const source = resolve(values.source ?? root);
const out = resolve(values.out ?? join(source, "docs", "site"));

// What is there is deleted, so it must be an earlier site.
const present = existsSync(out) ? readdirSync(out) : [];
if (present.length > 0 && !present.includes("modules.html") && values.out !== undefined) {
  stderr.write(`Expected an empty folder or an earlier site for --out but received ${out}\n`);
  exit(1);
}
mkdirSync(join(source, "build"), { recursive: true });
const work = mkdtempSync(join(source, "build", "docs-"));
let problem;
try {
  rmSync(out, { recursive: true, force: true });
  const pages = writePages(source, work, exportedNames(source));
  await buildSite({ source, work, out, pages });
  checkLinks(out);
} catch (error) {
  problem = error;
} finally {
  rmSync(work, { recursive: true, force: true });
}
if (problem !== undefined) {
  stderr.write(`${problem.message}\n`);
  exit(1);
}
stdout.write(`The documentation is in ${out}\n`);
