import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The folders of `lib/`, `native/` and `server/src/`, top to bottom: a file imports from its own folder and from those below it. */
const LIB = [
  "cli",
  "index.ts",
  "models",
  "generation",
  "calls",
  "loading",
  "inputs",
  "native",
  "tokenizer",
  "hub",
  "util",
];
const CLI = ["main.ts", "commands", "jsonl", "terminal"];
const SERVER = [
  "main.ts",
  "tracing.ts",
  "index.ts",
  "command",
  "bulk",
  "app",
  "inspector",
  "protocols",
  "production",
  "calls",
  "models",
  "config",
  "errors",
];
const PROTOCOLS = ["embeddings", "generation", "inference", "openai", "score", "shared"];
const NATIVE = [
  "addon.cc",
  "preload.cc",
  "bindings",
  "runtime",
  "generation",
  "torchscript",
  "aten",
  "fused",
  "weights",
  "cuda",
  "engine",
  "core",
];

interface Tree {
  readonly folder: string;
  readonly order: readonly string[];
  /** Every source file, relative to the folder. */
  readonly files: readonly string[];
  /** The files of this tree that a file imports. */
  readonly importsOf: (file: string) => readonly string[];
}

function filesBelow(folder: string, pattern: RegExp): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => String(name).replaceAll("\\", "/"))
    .filter((name) => pattern.test(name))
    .sort();
}

const read = (folder: string, name: string) => readFileSync(join(root, folder, name), "utf8");

const matches = (text: string, pattern: RegExp) => Array.from(text.matchAll(pattern), ([, found = ""]) => found);

function typescriptTree(folder: string, order: readonly string[]): Tree {
  const importsOf = (file: string) =>
    matches(read(folder, file), /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)
      .map((name) => posix.join(posix.dirname(file), name).replace(/\.js$/, ".ts"))
      .filter((name) => !name.startsWith(".."));
  return { folder, order, files: filesBelow(folder, /\.ts$/), importsOf };
}

function nativeTree(): Tree {
  const importsOf = (file: string) => matches(read("native", file), /^#include "(.+)"/gm);
  return { folder: "native", order: NATIVE, files: filesBelow("native", /\.(h|cc|cuh)$/), importsOf };
}

const roomOf = (file: string) => file.split("/", 1)[0] ?? file;

/** Every import of a room above the file's own. */
function upwardImports({ order, files, importsOf }: Tree): readonly string[] {
  const height = (file: string) => order.indexOf(roomOf(file));
  return files.flatMap((file) =>
    importsOf(file)
      .filter((used) => height(used) < height(file))
      .map((used) => `${file} imports ${used}`),
  );
}

/** Every file that reaches itself through what it imports. */
function filesInCycles({ files, importsOf }: Tree): readonly string[] {
  const reached = (file: string, seen = new Set<string>()): ReadonlySet<string> => {
    for (const used of importsOf(file)) {
      if (!seen.has(used)) reached(used, seen.add(used));
    }
    return seen;
  };
  return files.filter((file) => reached(file).has(file));
}

const TREES = [
  typescriptTree("lib", LIB),
  typescriptTree("lib/cli", CLI),
  nativeTree(),
  typescriptTree("server/src", SERVER),
  typescriptTree("server/src/protocols", PROTOCOLS),
];

for (const tree of TREES) {
  describe(`layout of ${tree.folder}/`, () => {
    it("has the rooms of this list, and no others", () => {
      assert.deepEqual([...new Set(tree.files.map(roomOf))].sort(), [...tree.order].sort());
    });

    it("imports only downward", () => {
      assert.ok(tree.files.some((file) => tree.importsOf(file).some((used) => roomOf(used) !== roomOf(file))));
      assert.deepEqual(upwardImports(tree), []);
    });

    it("has no import cycles", () => {
      assert.deepEqual(filesInCycles(tree), []);
    });
  });
}

describe("boundaries of lib/", () => {
  const files = filesBelow("lib", /\.ts$/);

  it("loads `.node` files in native/addon.ts alone", () => {
    // `createRequire(path).resolve` finds a package and loads nothing.
    const loads = (file: string) => /createRequire(?!\(\w+\)\.resolve\()|process\.dlopen/.test(read("lib", file));
    assert.deepEqual(
      files.filter((file) => !file.startsWith("cli/") && loads(file)),
      ["native/addon.ts"],
    );
  });

  it("lets the command line use the library through index.ts alone", () => {
    const { importsOf } = typescriptTree("lib", LIB);
    const used = files
      .filter((file) => file.startsWith("cli/"))
      .flatMap((file) => importsOf(file).filter((name) => !name.startsWith("cli/")));
    assert.deepEqual([...new Set(used)], ["index.ts"]);
  });
});

describe("boundaries of server/", () => {
  it("uses the library through its public package alone", () => {
    const files = filesBelow("server/src", /\.ts$/);
    const importing = files.filter((file) =>
      /(?:from|import)\s*\(?\s*"[^"]*(?:lib|\.\.\/dist)\//.test(read("server/src", file)),
    );
    assert.deepEqual(importing, []);
    assert.ok(files.some((file) => /from "torch-t5"/.test(read("server/src", file))));
  });
});

describe("boundaries of native/", () => {
  const { files } = nativeTree();

  it("names Node in bindings/ and addon.cc alone", () => {
    const naming = files.filter((file) => /napi|node_api/i.test(read("native", file)));
    assert.deepEqual(
      naming.filter((file) => !/^(bindings\/|addon\.cc$|preload\.cc$)/.test(file)),
      [],
    );
    assert.ok(naming.includes("addon.cc"));
  });

  it("includes CUDA's headers, and those of native/cuda, in native/cuda alone", () => {
    const pattern = /#include [<"](?:cuda|(?:ATen|c10)\/cuda)[/_a-z]*\.h[>"]|#include "cuda\//;
    const including = files.filter((file) => pattern.test(read("native", file)));
    assert.ok(including.length > 0);
    assert.deepEqual(
      including.filter((file) => !file.startsWith("cuda/")),
      [],
    );
  });

  it("compiles every source: CMakeLists.txt names each", () => {
    const list = readFileSync(join(root, "CMakeLists.txt"), "utf8");
    assert.deepEqual(
      files.filter((file) => file.endsWith(".cc") && !list.includes(`native/${file}`)),
      [],
    );
  });
});

describe("boundaries of scripts/", () => {
  it("uses nothing of lib/", () => {
    const files = filesBelow("scripts", /\.(mjs|py)$/);
    const using = files.filter((file) => /from\s+"(\.\.\/)+(lib|dist)\//.test(read("scripts", file)));
    assert.ok(files.length > 10);
    assert.deepEqual(using, []);
  });
});

describe("CONTRIBUTING.md", () => {
  const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");

  it("names files and folders that exist", () => {
    const named = matches(text, /`((?:lib|native|scripts|server|test|bench|docs)\/[^`\s]*)`/g);
    assert.ok(named.length > 20);
    assert.deepEqual(
      named.filter((path) => !existsSync(join(root, path))),
      [],
    );
  });

  it("lists the rooms of lib/, native/ and server/src/ in their order", () => {
    const trees = matches(text, /^(?:lib|native|server\/src)\/\n((?: {2}\S.*\n)+)/gm);
    const rooms = trees.map((tree) => matches(tree, /^ {2}(\S+)/gm).map((name) => name.replace(/\/$/, "")));
    assert.deepEqual(rooms, [LIB, NATIVE, SERVER]);
  });
});
