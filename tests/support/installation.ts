import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mesh, type MeshOptions, startMesh } from "@oceanchat/infra/supervisor";
import { type ApnsServer, startApnsServer } from "../push-providers/apns-server.ts";
import { type FcmServer, startFcmServer } from "../push-providers/fcm-server.ts";
import type { Edge } from "./user.ts";

/** A whole OceanChat on free ports with its own data, and the two push providers that can't be reached from a test. */
export interface Installation {
  readonly mesh: Mesh;
  readonly at: Edge;
  readonly apns: ApnsServer;
  readonly fcm: FcmServer;
  stop(): Promise<void>;
}

/** Starts everything, as OCEANCHAT_MODE and the topology say, unless `run` says otherwise; the caller stops it. */
export async function startInstallation(
  env: Readonly<Record<string, string>> = {},
  run: Pick<MeshOptions, "mode" | "instances"> = {},
): Promise<Installation> {
  const dataDir = await mkdtemp(join(tmpdir(), "oceanchat-e2e-"));
  const [apns, fcm] = await Promise.all([startApnsServer(), startFcmServer()]);
  try {
    const mesh = await startMesh({
      dataDir,
      ports: "free",
      quiet: true,
      ...run,
      env: { all: env, "pusher-offline": { ...apns.environment, ...fcm.environment } },
    });
    const { edge, ws, services } = mesh.endpoints;
    return {
      mesh,
      at: { edge, ws, gateways: services["ws-gateway"].length },
      apns,
      fcm,
      async stop() {
        await mesh.stop();
        await Promise.all([apns.close(), fcm.close()]);
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await Promise.all([apns.close(), fcm.close()]);
    throw error;
  }
}
