// A service that many calls use at once, for random commands: models that come and go, sessions, encoder outputs and
// streams. Each call's outcome is compared with that of the same call alone on a model that nobody else uses.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
  type DecodingSession,
  demoModel,
  type EncoderOutput,
  type LoadOptions,
  type Precision,
  T5Error,
  type T5ErrorCode,
  T5ForConditionalGeneration,
} from "torch-t5";
import { digest, type LoadRequest, randomFrom, randomRequest } from "./load.js";

/** The precisions of the models of a service. */
export const SERVED = ["exact", "float32", "int8"] as const satisfies readonly Precision[];
export type Served = (typeof SERVED)[number];

/** Distinct calls per precision. */
const REQUESTS = 40;
/** Far longer than any call of this model takes: a call that is still pending then hangs. */
const HANG_MS = 60_000;
/** What is kept at the same time; a command that would add to it removes the oldest instead. */
const MAX_MODELS = 3;
const MAX_KEPT = 12;

const BUSY_WORKER = new URL("../process/programs/busy-worker.mjs", import.meta.url);
const SOURCES = [
  [[5, 6, 7, 8, 1]],
  [[9, 1]],
  [
    [11, 12, 13, 14],
    [15, 16, 17, 18],
  ],
  [[20]],
] as const;

const load = (precision: Precision, options: LoadOptions = {}) =>
  T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", precision, intraOpThreads: 1, ...options });

/** A call, and what it answers alone. */
interface Known {
  readonly request: LoadRequest;
  readonly alone: string;
}

/** What streams of one source yield alone. */
interface KnownStream {
  readonly inputIds: readonly (readonly number[])[];
  readonly tokens: readonly string[];
}

const STREAM_OPTIONS = { maxNewTokens: 9, eosTokenId: [] };

/** An idle model, and the answers that it gives. */
export class Reference {
  readonly model: T5ForConditionalGeneration;
  readonly known: readonly Known[];
  readonly streams: readonly KnownStream[];

  private constructor(model: T5ForConditionalGeneration, known: readonly Known[], streams: readonly KnownStream[]) {
    this.model = model;
    this.known = known;
    this.streams = streams;
  }

  static async load(precision: Served, seed: number): Promise<Reference> {
    const model = await load(precision);
    const random = randomFrom(seed);
    const known: Known[] = [];
    while (known.length < REQUESTS) {
      const request = randomRequest(random, model.config.vocabSize);
      known.push({ request, alone: digest(await request.run(model)) });
    }
    const streams: KnownStream[] = [];
    for (const source of SOURCES) {
      const inputIds = source.map((row) => [...row]);
      const tokens: string[] = [];
      for await (const token of model.stream({ inputIds }, STREAM_OPTIONS)) tokens.push(JSON.stringify(token));
      streams.push({ inputIds, tokens });
    }
    return new Reference(model, known, streams);
  }
}

export type References = Readonly<Record<Served, Reference>>;

/** A loaded model of the service. */
interface Host {
  readonly model: T5ForConditionalGeneration;
  readonly precision: Served;
  readonly hasShortQueue: boolean;
  isDisposed: boolean;
}

/** One change to a session. */
type SessionAction =
  | { readonly kind: "prefill" | "step"; readonly ids: readonly (readonly number[])[]; readonly logits: string }
  | { readonly kind: "reorder"; readonly rows: readonly number[] };

interface KeptSession {
  readonly host: Host;
  readonly session: DecodingSession;
  readonly source: number;
  /** What has changed it so far. */
  readonly actions: SessionAction[];
  isBusy: boolean;
  isDisposed: boolean;
}

interface KeptOutput {
  readonly host: Host;
  readonly output: EncoderOutput;
  readonly source: number;
}

interface KeptStream {
  readonly host: Host;
  readonly iterator: AsyncIterator<unknown, undefined>;
  readonly controller: AbortController;
  readonly expected: readonly string[];
  received: number;
  isReturned: boolean;
  hasFailed: boolean;
}

/** What may happen to a call instead of its answer. */
interface Permitted {
  readonly signal?: AbortSignal | undefined;
  /** Whether the model may be disposed between two of its native calls. */
  readonly hasSeveralCalls?: boolean;
}

/** A call, and the check of its answer. */
interface Checked<Answer> {
  readonly run: () => Promise<Answer>;
  readonly check: (answer: Answer) => void | Promise<void>;
}

/** How often calls ended in each way. */
export interface Counts {
  answered: number;
  aborted: number;
  refused: number;
}

const pick = <Value>(values: readonly Value[], index: number): Value | undefined => values[index % values.length];

