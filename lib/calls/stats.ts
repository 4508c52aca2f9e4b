// `stats`: what a model is doing, for metrics.
import type { ModelLimits } from "../loading/load.js";
import type { NativeModel } from "../native/types.js";
import type { ModelHandle } from "./call.js";

/** Quantiles over the last 512 values, in milliseconds; 0 before the first. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** The state of a model's scheduler, or of one replica's. */
export interface SchedulerStats {
  /** Native requests that run, streams that wait for their consumers included. */
  readonly running: number;
  /** Native requests that wait. */
  readonly waiting: number;
  /** Rows that the running generations decode. */
  readonly runningRows: number;
  /** Bytes of the KV caches of the running generations and streams, each counted at its maximum length. */
  readonly cacheBytes: number;
  /** Bytes of the memory of past tensors that is kept for the next ones, at most 128 MiB. */
  readonly reusableBytes: number;
  /** Decoding steps since the model was loaded. */
  readonly steps: number;
  /** Rows of the last decoding step. */
  readonly lastStepRows: number;
  /** Positions of the last encoders, whole `forward` calls or first positions of decoders, whichever came last. */
  readonly lastPassTokens: number;
  /** Rows of the decoding steps of the last five seconds, per second. */
  readonly tokensPerSecond: number;
  /** The time of a decoding step. */
  readonly stepMs: Quantiles;
  /** The time that a request waits before it runs. */
  readonly queueMs: Quantiles;
}

/** The state of a replica. */
export interface ReplicaStats extends SchedulerStats {
  /** "cpu", "cuda:0". */
  readonly device: string;
}

/**
 * The state of a model. With several replicas, counts and rates are sums, and `lastStepRows`, `lastPassTokens` and times
 * those of the replica with the largest.
 */
export interface ModelStats extends SchedulerStats {
  /** Of each replica. */
  readonly limits: ModelLimits;
  /** One for each device in the option `replicas`; without that option a single one. */
  readonly replicas: readonly ReplicaStats[];
}

export function stats({ native, replicas, limits }: ModelHandle): ModelStats {
  const each = replicas.map((replica) => Object.freeze({ device: replica.device, ...schedulerStats(replica) }));
  return Object.freeze({ ...schedulerStats(native), limits, replicas: Object.freeze(each) });
}

function schedulerStats(model: NativeModel): SchedulerStats {
  const { stepMsP50, stepMsP99, queueMsP50, queueMsP99, ...counts } = model.stats();
  return {
    ...counts,
    stepMs: Object.freeze({ p50: stepMsP50, p99: stepMsP99 }),
    queueMs: Object.freeze({ p50: queueMsP50, p99: queueMsP99 }),
  };
}
