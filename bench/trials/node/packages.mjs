// Node packages of peers, which are installed beside the project's own.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** `import` of a package of the peers' folder. */
export async function importPeer(nodePeers, name) {
  const require = createRequire(join(nodePeers, "package.json"));
  return require(name);
}

/** The version of a package of the peers' folder. */
export function peerVersion(nodePeers, name) {
  return JSON.parse(readFileSync(join(nodePeers, "node_modules", name, "package.json"), "utf8")).version;
}
