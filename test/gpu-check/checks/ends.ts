// Generations that end early: by an abort, by a timeout, by leaving a stream, and by `dispose`; and the calls after them.
import { T5Error } from "torch-t5";
import { load } from "../../parity/models.js";
import type { Finding, Settings } from "./settings.js";
import { directoryOf, EMBEDDED, THREADS } from "./subject.js";

const INPUT = { inputIds: [[5, 6, 7]] };
/** Long enough that it runs when it is ended. */
const LONG = { maxNewTokens: 20_000, eosTokenId: [] };
const SHORT = { maxNewTokens: 20, eosTokenId: [] };
const SOON_MS = 100;

/** One finding for each kind of end, and one for the tokens of a call afterwards. */
export async function* ends(settings: Settings): AsyncIterable<Finding> {
  for (const batching of [false, ...(settings.precision === "exact" ? [] : [true])]) {
    const where = batching ? ", with batching" : "";
    await using t5 = await load(directoryOf(EMBEDDED, settings), THREADS, settings.precision, { batching });
    const tokens = async () => [...(await t5.generate(INPUT, SHORT)).sequences.data].join(" ");
    const expected = await tokens();

    const aborted = t5.generate(INPUT, { ...LONG, signal: AbortSignal.timeout(SOON_MS) });
    // The others go on while one ends.
    const beside = tokens();
    yield finding(`an abort${where}`, await nameOf(aborted), "TimeoutError");
    yield finding(`a call beside it${where}`, await beside, expected);
    const late = t5.generate(INPUT, { ...LONG, timeoutMs: SOON_MS });
    yield finding(`timeoutMs${where}`, await nameOf(late), "ERR_TIMEOUT");
    for await (const _ of t5.stream(INPUT, LONG)) break;
    yield finding(`the next tokens${where}`, await tokens(), expected);
    const ended = nameOf(t5.generate(INPUT, LONG));
    await new Promise((resolve) => setTimeout(resolve, SOON_MS));
    await t5.dispose({ drain: false });
    yield finding(`dispose${where}`, await ended, "ERR_DISPOSED");
  }
}

function finding(subject: string, received: string, wanted: string): Finding {
  return { subject, passed: received === wanted, measured: { received: received.slice(0, 80) } };
}

function nameOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "no error",
    (error: Error) => (error instanceof T5Error ? error.code : error.name),
  );
}
