// Loads the addon: the only file that loads `.node` files.
import { existsSync, readFileSync } from "node:fs";
import Module from "node:module";
import { join } from "node:path";
import process, { arch, platform } from "node:process";
import { isError, T5Error } from "../util/errors.js";
import { cacheDirectory, type Libtorch, librariesOf, locateLibtorch, setupCommand } from "./libtorch.js";
import { packageRoot } from "./package-root.js";
import { requestProgressed } from "./request-events.js";
import type { NativeAddon } from "./types.js";

/** The preload addon: opens shared libraries, so that the addon itself finds their symbols. */
interface PreloadAddon {
  readonly libtorchVersion: string;
  open(path: string): void;
}

/** The loaded addon, and where it and libtorch were found. */
export interface Native {
  readonly addon: NativeAddon;
  readonly addonPath: string;
  readonly libtorch: Libtorch;
}

const PRELOAD = "torch_t5_preload.node";
const PLATFORM = `${platform}-${arch}`;
// Not by the names `createRequire` and `require`, which webpack replaces.
const loadModule = Module.createRequire(join(packageRoot, "package.json"));
let loaded: Native | undefined;

/**
 * The addon, loaded on the first call. Throws ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_VERSION, and ERR_INTERNAL where the
 * addon itself is missing or can't be loaded.
 */
export function loadNative(): Native {
  loaded ??= load();
  return loaded;
}

function load(): Native {
  const { folder, preload, libtorch } = findAddon();
  for (const library of librariesOf(libtorch)) openLibrary(preload, library);
  const addonPath = join(folder, "torch_t5.node");
  const addon = requireAddon<NativeAddon>(addonPath);
  // `process.exit()` runs C's exit handlers without an addon's clean-up hooks. libtorch's handlers destroy operators
  // that a computing thread may still use, so the threads end first.
  process.once("exit", () => addon.shutDown());
  addon.observe(requestProgressed);
  return { addon, addonPath, libtorch };
}

/** The places of an addon: a checkout's build, a published package's prebuilt one, and the one that set-up has built. */
function addonFolders(): readonly string[] {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as {
    readonly version: string;
  };
  return [
    join(packageRoot, "build", "Release"),
    join(packageRoot, "prebuilds", PLATFORM),
    join(cacheDirectory(), "addon", version, PLATFORM),
  ];
}

/** The first addon for whose version of libtorch there is one. */
function findAddon(): { readonly folder: string; readonly preload: PreloadAddon; readonly libtorch: Libtorch } {
  const folders = addonFolders();
  let failure: unknown;
  for (const folder of folders.filter((place) => existsSync(join(place, PRELOAD)))) {
    try {
      const preload = requireAddon<PreloadAddon>(join(folder, PRELOAD));
      return { folder, preload, libtorch: locateLibtorch(preload.libtorchVersion) };
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  const message = `Expected the native addon ${PRELOAD} in ${folders.join(" or ")} but found none; run \`${setupCommand}\``;
  throw new T5Error("ERR_INTERNAL", message);
}

function requireAddon<Addon>(path: string): Addon {
  try {
    return loadModule(path) as Addon;
  } catch (cause) {
    throw new T5Error("ERR_INTERNAL", loadFailure("the native addon", path, cause), { cause });
  }
}

function openLibrary(preload: PreloadAddon, path: string): void {
  try {
    preload.open(path);
  } catch (cause) {
    throw new T5Error("ERR_LIBTORCH_NOT_FOUND", loadFailure("libtorch", path, cause), { cause });
  }
}

function loadFailure(what: string, path: string, cause: unknown): string {
  const reason = isError(cause) ? cause.message.split("\n", 1)[0] : "";
  return `Expected ${what} at ${path} to load but received: ${reason}; run \`${setupCommand}\``;
}
