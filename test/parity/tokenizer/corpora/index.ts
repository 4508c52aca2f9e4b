// The strings for which tokenizers are compared, in batches. They are the same in every run and on every version of Node.
import { cluster, clusters } from "./clusters.js";
import { Random } from "./random.js";
import { anything, gluedSpecials, mixedScripts, realText, whiteSpace } from "./texts.js";
import { COMBINING_MARKS, characters, PLANES, WHITE_SPACE } from "./unicode.js";

/** The part of the corpora to use. */
export interface Extent {
  /** One code point in this many. */
  readonly codePointStep: number;
  /** One code point in this many, in the corpus that has a long text for each. */
  readonly markStep: number;
  /** The number of random strings of each kind. */
  readonly randomTexts: number;
  /** One message of the gettext catalogues in this many. */
  readonly messageStep: number;
}

export const SHORT: Extent = { codePointStep: 97, markStep: 1511, randomTexts: 250, messageStep: 151 };

/** Everything. */
export const WHOLE: Extent = { codePointStep: 1, markStep: 1, randomTexts: 12_000, messageStep: 1 };

/** For other versions of Node. */
export const WIDE: Extent = { codePointStep: 3, markStep: 61, randomTexts: 4000, messageStep: 3 };

export interface Batch {
  readonly corpus: string;
  readonly texts: readonly string[];
}

/** The approximate size of a batch, in UTF-16 units: large enough that exchanging files costs little. */
const BATCH_UNITS = 200_000;
const RANDOM_MESSAGES = 4000;
/** Longer than twice `SLICED_UNITS`, so that the tokenizer divides its work on the text. */
const LONG_UNITS = 10_000;
/** For this many random texts of each kind there is one long one. */
const TEXTS_PER_LONG_TEXT = 20;

type Corpus = (extent: Extent, seed: number, messages: readonly string[]) => Iterable<string>;

const CORPORA: Readonly<Record<string, Corpus>> = {
  "nothing and white space": () => ["", ...WHITE_SPACE, ...WHITE_SPACE.flatMap((a) => WHITE_SPACE.map((b) => a + b))],
  "code points alone": ({ codePointStep }, seed) => characters(PLANES, codePointStep, seed % codePointStep),
  *"code points between letters"({ codePointStep }, seed) {
    for (const character of characters(PLANES, codePointStep, seed % codePointStep)) yield `a${character}e`;
  },
  *"code points after each combining class"({ markStep }, seed) {
    const marks = COMBINING_MARKS.map((mark) => `o${String.fromCodePoint(mark)}`);
    for (const character of characters(PLANES.slice(0, 1), markStep, seed % markStep)) {
      yield marks.map((mark) => mark + character).join(" ");
    }
  },
  clusters: random(cluster),
  "adjacent clusters": random(clusters),
  "scripts mixed": random(mixedScripts),
  "special tokens": random(gluedSpecials),
  "white space": random(whiteSpace),
  anything: random(anything),
  *"long texts, without a gap"({ randomTexts }, seed) {
    const source = new Random(seed);
    for (let index = 0; index < randomTexts / TEXTS_PER_LONG_TEXT; index++) {
      const make = [clusters, mixedScripts, gluedSpecials, whiteSpace, anything][index % 5] ?? anything;
      let text = "";
      while (text.length < LONG_UNITS) text += make(source);
      yield text;
    }
  },
  *"real text"({ messageStep }, seed, messages) {
    for (let at = seed % messageStep; at < messages.length; at += messageStep) yield messages[at] ?? "";
  },
  *"real text mixed"(extent, seed, messages) {
    const source = new Random(seed);
    for (let i = 0; i < Math.min(extent.randomTexts, RANDOM_MESSAGES); i++) yield realText(source, messages);
  },
};

/** All corpora, in batches. */
export function* batches(extent: Extent, seed: number, messages: readonly string[]): Generator<Batch> {
  for (const [corpus, make] of Object.entries(CORPORA)) {
    let texts: string[] = [];
    let units = 0;
    for (const text of make(extent, seed, messages)) {
      texts.push(text);
      units += text.length + 1;
      if (units < BATCH_UNITS) continue;
      yield { corpus, texts };
      texts = [];
      units = 0;
    }
    if (texts.length > 0) yield { corpus, texts };
  }
}

function random(make: (random: Random) => string): Corpus {
  return function* (extent, seed) {
    const source = new Random(seed);
    for (let i = 0; i < extent.randomTexts; i++) yield make(source);
  };
}
