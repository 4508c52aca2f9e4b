// Checks of the built site: every link of every page leads to a file of the site, and to an element with that id; and
// nothing is loaded from elsewhere, so that the site works without a network.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

const ELSEWHERE = /^(?:https?:)?\/\//;

/** Throws if anything is wrong with the site in `folder`. */
export function checkLinks(folder) {
  const pages = readdirSync(folder, { recursive: true })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".html"));
  const texts = new Map(pages.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  const ids = new Map();
  const idsOf = (name) => {
    if (!ids.has(name)) {
      ids.set(name, new Set([...(texts.get(name) ?? "").matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, id]) => id)));
    }
    return ids.get(name);
  };
  const wrong = new Set();
  for (const [page, text] of texts) {
    for (const [, tag, attribute, value] of text.matchAll(/<(\w+)(?:\s[^>]*?)?\s(href|src)="([^"]*)"/g)) {
      const target = value.replaceAll("&amp;", "&");
      if (ELSEWHERE.test(target)) {
        if (attribute === "src" || tag === "link") wrong.add(`${page} loads ${target}, which is not part of the site`);
        continue;
      }
      if (/^(?:mailto|data|javascript):/.test(target)) continue;
      const [path, anchor] = target.split("#", 2).map(decodeURIComponent);
      const file = path === "" ? page : posix.join(posix.dirname(page), path.split("?", 1)[0]);
      if (!existsSync(join(folder, file))) wrong.add(`${page} links to ${target}, which does not exist`);
      else if (anchor && texts.has(file) && !idsOf(file).has(anchor)) {
        wrong.add(`${page} links to ${target}, which has no such heading`);
      }
    }
  }
  if (wrong.size > 0) throw new Error([...wrong].join("\n"));
}
