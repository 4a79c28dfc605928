/** Why a connection is closed: a WebSocket close code, and a text for people of at most 100 bytes. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Why this gateway closes connections by itself. */
export const closings = {
  idle: { code: 1001, reason: "idle" },
  tooLarge: { code: 1009, reason: "frame too large" },
  draining: { code: 1012, reason: "the server is restarting" },
  slow: { code: 1013, reason: "the connection is too slow" },
  badFrame: { code: 4400, reason: "bad frame" },
  sessionOver: { code: 4401, reason: "the session is over" },
  replaced: { code: 4409, reason: "replaced by a newer connection" },
  tooManyConnections: { code: 4429, reason: "too many connections of this user" },
  tooManyPackets: { code: 4429, reason: "too many packets at once" },
} as const satisfies Record<string, Closing>;

/** Whether the same client may connect again without doing anything else first. */
export const mayReconnect = ({ code }: Closing): boolean => code >= 1001 && code <= 1013 && code !== 1009;

/** The close codes that may be sent (RFC 6455 §7.4): the others mean that no close frame came. */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}
