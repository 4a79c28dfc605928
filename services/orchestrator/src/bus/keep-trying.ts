import { PublishError } from "@oceanchat/runtime/bus-types";

/** What trying again takes. */
export interface Patience {
  /** Milliseconds since any moment. */
  readonly now: () => number;
  /** Rejects when the service stops. */
  readonly pause: (ms: number) => Promise<void>;
  /** Told of what is not stored yet. */
  readonly onTrouble: (error: PublishError, attempts: number) => void;
}

/** How long one task is tried: within the streams' duplicate windows (2 minutes at least), so that a repeat is known as one. */
const KEEP_TRYING_MS = 90_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2000;

/**
 * Publishes the same message again and again until it is stored. Were the batch that it belongs to tried again instead, it would
 * come in another shape, and what was stored of it would go to people twice.
 */
export async function keepTrying(publish: () => Promise<unknown>, patience: Patience): Promise<void> {
  const begun = patience.now();
  for (let attempts = 1; ; attempts++) {
    try {
      await publish();
      return;
    } catch (error) {
      const isOver = patience.now() - begun > KEEP_TRYING_MS;
      if (!(error instanceof PublishError) || error.kind === "refused" || isOver) throw error;
      patience.onTrouble(error, attempts);
    }
    await patience.pause(Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1)));
  }
}
