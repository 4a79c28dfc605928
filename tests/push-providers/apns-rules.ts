import jwt from "jsonwebtoken";
import { jsonObject } from "./json.ts";

/** Every reason Apple documents, with its status. */
export const APNS_REASONS = {
  BadCollapseId: 400,
  BadDeviceToken: 400,
  BadExpirationDate: 400,
  BadMessageId: 400,
  BadPriority: 400,
  BadTopic: 400,
  DeviceTokenNotForTopic: 400,
  DuplicateHeaders: 400,
  IdleTimeout: 400,
  InvalidPushType: 400,
  MissingDeviceToken: 400,
  MissingTopic: 400,
  PayloadEmpty: 400,
  TopicDisallowed: 400,
  BadCertificate: 403,
  BadCertificateEnvironment: 403,
  BadEnvironmentKeyIdInToken: 403,
  ExpiredProviderToken: 403,
  Forbidden: 403,
  InvalidProviderToken: 403,
  MissingProviderToken: 403,
  UnrelatedKeyIdInToken: 403,
  BadPath: 404,
  MethodNotAllowed: 405,
  ExpiredToken: 410,
  Unregistered: 410,
  PayloadTooLarge: 413,
  TooManyProviderTokenUpdates: 429,
  TooManyRequests: 429,
  InternalServerError: 500,
  ServiceUnavailable: 503,
  Shutdown: 503,
} as const;

/** One of Apple's reasons. */
export type ApnsReason = keyof typeof APNS_REASONS;

/** What the provider is configured with. */
export interface ApnsWorld {
  readonly publicKey: string;
  readonly keyId: string;
  readonly teamId: string;
  readonly topic: string;
  /** Provider tokens that count as stale whatever their age. */
  readonly staleTokens: ReadonlySet<string>;
  readonly nowMs: number;
}

/** A request as it arrived. */
export interface ApnsRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const TOKEN_MAX_AGE_S = 3600;
const PAYLOAD_MAX_BYTES = 4096;
const COLLAPSE_ID_MAX_BYTES = 64;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const PUSH_TYPES = new Set(
  "alert background location voip complication fileprovider mdm liveactivity pushtotalk widgets controls".split(" "),
);

/** The device token in the path, "" if there is none. */
export function deviceTokenOf(path: string): string {
  return /^\/3\/device\/([^/?]+)$/.exec(path)?.[1] ?? "";
}

/** The provider token of a request, "" if there is none. */
export function bearerOf({ headers }: ApnsRequest): string {
  return /^bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1] ?? "";
}

/** Why Apple would refuse this request, undefined if it wouldn't. */
export function refusalOf(request: ApnsRequest, world: ApnsWorld): ApnsReason | undefined {
  return pathRefusal(request) ?? tokenRefusal(request, world) ?? headerRefusal(request, world) ?? bodyRefusal(request);
}

function pathRefusal({ method, path }: ApnsRequest): ApnsReason | undefined {
  if (method !== "POST") return "MethodNotAllowed";
  if (path === "/3/device/" || path === "/3/device") return "MissingDeviceToken";
  const token = deviceTokenOf(path);
  if (token === "") return "BadPath";
  return /^([0-9a-f]{2}){32,100}$/i.test(token) ? undefined : "BadDeviceToken";
}

function tokenRefusal(request: ApnsRequest, world: ApnsWorld): ApnsReason | undefined {
  if (request.headers.authorization === undefined) return "MissingProviderToken";
  const token = bearerOf(request);
  if (jwt.decode(token, { complete: true })?.header.kid !== world.keyId) return "InvalidProviderToken";
  const issuedS = issuedAt(token, world);
  if (issuedS === undefined) return "InvalidProviderToken";
  const stale = world.nowMs / 1000 - issuedS > TOKEN_MAX_AGE_S || world.staleTokens.has(token);
  return stale ? "ExpiredProviderToken" : undefined;
}

/** The `iat` of a token that is signed by the right key for the right team, else undefined. */
function issuedAt(token: string, world: ApnsWorld): number | undefined {
  try {
    const claims = jwt.verify(token, world.publicKey, { algorithms: ["ES256"], issuer: world.teamId });
    return typeof claims === "object" ? claims.iat : undefined;
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError) return undefined;
    throw error;
  }
}

function headerRefusal({ headers }: ApnsRequest, world: ApnsWorld): ApnsReason | undefined {
  const topic = headers["apns-topic"];
  if (topic === undefined) return "MissingTopic";
  if (topic !== world.topic) return "TopicDisallowed";
  const id = headers["apns-id"];
  if (id !== undefined && !UUID.test(id)) return "BadMessageId";
  const pushType = headers["apns-push-type"];
  if (pushType === undefined || !PUSH_TYPES.has(pushType)) return "InvalidPushType";
  const priority = headers["apns-priority"] ?? "10";
  if (!["1", "5", "10"].includes(priority)) return "BadPriority";
  if (pushType === "background" && priority !== "5") return "BadPriority";
  const expiration = headers["apns-expiration"];
  if (expiration !== undefined && !/^\d{1,10}$/.test(expiration)) return "BadExpirationDate";
  const collapseId = headers["apns-collapse-id"];
  return collapseId !== undefined && Buffer.byteLength(collapseId) > COLLAPSE_ID_MAX_BYTES
    ? "BadCollapseId"
    : undefined;
}

/** Apple documents no reason for a payload that is no JSON or has no `aps`; "PayloadEmpty" is the nearest one. */
function bodyRefusal({ body }: ApnsRequest): ApnsReason | undefined {
  if (body.length > PAYLOAD_MAX_BYTES) return "PayloadTooLarge";
  const aps = jsonObject(body)?.aps;
  return typeof aps === "object" && aps !== null ? undefined : "PayloadEmpty";
}
