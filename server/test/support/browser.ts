// Chromium, which shows the server's pages as a user sees them.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { after, afterEach, before } from "mocha";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** The names of its program; set-up installs Debian's, "chromium". */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The program on the PATH. */
function chromiumPath(): string {
  const folders = (process.env.PATH ?? "").split(delimiter);
  for (const path of folders.flatMap((folder) => NAMES.map((name) => join(folder, name)))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one.
    }
  }
  throw new Error(`Expected ${NAMES.join(" or ")} on the PATH (Debian: apt-get install chromium)`);
}

/** It has no sandbox for root, and asks its maker's hosts for nothing. */
const ARGUMENTS = ["--disable-gpu", "--disable-quic", "--disable-sync", "--disable-domain-reliability"];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: ARGUMENTS });
}

/** A browser for a suite. The returned function opens a page, which the end of the test closes. */
export function useBrowser(): (options?: BrowserContextOptions) => Promise<Page> {
  let browser: Browser | undefined;
  before(async () => {
    browser = await launchBrowser();
  });
  afterEach(async () => {
    for (const context of browser?.contexts() ?? []) await context.close();
  });
  after(() => browser?.close());
  return async (options = {}) => {
    if (browser === undefined) throw new Error("The browser starts before the tests of its suite");
    const context = await browser.newContext(options);
    // A slow machine is no failure: mocha bounds the time of a test.
    context.setDefaultTimeout(0);
    return context.newPage();
  };
}

/** The violations of WCAG and of axe's best practices, as texts. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
