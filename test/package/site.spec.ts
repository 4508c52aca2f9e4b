import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { withDirectory } from "../support/directory.js";
import { type Ended, runToEnd } from "../support/program.js";
import { toolPath } from "../support/tools.js";
import { cases } from "./extent.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = join(root, "scripts", "docs.mjs");

/** What the site is made of, and what a test may change: copies. The rest of the checkout is linked. */
const COPIED = ["docs", "dist", "server", "README.md"];
const LEFT_OUT = ["build", ".git"];

/** Makes a checkout to build the site of. */
function makeCheckout(directory: string): void {
  for (const name of readdirSync(root).filter((name) => !LEFT_OUT.includes(name))) {
    const [from, to] = [join(root, name), join(directory, name)];
    const isKept = (path: string) => !/[\\/](site|src|test|node_modules)$/.test(path);
    if (COPIED.includes(name)) cpSync(from, to, { recursive: true, filter: isKept });
    else symlinkSync(from, to, "junction");
  }
}

const buildSite = (checkout: string): Promise<Ended> => runToEnd(process.execPath, [program, "--source", checkout]);

const append = (path: string, text: string) => writeFileSync(path, `${readFileSync(path, "utf8")}\n${text}\n`);

/** The names of the pages that a search of the site finds, best first. */
function search(site: string, query: string): readonly string[] {
  // lunr is what the pages search with.
  const lunr = createRequire(toolPath("typedoc", "package.json"))("lunr");
  const [, data = ""] = /"(.*)"/.exec(readFileSync(join(site, "assets", "search.js"), "utf8")) ?? [];
  const { rows, index } = JSON.parse(inflateSync(Buffer.from(data, "base64")).toString("utf8"));
  const found: readonly { readonly ref: string }[] = lunr.Index.load(index).search(query);
  return found.map(({ ref }) => rows[Number(ref)].name);
}

describe("the site of the documentation", () => {
  const whole = [
    async (directory: string) => {
      makeCheckout(directory);
      const { code, stderr } = await buildSite(directory);
      assert.deepEqual([code, stderr], [0, ""]);
      const site = join(directory, "docs", "site");
      assert.ok(search(site, "T5ForConditionalGeneration").includes("T5ForConditionalGeneration"));
      assert.equal(search(site, "rerank")[0], "rerank");
      // The text of the guides, too.
      assert.deepEqual(search(site, "asarUnpack"), ["Deploying"]);
      assert.deepEqual(search(site, "nosuchword"), []);
    },
  ];
  for (const check of cases(whole, 0)) {
    it("is built without a warning, and finds symbols and the text of guides", () => withDirectory(check));
  }

  const faults = [
    {
      what: "a link of a guide to a missing page",
      break: (checkout: string) => append(join(checkout, "docs", "hub.md"), "[gone](gone.md)"),
      message: /gone\.md/,
    },
    {
      what: "a link of a guide to a missing heading",
      break: (checkout: string) => append(join(checkout, "docs", "families", "t5.md"), "[gone](../api.md#gone)"),
      message: /api\.md#gone/,
    },
    {
      what: "a link of a guide to a missing symbol",
      break: (checkout: string) => append(join(checkout, "docs", "hub.md"), "{@link Gone}"),
      message: /Gone/,
    },
    {
      what: "a link of the API to a missing symbol",
      break: (checkout: string) =>
        append(join(checkout, "dist", "index.d.ts"), "/** See {@link Gone}. */\nexport declare const shown: number;"),
      message: /Gone/,
    },
    {
      what: "an export without documentation",
      break: (checkout: string) => append(join(checkout, "dist", "index.d.ts"), "export declare const bare: number;"),
      message: /bare.* does not have any documentation/,
    },
    {
      what: "a page that has no place in the sidebar",
      break: (checkout: string) => writeFileSync(join(checkout, "docs", "new.md"), "# New\n"),
      message: /Expected each page of docs\/ once .* received docs\/new\.md/,
    },
  ];
  for (const { what, break: damage, message } of cases(faults, 0)) {
    it(`is refused for ${what}`, () =>
      withDirectory(async (directory) => {
        makeCheckout(directory);
        damage(directory);
        const { code, stderr } = await buildSite(directory);
        assert.equal(code, 1);
        assert.match(stderr, message);
      }));
  }
});

describe("npm run docs", () => {
  it("refuses to replace a folder that is no site", () =>
    withDirectory(async (directory) => {
      writeFileSync(join(directory, "mine.txt"), "");
      const { code, stderr } = await runToEnd(process.execPath, [program, "--out", directory]);
      assert.deepEqual([code, readdirSync(directory)], [1, ["mine.txt"]]);
      assert.match(stderr, /^Expected an empty folder or an earlier site for --out but received /);
    }));
});

describe("the check of the site's links", () => {
  const pages = {
    "index.html":
      '<a href="guides/a.html#one">a</a> <a href="https://example.org/x">b</a> <a href="#top" id="top">c</a>',
    "guides/a.html": '<h1 id="one">1</h1> <a href="../index.html?x=1#top">up</a> <img src="../assets/b.svg" />',
    "assets/b.svg": "<svg></svg>",
  };

  async function check(changed: Readonly<Record<string, string>>): Promise<string> {
    const { checkLinks }: { readonly checkLinks: (folder: string) => void } = await import(
      new URL("../../scripts/docs/links.mjs", import.meta.url).href
    );
    let message = "";
    await withDirectory(async (directory) => {
      for (const [name, text] of Object.entries({ ...pages, ...changed })) {
        mkdirSync(dirname(join(directory, name)), { recursive: true });
        writeFileSync(join(directory, name), text);
      }
      try {
        checkLinks(directory);
      } catch (error) {
        message = error instanceof Error ? error.message : String(error);
      }
    });
    return message;
  }

  it("accepts links to files and ids of the site, and to other sites", async () => {
    assert.equal(await check({}), "");
  });

  const wrong = [
    ["a missing file", '<a href="b.html">b</a>', "guides/a.html links to b.html, which does not exist"],
    ["a missing id", '<a href="#two">b</a>', "guides/a.html links to #two, which has no such heading"],
    ["an id of another page", '<a href="../index.html#one">b</a>', /index\.html#one, which has no such heading/],
    ["a picture that is missing", '<img src="c.svg" />', "guides/a.html links to c.svg, which does not exist"],
    ["a script from elsewhere", '<script src="https://cdn.example/x.js"></script>', /which is not part of the site/],
    ["a font from elsewhere", '<link rel="stylesheet" href="//cdn.example/x.css" />', /which is not part of the site/],
  ] as const;
  for (const [what, text, message] of wrong) {
    it(`refuses ${what}`, async () => {
      const found = await check({ "guides/a.html": `<h1 id="one">1</h1> ${text}` });
      if (typeof message === "string") assert.equal(found, message);
      else assert.match(found, message);
    });
  }
});
