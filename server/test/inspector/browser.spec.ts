import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import type { Locator, Page } from "playwright-core";
import { useBrowser, violationsOf } from "../support/browser.js";
import { TestServer, useServer } from "../support/server.js";
import { type Analysis, type Answer, CONFIG, type CrossAttention } from "./models.js";

const TEXT = "spell number: 48213";
const POLL_MS = 20;
const TARGET = "forty-eight thousand two";

const shown = (piece: string) => piece.replaceAll(" ", "␣");
const percent = (logProb: number) => {
  const value = Math.exp(logProb) * 100;
  return `${value >= 0.01 ? value.toFixed(2) : value.toExponential(1)} %`;
};

/** The texts of a table's cells, row by row, without its head. */
async function cellsOf(page: Page, table: string): Promise<readonly (readonly string[])[]> {
  const rows = await page.locator(`${table} tbody tr`).all();
  return Promise.all(rows.map((row) => row.locator(":is(th, td)").allInnerTexts()));
}

const textOf = async (locator: Locator) => (await locator.textContent()) ?? "";

const status = (page: Page, text: string) => page.getByRole("status").filter({ hasText: text }).waitFor();

/** Opens the page, by default without a question. */
async function open(page: Page, url: string, link: Readonly<Record<string, string>> = {}): Promise<void> {
  await page.goto(`${url}/inspect/#${new URLSearchParams(link)}`);
  if (link.text === undefined) await page.locator("#model option").first().waitFor({ state: "attached" });
}

async function ask(page: Page, text: string, target = ""): Promise<void> {
  await page.getByLabel("Text", { exact: true }).fill(text);
  await page.getByLabel("Answer to look at").fill(target);
  await page.getByRole("button", { name: "Inspect" }).click();
}

