import jwt from "jsonwebtoken";

/** What a client of Google is answered with: JSON in the shapes of Google's error model, or the HTML of a front that is ill. */
export interface FcmReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>> | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** FCM's own error codes with the HTTP status and the canonical status they come with. */
const FCM_ERRORS = {
  INVALID_ARGUMENT: [400, "INVALID_ARGUMENT", "Request contains an invalid argument."],
  UNREGISTERED: [404, "NOT_FOUND", "Requested entity was not found."],
  SENDER_ID_MISMATCH: [403, "PERMISSION_DENIED", "SenderId mismatch"],
  QUOTA_EXCEEDED: [429, "RESOURCE_EXHAUSTED", "Quota exceeded."],
  UNAVAILABLE: [503, "UNAVAILABLE", "The service is currently unavailable."],
  INTERNAL: [500, "INTERNAL", "Internal error encountered."],
  THIRD_PARTY_AUTH_ERROR: [401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service"],
} as const;

/** One of FCM's error codes. */
export type FcmErrorCode = keyof typeof FCM_ERRORS;

const FCM_ERROR_TYPE = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
const BAD_REQUEST_TYPE = "type.googleapis.com/google.rpc.BadRequest";
const QUOTA_TYPE = "type.googleapis.com/google.rpc.QuotaFailure";
const MESSAGE_MAX_BYTES = 4096;
const SCOPES = ["https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"];

/** The only audience that Google's token endpoint takes. */
export const TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token";

/** The refusal that FCM sends for one of its error codes. */
export function fcmError(code: FcmErrorCode, more: { retryAfterSeconds?: number; device?: string } = {}): FcmReply {
  const [status, canonical, message] = FCM_ERRORS[code];
  const details: unknown[] = [{ "@type": FCM_ERROR_TYPE, errorCode: code }];
  if (more.device !== undefined) {
    details.push({ "@type": QUOTA_TYPE, violations: [{ subject: `device:${more.device}`, description: message }] });
  }
  const headers = more.retryAfterSeconds === undefined ? {} : { "retry-after": String(more.retryAfterSeconds) };
  return { status, headers, body: { error: { code: status, message, status: canonical, details } } };
}

/** A refusal of Google's front, before FCM itself has seen the request. */
export function googleError(status: number, canonical: string, message: string): FcmReply {
  return { status, body: { error: { code: status, message, status: canonical } } };
}

function invalid(field: string, description: string, own = true): FcmReply {
  const details: unknown[] = [{ "@type": BAD_REQUEST_TYPE, fieldViolations: [{ field, description }] }];
  if (own) details.unshift({ "@type": FCM_ERROR_TYPE, errorCode: "INVALID_ARGUMENT" });
  return { status: 400, body: { error: { code: 400, message: description, status: "INVALID_ARGUMENT", details } } };
}

/** Why Google would give no access token for this form, undefined if it would. */
export function grantRefusal(form: URLSearchParams, publicKey: string, clientEmail: string): FcmReply | undefined {
  const refuse = (error: string, description: string): FcmReply => ({
    status: 400,
    body: { error, error_description: description },
  });
  if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
    return refuse("unsupported_grant_type", `Invalid grant_type: ${form.get("grant_type")}`);
  }
  try {
    const assertion = form.get("assertion") ?? "";
    const claims = jwt.verify(assertion, publicKey, { algorithms: ["RS256"], audience: TOKEN_AUDIENCE });
    if (typeof claims === "string") return refuse("invalid_grant", "Bad Request");
    if (claims.iss !== clientEmail) return refuse("invalid_grant", "Invalid grant: account not found");
    const lifetimeS = (claims.exp ?? 0) - (claims.iat ?? 0);
    if (lifetimeS <= 0 || lifetimeS > 3600) return refuse("invalid_grant", "Invalid JWT: the lifetime is too long.");
    const scopes = String(claims.scope ?? "").split(" ");
    if (!SCOPES.some((scope) => scopes.includes(scope))) return refuse("invalid_scope", "Invalid OAuth scope.");
    return undefined;
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError) return refuse("invalid_grant", "Invalid JWT Signature.");
    throw error;
  }
}

const MESSAGE_FIELDS = new Set(
  "token topic condition fid name data notification android webpush apns fcm_options".split(" "),
);
const TOKEN_SHAPE = /^[\w:-]{8,4096}$/;

/** Why FCM would refuse this message, undefined if it wouldn't. */
export function messageRefusal(message: Readonly<Record<string, unknown>> | undefined): FcmReply | undefined {
  if (message === undefined) return invalid("message", "Invalid JSON payload received.", false);
  for (const field of Object.keys(message)) {
    if (!MESSAGE_FIELDS.has(field))
      return invalid("message", `Invalid JSON payload received. Unknown name "${field}"`, false);
  }
  const targets = ["token", "topic", "condition"].filter((name) => message[name] !== undefined);
  if (targets.length !== 1) return invalid("message", "Recipient of the message is not set.");
  if (message.token !== undefined && !TOKEN_SHAPE.test(String(message.token))) {
    return invalid("message.token", "The registration token is not a valid FCM registration token");
  }
  return dataRefusal(message.data) ?? androidRefusal(message.android) ?? sizeRefusal(message);
}

function dataRefusal(data: unknown): FcmReply | undefined {
  if (data === undefined) return undefined;
  for (const [name, value] of Object.entries(Object(data))) {
    if (typeof value !== "string") return invalid(`message.data[${name}]`, "Invalid value (TYPE_STRING)", false);
    if (/^(from|message_type)$|^(google|gcm)\./.test(name)) return invalid("message.data", `Invalid data key ${name}`);
  }
  return undefined;
}

function androidRefusal(android: unknown): FcmReply | undefined {
  const { ttl, priority }: { ttl?: unknown; priority?: unknown } = Object(android);
  if (ttl !== undefined && !/^\d+(\.\d+)?s$/.test(String(ttl))) return invalid("message.android.ttl", "Invalid TTL");
  if (ttl !== undefined && Number.parseFloat(String(ttl)) > 2_419_200)
    return invalid("message.android.ttl", "Invalid TTL");
  if (priority !== undefined && !/^(high|normal)$/i.test(String(priority))) {
    return invalid("message.android.priority", "Invalid priority", false);
  }
  return undefined;
}

/** Google counts keys and values of notification and data; it says no more about how. */
function sizeRefusal(message: Readonly<Record<string, unknown>>): FcmReply | undefined {
  const { notification, data } = message;
  const size = Buffer.byteLength(JSON.stringify({ notification, data }));
  return size <= MESSAGE_MAX_BYTES ? undefined : googleError(400, "INVALID_ARGUMENT", "Message is too big.");
}
