import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { Platform } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { ServiceError } from "@oceanchat/runtime/fail";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import { answers } from "@oceanchat/runtime/testing-public";
import jwt from "jsonwebtoken";
import { openFakeUser, type RunningAuth, startAuth } from "../support/running.ts";

describe("access tokens", () => {
  let servers: TestServers;
  let user: MeshDoor;
  let auth: RunningAuth;
  let folder: string;
  let good: string;
  let kid: string;
  let claims: jwt.JwtPayload;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

  before(async function () {
    this.timeout(300_000);
    folder = await mkdtemp(join(tmpdir(), "oceanchat-auth-"));
    const keyFile = join(folder, "signing.pem");
    await writeFile(keyFile, privateKey.export({ format: "pem", type: "pkcs8" }));
    servers = await startServers({ mongo: true });
    user = await openFakeUser();
    const { mongodbUrl } = servers;
    const env = { OCEANCHAT_SIGNING_KEY_FILE: keyFile, OCEANCHAT_ACCESS_TOKEN_TTL_SECONDS: "60" };
    auth = await startAuth({ mongodbUrl, database: "auth", userPort: user.port, env });
    const device = { deviceId: "web", platform: Platform.WEB, name: "" };
    const { tokens } = await auth.as().register({ username: "ada", password: "correct horse", device });
    good = tokens?.accessToken ?? "";
    const decoded = jwt.decode(good, { complete: true });
    assert.ok(decoded !== null && typeof decoded.payload !== "string");
    kid = decoded.header.kid ?? "";
    claims = decoded.payload;
  });
  after(async function () {
    this.timeout(60_000);
    await auth?.stop();
    await user?.close(0);
    await servers?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const sign = (payload: object, key: KeyObject = privateKey, header: object = {}) =>
    jwt.sign(payload, key, { algorithm: "ES256", header: { alg: "ES256", kid, ...header } });
  const without = (claim: string) => Object.fromEntries(Object.entries(claims).filter(([name]) => name !== claim));
  const unsigned = (header: object, payload: object) =>
    [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");

  it("hold what every service needs, and nothing about the person", () => {
    const { exp = 0, iat = 0, sub, sid, jti, ...rest } = claims;
    assert.deepEqual(rest, {
      iss: "https://auth.oceanchat.example",
      aud: "oceanchat-api",
      did: "web",
      plat: "PLATFORM_WEB",
    });
    assert.equal(exp - iat, 60);
    for (const id of [sub, sid, jti]) assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it("are good when we signed them", async () => {
    await auth.as(good).listSessions({});
    await auth.as(sign(claims)).listSessions({});
  });

  const attacks: Record<string, () => string> = {
    "alg none": () => `${unsigned({ alg: "none", typ: "JWT", kid }, claims)}.`,
    "alg none with the good signature": () =>
      `${unsigned({ alg: "none", typ: "JWT", kid }, claims)}.${good.split(".")[2]}`,
    "HS256 with the public key as secret": () => {
      const pem = publicKey.export({ format: "pem", type: "spki" }).toString();
      const [header, payload] = unsigned({ alg: "HS256", typ: "JWT", kid }, claims).split(".");
      return hs256(`${header}.${payload}`, pem);
    },
    "another key under our kid": () => sign(claims, stranger),
    "another key under its own kid": () => sign(claims, stranger, { kid: "another" }),
    "another key, embedded": () => sign(claims, stranger, { jwk: createPublicKey(stranger).export({ format: "jwk" }) }),
    "another key, named by URL": () => sign(claims, stranger, { jku: "http://127.0.0.1:1/jwks.json" }),
    "no kid": () => jwt.sign(claims, privateKey, { algorithm: "ES256" }),
    "a kid that is a path": () => sign(claims, stranger, { kid: "../../../../dev/null" }),
    "a kid of a megabyte": () => sign(claims, stranger, { kid: "k".repeat(1_000_000) }).slice(0, 8_000),
    "other claims under the good signature": () => {
      const [header, , signature] = good.split(".");
      const payload = Buffer.from(JSON.stringify({ ...claims, sub: "somebody" })).toString("base64url");
      return `${header}.${payload}.${signature}`;
    },
    expired: () => sign({ ...claims, iat: 1, exp: Math.floor(Date.now() / 1000) - 31 }),
    "not valid yet": () => sign({ ...claims, nbf: Math.floor(Date.now() / 1000) + 60 }),
    "another issuer": () => sign({ ...claims, iss: "https://auth.oceanchat.example.evil" }),
    "another audience": () => sign({ ...claims, aud: "another-api" }),
    "no session": () => sign(without("sid")),
    "no expiry": () => sign(without("exp")),
    "ES384 under our kid": () => {
      const key = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
      return jwt.sign(claims, key, { algorithm: "ES384", header: { alg: "ES384", kid } });
    },
  };
  for (const [name, attack] of Object.entries(attacks)) {
    it(`are refused at both doors: ${name}`, async () => {
      const token = attack();
      await answers(auth.as(token).listSessions({}), Code.Unauthenticated, "TOKEN_INVALID");
      await assert.rejects(auth.mesh.validateToken({ accessToken: token }), (error) => {
        assert.ok(error instanceof ServiceError);
        assert.equal(error.reason, "ERROR_REASON_TOKEN_INVALID");
        return true;
      });
    });
  }
});

/** Signed by hand: jsonwebtoken refuses to take a public key for a secret. */
function hs256(signed: string, secret: string): string {
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
