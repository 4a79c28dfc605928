import { addresses, integer, secretFile } from "@oceanchat/runtime/config";
import { mongoKeys } from "@oceanchat/runtime/server-keys";

/** What auth can be told, beside what every process can. */
export const authKeys = {
  ...mongoKeys,
  user: addresses(
    "OCEANCHAT_USER_ADDRESSES",
    "Mesh doors of user, which keeps the profiles.",
    "dns:oceanchat-user-headless:8082",
  ),
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, which knows the connections of sessions that end.",
    "dns:oceanchat-presence-headless:8082",
  ),
  message: addresses(
    "OCEANCHAT_MESSAGE_ADDRESSES",
    "Mesh doors of message, which tells a user's devices of sessions that have ended.",
    "dns:oceanchat-message-headless:8082",
  ),
  signingKeyPem: secretFile(
    "OCEANCHAT_SIGNING_KEY_FILE",
    "EC P-256 keys in PEM: the first, private, signs; further ones, private or public, are published only. None: auth makes a key and keeps it in the store.",
  ),
  accessTokenTtlSeconds: integer(
    "OCEANCHAT_ACCESS_TOKEN_TTL_SECONDS",
    "How long an access token is good, in seconds.",
    600,
    10,
    3_600,
  ),
  sessionTtlSeconds: integer(
    "OCEANCHAT_SESSION_TTL_SECONDS",
    "After how long without a refresh a session ends, in seconds.",
    30 * 86_400,
    60,
    365 * 86_400,
  ),
  refreshGraceSeconds: integer(
    "OCEANCHAT_REFRESH_GRACE_SECONDS",
    "How long a repeated refresh gives the same successor instead of ending the session, in seconds.",
    20,
    0,
    60,
  ),
  loginFailuresPerMinute: integer(
    "OCEANCHAT_LOGIN_FAILURES_PER_MINUTE",
    "Failed logins per minute of one username from one address; five times as many of one username, thirty times of one address.",
    10,
    1,
    100_000,
  ),
  passwordHashesAtOnce: integer(
    "OCEANCHAT_PASSWORD_HASHES_AT_ONCE",
    "Passwords that are hashed at once (19 MiB each); as many again wait. 0: twice the cores.",
    0,
    0,
    256,
  ),
} as const;
