import { createPrivateKey } from "node:crypto";
import type { Notification, Provider, ProviderOptions } from "@parse/node-apn";
import type { PushNotification, PushProvider, SendOutcome } from "../ports.ts";
import { type AdapterLimits, createProvider, TIMEOUT_MS } from "./adapter.ts";
import { Connections } from "./apns-connections.ts";
import { type ApnsFailure, apnsOutcome, apnsPayload, reasonOf } from "./apns-message.ts";
import { deliveryId } from "./delivery-id.ts";

/** How Apple's push service is reached. */
export interface ApnsOptions extends AdapterLimits {
  /** The key that provider tokens are signed with: the content of Apple's .p8 file. */
  readonly key: string;
  /** The key's id, ten characters. */
  readonly keyId: string;
  /** The team's id, ten characters. */
  readonly teamId: string;
  /** The app's bundle id. */
  readonly topic: string;
  readonly host: string;
  readonly port: number;
  /** The certificate authority to trust instead of the well-known ones (PEM). */
  readonly ca: string | undefined;
}

/** The library's own time limit comes a little before ours, as its error says more. */
const LIBRARY_SHARE = 0.9;
const DEVICE_TOKEN = /^[0-9a-fA-F]{2,400}$/;

/** Opens the way to APNs; nothing is sent before the first notification. Throws if the key is none. */
export async function connectApns(options: ApnsOptions): Promise<PushProvider> {
  checkKey(options.key);
  const apn = await import("@parse/node-apn"); // only who needs the library pays for it (26 MB)
  const connections = new Connections((signal) => new apn.default.Provider(providerOptions(options, signal)), options);

  async function attempt(token: string, notification: PushNotification, signal: AbortSignal): Promise<SendOutcome> {
    if (!DEVICE_TOKEN.test(token)) return { kind: "invalid-token" }; // it becomes part of a path
    const payload = apnsPayload(notification);
    if (payload === undefined) return { kind: "rejected", reason: "the data is too large" };
    const id = deliveryId(notification.recordId, token);
    const message = new apn.default.Notification(fieldsOf(notification, id, payload, options.topic));
    const used = connections.current;
    signal.addEventListener("abort", () => connections.replace(used), { once: true });
    let failure = await deliver(used.provider, message, token);
    // The library has made a new token by now, but gives the notification back.
    if (failure !== undefined && isExpired(failure)) failure = await deliver(used.provider, message, token);
    if (failure === undefined) return { kind: "sent", providerMessageId: id };
    if (isSilence(failure)) connections.replace(used);
    return apnsOutcome(failure);
  }

  return createProvider("apns", { attempt, close: () => connections.close() }, options);
}

function checkKey(key: string): void {
  const { asymmetricKeyDetails } = createPrivateKey(key);
  if (asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new Error("the APNs key is not a P-256 private key");
}

/** The library hands what it doesn't know on to `tls.connect`: the signal ends a connection that it has given up on. */
function providerOptions(
  options: ApnsOptions,
  signal: AbortSignal,
): ProviderOptions & { readonly signal: AbortSignal } {
  const { key, keyId, teamId, host, port, ca, timeoutMs = TIMEOUT_MS } = options;
  return {
    signal,
    token: { key: Buffer.from(key), keyId, teamId },
    address: host,
    port,
    ...(ca === undefined ? {} : { ca: [ca] }),
    connectionRetryLimit: 0, // its retries don't wait, and hide from our breaker what happens
    requestTimeout: Math.floor(timeoutMs * LIBRARY_SHARE),
  };
}

function fieldsOf(
  notification: PushNotification,
  id: string,
  payload: Record<string, unknown>,
  topic: string,
): Partial<Notification> {
  const { silent, collapseId, expiresAtMs } = notification;
  const kind = silent ? "background" : "alert";
  const priority = silent ? 5 : 10;
  return {
    id,
    topic,
    collapseId,
    expiry: Math.floor(expiresAtMs / 1000),
    pushType: kind,
    priority,
    rawPayload: payload,
  };
}

/** One request; undefined if it was accepted. */
async function deliver(provider: Provider, message: Notification, token: string): Promise<ApnsFailure | undefined> {
  const { failed } = await provider.send(message, token);
  return failed[0];
}

const isExpired = (failure: ApnsFailure): boolean =>
  failure.status === 403 && reasonOf(failure) === "ExpiredProviderToken";

const isSilence = (failure: ApnsFailure): boolean => failure.status === undefined && /timeout/.test(reasonOf(failure));
