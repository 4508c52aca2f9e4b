// `torch-t5 cache`: the models that were downloaded from the hub.
import { cachedModels, deleteCachedModel } from "../../index.js";
import { parse } from "../terminal/arguments.js";
import { type Command, EXIT, UsageError } from "../terminal/command.js";
import { formatBytes } from "../terminal/download.js";
import { print } from "../terminal/output.js";
import { type Column, table } from "../terminal/table.js";

const COLUMNS: readonly Column[] = [
  { heading: "model", align: "left" },
  { heading: "size", align: "right" },
  { heading: "revisions", align: "left" },
];
const COMMIT_LENGTH = 8;

export const cacheCommand: Command = {
  name: "cache",
  summary: "List the models that were downloaded from the hub, or delete one",
  help: `torch-t5 cache
torch-t5 cache delete <name>

Lists the models in the cache of the Hugging Face hub, also those that Python has downloaded, with their sizes on disk
and their revisions: branches, tags, and commits that were downloaded by none. "delete" deletes a model with all of its
revisions.

  <name>                the name of a model in the list

HF_HOME or HF_HUB_CACHE selects the cache.`,

  async run(args) {
    const { positionals } = parse(args, {});
    const [action, name, ...others] = positionals;
    if (action === undefined) {
      await list();
      return EXIT.ok;
    }
    if (action !== "delete" || name === undefined || others.length > 0) {
      throw new UsageError(`Expected no arguments, or delete and one name, but received ${positionals.join(" ")}`);
    }
    print(`Deleted ${name}: ${formatBytes(await deleteCachedModel(name))}`);
    return EXIT.ok;
  },
};

async function list(): Promise<void> {
  const models = await cachedModels();
  if (models.length === 0) {
    print("The cache has no models.");
    return;
  }
  const rows = models.map(({ name, bytes, revisions, commits }) => {
    const named = revisions.length > 0 ? revisions : commits.map((commit) => commit.slice(0, COMMIT_LENGTH));
    return [name, formatBytes(bytes), named.join(", ")];
  });
  for (const line of table(COLUMNS, rows)) print(line);
  const total = models.reduce((sum, { bytes }) => sum + bytes, 0);
  print(`${models.length} ${models.length === 1 ? "model" : "models"}, ${formatBytes(total)}`);
}
