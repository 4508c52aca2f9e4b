import assert from "node:assert/strict";
import { env } from "node:process";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { type Counts, Reference, type References, SERVED, type Served, Service } from "./service.js";

/** Of all precisions together: 3,000 commands, or as many as TORCH_T5_COMMANDS says. */
const COMMANDS = Number(env.TORCH_T5_COMMANDS ?? 3000);
/** Of one service, from its first model to its end. */
const MAX_COMMANDS = 250;

/** Every command is valid at any time: one without an object to use does nothing. */
interface State {
  executed: number;
}

class Command implements fc.AsyncCommand<State, Service> {
  readonly #name: string;
  readonly #run: (service: Service) => void | Promise<void>;

  constructor(name: string, run: (service: Service) => void | Promise<void>) {
    this.#name = name;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  async run(state: State, service: Service): Promise<void> {
    await setImmediate(); // outcomes of calls that have ended reach the service
    state.executed++;
    await this.#run(service);
  }

  toString(): string {
    return this.#name;
  }
}

/** Random commands `name(...values)`. */
function command<Values extends readonly unknown[]>(
  name: string,
  values: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
  run: (service: Service, ...values: Values) => void | Promise<void>,
): fc.Arbitrary<Command> {
  const tuple = fc.tuple(...values) as unknown as fc.Arbitrary<Values>;
  return tuple.map((all) => new Command(`${name}(${JSON.stringify(all)})`, (service) => run(service, ...all)));
}

const index = fc.nat(1000);
const abort = fc.option(fc.nat(6), { nil: undefined, freq: 3 });
const milliseconds = fc.nat(4);

/** Commands of a service whose models have mostly one precision. */
function commandsFor(precision: Served): fc.Arbitrary<Iterable<fc.AsyncCommand<State, Service>>> {
  const often = [
    command("call", [index, index, abort], (service, ...all) => service.call(...all)),
    command("encode", [index, index, abort], (service, ...all) => service.encode(...all)),
    command("embed", [index, fc.boolean()], (service, ...all) => service.embed(...all)),
    command("startSession", [index], (service, which) => service.startSession(which)),
    command("fork", [index], (service, which) => service.fork(which)),
    command("reorder", [index, fc.array(fc.nat(20), { minLength: 1, maxLength: 4 })], (service, ...all) =>
      service.reorder(...all),
    ),
    command("disposeSession", [index], (service, which) => service.disposeSession(which)),
    command("openStream", [index, index], (service, ...all) => service.openStream(...all)),
    command("endStream", [index, fc.constantFrom("return", "throw", "abort", "abandon")], (service, ...all) =>
      service.endStream(...all),
    ),
    command("wrongCall", [index, index], (service, ...all) => service.wrongCall(...all)),
    command("turn", [], () => {}),
    command("wait", [milliseconds], (_, time) => new Promise((resolve) => setTimeout(resolve, time))),
  ];
  const prefillLength = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
  const decode = command("decode", [index, fc.nat(300), prefillLength, abort], (service, ...all) =>
    service.decode(...all),
  );
  const read = command("readStream", [index, fc.integer({ min: 1, max: 5 })], (service, ...all) =>
    service.readStream(...all),
  );
  const rarely = [
    command("load", [fc.constantFrom(precision, precision, ...SERVED), fc.boolean()], (service, ...all) =>
      service.load(...all),
    ),
    command("disposeModel", [index], (service, which) => service.disposeModel(which)),
    command("toggleWorker", [], (service) => service.toggleWorker()),
    command("settle", [], (service) => service.settle()),
  ];
  const weighted = [
    ...often.map((arbitrary) => ({ arbitrary, weight: 10 })),
    { arbitrary: decode, weight: 40 },
    { arbitrary: read, weight: 40 },
    ...rarely.map((arbitrary) => ({ arbitrary, weight: 1 })),
  ];
  return fc.commands([fc.oneof(...weighted)], { maxCommands: MAX_COMMANDS, size: "max" });
}

describe("a service under random commands", () => {
  const seed = Number(env.TORCH_T5_SEED ?? Date.now() % 2 ** 31);
  let references: References | undefined;

  before(async function () {
    this.timeout(0);
    const loaded = await Promise.all(SERVED.map(async (precision) => Reference.load(precision, seed)));
    const [exact, float32, int8] = loaded;
    assert.ok(exact && float32 && int8);
    references = { exact, float32, int8 };
  });
  after(() => Promise.all(SERVED.map((precision) => references?.[precision].model.dispose())));

  for (const precision of SERVED) {
    it(`settles each call once, with its answer or a permitted error, in ${precision} (seed ${seed})`, async function () {
      this.timeout(0); // a call that hangs fails in `settle`
      const target = Math.ceil(COMMANDS / SERVED.length);
      const state: State = { executed: 0 };
      const totals: Counts = { answered: 0, aborted: 0, refused: 0 };
      for (let run = 0; state.executed < target; run++) {
        await fc.assert(
          fc.asyncProperty(commandsFor(precision), async (commands) => {
            assert.ok(references);
            const service = new Service(references);
            service.load(precision, false);
            await service.settle();
            await fc.asyncModelRun(() => ({ model: state, real: service }), commands);
            await service.end();
            for (const name of ["answered", "aborted", "refused"] as const) totals[name] += service.counts[name];
          }),
          // Calls meet in another order each time, so that fewer commands rarely fail in the same way.
          { numRuns: 1, seed: seed + run, endOnFailure: true },
        );
      }
      if (env.TORCH_T5_COMMANDS) console.log({ precision, ...state, ...totals, rss: process.memoryUsage.rss() });
      // How many depends on the seed and on the machine's speed.
      assert.ok(totals.answered > 0 && totals.aborted > 0, JSON.stringify(totals));
    });
  }
});
