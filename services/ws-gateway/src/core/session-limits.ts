import type { AllowanceRates } from "./allowance.ts";

/** What one session may do, and how much of it waits. */
export interface SessionLimits extends AllowanceRates {
  /** Packets that wait for the router at the same time. */
  readonly packetsInFlight: number;
  readonly softBufferBytes: number;
  readonly hardBufferBytes: number;
  /** How long a session may stay above the soft limit. */
  readonly stallMs: number;
  readonly idleMs: number;
}
