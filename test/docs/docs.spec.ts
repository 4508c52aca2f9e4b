import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before } from "mocha";
import type { T5ForConditionalGeneration } from "torch-t5";
import { useModel } from "../support/model.js";
import { blocksOf, LANGUAGES, nameOf, readDocuments, root } from "./blocks.js";
import { checkNotRun, RUN_WITH_SERVER } from "./not-run.js";
import { type Outcomes, runBlocks } from "./running.js";

const documents = readDocuments();
const MAX_WIDTH = 120;
/** All blocks together take a minute on an idle machine, and several where other programs use its cores. */
const BLOCKS_MS = 900_000;

/** The maximum number of blocks that are not run. A new one has to be counted here. */
const MAX_NOT_RUN = 22;

/** The script that draws the picture. */
interface Drawing {
  readonly drawLogits: (t5: T5ForConditionalGeneration) => Promise<string>;
}

describe("the documentation", () => {
  let outcomes: Outcomes = { blocks: new Map(), types: "" };
  before(async function () {
    this.timeout(BLOCKS_MS);
    outcomes = await runBlocks(documents);
  });

  it("has JavaScript and TypeScript blocks that type-check", () => {
    assert.equal(outcomes.types, "");
  });

  for (const block of documents.flatMap(({ blocks }) => blocks)) {
    const at = `${block.file}:${block.line}`;
    if (block.notRun !== undefined) {
      it(`${at} is not run for a valid reason, and names only what exists`, () => checkNotRun(block));
    } else if (block.language === "json" || block.language === "jsonl") {
      it(`${at} is JSON`, () => {
        for (const text of block.language === "json" ? [block.code] : block.code.split("\n")) JSON.parse(text);
      });
    } else if (block.language !== "text") {
      it(`${at} runs${block.prints === undefined ? "" : ", and prints what it states"}`, () => {
        const { output, error } = outcomes.blocks.get(nameOf(block)) ?? { output: "", error: "was never run" };
        assert.equal(error, undefined);
        if (block.prints !== undefined) assert.deepEqual(output.trimEnd().split("\n"), block.prints);
      });
    }
  }

  for (const { file, text, blocks } of documents) {
    it(`${file} names the language of each block`, () => {
      for (const { line, language } of blocks) {
        assert.ok((LANGUAGES as readonly string[]).includes(language), `${file}:${line}: ${language || "none"}`);
      }
    });

    it(`${file} states which Node.js knows the \`using\` of its blocks`, () => {
      for (const { line, code } of blocks.filter(({ code }) => /^\s*(await )?using \w+ =/m.test(code))) {
        assert.match(code, /\/\/ Node\.js 24$/m, `${file}:${line}`);
      }
    });

    it(`${file} wraps at ${MAX_WIDTH} columns`, () => {
      const tooLong = text.split("\n").flatMap((line, index) => (line.length > MAX_WIDTH ? [index + 1] : []));
      assert.deepEqual(tooLong, []);
    });

    it(`${file} links to files and headings that exist`, () => {
      for (const [, target = ""] of withoutBlocks(text).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [path = "", anchor] = target.split("#", 2);
        const found = path === "" ? join(root, file) : join(root, dirname(file), path);
        assert.ok(existsSync(found), `${file} links to ${target}`);
        if (anchor !== undefined) assert.ok(anchorsOf(found).includes(anchor), `${file} links to ${target}`);
      }
    });
  }

  it(`marks no more than ${MAX_NOT_RUN} blocks as not run`, () => {
    const notRun = documents
      .flatMap(({ blocks }) => blocks)
      .filter(({ notRun }) => notRun !== undefined && notRun !== RUN_WITH_SERVER);
    assert.ok(notRun.length <= MAX_NOT_RUN, notRun.map(nameOf).join(", "));
  });
});

describe("the pages of the families", () => {
  const FACTS = ["class", "decoder start", "prefix", "tokenizer", "precision", "load", "export command"];
  const pages = documents.filter(({ file }) => file.startsWith("docs/families/"));

  for (const { file, text, blocks } of pages) {
    it(`${file} states what the family needs, and runs an example`, () => {
      const rows = [...text.matchAll(/^\| ([a-z ]+?) +\| \S/gm)].map(([, name]) => name);
      assert.deepEqual(rows, ["what", ...FACTS]);
      assert.match(text, /^\| export command +\| `npx torch-t5 export [\w-]+\/[\w.-]+ \.\/[\w-]+`/m);
      assert.ok(blocks.some(({ language, notRun }) => language === "js" && notRun === undefined));
    });
  }

  it("are linked from README.md", () => {
    const [readme] = documents;
    assert.deepEqual(
      pages.filter(({ file }) => !readme?.text.includes(`(${file})`)),
      [],
    );
    assert.ok(pages.length > 0);
  });
});

describe("the picture of the README", () => {
  const model = useModel();

  it("shows the logits that the embedded model computes", async () => {
    const script: Drawing = await import(new URL("../../docs/images/logits.mjs", import.meta.url).href);
    const committed = readFileSync(join(root, "docs", "images", "logits.svg"), "utf8");
    assert.equal(await script.drawLogits(model()), committed);
  });
});

describe("the reader of blocks", () => {
  it("finds code, marker, and stated output", () => {
    const text = [
      "```js",
      "f(); // prints 1",
      "// prints",
      "// 2",
      "//",
      "```",
      "",
      "<!-- not run: takes minutes -->",
      "",
      "```sh",
      "npm test",
      "```",
    ].join("\n");
    assert.deepEqual(blocksOf("a.md", text), [
      {
        file: "a.md",
        line: 1,
        language: "js",
        code: "f(); // prints 1\n// prints\n// 2\n//",
        notRun: undefined,
        prints: ["1", "2", ""],
      },
      { file: "a.md", line: 10, language: "sh", code: "npm test", notRun: "takes minutes", prints: undefined },
    ]);
  });

  it("gives an output block to the block before it", () => {
    const text = ["```sh", "echo 1", "```", "<!-- output -->", "```text", "1", "```"].join("\n");
    const [block, ...others] = blocksOf("a.md", text);
    assert.deepEqual([block?.prints, others], [["1"], []]);
  });

  it("refuses a block that is never closed", () => {
    assert.throws(() => blocksOf("a.md", "```js\nf();"), /a\.md:1 is never closed/);
  });
});

describe("the check of blocks that are not run", () => {
  const block = { file: "a.md", line: 1, language: "sh", prints: undefined };

  it("refuses an unknown reason, another kind of command, and names that do not exist", async () => {
    for (const [notRun, code, message] of [
      ["it is slow", "npm test", /Expected one of/],
      ["takes minutes", "npx torch-t5 generate x", /no reason not to run: npx torch-t5 generate x/],
      ["downloads a model", "npx torch-t5 export a b --overwrites", /There is no --overwrites/],
      ["takes minutes", "npm run nothing", /no script nothing/],
      ["takes minutes", "npx mocha test/none.spec.ts", /There is no test\/none\.spec\.ts/],
    ] as const) {
      await assert.rejects(checkNotRun({ ...block, notRun, code }), message);
    }
  });

  it("accepts a command that exists, with a comment after it", () =>
    checkNotRun({ ...block, notRun: "downloads a model", code: "npx torch-t5 export a b --overwrite # and more" }));
});

function withoutBlocks(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "");
}

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(path: string): readonly string[] {
  const headings = [...withoutBlocks(readFileSync(path, "utf8")).matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}
