import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { GroupMeshService, SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { DirectVerdict, UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { implement } from "@oceanchat/runtime/handlers";
import { openMeshDoor } from "@oceanchat/runtime/mesh-door";
import { pino } from "pino";

/** Auth, group and user on one door. Who writes where is allowed until `state` says otherwise. */
export async function openFakePeers() {
  const state = { send: SendVerdict.ALLOWED as SendVerdict, direct: DirectVerdict.ALLOWED as DirectVerdict, asked: 0 };
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const key = { kty: "EC", crv: "P-256", x, y, kid: "test", alg: "ES256", use: "sig" };
  const registrations = [
    implement(AuthMeshService, { getSigningKeys: () => ({ keys: [key] }) }),
    implement(GroupMeshService, {
      checkSend() {
        state.asked++;
        return { verdict: state.send };
      },
    }),
    implement(UserMeshService, {
      checkDirect() {
        state.asked++;
        return { verdict: state.direct };
      },
    }),
  ];
  const door = await openMeshDoor({ host: "127.0.0.1", port: 0, registrations, log: pino({ level: "silent" }) });
  door.setServing(true);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  /** An access token of auth. */
  const tokenFor = (userId: string) => {
    const signed = `${encode({ alg: "ES256", kid: key.kid })}.${encode({
      iss: "https://auth.oceanchat.example",
      aud: "oceanchat-api",
      sub: userId,
      sid: randomUUID(),
      did: "phone",
      plat: "PLATFORM_IOS",
      exp: Math.floor(Date.now() / 1000) + 600,
    })}`;
    const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  };
  return { port: door.port, close: () => door.close(0), state, tokenFor };
}

export type FakeMeshPeers = Awaited<ReturnType<typeof openFakePeers>>;
