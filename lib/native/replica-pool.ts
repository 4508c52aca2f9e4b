// Which of several replicas a call goes to: the least loaded of those whose device works.
import { isError } from "../util/errors.js";

/** A replica, and what is known of it. */
export interface Replica<Model> {
  readonly model: Model;
  /** The rows of the calls that have not settled, and of the searches that are open. */
  load: number;
  /** The error of the call that found its device lost, with the code ERR_DEVICE_UNAVAILABLE. The device stays lost. */
  lostBy: Error | undefined;
}

export class ReplicaPool<Model> {
  readonly all: readonly Replica<Model>[];
  /** The index of the replica that got the last call. */
  #last = -1;

  /** `models`: at least one. */
  constructor(models: readonly Model[]) {
    this.all = models.map((model) => ({ model, load: 0, lostBy: undefined }));
  }

  /** Those that are not lost, at least one. Throws the error of a lost one if all are. */
  working(): readonly Replica<Model>[] {
    const working = this.all.filter(({ lostBy }) => lostBy === undefined);
    if (working.length === 0) throw this.all[0]?.lostBy;
    return working;
  }

  /** Of equally loaded replicas that work, the one whose turn it is. Throws as `working` does. */
  leastLoaded(): Replica<Model> {
    const working = this.working();
    const turn = (replica: Replica<Model>) =>
      (this.all.indexOf(replica) - this.#last - 1 + this.all.length) % this.all.length;
    const chosen = working.reduce((best, replica) => {
      const isBetter = replica.load < best.load || (replica.load === best.load && turn(replica) < turn(best));
      return isBetter ? replica : best;
    });
    this.#last = this.all.indexOf(chosen);
    return chosen;
  }
}

/** Counts the rows of a replica's call while it is pending, and notes that its device is lost when the call says so. */
export async function track<Result>(
  replica: Replica<unknown>,
  rows: number,
  pending: Promise<Result>,
): Promise<Result> {
  replica.load += rows;
  try {
    return await pending;
  } catch (thrown) {
    if (isError(thrown) && "code" in thrown && thrown.code === "ERR_DEVICE_UNAVAILABLE") replica.lostBy = thrown;
    throw thrown;
  } finally {
    replica.load -= rows;
  }
}
