// What happens before the program exits, after its last request has been answered.

const ACTIONS: (() => Promise<void>)[] = [];
/** The longest time for all actions, in ms: a collector of traces may not answer. */
const MAX_MS = 3000;

export function atExit(action: () => Promise<void>): void {
  ACTIONS.push(action);
}

/** Runs the actions. Never rejects. */
export async function runAtExit(): Promise<void> {
  const timeout = new Promise<void>((resolve) => setTimeout(resolve, MAX_MS).unref());
  await Promise.race([Promise.allSettled(ACTIONS.map((action) => action())), timeout]);
}
