// The requests that run: each has a signal that ends its native work, and a server that stops waits for all of them.
import { ServerError } from "../errors/server-error.js";

/** One request while it runs. */
export interface RunningCall {
  /** Aborts when the client goes away, when the time limit passes, and when the server stops. */
  readonly signal: AbortSignal;
  /** The client went away. */
  abandon(): void;
  /** The request is answered. Idempotent. */
  end(): void;
}

export class RunningCalls {
  readonly #controllers = new Set<AbortController>();
  readonly #maxMs: number;
  readonly #whenIdle: (() => void)[] = [];

  constructor(maxSeconds: number) {
    this.#maxMs = maxSeconds * 1000;
  }

  get count(): number {
    return this.#controllers.size;
  }

  begin(): RunningCall {
    const controller = new AbortController();
    this.#controllers.add(controller);
    const timer = setTimeout(() => {
      const limit = this.#maxMs / 1000;
      controller.abort(new ServerError("ERR_TIMEOUT", `Expected an answer within ${limit} s but it takes longer`));
    }, this.#maxMs);
    timer.unref();
    return {
      signal: controller.signal,
      abandon: () => controller.abort(new ServerError("ERR_ABANDONED", "The client closed the connection")),
      end: () => {
        clearTimeout(timer);
        if (!this.#controllers.delete(controller) || this.#controllers.size > 0) return;
        for (const resolve of this.#whenIdle.splice(0)) resolve();
      },
    };
  }

  /** Resolves when no request runs. */
  async idle(): Promise<void> {
    if (this.#controllers.size === 0) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Ends all that run. */
  abort(): void {
    const error = new ServerError("ERR_SHUTTING_DOWN", "The server stopped before the answer was complete");
    for (const controller of this.#controllers) controller.abort(error);
  }
}
