// Imports the Node packages of peers, which are installed in their own folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Imports a package from the peers' folder. */
export async function importPeer(nodePeers, name) {
  const require = createRequire(join(nodePeers, "package.json"));
  return require(name);
}

/** The version of a package in the peers' folder. */
export function peerVersion(nodePeers, name) {
  return JSON.parse(readFileSync(join(nodePeers, "node_modules", name, "package.json"), "utf8")).version;
}
