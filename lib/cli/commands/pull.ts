// `torch-t5 pull`: downloads a model from the hub.
import { onlyPositional, parse } from "../terminal/arguments.js";
import { type Command, EXIT, UsageError } from "../terminal/command.js";
import { modelDirectory } from "../terminal/download.js";
import { print } from "../terminal/output.js";

export const pullCommand: Command = {
  name: "pull",
  summary: "Download a model from the hub, so that it loads without a download",
  help: `torch-t5 pull [options] <name>

Downloads a model from the Hugging Face hub into the cache that Python's huggingface_hub uses as well, and prints its
directory. Only the files that torch-t5 reads are downloaded. What is there already isn't downloaded again, and an
interrupted download continues. Afterwards --model <name> needs no download.

  <name>                a name on the hub, such as google/flan-t5-small
  --revision <name>     a branch, tag or commit (default: main)

HF_HOME or HF_HUB_CACHE selects the cache, HF_TOKEN is sent to the hub, HF_ENDPOINT selects another hub.`,

  async run(args) {
    const { values, positionals } = parse(args, { revision: { type: "string" } });
    const name = onlyPositional(positionals, "name");
    const directory = await modelDirectory(name, values.revision);
    if (directory === name) {
      throw new UsageError(`Expected a name on the hub but received ${JSON.stringify(name)}, a local path`);
    }
    print(directory);
    return EXIT.ok;
  },
};
