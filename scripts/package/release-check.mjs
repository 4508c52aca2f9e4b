#!/usr/bin/env node
// The release workflow runs this before it publishes: the tag, the versions and the changelog agree, and package.json has the
// `repository` that npm compares the provenance with. `node scripts/package/release-check.mjs <tag>`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stderr } from "node:process";
import { root } from "../setup/paths.mjs";

const readJson = (...path) => JSON.parse(readFileSync(join(root, ...path), "utf8"));

/** What is wrong with a release of `tag`, one text each. */
function problems(tag) {
  const { version, repository, homepage, bugs } = readJson("package.json");
  const server = readJson("server", "package.json");
  const fields = Object.entries({ repository, homepage, bugs });
  const missing = fields.filter(([, value]) => value === undefined).map(([name]) => name);
  const heading = new RegExp(`^## \\[${version.replaceAll(".", "\\.")}\\] - \\d{4}-\\d{2}-\\d{2}$`, "m");
  return [
    tag === `v${version}` ? "" : `Expected the tag v${version} but received ${tag ?? "none"}`,
    server.version === version ? "" : `Expected the server's version ${version} but received ${server.version}`,
    missing.length === 0 ? "" : `Expected ${missing.join(", ")} in package.json but found none`,
    heading.test(readFileSync(join(root, "CHANGELOG.md"), "utf8"))
      ? ""
      : `Expected a section of CHANGELOG.md for ${version}, with its date, but found none`,
  ].filter((problem) => problem !== "");
}

const found = problems(argv[2]);
if (found.length > 0) {
  stderr.write(`${found.join("\n")}\n`);
  exit(1);
}
