import type { PushNotification, SendOutcome } from "../ports.ts";
import { fitText, jsonBytes } from "./fit-text.ts";

const PAYLOAD_MAX_BYTES = 4096;
const AUTHORIZATION_WAIT_MS = 60_000;
/** Apple takes a new provider token every 20 minutes at the most. */
const TOKEN_UPDATE_WAIT_MS = 20 * 60_000;

/** The payload with the body cut so that it fits; undefined if it can't. */
export function apnsPayload(notification: PushNotification): Record<string, unknown> | undefined {
  const { recordId, conversationId, userId, title, badge, data } = notification;
  const around = { ...data, recordId, conversationId, userId };
  const withBody = (body: string): Record<string, unknown> => ({
    ...around,
    aps: {
      alert: { title, body },
      sound: "default",
      "thread-id": conversationId,
      "mutable-content": 1,
      ...(badge === undefined ? {} : { badge }),
    },
  });
  if (notification.silent) {
    const payload = { ...around, aps: { "content-available": 1 } };
    return jsonBytes(payload) <= PAYLOAD_MAX_BYTES ? payload : undefined;
  }
  const body = fitText(notification.body, (candidate) => jsonBytes(withBody(candidate)) <= PAYLOAD_MAX_BYTES);
  return body === undefined ? undefined : withBody(body);
}

/** What @parse/node-apn tells about a request that was not accepted. */
export interface ApnsFailure {
  /** The HTTP status; absent if there was no answer that could be read. */
  readonly status?: number | string | undefined;
  readonly response?: { readonly reason?: unknown; readonly timestamp?: unknown } | undefined;
  readonly error?: Error | undefined;
}

/** Apple's word for what is wrong; the library puts it elsewhere for two of the reasons. */
export function reasonOf(failure: ApnsFailure): string {
  const reason = failure.response?.reason;
  return typeof reason === "string" ? reason : (failure.error?.message ?? "no reason given");
}

/** What a failure means for the notification and its device. */
export function apnsOutcome(failure: ApnsFailure): SendOutcome {
  const reason = reasonOf(failure);
  switch (typeof failure.status === "number" ? failure.status : 0) {
    case 0: // no connection, cut off, no time left, or no readable answer: unknown
      return { kind: "retry", scope: "provider", reason };
    case 400:
      if (reason === "BadDeviceToken") return { kind: "invalid-token" };
      if (reason === "IdleTimeout") return { kind: "retry", scope: "provider", reason };
      return { kind: "rejected", reason };
    case 403: // our key or token, not this notification: it can go out as soon as that is put right
      return { kind: "retry", scope: "provider", afterMs: AUTHORIZATION_WAIT_MS, reason };
    case 410: {
      const since = Number(failure.response?.timestamp);
      return { kind: "invalid-token", ...(since > 0 ? { since } : {}) };
    }
    case 429:
      return reason === "TooManyProviderTokenUpdates"
        ? { kind: "retry", scope: "provider", afterMs: TOKEN_UPDATE_WAIT_MS, reason }
        : { kind: "retry", scope: "device", reason };
    default:
      return Number(failure.status) >= 500
        ? { kind: "retry", scope: "provider", reason }
        : { kind: "rejected", reason };
  }
}
