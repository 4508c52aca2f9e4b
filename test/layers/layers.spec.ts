import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

const slashed = (path: string) => path.replaceAll("\\", "/");

function filesBelow(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => slashed(String(name)))
    .filter((name) => pattern.test(name))
    .sort();
}

const read = (folder: string, name: string) => readFileSync(join(root, folder, name), "utf8");

/** Finds every place that uses something of a later layer. */
function upward(
  files: readonly string[],
  usesOf: (file: string) => readonly string[],
  layerOf: (file: string) => number,
): string[] {
  return files.flatMap((file) =>
    usesOf(file)
      .filter((used) => layerOf(used) > layerOf(file))
      .map((used) => `${file} uses ${used}`),
  );
}

describe("layers of native/", () => {
  const layers = [
    /^errors\.h$/,
    /^types\.(h|cc)$/,
    /^engine\/[^/]+$/,
    /^engine\/scripted\//,
    /^engine\/fused\//,
    /^generation\//,
    /^runtime\//,
    /^bindings\//,
    /^addon\.cc$/,
  ];
  // The preload stands beside the layers: it knows how to open a library and nothing else.
  const files = filesBelow("native", /\.(h|cc)$/).filter((file) => file !== "preload.cc");
  const layerOf = (file: string) => layers.findIndex((layer) => layer.test(file));
  const includesOf = (file: string) => [...read("native", file).matchAll(/^#include "(.+)"/gm)].map((m) => m[1] ?? "");

  it("hold every file", () => {
    assert.ok(files.length > 20);
    assert.deepEqual(
      files.filter((file) => layerOf(file) < 0),
      [],
    );
  });

  it("include only what is above them", () => {
    assert.deepEqual(upward(files, includesOf, layerOf), []);
  });

  it("name Node in the bindings and the registration alone", () => {
    const naming = files.filter((file) => /napi|node_api/i.test(read("native", file)));
    assert.deepEqual(
      naming.filter((file) => !/^(bindings\/|addon\.cc$)/.test(file)),
      [],
    );
    assert.ok(naming.includes("addon.cc"));
  });

  it("are all compiled: CMakeLists.txt names every source", () => {
    const list = readFileSync(join(root, "CMakeLists.txt"), "utf8");
    const sources = files.filter((file) => file.endsWith(".cc"));
    assert.deepEqual(
      sources.filter((file) => !list.includes(`native/${file}`)),
      [],
    );
  });
});

describe("layers of lib/", () => {
  const files = filesBelow("lib", /\.ts$/);
  const importsOf = (file: string) =>
    [...read("lib", file).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, name = ""]) =>
      posix.join(posix.dirname(file), name).replace(/\.js$/, ".ts"),
    );
  const library = files.filter((file) => !file.startsWith("cli/"));

  it("import one way only: no file is among those that it uses", () => {
    const reached = (file: string, seen = new Set<string>()): Set<string> => {
      for (const used of importsOf(file)) {
        if (!seen.has(used)) reached(used, seen.add(used));
      }
      return seen;
    };
    assert.deepEqual(
      files.filter((file) => reached(file).has(file)),
      [],
    );
  });

  it("follow the order that the design gives its main files", () => {
    const order = [
      "errors.ts",
      "validation.ts",
      "config.ts",
      "tensor.ts",
      "batch.ts",
      "libtorch.ts",
      "native.ts",
      "tokenizer.ts",
      "model.ts",
      "index.ts",
    ];
    const main = library.filter((file) => order.includes(file));
    assert.deepEqual(main.length, order.length);
    const mainImports = (file: string) => importsOf(file).filter((used) => order.includes(used));
    assert.deepEqual(
      upward(main, mainImports, (file) => order.indexOf(file)),
      [],
    );
  });

  it("load `.node` files in native.ts alone", () => {
    assert.deepEqual(
      library.filter((file) => /createRequire|process\.dlopen/.test(read("lib", file))),
      ["native.ts"],
    );
  });

  it("let the command line use the library through index.ts alone", () => {
    const used = files
      .filter((file) => file.startsWith("cli/"))
      .flatMap((file) => importsOf(file).filter((name) => !name.startsWith("cli/")));
    assert.deepEqual([...new Set(used)], ["index.ts"]);
  });
});

describe("scripts/", () => {
  it("use nothing of lib/", () => {
    const files = filesBelow("scripts", /\.(mjs|py)$/);
    const using = files.filter((file) => /from\s+"(\.\.\/)+(lib|dist)\//.test(read("scripts", file)));
    assert.ok(files.length > 10);
    assert.deepEqual(using, []);
  });
});
