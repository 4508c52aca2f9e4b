// The options of `generate` as flags: each is the library's option in kebab case, and the library checks what they say.

import { camelCase, numberOption } from "../terminal/arguments.js";
import { UsageError } from "../terminal/command.js";

/** How the text of a flag becomes the option's value. Throws UsageError. */
type Reader = (value: string, flag: string) => unknown;

const number: Reader = numberOption;

const integer: Reader = (value, flag) => {
  if (/^-?\d{1,15}$/.test(value)) return Number(value);
  throw new UsageError(`Expected an integer for --${flag} but received ${JSON.stringify(value)}`);
};

/** Up to 64 bits. */
const wideInteger: Reader = (value, flag) => (/^-?\d{16,20}$/.test(value) ? BigInt(value) : integer(value, flag));

const ids: Reader = (value, flag) => {
  if (value === "none") return [];
  if (/^\d{1,9}(,\d{1,9})*$/.test(value)) return value.split(",").map(Number);
  throw new UsageError(`Expected ids such as 1,5, or none, for --${flag} but received ${JSON.stringify(value)}`);
};

const json: Reader = (value, flag) => {
  try {
    return JSON.parse(value);
  } catch {
    throw new UsageError(`Expected JSON for --${flag} but received ${JSON.stringify(value)}`);
  }
};

const stopping: Reader = (value, flag) => {
  if (value === "never") return value;
  if (value === "true" || value === "false") return value === "true";
  throw new UsageError(`Expected true, false or never for --${flag} but received ${JSON.stringify(value)}`);
};

const READERS = {
  "max-new-tokens": integer,
  "min-new-tokens": integer,
  "max-length": integer,
  "min-length": integer,
  "max-time": number,
  "eos-token-id": ids,
  "pad-token-id": integer,
  "num-beams": integer,
  "num-return-sequences": integer,
  "length-penalty": number,
  "early-stopping": stopping,
  temperature: number,
  "top-k": integer,
  "top-p": number,
  "min-p": number,
  "typical-p": number,
  "epsilon-cutoff": number,
  "eta-cutoff": number,
  seed: wideInteger,
  "repetition-penalty": number,
  "encoder-repetition-penalty": number,
  "no-repeat-ngram-size": integer,
  "encoder-no-repeat-ngram-size": integer,
  "bad-words-ids": json,
  "sequence-bias": json,
  "suppress-tokens": ids,
  "begin-suppress-tokens": ids,
  "forced-bos-token-id": integer,
  "forced-eos-token-id": ids,
  "exponential-decay-length-penalty": json,
} as const satisfies Readonly<Record<string, Reader>>;

const SWITCHES = ["do-sample", "renormalize-logits", "remove-invalid-values", "return-scores"] as const;
const STRINGS = "stop-strings";

type ValueFlag = keyof typeof READERS;
type Switch = (typeof SWITCHES)[number];

/** For `parse`. */
export const generationOptions = {
  ...(Object.fromEntries(Object.keys(READERS).map((flag) => [flag, { type: "string" }])) as {
    readonly [Flag in ValueFlag]: { readonly type: "string" };
  }),
  ...(Object.fromEntries(SWITCHES.map((flag) => [flag, { type: "boolean" }])) as {
    readonly [Flag in Switch]: { readonly type: "boolean" };
  }),
  [STRINGS]: { type: "string", multiple: true },
} as const;

/** The flags' names, for messages. */
export const generationFlags: readonly string[] = Object.keys(generationOptions);

export const generationHelp = `Lengths and ends
  --max-new-tokens <n>  tokens of the answer at most     --min-new-tokens <n>  at least
  --max-length <n>      the same, the decoder's start counted as well          --min-length <n>
  --eos-token-id <ids>  what ends an answer: 1, or 1,5, or none
  --stop-strings <text> an answer ends with it; may be given several times
  --max-time <seconds>  --pad-token-id <id>
Beams
  --num-beams <n>       --num-return-sequences <n>
  --length-penalty <x>  --early-stopping true|false|never
Sampling
  --do-sample           --seed <integer>  --temperature <x>  --top-k <n>  --top-p <x>  --min-p <x>  --typical-p <x>
  --epsilon-cutoff <x>  --eta-cutoff <x>
What is chosen
  --repetition-penalty <x>        --encoder-repetition-penalty <x>
  --no-repeat-ngram-size <n>      --encoder-no-repeat-ngram-size <n>
  --bad-words-ids '[[5,6]]'       --sequence-bias '[[[5,6],-2.5]]'
  --suppress-tokens <ids>         --begin-suppress-tokens <ids>
  --forced-bos-token-id <id>      --forced-eos-token-id <ids>
  --exponential-decay-length-penalty '[start,factor]'
  --renormalize-logits            --remove-invalid-values`;

/** The options of the library that a command line gives. Throws UsageError. */
export function readGenerationOptions(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const given = generationFlags.filter((flag) => values[flag] !== undefined);
  return Object.fromEntries(given.map((flag) => [camelCase(flag), readValue(flag, values[flag])]));
}

function readValue(flag: string, value: unknown): unknown {
  const reader: Reader | undefined = Object.entries(READERS).find(([name]) => name === flag)?.[1];
  return reader !== undefined && typeof value === "string" ? reader(value, flag) : value;
}
