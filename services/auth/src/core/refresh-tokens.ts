import { createHmac, hash, timingSafeEqual } from "node:crypto";

/** A refresh token, taken apart. */
export interface RefreshToken {
  readonly sessionId: string;
  readonly generation: number;
  readonly text: string;
}

const SHAPE = /^([0-9a-f-]{36})\.([1-9][0-9]{0,8})\.[A-Za-z0-9_-]{43}$/;

/**
 * Makes a session's nth refresh token. It follows from the secret, so that a repeated refresh can be answered with the
 * same successor although only a hash is stored.
 */
export function mintRefreshToken(secret: Uint8Array, sessionId: string, generation: number): string {
  const mac = createHmac("sha256", secret).update(`${sessionId}.${generation}`).digest("base64url");
  return `${sessionId}.${generation}.${mac}`;
}

/** Undefined for what can't be one of ours. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  const [, sessionId, generation] = SHAPE.exec(text) ?? [];
  if (sessionId === undefined || generation === undefined) return undefined;
  return { sessionId, generation: Number(generation), text };
}

/** Whether we made this token, however long ago: a retired one is a sign of theft, an invented one is not. */
export function isGenuine(secret: Uint8Array, token: RefreshToken): boolean {
  return equal(mintRefreshToken(secret, token.sessionId, token.generation), token.text);
}

/** What is stored of a token. */
export const hashOf = (token: string): string => hash("sha256", token, "base64url");

/** Compares in constant time. */
export function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
