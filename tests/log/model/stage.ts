import type { LogUser } from "../support/log-user.ts";
import type { Recorder } from "../support/recorder.ts";
import { ANY } from "./plan.ts";
import type { Standing } from "./standing.ts";

/** A message as history showed it, and what had certainly been accepted by then. */
export interface Seen {
  readonly userId: string;
  readonly conversationId: string;
  readonly standing: Standing;
  readonly headSeqThen: number;
}

/** What the actors of a run share. */
export interface Stage {
  readonly users: readonly LogUser[];
  readonly conversationIds: readonly string[];
  readonly recorder: Recorder;
  /** Messages as history showed them. */
  readonly seen: Seen[];
  /** Why steps were not done, and how often. */
  readonly refused: Map<string, number>;
}

/** The conversation that a number of a plan means for that user. */
export function conversationOf({ conversationIds }: Stage, { userId }: LogUser, index: number): string {
  const own = conversationIds.filter((each) => index === ANY || each.startsWith("g_") || each.includes(userId));
  return own[index % own.length] ?? "";
}
