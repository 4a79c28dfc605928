import type { ProviderName, PushNotification, PushProvider, SendOutcome } from "../ports.ts";

/** What every adapter is bounded by. */
export interface AdapterLimits {
  /** How long one send may take, in milliseconds. Default 10000. */
  readonly timeoutMs?: number;
  /** Sends under way at once; one more is answered with `retry`. Default 256. */
  readonly maxInFlight?: number;
  /** The clock, milliseconds of Unix time. Default: the system's. */
  readonly now?: () => number;
}

/** The part that differs between providers. */
export interface Adapter {
  /** One try. `signal` is aborted when its time is up and nobody waits for the result any more. */
  attempt(token: string, notification: PushNotification, signal: AbortSignal): Promise<SendOutcome>;
  close(): Promise<void>;
}

/** Time for one send unless said otherwise. */
export const TIMEOUT_MS = 10_000;
const MAX_IN_FLIGHT = 256;

/** Makes a provider of an adapter: bounded in time and number, and closed in order. */
export function createProvider(name: ProviderName, adapter: Adapter, limits: AdapterLimits): PushProvider {
  const { timeoutMs = TIMEOUT_MS, maxInFlight = MAX_IN_FLIGHT, now = Date.now } = limits;
  const underWay = new Set<Promise<SendOutcome>>();
  let closing: Promise<void> | undefined;

  async function send(token: string, notification: PushNotification): Promise<SendOutcome> {
    if (notification.expiresAtMs <= now()) return { kind: "rejected", reason: "expired" };
    if (closing !== undefined) return { kind: "retry", scope: "local", reason: "closing" };
    if (underWay.size >= maxInFlight) return { kind: "retry", scope: "local", reason: "too many sends under way" };
    const sending = withinTime(timeoutMs, (signal) => adapter.attempt(token, notification, signal));
    underWay.add(sending);
    try {
      return await sending;
    } finally {
      underWay.delete(sending);
    }
  }

  async function close(): Promise<void> {
    await Promise.allSettled(underWay);
    await adapter.close();
  }

  return {
    name,
    send,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Time running out means that nobody knows whether the notification was taken: it is sent again under the same ids. */
async function withinTime(
  timeoutMs: number,
  attempt: (signal: AbortSignal) => Promise<SendOutcome>,
): Promise<SendOutcome> {
  const controller = new AbortController();
  const { promise: late, resolve } = Promise.withResolvers<SendOutcome>();
  const timer = setTimeout(() => {
    resolve({ kind: "retry", scope: "provider", reason: `no answer within ${timeoutMs} ms` });
    controller.abort();
  }, timeoutMs);
  try {
    return await Promise.race([attempt(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
