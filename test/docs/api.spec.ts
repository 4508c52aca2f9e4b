import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as torchT5 from "torch-t5";
import { root } from "./blocks.js";

const read = (...path: readonly string[]) => readFileSync(join(root, ...path), "utf8");

/** Every name in the package's types: what lib/index.ts exports without `@internal`. */
function exportedNames(): readonly string[] {
  const source = read("lib", "index.ts").replace(/\/\/.*$/gm, "");
  const exported = source.replace(/\/\*\* @internal \*\/\s*export \{[^}]*\} from "[^"]+";/g, "");
  return [...exported.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = ""]) =>
    list
      .split(",")
      .map((item) =>
        item
          .trim()
          .replace(/^type /, "")
          .replace(/^\w+ as /, ""),
      )
      .filter((name) => name !== ""),
  );
}

describe("docs/api.md", () => {
  const api = read("docs", "api.md");

  it("names every export of lib/index.ts", () => {
    const names = exportedNames();
    const internal = [
      ...[
        "AGGREGATION_STRATEGIES",
        "GENERATION_OPTIONS",
        "LABEL_FUNCTIONS",
        "OPTION_GROUPS",
        "POOLINGS",
        "PRECISIONS",
        "SCORE_REDUCTIONS",
      ],
      ...["exportCommand", "logSumExp", "readKind", "readSafetensors"],
    ];
    assert.deepEqual(
      Object.keys(torchT5)
        .filter((name) => !names.includes(name))
        .sort(),
      internal,
    );
    assert.deepEqual(
      names.filter((name) => !new RegExp(`\\b${name}\\b`).test(api)),
      [],
    );
  });

  it("names every public member of the exported classes", () => {
    const members = Object.values(torchT5).flatMap((value) =>
      typeof value === "function" && value.prototype !== undefined && value !== torchT5.T5Error
        ? Object.getOwnPropertyNames(value.prototype).filter((name) => name !== "constructor")
        : [],
    );
    // `next` and `throw` are those of every iterator; the others are marked `@internal`.
    const internal = [
      "encodePadded",
      "encodeSliced",
      "encodeText",
      "specialTokenCount",
      "withSpecialTokens",
      "tokenTexts",
      "tokensToText",
      "unkTokenId",
      "nativeFor",
      "next",
      "throw",
    ];
    assert.deepEqual(
      [...new Set(members)].filter((name) => !internal.includes(name) && !new RegExp(`\\b${name}\\b`).test(api)),
      [],
    );
  });
});

describe("docs/migrating.md", () => {
  /** Words in its code that are no names of the API: JavaScript's own, and the variables of its examples. */
  const OTHERS = ["await", "const", "for", "of", "tensor", "tokenizer", "true"];

  it("names only calls, options and properties that exist, for what transformers.js and Python have", () => {
    const report = read("etc", "torch-t5.api.md");
    const cells = [...read("docs", "migrating.md").matchAll(/^\| .*? +\| (.*?) +\|$/gm)].map(([, cell = ""]) => cell);
    const names = cells
      .flatMap((cell) => [...cell.matchAll(/`([^`]*)`/g)])
      .flatMap(([, code = ""]) => [...code.replace(/"[^"]*"/g, "").matchAll(/[A-Za-z]\w+/g)])
      .map(([name]) => name);
    assert.ok(names.length > 50);
    assert.deepEqual(
      names.filter((name) => !OTHERS.includes(name) && !new RegExp(`\\b${name}\\b`).test(report)),
      [],
    );
  });
});

describe("docs/troubleshooting.md", () => {
  it("has a section for every error code, and api.md a row", () => {
    const list = /const codes = \[([^\]]*)\]/.exec(read("lib", "util", "errors.ts"))?.[1] ?? "";
    const codes = [...list.matchAll(/"(ERR_\w+)"/g)].map(([, code = ""]) => code);
    assert.ok(codes.length > 0);
    const sections = [...read("docs", "troubleshooting.md").matchAll(/^### `(ERR_\w+)`$/gm)].map(([, code]) => code);
    assert.deepEqual(sections, codes);
    const rows = [...read("docs", "api.md").matchAll(/^\| `(ERR_\w+)`/gm)].map(([, code]) => code);
    assert.deepEqual(rows, codes);
  });
});