export class Service {
  readonly counts: Counts = { answered: 0, aborted: 0, refused: 0 };
  readonly #references: References;
  #hosts: Host[] = [];
  #outputs: KeptOutput[] = [];
  #sessions: KeptSession[] = [];
  /** Every session that was ever changed, for `verifySessions`. */
  #changed: KeptSession[] = [];
  #streams: KeptStream[] = [];
  #worker: Worker | undefined;
  readonly #pending = new Map<Promise<void>, string>();
  readonly #failures: unknown[] = [];

  constructor(references: References) {
    this.#references = references;
  }

  /** Loads one more model. */
  load(precision: Served, hasShortQueue: boolean): void {
    if (this.#hosts.length >= MAX_MODELS) {
      this.disposeModel(0);
      return;
    }
    const limits = hasShortQueue ? { maxQueueLength: 3, maxBatchSize: 4, maxBatchTokens: 40 } : { maxBatchSize: 16 };
    this.#track("load", async () => {
      const model = await load(precision, limits);
      this.#hosts.push({ model, precision, hasShortQueue, isDisposed: false });
    });
  }

  /** Disposes a model, whatever uses it. Its calls so far are answered. */
  disposeModel(index: number): void {
    const host = pick(this.#hosts, index);
    if (host === undefined) return;
    this.#hosts = this.#hosts.filter((other) => other !== host);
    host.isDisposed = true;
    this.#track("dispose", () => host.model.dispose());
    this.#expectDisposed(host);
  }

  /** A call of any kind; `abortAfterTurns`: of the event loop. */
  call(index: number, which: number, abortAfterTurns: number | undefined): void {
    const host = pick(this.#hosts, index);
    if (host === undefined) return;
    const known = pick(this.#references[host.precision].known, which);
    assert.ok(known);
    const { request, alone } = known;
    const signal = abortAfterTurns === undefined ? undefined : abortAfter(abortAfterTurns);
    const hasSeveralCalls = ["stream", "session", "generate with a processor"].includes(request.kind);
    this.#expect(
      request.kind,
      host,
      { signal, hasSeveralCalls },
      {
        run: async () => digest(await request.run(host.model, signal)),
        check: (answer) => assert.equal(answer, alone, `the answer of a ${request.kind} request`),
      },
    );
  }

  /** A call with an argument that must be refused. */
  wrongCall(index: number, which: number): void {
    const host = pick(this.#hosts, index);
    if (host === undefined) return;
    const { model } = host;
    const outOfRange = { inputIds: [[5, model.config.vocabSize]] };
    const calls: readonly [T5ErrorCode, () => Promise<unknown>][] = [
      ["ERR_TOKEN_OUT_OF_RANGE", () => model.embed(outOfRange)],
      ["ERR_TOKEN_OUT_OF_RANGE", () => model.generate(outOfRange)],
      ["ERR_INVALID_ARGUMENT", () => model.generate({ inputIds: [[5]] }, { maxNewTokens: 0 })],
      ["ERR_INVALID_ARGUMENT", () => model.forward({ inputIds: [[5], [6]], decoderInputIds: [[0]] })],
    ];
    const chosen = pick(calls, which);
    assert.ok(chosen);
    const [code, run] = chosen;
    this.#track(`a call that is refused with ${code}`, () => assert.rejects(run, { code }));
  }

  encode(index: number, which: number, abortAfterTurns: number | undefined): void {
    const host = pick(this.#hosts, index);
    if (host === undefined) return;
    const source = which % SOURCES.length;
    const inputIds = SOURCES[source]?.map((row) => [...row]) ?? [];
    const signal = abortAfterTurns === undefined ? undefined : abortAfter(abortAfterTurns);
    this.#expect(
      "encode",
      host,
      { signal },
      {
        run: () => host.model.encode({ inputIds }, { signal }),
        check: (output) => {
          this.#outputs.push({ host, output, source });
          if (this.#outputs.length > MAX_KEPT) this.#outputs.shift()?.output.dispose();
        },
      },
    );
  }

  /** Uses an encoder output in a call that may still run when the output is disposed. */
  embed(index: number, disposes: boolean): void {
    const kept = pick(this.#outputs, index);
    if (kept === undefined || kept.host.isDisposed) return;
    const { host, output, source } = kept;
    const inputIds = SOURCES[source]?.map((row) => [...row]) ?? [];
    this.#expect(
      "embed",
      host,
      {},
      {
        run: async () => digest(await host.model.embed(output)),
        check: async (answer) => {
          assert.equal(answer, digest(await this.#references[host.precision].model.embed({ inputIds })));
        },
      },
    );
    if (!disposes) return;
    output.dispose();
    this.#outputs = this.#outputs.filter((other) => other !== kept);
  }

  startSession(index: number): void {
    const kept = pick(this.#outputs, index);
    if (kept === undefined || kept.host.isDisposed) return;
    const { host, output, source } = kept;
    this.#keepSession({ host, source, session: output.startDecoding(), actions: [], isBusy: false, isDisposed: false });
  }

  /** A `prefill`, or a `step`. */
  decode(index: number, token: number, prefillLength: number | undefined, abortAfterTurns: number | undefined): void {
    const kept = pick(this.#sessions, index);
    if (kept === undefined || kept.host.isDisposed) return;
    const { host, session, actions } = kept;
    const kind = prefillLength === undefined || session.position > 0 ? "step" : "prefill";
    const length = kind === "step" ? 1 : (prefillLength ?? 1);
    const ids = Array.from({ length: session.batch }, (_, row) =>
      Array.from({ length }, (_, column) => 3 + ((token + 7 * row + column) % 300)),
    );
    const signal = abortAfterTurns === undefined ? undefined : abortAfter(abortAfterTurns);
    const decode = () => (kind === "step" ? session.step(ids, { signal }) : session.prefill(ids, { signal }));
    if (kept.isBusy) {
      this.#track("a session's second call", () => assert.rejects(decode, { code: "ERR_INVALID_ARGUMENT" }));
      return;
    }
    kept.isBusy = true;
    const settled = () => {
      kept.isBusy = false;
    };
    this.#expect(
      kind,
      host,
      { signal },
      {
        run: () => decode().finally(settled),
        check: ({ logits }) => {
          actions.push({ kind, ids, logits: digest(logits) });
        },
      },
    );
  }

  fork(index: number): void {
    const kept = pick(this.#sessions, index);
    if (kept === undefined || kept.host.isDisposed) return;
    if (kept.isBusy) {
      assert.throws(() => kept.session.fork(), { code: "ERR_INVALID_ARGUMENT" });
      return;
    }
    this.#keepSession({ ...kept, session: kept.session.fork(), actions: [...kept.actions] });
  }

  reorder(index: number, rows: readonly number[]): void {
    const kept = pick(this.#sessions, index);
    if (kept === undefined || kept.host.isDisposed) return;
    const { session, actions } = kept;
    const from = rows.map((row) => row % session.batch);
    if (kept.isBusy) {
      assert.throws(() => session.reorder(from), { code: "ERR_INVALID_ARGUMENT" });
      return;
    }
    session.reorder(from);
    actions.push({ kind: "reorder", rows: from });
  }

  disposeSession(index: number): void {
    const kept = pick(this.#sessions, index);
    if (kept === undefined) return;
    kept.session.dispose();
    kept.isDisposed = true;
    this.#sessions = this.#sessions.filter((other) => other !== kept);
    this.#track("a disposed session", () => assert.rejects(() => kept.session.step([[5]]), { code: "ERR_DISPOSED" }));
  }

  openStream(index: number, which: number): void {
    const host = pick(this.#hosts, index);
    if (host === undefined) return;
    const known = pick(this.#references[host.precision].streams, which);
    assert.ok(known);
    const controller = new AbortController();
    const inputIds = known.inputIds.map((row) => [...row]);
    const iterator = host.model.stream({ inputIds }, { ...STREAM_OPTIONS, signal: controller.signal });
    const { tokens: expected } = known;
    this.#streams.push({ host, iterator, controller, expected, received: 0, isReturned: false, hasFailed: false });
    // The oldest is abandoned: nobody reads it, nobody ends it.
    if (this.#streams.length > MAX_KEPT) this.#streams.shift();
  }

  /** Asks for several tokens at once. */
  readStream(index: number, count: number): void {
    const stream = pick(this.#streams, index);
    if (stream === undefined) return;
    for (let i = 0; i < count; i++) {
      this.#track("next", async () => {
        try {
          const { done, value } = await stream.iterator.next();
          if (done) {
            const hasEnded = stream.received === stream.expected.length;
            assert.ok(hasEnded || stream.isReturned || stream.hasFailed, "a stream ends early");
            return;
          }
          assert.ok(!stream.hasFailed, "a stream continues after an error");
          assert.equal(JSON.stringify(value), stream.expected[stream.received], "a token of a stream");
          stream.received++;
          this.counts.answered++;
        } catch (thrown) {
          if (thrown instanceof assert.AssertionError) throw thrown;
          assert.ok(!stream.hasFailed, "a stream fails twice");
          stream.hasFailed = true;
          this.#checkFailure(thrown, stream.host, { signal: stream.controller.signal, hasSeveralCalls: true });
        }
      });
    }
  }

  /** Ends a stream in one of the ways that a consumer has. */
  endStream(index: number, way: "return" | "throw" | "abort" | "abandon"): void {
    const stream = pick(this.#streams, index);
    if (stream === undefined) return;
    this.#streams = this.#streams.filter((other) => other !== stream);
    if (way === "abort") stream.controller.abort(new Error("aborted on purpose"));
    if (way !== "return" && way !== "throw") return;
    stream.isReturned = true;
    const { iterator } = stream;
    if (way === "return") this.#track("return", async () => void (await iterator.return?.()));
    const error = new Error("thrown on purpose");
    if (way === "throw") this.#track("throw", () => assert.rejects(async () => iterator.throw?.(error), error));
  }

  /** Starts a worker with calls in progress, or terminates it at whatever it is doing. */
  toggleWorker(): void {
    const worker = this.#worker;
    if (worker === undefined) {
      this.#worker = new Worker(BUSY_WORKER);
      this.#worker.once("error", (error) => this.#failures.push(error));
      return;
    }
    this.#worker = undefined;
    this.#track("the end of a worker", async () => {
      const exit = once(worker, "exit");
      await worker.terminate();
      await exit;
    });
  }

  /** Waits for all calls so far. */
  async settle(): Promise<void> {
    const all = Promise.all(this.#pending.keys());
    let timer: NodeJS.Timeout | undefined;
    const hang = new Promise<never>((_, reject) => {
      const fail = () => reject(new Error(`These calls hang: ${[...this.#pending.values()].join(", ")}`));
      timer = setTimeout(fail, HANG_MS);
    });
    await Promise.race([all, hang]).finally(() => clearTimeout(timer));
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** Disposes everything while calls may still run, and checks what is left to check. */
  async end(): Promise<void> {
    if (this.#worker !== undefined) this.toggleWorker();
    while (this.#hosts.length > 0) this.disposeModel(0);
    await this.settle();
    // A model whose load had not ended is in the list only now.
    while (this.#hosts.length > 0) this.disposeModel(0);
    await this.settle();
    for (const session of this.#changed) await this.#verify(session);
  }

  /** Repeats a session's changes on an idle model. */
  async #verify({ host, source, actions }: KeptSession): Promise<void> {
    if (actions.length === 0) return;
    const encoded = await this.#references[host.precision].model.encode({
      inputIds: SOURCES[source]?.map((row) => [...row]) ?? [],
    });
    const session = encoded.startDecoding();
    for (const action of actions) {
      if (action.kind === "reorder") {
        session.reorder(action.rows);
        continue;
      }
      const { kind, ids } = action;
      const { logits } = kind === "step" ? await session.step(ids) : await session.prefill(ids);
      assert.equal(digest(logits), action.logits, `the logits of a session's ${kind}`);
    }
    session.dispose();
    encoded.dispose();
  }

  #keepSession(session: KeptSession): void {
    this.#sessions.push(session);
    this.#changed.push(session);
    if (this.#sessions.length > MAX_KEPT) this.disposeSession(0);
  }

  /** Every kind of call of a disposed model is refused. */
  #expectDisposed({ model }: Host): void {
    const inputIds = [[5, 6]];
    const calls: readonly (() => Promise<unknown>)[] = [
      () => model.forward({ inputIds }),
      () => model.encode({ inputIds }),
      () => model.embed({ inputIds }),
      () => model.score({ inputIds }, [[5]]),
      () => model.generate({ inputIds }),
      () => model.stream({ inputIds }).next(),
    ];
    for (const call of calls) this.#track("after dispose", () => assert.rejects(call, { code: "ERR_DISPOSED" }));
  }

  #expect<Answer>(name: string, host: Host, permitted: Permitted, { run, check }: Checked<Answer>): void {
    this.#track(name, async () => {
      let answer: Answer;
      try {
        answer = await run();
      } catch (thrown) {
        this.#checkFailure(thrown, host, permitted);
        return;
      }
      await check(answer);
      this.counts.answered++;
    });
  }

  #checkFailure(thrown: unknown, host: Host, { signal, hasSeveralCalls = false }: Permitted): void {
    if (signal?.aborted && thrown === signal.reason) {
      this.counts.aborted++;
      return;
    }
    const code = thrown instanceof T5Error ? thrown.code : undefined;
    const isRefused = code === "ERR_QUEUE_FULL" && host.hasShortQueue;
    const isDisposed = code === "ERR_DISPOSED" && host.isDisposed && hasSeveralCalls;
    if (!isRefused && !isDisposed) throw thrown;
    this.counts.refused++;
  }

  #track(name: string, run: () => Promise<void>): void {
    const pending = run()
      .catch((thrown: unknown) => void this.#failures.push(thrown))
      .finally(() => this.#pending.delete(pending));
    this.#pending.set(pending, name);
  }
}

/** A signal that aborts after so many turns of the event loop. */
function abortAfter(turns: number): AbortSignal {
  const controller = new AbortController();
  const turn = (left: number) => {
    if (left === 0) controller.abort(new Error("aborted on purpose"));
    else setImmediate(turn, left - 1);
  };
  turn(turns);
  return controller.signal;
}
