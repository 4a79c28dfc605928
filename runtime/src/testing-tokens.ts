import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { implement, type Registration } from "./handlers.ts";
import type { MeshDoor } from "./mesh-door.ts";
import { openTestDoor } from "./testing.ts";

/** Stands in for auth: has a key, and signs access tokens with it. */
export interface TestIssuer {
  /** AuthMeshService with the key and nothing else. */
  readonly auth: Registration;
  /** An access token for ten minutes and a session of its own. */
  tokenFor(userId: string): string;
}

/** Makes a key. */
export function createTestIssuer(): TestIssuer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const key = { kty: "EC", crv: "P-256", x, y, kid: "test", alg: "ES256", use: "sig" };
  return {
    auth: implement(AuthMeshService, { getSigningKeys: () => ({ keys: [key] }) }),
    tokenFor(userId) {
      const claims = {
        iss: "https://auth.oceanchat.example",
        aud: "oceanchat-api",
        sub: userId,
        sid: randomUUID(),
        did: "phone",
        plat: "PLATFORM_IOS",
        exp: Math.floor(Date.now() / 1000) + 600,
      };
      const signed = `${encode({ alg: "ES256", kid: key.kid })}.${encode(claims)}`;
      const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${signed}.${signature.toString("base64url")}`;
    },
  };
}

/** An auth that only has a key, on a door of its own. */
export async function openTestIssuer(): Promise<MeshDoor & TestIssuer> {
  const issuer = createTestIssuer();
  return Object.assign(await openTestDoor([issuer.auth]), issuer);
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
