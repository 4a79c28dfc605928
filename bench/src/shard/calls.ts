import type { Pace } from "../paced.ts";
import type { ShardResult, ShardTimes } from "./plan.ts";

/** What the main thread asks of a shard. */
export type ShardCall =
  | { readonly kind: "connect"; readonly pace: Pace }
  | { readonly kind: "load"; readonly times: ShardTimes }
  | { readonly kind: "readSlowly"; readonly slowly: boolean }
  | { readonly kind: "catchUp" }
  | { readonly kind: "churn"; readonly perSecond: number }
  | { readonly kind: "phase"; readonly phase: number | undefined }
  | { readonly kind: "behind" }
  | { readonly kind: "result" }
  | { readonly kind: "close" };

/** A call with its number. */
export interface Asked {
  readonly number: number;
  readonly call: ShardCall;
}

/** What a shard says: how many sockets are open, or the answer to a call. */
export type Said =
  | { readonly kind: "open"; readonly open: number }
  | { readonly kind: "done"; readonly number: number; readonly behind?: number; readonly result?: ShardResult }
  | { readonly kind: "failed"; readonly number: number; readonly error: string };
