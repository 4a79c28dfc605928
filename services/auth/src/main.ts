import { availableParallelism } from "node:os";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { AuthService } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { mongoOptions } from "@oceanchat/runtime/mongo";
import { runProcess } from "@oceanchat/runtime/process";
import { v7 } from "uuid";
import { authKeys } from "./config.ts";
import { closeEnded } from "./core/ends.ts";
import { createAuthCore } from "./core.ts";
import { createPasswordHasher } from "./passwords.ts";
import { openConnections, openProfiles, openUserLogs } from "./peers.ts";
import type { Notices, SessionEnds, SessionStore } from "./ports.ts";
import { RevocationNotices } from "./revocation-notices.ts";
import { authHandlers, authMeshHandlers } from "./service.ts";
import { EndedSessions } from "./session-ends.ts";
import { signingKeysFromPem, signingKeysFromStore } from "./signing-keys.ts";
import { openStore } from "./store.ts";
import { createTokenSigner } from "./tokens.ts";

/** Starts the auth service. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(authKeys, host.env);
  const store = await openStore(mongoOptions(host, config));
  host.defer("store", () => store.close());
  const keys =
    config.signingKeyPem === undefined
      ? await signingKeysFromStore(store.signingKeys, host.now())
      : signingKeysFromPem(config.signingKeyPem);
  const { tokenIssuer: issuer, tokenAudience: audience } = host.config;
  const newId = () => v7();
  const signer = createTokenSigner({
    kid: keys.kid,
    privateKey: keys.privateKey,
    keys: keys.published,
    issuer,
    audience,
    ttlSeconds: config.accessTokenTtlSeconds,
    newId,
  });
  const verify = host.tokenVerifier(async () => keys.published);
  const passwords = createPasswordHasher(config.passwordHashesAtOnce || 2 * availableParallelism());
  const profiles = await openProfiles(host, config.user);
  const { accounts, sessions } = store;
  const ends = await openSessionEnds(host, config.presence, sessions);
  const notices = await openNotices(host, config.message);
  const core = createAuthCore(
    { accounts, sessions, ends, notices, passwords, profiles, signer, verify, now: host.now, newId },
    { ...config, refreshSecret: keys.refreshSecret },
  );
  await host.serve({
    public: [implement(AuthService, authHandlers(core))],
    mesh: [implement(AuthMeshService, authMeshHandlers(core))],
    verify,
  });
}

async function openSessionEnds(host: Host, presence: AddressSource, sessions: SessionStore): Promise<SessionEnds> {
  const connections = await openConnections(host, presence);
  const ends = new EndedSessions((userId) => closeEnded({ connections, sessions, now: host.now }, userId), host.log);
  host.defer("session ends", () => ends.stop());
  return ends;
}

async function openNotices(host: Host, message: AddressSource): Promise<Notices> {
  const notices = new RevocationNotices(await openUserLogs(host, message), host.log);
  host.defer("revocation notices", () => notices.stop());
  return notices;
}

if (import.meta.main) await runProcess("auth", authKeys, start);
