// A mocha reporter for test/run.mjs. It prints one line for each spec file that ends, and appends every event to the
// file that the option `output` names, one JSON object a line: what has run is known even when the process crashes.
import { appendFileSync } from "node:fs";
import { relative } from "node:path";

/** One line of `output`. */
export type Event =
  | { readonly kind: "started" | "passed"; readonly file: string; readonly title: string }
  | { readonly kind: "failed"; readonly file: string; readonly title: string; readonly error: string };

/** What mocha gives its reporters as options; `output` is a path. */
interface Options {
  readonly reporterOptions: { readonly output: string };
}

export default function report(runner: Mocha.Runner, { reporterOptions: { output } }: Options): void {
  let running: SpecFile | undefined;
  const record = (event: Event) => appendFileSync(output, `${JSON.stringify(event)}\n`);

  runner.on("suite", ({ parent, file }) => {
    if (!parent?.root || file === undefined || file === running?.path) return;
    running?.end();
    running = new SpecFile(file);
  });
  runner.on("test", (test) => record({ kind: "started", ...describe(test) }));
  runner.on("pass", (test) => {
    if (running !== undefined) running.passed += 1;
    record({ kind: "passed", ...describe(test) });
  });
  runner.on("fail", (test, error: unknown) => {
    if (running !== undefined) running.failed += 1;
    record({
      kind: "failed",
      ...describe(test),
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  });
  runner.on("end", () => running?.end());
}

/** The spec file that runs. */
class SpecFile {
  readonly path: string;
  readonly #start = performance.now();
  passed = 0;
  failed = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Prints its line. */
  end(): void {
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(1);
    const failed = this.failed > 0 ? `, ${this.failed} FAILED` : "";
    console.log(`${seconds.padStart(7)} s  ${nameOf(this.path)}: ${this.passed} passed${failed}`);
  }
}

/** Of a test, or of a hook that failed. */
function describe(runnable: Mocha.Runnable): { readonly file: string; readonly title: string } {
  const file = runnable.file ?? runnable.parent?.file;
  return { file: file === undefined ? "" : nameOf(file), title: runnable.fullTitle() };
}

/** The path of a spec file as a command line names it. */
function nameOf(path: string): string {
  return relative(process.cwd(), path).replaceAll("\\", "/");
}
