import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { implement } from "@oceanchat/runtime/handlers";
import { type MeshDoor, openMeshDoor } from "@oceanchat/runtime/mesh-door";
import { pino } from "pino";

/** An auth service that only has a key, and the tokens that it would give. */
export async function openFakeAuth(): Promise<MeshDoor & { tokenFor(userId: string): string }> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const key = { kty: "EC", crv: "P-256", x, y, kid: "test", alg: "ES256", use: "sig" };
  const auth = implement(AuthMeshService, { getSigningKeys: () => ({ keys: [key] }) });
  const log = pino({ level: "silent" });
  const door = await openMeshDoor({ host: "127.0.0.1", port: 0, registrations: [auth], log });
  door.setServing(true);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  return Object.assign(door, {
    tokenFor: (userId: string) => {
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
  });
}