describe("the inspector in Chromium", () => {
  const server = useServer(CONFIG);
  const newPage = useBrowser();

  it("shows bars, ranks, entropies and answers as a tree, for a text and a target that are typed", async () => {
    const page = await newPage();
    await open(page, server().url);
    assert.deepEqual(await violationsOf(page), []);
    await ask(page, TEXT, TARGET);
    await status(page, "Done: demo.");
    const analysis = await server().json<Analysis>("/inspect/analysis", { text: TEXT, target: TARGET });
    const rows = await cellsOf(page, "[aria-label='Tokens of demo'] table");
    assert.deepEqual(
      rows.map((row) => row.slice(0, 5)),
      analysis.positions.map(({ target, rank, entropy }, position) => [
        ...[String(position), shown(target.piece), percent(target.logProb), String(rank), entropy.toFixed(3)],
      ]),
    );
    // The answer ends after "two", which the model does not expect.
    assert.ok(analysis.positions.some(({ rank }) => rank > 1));

    const items = page.locator("[aria-label='Tokens of demo'] tbody tr:first-child .best li");
    const best = analysis.positions[0]?.top ?? [];
    assert.deepEqual(
      await items.locator(".piece").allInnerTexts(),
      best.map(({ piece }) => shown(piece)),
    );
    for (const [index, { logProb }] of best.entries()) {
      const item = items.nth(index);
      const { width: bar = 0 } = (await item.locator(".bar").boundingBox()) ?? {};
      const { width: all = 0 } = (await item.boundingBox()) ?? {};
      assert.ok(Math.abs(bar - all * Math.exp(logProb)) < 1); // pixels
    }
    const answers = await server().json<readonly Answer[]>("/inspect/alternatives", { text: TEXT });
    const tree = await textOf(page.locator(".tree"));
    for (const { text, score } of answers)
      assert.ok(tree.includes(`answer “${text}”, score ${score.toFixed(4)}`), text);
    // What all answers begin with is one branch.
    assert.equal(
      await page.locator(".tree > ul > li").count(),
      new Set(answers.map(({ tokens }) => tokens[0]?.id)).size,
    );
  });

  it("compares two precisions, and shows the same again by the link", async () => {
    const page = await newPage({ permissions: ["clipboard-read", "clipboard-write"] });
    await open(page, server().url);
    await page.getByLabel("Compare with").selectOption("small");
    await page.getByLabel("Best tokens").fill("3");
    await page.getByLabel("Beams").fill("2");
    await ask(page, `${TEXT} & more #1 ü`);
    await status(page, "Done: demo and small.");
    assert.deepEqual(await page.getByRole("heading", { level: 2 }).allInnerTexts(), ["demo (float32)", "small (int8)"]);
    assert.equal(await page.locator(".best").first().locator("li").count(), 3);
    await page.getByRole("button", { name: "Copy link" }).click();
    await status(page, "The link is copied.");
    const link = String(await page.evaluate("navigator.clipboard.readText()"));
    assert.equal(link, page.url());
    const view = await textOf(page.locator("#results"));
    const other = await page.context().newPage();
    await other.goto(link);
    await status(other, "Done: demo and small.");
    assert.equal(await textOf(other.locator("#results")), view);
    assert.equal(await other.getByLabel("Text", { exact: true }).inputValue(), `${TEXT} & more #1 ü`);
    await other.reload();
    await status(other, "Done: demo and small.");
    assert.equal(await textOf(other.locator("#results")), view);
    // Another link in the same tab.
    await other.evaluate("void (location.hash = 'text=spell number: 7&target=seven')");
    await status(other, "Done: demo.");
    assert.match(await textOf(other.locator("caption").first()), /given answer “seven”/);
    assert.equal(await other.getByLabel("Best tokens").inputValue(), "5");
  });

  it("shows cross-attention as a table of numbers and colors, of the chosen layer and head", async () => {
    const page = await newPage();
    await open(page, server().url, { text: TEXT, target: TARGET, model: "demo", other: "exact" });
    await status(page, "Done: demo and exact.");
    assert.match(
      await textOf(page.locator("#results")),
      /only a model in “exact” returns attention weights, and this one runs in “float32”/,
    );
    const body = { model: "exact", text: TEXT, target: TARGET };
    const expectTable = async (given: CrossAttention) => {
      const cells = await cellsOf(page, ".heat table");
      assert.deepEqual(
        cells,
        given.weights.map((row, index) => [
          shown(given.target[index]?.piece ?? ""),
          ...row.map((weight) => weight.toFixed(2)),
        ]),
      );
      assert.deepEqual(
        await page.locator(".heat thead th").allInnerTexts(),
        given.source.map(({ piece }) => shown(piece)),
      );
    };
    const mean = await server().json<CrossAttention>("/inspect/attention", body);
    await expectTable(mean);
    // The darkest cell of a row is the marked one.
    const [row] = mean.weights;
    const largest = row?.indexOf(Math.max(...(row ?? []))) ?? -1;
    assert.match(
      (await page.locator(".heat tbody tr").first().locator("td").nth(largest).getAttribute("class")) ?? "",
      /largest/,
    );

    const answered = () => page.waitForResponse(/inspect\/attention/);
    let response = answered();
    await page.getByLabel("Layer").selectOption("1");
    await response;
    response = answered();
    await page.getByLabel("Head").selectOption("2");
    await response;
    await page.locator("caption", { hasText: "layer 1, head 2" }).waitFor();
    const chosen = await server().json<CrossAttention>("/inspect/attention", { ...body, layer: 1, head: 2 });
    assert.notDeepEqual(chosen.weights, mean.weights);
    await expectTable(chosen);
    assert.match(page.url(), /otherLayer=1&otherHead=2/);
    await page.reload();
    await status(page, "Done: demo and exact.");
    await expectTable(chosen);
    // Another model may have fewer layers.
    await page.getByLabel("Compare with").selectOption("small");
    await page.getByRole("button", { name: "Inspect" }).click();
    await status(page, "Done: demo and small.");
    assert.doesNotMatch(page.url(), /Layer/);
  });

  it("is used with the keyboard alone, and shows where the focus is", async () => {
    const page = await newPage({ viewport: { width: 400, height: 700 } });
    await open(page, server().url);
    const focused = () =>
      page.evaluate(
        "[document.activeElement.id || document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]",
      ) as Promise<[string, string]>;
    const visited: string[] = [];
    const tab = async () => {
      await page.keyboard.press("Tab");
      const [name, outline] = await focused();
      assert.notEqual(outline, "none", name);
      visited.push(name);
    };
    await tab();
    await page.keyboard.type(TEXT);
    await tab();
    await page.keyboard.type(TARGET);
    await tab();
    await page.keyboard.type("exact");
    for (let count = 0; count < 5; count++) await tab();
    assert.deepEqual(visited, ["text", "target", "model", "other", "top", "beams", "Inspect", "share"]);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await status(page, "Done: exact.");
    await page.keyboard.press("Tab");
    // The tables scroll to the side.
    const scrolled = "document.activeElement.scrollLeft";
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-label')"), "Tokens of exact");
    assert.equal(await page.evaluate(scrolled), 0);
    await page.keyboard.press("ArrowRight");
    while (Number(await page.evaluate(scrolled)) === 0) await setTimeout(POLL_MS);
    await tab();
    await page.keyboard.press("ArrowDown");
    await page.locator("caption", { hasText: "layer 0, all heads" }).waitFor();
    assert.equal((await focused())[0], "layer-0");
    // A line break belongs to the text; with Ctrl it asks.
    await page.getByLabel("Text", { exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.type("7");
    await page.keyboard.press("Control+Enter");
    await page.waitForURL(/#text=spell\+number%3A\+48213%0A7&/);
    await status(page, "Done: exact.");
  });

  for (const { colorScheme, width, height } of [
    { colorScheme: "light", width: 1600, height: 1000 },
    { colorScheme: "dark", width: 320, height: 568 },
  ] as const) {
    it(`has no violations of axe in ${colorScheme} at ${width} pixels, and does not scroll to the side`, async () => {
      const page = await newPage({ colorScheme, viewport: { width, height } });
      await open(page, server().url, { text: "spell number: 7", target: "seven", model: "demo", other: "exact" });
      await status(page, "Done: demo and exact.");
      assert.deepEqual(await violationsOf(page), []);
      await ask(page, `${TEXT} ${"a".repeat(200)}`, "a".repeat(50));
      await page.locator("caption", { hasText: "aaa" }).first().waitFor();
      const background = String(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      assert.equal(background, colorScheme === "dark" ? "rgb(20, 24, 29)" : "rgb(255, 255, 255)");
      assert.ok(Number(await page.evaluate("document.documentElement.scrollWidth")) <= width);
      const boxes = await Promise.all((await page.locator("section").all()).map((each) => each.boundingBox()));
      const [first, second] = boxes.map((box) => box?.y);
      assert.equal(first === second, width === 1600); // side by side, or one below the other
    });
  }

  for (const hostile of [
    "<img src=x onerror=\"document.title='run'\">",
    "</textarea></p><script>document.title='run'</script>",
    "&lt;b&gt; {{1}} %3Cscript%3E",
    "a\u202Eb\u0000\u200B\uFFFF😀\n\r\n\t",
    "'\"`--></style><svg onload=document.title='run'>",
  ]) {
    it(`shows ${JSON.stringify(hostile)} as text`, async () => {
      const page = await newPage();
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      await open(page, server().url, { text: hostile, target: hostile, model: "exact" });
      await status(page, "Done: exact.");
      assert.equal(await page.locator("#results :is(img, script, svg, style, b)").count(), 0);
      assert.equal(await page.title(), "torch-t5 inspector");
      const caption = await textOf(page.locator("caption").first());
      // A field of one line has no line breaks.
      assert.ok(caption.includes(`“${hostile.replaceAll(/[\r\n]/g, "")}”`), caption);
      assert.deepEqual(errors, []);
    });
  }

  it("states what is wrong with a link", async () => {
    const page = await newPage();
    for (const [link, message] of [
      [{ text: TEXT, model: "<b>nobody" }, "The server has no model “<b>nobody” that generates."],
      [{ text: TEXT, top: "1000" }, "topK"],
      [{ text: "a ".repeat(5000) }, "Expected at most 4096 for the number of tokens of text[0] but received"],
    ] as const) {
      await page.goto("about:blank");
      await open(page, server().url, link);
      await page.locator("#status.error").waitFor();
      assert.ok((await textOf(page.getByRole("status"))).includes(message), message);
      assert.deepEqual(await violationsOf(page), []);
    }
  });

  it("answers the last question of a server that is slow", async () => {
    const page = await newPage();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isFirst = true;
    await page.route("**/inspect/analysis", async (route) => {
      if (isFirst) {
        isFirst = false;
        await released;
      }
      await route.continue().catch(() => {}); // the page has given it up
    });
    await open(page, server().url);
    await ask(page, TEXT);
    await status(page, "Computing…");
    assert.equal(await page.locator("#results").getAttribute("aria-busy"), "true");
    assert.deepEqual(await violationsOf(page), []);
    await ask(page, "spell number: 7");
    await status(page, "Done: demo.");
    release();
    await page.unrouteAll({ behavior: "wait" });
    assert.match(await textOf(page.locator("caption").first()), /“seven”/);
    assert.equal(await page.locator("#results").getAttribute("aria-busy"), null);
  });

  it("states that a server is gone or refuses, and goes on when it is back", async () => {
    const models = [{ ...CONFIG.models[0], name: "other" }];
    const keyed = { TORCH_T5_API_KEYS: "secret" };
    const first = await TestServer.start({ models }, keyed);
    const { port, url } = first;
    const page = await newPage();
    await open(page, url, { text: TEXT, model: "other" });
    // It asks for a key, and keeps the question.
    await page.getByLabel("API key").waitFor();
    assert.equal(await page.evaluate("document.activeElement.id"), "key");
    assert.deepEqual(await violationsOf(page), []);
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.locator("#status.error", { hasText: "ERR_UNAUTHORIZED" }).waitFor();
    await page.getByLabel("API key").fill("secret");
    await page.keyboard.press("Enter");
    await status(page, "Done: other.");
    assert.doesNotMatch(page.url(), /secret/);

    await first.stop();
    await page.getByRole("button", { name: "Inspect" }).click();
    await status(page, "The server does not answer. Inspect again when it runs.");
    // Nothing of an earlier answer is beside the error.
    assert.equal(await textOf(page.locator("#results")), "");
    const second = await TestServer.start({ models, port }, keyed);
    await page.getByRole("button", { name: "Inspect" }).click();
    await status(page, "Done: other.");

    await page.route("**/inspect/analysis", (route) => route.fulfill({ status: 502, body: "<h1>Bad Gateway</h1>" }));
    await page.getByRole("button", { name: "Inspect" }).click();
    await status(page, "The server answered with the status 502.");
    await second.stop();
  });
});
