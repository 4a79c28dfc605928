import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { PresenceService } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Env } from "@oceanchat/runtime/config";
import { startService, testHost } from "@oceanchat/runtime/testing";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { start } from "../../src/main.ts";

/** A connection as a test says it. */
export interface Reported {
  readonly gatewayId: string;
  readonly userId: string;
  readonly connectionId: string;
  readonly deviceId: string;
  readonly sinceMs?: number;
  readonly platform?: string;
}

/** The whole presence service on free ports, and a gateway's way to report to it. */
export async function startPresence(servers: TestServers, env: Env = {}) {
  const { host, served, mesh } = await startService("presence", start, {
    OCEANCHAT_REDIS_URL: servers.redisUrl,
    OCEANCHAT_MONGODB_URL: servers.mongodbUrl,
    OCEANCHAT_MONGODB_DATABASE: "presence",
    OCEANCHAT_NATS_URL: servers.natsUrl,
    OCEANCHAT_AUTH_ADDRESSES: "127.0.0.1:1",
    OCEANCHAT_USER_ADDRESSES: "127.0.0.1:1",
    OCEANCHAT_PRESENCE_SWEEP_MS: "100",
    ...env,
  });
  const port = served.publicPort;
  if (port === undefined) throw new Error("no public door");
  const client = testHost("client");
  const reports = await client.calls(PresenceMeshService.method.report, mesh);
  const finder = await client.calls(PresenceMeshService.method.find, mesh);
  const peers = await client.peers(PresenceMeshService, mesh);
  return {
    mesh: peers.call,
    find: finder.call.bind(finder),
    as: (token?: string) => publicClient(PresenceService, port, token),
    connect: ({ sinceMs = 1, platform = "PLATFORM_WEB", ...reported }: Reported) =>
      reports.call({
        gatewayId: reported.gatewayId,
        event: {
          case: "connected",
          value: { ...reported, sessionId: "s", platform, codec: Codec.JSON, connectedTime: timestampFromMs(sinceMs) },
        },
      }),
    disconnect: (gatewayId: string, userId: string, connectionId: string) =>
      reports.call({ gatewayId, event: { case: "disconnected", value: { userId, connectionId } } }),
    lease: (gatewayId: string, released = false) =>
      reports.call({ gatewayId, event: { case: "lease", value: { address: `${gatewayId}:1`, released } } }),
    located: async (...userIds: string[]) =>
      (await peers.call.locate({ userIds })).connections.map(({ connectionId }) => connectionId).sort(),
    async stop() {
      await client.stop();
      await host.stop();
    },
  };
}

export type RunningPresence = Awaited<ReturnType<typeof startPresence>>;

/** Renews a gateway's lease until it is told to stop; `stop` resolves when nothing is under way any more. */
export function keepLeased(presence: Pick<RunningPresence, "lease">, gatewayId: string, everyMs = 500) {
  let last: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    last = presence.lease(gatewayId).catch(() => undefined); // the next one may do
  }, everyMs);
  return {
    async stop(): Promise<void> {
      clearInterval(timer);
      await last;
    },
  };
}

/** Tries until it holds; the last reason when it doesn't in time. */
export async function eventually(check: () => Promise<void>, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
}
