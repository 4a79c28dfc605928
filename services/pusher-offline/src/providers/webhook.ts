import { createHmac } from "node:crypto";
import type { PushNotification, PushProvider, SendOutcome } from "../ports.ts";
import { type AdapterLimits, createProvider } from "./adapter.ts";
import { deliveryId } from "./delivery-id.ts";
import { retryAfterMs } from "./retry-after.ts";

/** An HTTP endpoint of the operator's own that passes notifications on to a vendor we have no adapter for. */
export interface WebhookOptions extends AdapterLimits {
  /** https; http only on loopback. */
  readonly url: string;
  /** The key of the signature, at least 16 bytes. */
  readonly secret: string;
}

const SECRET_MIN_BYTES = 16;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Opens the way to a webhook; nothing is sent before the first notification. Throws if URL or secret won't do. */
export async function connectWebhook(options: WebhookOptions): Promise<PushProvider> {
  const url = checkUrl(options.url);
  if (Buffer.byteLength(options.secret) < SECRET_MIN_BYTES) {
    throw new Error(`the webhook's secret is shorter than ${SECRET_MIN_BYTES} bytes`);
  }
  const { now = Date.now } = options;

  async function attempt(token: string, notification: PushNotification, signal: AbortSignal): Promise<SendOutcome> {
    const id = deliveryId(notification.recordId, token);
    const body = JSON.stringify({ deliveryId: id, token, ...contentOf(notification) });
    const headers = {
      "content-type": "application/json",
      "idempotency-key": id,
      "oceanchat-signature": signatureOf(options.secret, Math.floor(now() / 1000), body),
    };
    try {
      const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
      await response.body?.cancel();
      return webhookOutcome(id, response.status, response.headers.get("retry-after"), now());
    } catch (error) {
      return { kind: "retry", scope: "provider", reason: reasonOf(error) };
    }
  }

  return createProvider("webhook", { attempt, close: () => Promise.resolve() }, options);
}

function checkUrl(text: string): URL {
  const url = new URL(text);
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname));
  if (!isSafe) throw new Error("the webhook's URL must be https (http only on loopback)");
  if (url.username !== "" || url.password !== "") throw new Error("the webhook's URL must not hold a password");
  return url;
}

function contentOf(notification: PushNotification): Record<string, unknown> {
  const { recordId, conversationId, userId, title, body, badge, collapseId, data, expiresAtMs, silent } = notification;
  const ids = { recordId, conversationId, userId, collapseId };
  return {
    ...ids,
    silent,
    ...(silent ? {} : { title, body, badge }),
    data,
    expireTime: new Date(expiresAtMs).toISOString(),
  };
}

/**
 * `t=<Unix seconds>,v1=<HMAC-SHA256, hexadecimal, of "<t>.<body>">`. The time is signed too, so that the receiver can
 * refuse what is recorded and played again.
 */
export function signatureOf(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}

/** What the endpoint's status means: 2xx taken, 410 the token is gone, 408, 425, 429 and 5xx later, all else never. */
export function webhookOutcome(id: string, status: number, retryAfter: string | null, nowMs: number): SendOutcome {
  if (status >= 200 && status < 300) return { kind: "sent", providerMessageId: id };
  if (status === 410) return { kind: "invalid-token" };
  const reason = `status ${status}`;
  if (status < 500 && ![408, 425, 429].includes(status)) return { kind: "rejected", reason };
  const afterMs = retryAfterMs(retryAfter, nowMs);
  return { kind: "retry", scope: "provider", ...(afterMs === undefined ? {} : { afterMs }), reason };
}

/** `fetch` says only "fetch failed"; what happened is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
