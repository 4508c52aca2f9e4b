// The mocha reporter of run.mjs. It prints one line for each finished spec file, and appends every event to the file
// `output`, one JSON object per line, so that a crash of the process loses no event.
import { appendFileSync } from "node:fs";
import { relative } from "node:path";

/** One line of `output`. "ended" is the last one, unless the process ends before its tests do. */
export type Event =
  | { readonly kind: "ended" }
  | { readonly kind: "started" | "passed"; readonly file: string; readonly title: string }
  | { readonly kind: "failed"; readonly file: string; readonly title: string; readonly error: string };

/** The options of this reporter. `output` is a path. */
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
  runner.on("end", () => {
    running?.end();
    record({ kind: "ended" });
  });
}

/** The results of a spec file. */
class SpecFile {
  readonly path: string;
  readonly #start = performance.now();
  passed = 0;
  failed = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Prints the line of the file. */
  end(): void {
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(1);
    const failed = this.failed > 0 ? `, ${this.failed} FAILED` : "";
    console.log(`${seconds.padStart(7)} s  ${nameOf(this.path)}: ${this.passed} passed${failed}`);
  }
}

/** The file and the title of a test, or of a hook that failed. */
function describe(runnable: Mocha.Runnable): { readonly file: string; readonly title: string } {
  const file = runnable.file ?? runnable.parent?.file;
  return { file: file === undefined ? "" : nameOf(file), title: runnable.fullTitle() };
}

/** The path of a spec file, relative to the current directory. */
function nameOf(path: string): string {
  return relative(process.cwd(), path).replaceAll("\\", "/");
}
