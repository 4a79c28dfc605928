import type { TokenMessage } from "firebase-admin/messaging";
import type { PushNotification, SendOutcome } from "../ports.ts";
import { fitText, jsonBytes } from "./fit-text.ts";
import { retryAfterMs } from "./retry-after.ts";

const MESSAGE_MAX_BYTES = 4096;
const TTL_MAX_MS = 28 * 86_400_000;
/** For what only a person can put right. */
const CONFIGURATION_WAIT_MS = 60_000;
/** What Google asks for after a refused quota, if it doesn't say. */
const QUOTA_WAIT_MS = 60_000;
const FCM_ERROR_TYPE = "type.googleapis.com/google.firebase.fcm.v1.FcmError";

/** The message with the body cut so that it fits; undefined if it can't. The size is counted on the safe side: all of it. */
export function fcmMessage(token: string, notification: PushNotification, nowMs: number): TokenMessage | undefined {
  const withBody = (body: string): TokenMessage => messageOf(token, notification, body, nowMs);
  const fits = (body: string): boolean => jsonBytes({ ...withBody(body), token: "" }) <= MESSAGE_MAX_BYTES;
  if (notification.silent) return fits("") ? withBody("") : undefined;
  const body = fitText(notification.body, fits);
  return body === undefined ? undefined : withBody(body);
}

/**
 * A repeat replaces what is shown through the tag (Android, web) and the collapse id (Apple). There is no
 * `collapseKey`: FCM keeps four of them for a device that is off and drops the messages of all others.
 */
function messageOf(token: string, notification: PushNotification, body: string, nowMs: number): TokenMessage {
  const { recordId, conversationId, userId, title, badge, silent, collapseId, expiresAtMs } = notification;
  const ttl = Math.min(Math.max(expiresAtMs - nowMs, 0), TTL_MAX_MS);
  const count = badge === undefined ? {} : { badge };
  const aps = silent
    ? { contentAvailable: true }
    : { ...count, sound: "default", threadId: conversationId, mutableContent: true };
  return {
    token,
    data: { ...notification.data, recordId, conversationId, userId },
    ...(silent ? {} : { notification: { title, body } }),
    android: {
      priority: silent ? "normal" : "high",
      ttl,
      ...(silent
        ? {}
        : { notification: { tag: collapseId, ...(badge === undefined ? {} : { notificationCount: badge }) } }),
    },
    apns: {
      headers: {
        "apns-collapse-id": collapseId,
        "apns-expiration": String(Math.floor(expiresAtMs / 1000)),
        "apns-push-type": silent ? "background" : "alert",
        "apns-priority": silent ? "5" : "10",
      },
      payload: { aps },
    },
    webpush: {
      headers: { TTL: String(Math.floor(ttl / 1000)), Urgency: silent ? "low" : "high" },
      ...(silent ? {} : { notification: { tag: collapseId } }),
    },
  };
}

/** What firebase-admin throws, as far as it is looked at. */
export interface FcmFailure {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly httpResponse?:
    | { readonly status: number; readonly headers: Readonly<Record<string, unknown>>; readonly data?: unknown }
    | undefined;
}

/** Whether Google no longer takes the access token; the library gives this and Apple's refusal the same code. */
export function isUnauthenticated(failure: FcmFailure): boolean {
  return failure.httpResponse?.status === 401 && factsOf(failure.httpResponse.data).code !== "THIRD_PARTY_AUTH_ERROR";
}

/**
 * What a failure means for the notification and its device. It is read off Google's answer, as the library's own codes
 * mix up a token of another sender with a missing permission, and a token that is gone with a project that is.
 */
export function fcmOutcome(failure: FcmFailure, nowMs: number): SendOutcome {
  const response = failure.httpResponse;
  if (response === undefined) return withoutAnswer(failure);
  const facts = factsOf(response.data);
  const reason = `${facts.code}: ${facts.message}`;
  const asked = retryAfterMs(response.headers["retry-after"], nowMs);
  const misconfigured: SendOutcome = { kind: "retry", scope: "provider", afterMs: CONFIGURATION_WAIT_MS, reason };
  switch (response.status) {
    case 400:
      return facts.tokenIsWrong ? { kind: "invalid-token" } : { kind: "rejected", reason };
    case 401: // Apple's key is missing in the Firebase project: only its devices have to wait
      return facts.code === "THIRD_PARTY_AUTH_ERROR"
        ? { ...misconfigured, scope: "device" }
        : { kind: "retry", scope: "provider", reason };
    case 403:
      return facts.code === "SENDER_ID_MISMATCH" ? { kind: "invalid-token" } : misconfigured;
    case 404:
      return facts.code === "UNREGISTERED" ? { kind: "invalid-token" } : misconfigured;
    case 429:
      return {
        kind: "retry",
        scope: facts.deviceQuota ? "device" : "provider",
        afterMs: asked ?? QUOTA_WAIT_MS,
        reason,
      };
    default:
      if (response.status < 500) return { kind: "rejected", reason };
      return { kind: "retry", scope: "provider", ...(asked === undefined ? {} : { afterMs: asked }), reason };
  }
}

/** The library checks messages before it sends them (`messaging/…`); everything else is the network or the credential. */
function withoutAnswer({ code, message, cause }: FcmFailure): SendOutcome {
  const reason = cause instanceof Error ? cause.message : String(message);
  return String(code).startsWith("messaging/")
    ? { kind: "rejected", reason }
    : { kind: "retry", scope: "provider", reason };
}

interface Facts {
  /** FCM's error code, else the canonical one, else "unknown". */
  readonly code: string;
  readonly message: string;
  readonly tokenIsWrong: boolean;
  readonly deviceQuota: boolean;
}

function factsOf(data: unknown): Facts {
  const { error }: { error?: unknown } = Object(data);
  const { status, message, details }: { status?: unknown; message?: unknown; details?: unknown } = Object(error);
  const list: readonly Detail[] = Array.isArray(details) ? details.map((detail) => Object(detail)) : [];
  const code = list.find((detail) => detail["@type"] === FCM_ERROR_TYPE)?.errorCode ?? status;
  const violations = list.flatMap((detail) => [...asList(detail.fieldViolations), ...asList(detail.violations)]);
  const text = typeof message === "string" ? message.slice(0, 200) : "";
  return {
    code: typeof code === "string" ? code : "unknown",
    message: text,
    tokenIsWrong:
      violations.some(({ field }) => field === "message.token") || /not a valid FCM registration token/.test(text),
    deviceQuota: violations.some(({ subject }) => String(subject).startsWith("device:")),
  };
}

interface Detail {
  readonly "@type"?: unknown;
  readonly errorCode?: unknown;
  readonly fieldViolations?: unknown;
  readonly violations?: unknown;
}

function asList(value: unknown): readonly { readonly field?: unknown; readonly subject?: unknown }[] {
  return Array.isArray(value) ? value.map((item) => Object(item)) : [];
}
