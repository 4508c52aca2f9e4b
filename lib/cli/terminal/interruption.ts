// Ctrl-C and `kill`: a last word, then the end that the signal asks for, which shells can tell from a failure.
import { kill, pid } from "node:process";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Runs `tidy` before the process is ended by a signal; call what is returned once there is nothing to tidy up. */
export function onInterruption(tidy: () => void): () => void {
  const end = (signal: NodeJS.Signals) => {
    stop();
    tidy();
    kill(pid, signal);
  };
  const stop = () => {
    for (const signal of SIGNALS) process.off(signal, end);
  };
  for (const signal of SIGNALS) process.on(signal, end);
  return stop;
}
