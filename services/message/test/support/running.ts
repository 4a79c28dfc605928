import { fromBinary } from "@bufbuild/protobuf";
import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import {
  type MessageAccepted,
  MessageService,
  type SendMessageRequest,
} from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { TestServers } from "@oceanchat/infra/servers-for-tests";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { ServiceError } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { startService } from "@oceanchat/runtime/testing";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { start } from "../../src/main.ts";
import type { FakeMeshPeers } from "./fake-peers.ts";

type Env = Readonly<Record<string, string>>;

/** What message is told in tests. */
export function envFor(servers: TestServers, peers: FakeMeshPeers, env: Env = {}): Env {
  const at = `127.0.0.1:${peers.port}`;
  return {
    OCEANCHAT_NATS_URL: servers.natsUrl,
    OCEANCHAT_MONGODB_URL: servers.mongodbUrl,
    OCEANCHAT_AUTH_ADDRESSES: at,
    OCEANCHAT_GROUP_ADDRESSES: at,
    OCEANCHAT_USER_ADDRESSES: at,
    ...env,
  };
}

/** The whole service in this process, on free ports. */
export async function startMessage(servers: TestServers, peers: FakeMeshPeers, env: Env = {}) {
  const { host, served, mesh } = await startService("message", start, envFor(servers, peers, env));
  const router = await openRouter(host, mesh);
  const { call } = await host.peers(MessageMeshService, mesh, { timeoutMs: 10_000 });
  const { publicPort = 0 } = served;
  /** A client of the public door with a user's token, or none. */
  const as = (userId?: string) =>
    publicClient(MessageService, publicPort, userId === undefined ? undefined : peers.tokenFor(userId));
  return { as, ...router, mesh: call, stop: () => host.stop() };
}

export type RunningMessage = Awaited<ReturnType<typeof startMessage>>;

/** Sends commands as a router does. */
export async function openRouter(host: Host, at: AddressSource) {
  const calls = await host.calls(MessageMeshService.method.dispatch, at, { timeoutMs: 10_000 });
  const send = async (userId: string, request: SendMessageRequest): Promise<MessageAccepted> => {
    const sender = { userId, sessionId: "session", deviceId: "phone" };
    const { result } = await calls.call({ sender, command: { case: "sendMessage", value: request } });
    if (result.case !== "accepted") throw new TypeError(`answered with ${result.case}`);
    return result.value;
  };
  return { calls, send };
}

/** Sends as a client does: repeats with the same id until there is an answer. Gives the number of tries too. */
export async function sendUntilAnswered(
  send: (userId: string, request: SendMessageRequest) => Promise<MessageAccepted>,
  userId: string,
  request: SendMessageRequest,
): Promise<{ accepted: MessageAccepted; attempts: number }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return { accepted: await send(userId, { ...request, attempt }), attempts: attempt };
    } catch (error) {
      const passing = error instanceof ServiceError && /_(OUTCOME_UNKNOWN|UNAVAILABLE|OVERLOADED)$/.test(error.reason);
      if (!passing || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** All entries of a log, in the order of the stream. */
export async function entriesOf(bus: Bus, conversationId: string): Promise<LogEntry[]> {
  const stream = streamOf(LogEntrySchema);
  const subject = stream.subjectOf("conversation", { id: conversationId });
  const found = await bus.bySubjectFrom(stream.name, subject, 1, 1_000_000);
  return found.map(({ data }) => fromBinary(LogEntrySchema, data));
}
