// What a model is in use by: calls in progress, and objects that continue with it, such as sessions. `reload` frees the
// model that it replaces once nothing uses it.

/** One use of a model. */
export interface Hold {
  /** Ends it. Idempotent. */
  end(): void;
}

/** Ends the holds of objects that became garbage before they ended. */
const garbage = new FinalizationRegistry<Hold>((hold) => hold.end());

export class Holds {
  #count = 0;
  #free: (() => void) | undefined;

  /** A use that lasts until its `end`, or until `owner` is garbage. */
  begin(owner?: object): Hold {
    this.#count++;
    let isHeld = true;
    const hold = {
      end: () => {
        if (!isHeld) return;
        isHeld = false;
        garbage.unregister(hold);
        this.#count--;
        this.#freeIfUnused();
      },
    };
    if (owner !== undefined) garbage.register(owner, hold, hold);
    return hold;
  }

  /** Calls `free` once, when nothing uses the model, at once if nothing does now. No use may begin after that. */
  whenUnused(free: () => void): void {
    this.#free = free;
    this.#freeIfUnused();
  }

  #freeIfUnused(): void {
    if (this.#count > 0) return;
    const free = this.#free;
    this.#free = undefined;
    free?.();
  }
}
