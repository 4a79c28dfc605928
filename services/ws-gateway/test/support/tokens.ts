import { generateKeyPairSync, sign } from "node:crypto";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { kty = "", crv = "", x = "", y = "" } = publicKey.export({ format: "jwk" });

/** The key that tokens of these tests are signed with. */
export const signingKey = { kty, crv, x, y, kid: "key-1", alg: "ES256", use: "sig" };

export interface Claims {
  readonly sub?: string;
  readonly sid?: string;
  readonly did?: string;
  readonly plat?: string;
  readonly exp?: number;
  readonly kid?: string;
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** An access token as auth makes them; every session is another unless it is named. */
export function accessToken(claims: Claims = {}): string {
  const { kid = signingKey.kid, ...rest } = claims;
  const number = ++made;
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: "https://auth.oceanchat.example",
    aud: "oceanchat-api",
    sub: "user-1",
    sid: `session-${number}`,
    did: `device-${number}`,
    plat: "PLATFORM_WEB",
    iat: now,
    exp: now + 600,
    ...rest,
  };
  const text = `${encode({ alg: "ES256", typ: "JWT", kid })}.${encode(payload)}`;
  const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}
let made = 0;
