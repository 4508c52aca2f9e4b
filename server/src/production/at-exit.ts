// What happens before the program exits, after its last request has been answered.

const ACTIONS: (() => Promise<void>)[] = [];

/** Adds an action, which the program waits for at most `maxMs`. */
export function atExit(action: () => Promise<void>, maxMs: number): void {
  ACTIONS.push(() => {
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, maxMs).unref());
    return Promise.race([action(), timeout]);
  });
}

/** Runs the actions. Never rejects. */
export async function runAtExit(): Promise<void> {
  await Promise.allSettled(ACTIONS.map((action) => action()));
}
