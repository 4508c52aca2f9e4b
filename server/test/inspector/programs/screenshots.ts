// `npm run screenshots`: writes the pictures of the inspector that the documentation shows.
import { fileURLToPath } from "node:url";
import { type ConfigInput, startServer } from "torch-t5-server";
import { launchBrowser } from "../../support/browser.js";

import { CONFIG } from "../models.js";

const IMAGES = new URL("../../../../docs/images/", import.meta.url);

/** Each picture: the question, and the part of the page that it shows. */
const PICTURES = [
  {
    file: "inspector.png",
    link: { text: "spell number: 213", target: "two thirteen", other: "small", top: "3", beams: "3" },
    part: "body",
    viewport: { width: 1240, height: 900 },
  },
  {
    file: "inspector-attention.png",
    link: { text: "date to iso: March 5, 2021", model: "exact", layer: "1" },
    part: ".heat",
    viewport: { width: 900, height: 900 },
  },
];

const server = await startServer({ ...CONFIG, port: 0, logLevel: "silent" } as ConfigInput);
await server.ready;
const browser = await launchBrowser();
for (const { file, link, part, viewport } of PICTURES) {
  const page = await browser.newPage({ viewport, colorScheme: "light" });
  await page.goto(`${server.url}/inspect/#${new URLSearchParams(link)}`);
  await page.getByRole("status").filter({ hasText: "Done" }).waitFor();
  await page.locator(part).screenshot({ path: fileURLToPath(new URL(file, IMAGES)) });
  await page.close();
}
await browser.close();
await server.close();
