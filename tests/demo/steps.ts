import assert from "node:assert/strict";
import { createPublicKey, type JsonWebKey, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import type { MessageAccepted } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { OfflineTaskSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { Redis } from "ioredis";
import jwt from "jsonwebtoken";
import { MongoClient } from "mongodb";
import type { Installation } from "../support/installation.ts";
import { reasonOf, rest, restOk } from "../support/rest.ts";
import type { TestSocket } from "../support/socket.ts";
import { TestUser, textTo } from "../support/user.ts";
import type { Collector } from "./collector.ts";
import type { Tap } from "./tap.ts";

/** Prints a step with what was seen of it. */
export type Show = (step: string, what: string, seen: string) => void;

/** What the steps work with. */
export interface Stage {
  readonly installation: Installation;
  readonly collector: Collector;
  readonly tap: Tap;
  readonly show: Show;
}

/** The people, the group and the sockets. */
export interface Cast {
  readonly a: TestUser;
  readonly b: TestUser;
  readonly c: TestUser;
  readonly groupId: string;
  readonly conversationId: string;
  readonly socketA: TestSocket;
  readonly socketB: TestSocket;
  readonly deviceToken: string;
}

interface Login {
  readonly user: { readonly userId: string };
  readonly tokens: { readonly accessToken: string };
}

/** Steps 1 to 4: A logs in. */
export async function login({ installation, show }: Stage): Promise<void> {
  const { at, mesh } = installation;
  const credentials = { username: `demo-${randomUUID().slice(0, 8)}`, password: "correct horse battery" };
  const device = { deviceId: randomUUID(), platform: "PLATFORM_WEB", name: "demo" };
  await restOk(at.edge, "POST", "/auth/register", { body: { ...credentials, device } });

  const answer = await rest(at.edge, "POST", "/auth/login", { body: { ...credentials, device } });
  assert.equal(answer.headers.get("server"), "envoy");
  const requestId = answer.headers.get("x-request-id") ?? "";
  show("1", "client A → Envoy: POST /auth/login", `answered by ${answer.headers.get("server")}, request ${requestId}`);

  const line = await untilLine(mesh.logs("auth-1"), (each) => each.requestId === requestId);
  show("2", "Envoy → auth", `auth logged ${line.rpc} for the same request`);

  const { tokens, user } = answer.body as Login;
  const { keys } = await restOk<{ keys: (JsonWebKey & { kid: string })[] }>(at.edge, "GET", "/.well-known/jwks.json");
  const header = jwt.decode(tokens.accessToken, { complete: true })?.header;
  const key = keys.find(({ kid }) => kid === header?.kid);
  assert.ok(key !== undefined, "the token is signed by a published key");
  const claims = jwt.verify(tokens.accessToken, createPublicKey({ key, format: "jwk" }), { algorithms: ["ES256"] });
  assert.ok(typeof claims === "object" && claims.sub === user.userId);
  show("3", "auth verifies and makes the tokens", `${header?.alg} by key ${header?.kid}, for user ${claims.sub}`);

  const me = await restOk<{ user: { username: string } }>(at.edge, "GET", "/users/me", { token: tokens.accessToken });
  assert.equal(me.user.username, credentials.username);
  show("4", "Envoy → A", `${answer.status}; the token opens GET /users/me`);
}

/** Steps 5 to 7: a group, and sockets on two gateways. */
export async function connect({ installation, show }: Stage): Promise<Cast> {
  const { at, mesh } = installation;
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => TestUser.register(at, name)));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const { groupId, conversationId } = await a.createGroup([b, c], "G");
  const deviceToken = `fcm-${randomUUID()}`;
  await c.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token: deviceToken });
  show("5", "A writes to group G", `${groupId}, members A, B and C`);

  const socketA = await a.connect();
  show("6", "A opens a WebSocket through Envoy", `connection ${socketA.hello.connectionId}`);
  const socketB = await b.connectElsewhere(socketA.hello.gatewayId);
  assert.equal(socketA.hello.gatewayId === socketB.hello.gatewayId, at.gateways === 1);

  const redis = new Redis(mesh.endpoints.infra.redis);
  const entries = await redis.hkeys(`presence:user:{${a.userId}}`);
  redis.disconnect();
  assert.deepEqual(entries, [socketA.hello.connectionId]);
  show(
    "7",
    "ws-gateway binds user A to the connection",
    `${socketA.hello.gatewayId} (B is on ${socketB.hello.gatewayId})`,
  );
  return { a, b, c, groupId, conversationId, socketA, socketB, deviceToken };
}

/** Steps 8 to 10: A's message is accepted. */
export async function send({ installation, collector, tap, show }: Stage, cast: Cast): Promise<MessageAccepted> {
  const { socketA, conversationId, groupId } = cast;
  const accepted = await socketA.ask(textTo(conversationId, "hello, G"), "messageAccepted");
  const uplink = await collector.until(({ name }) => name === "gateway.uplink");
  const inTrace = (service: string) =>
    collector.until((span) => span.traceId === uplink.traceId && span.service === `oceanchat-${service}`);
  const router = await inTrace("router");
  show("8", "ws-gateway → router", `${uplink.instance} → ${router.instance}, trace ${uplink.traceId}`);
  const message = await inTrace("message");
  show("9", "router → message", `${message.instance} in the same trace: ${message.name}`);

  const stranger = await TestUser.register(installation.at, "stranger");
  const refused = await stranger.send({ groupId }, "let me in");
  assert.equal(reasonOf(refused.body), "ERROR_REASON_NOT_A_MEMBER");
  const published = await tap.until(({ subject, data }) => {
    return subject.startsWith("log.") && fromBinary(LogEntrySchema, data).record?.recordId === accepted.recordId;
  });
  show(
    "10",
    "message checks permission, publishes once, acks A",
    `${published.subject}, seq ${accepted.seq}; a stranger got ${reasonOf(refused.body)}`,
  );
  return accepted;
}

/** Steps 11 to 15: B gets it, C is told, it is stored. */
export async function deliver({ installation, collector, tap, show }: Stage, cast: Cast, accepted: MessageAccepted) {
  const { a, b, c, socketA, socketB, conversationId, deviceToken } = cast;
  const { recordId } = accepted;
  const orchestrator = await collector.until(({ service }) => service === "oceanchat-orchestrator");
  const online = await tap.until(({ subject, data }) => {
    if (!subject.startsWith("push.online.")) return false;
    return fromBinary(OnlineTaskSchema, data).records.some((each) => each.record?.recordId === recordId);
  });
  const task = fromBinary(OnlineTaskSchema, online.data);
  assert.equal(task.gatewayId, socketB.hello.gatewayId);
  show("11", "orchestrator asks presence", `${orchestrator.instance}: B is on ${task.gatewayId}, C is nowhere`);

  const offline = await tap.until(({ subject, data }) => {
    return (
      subject.startsWith("push.offline.user.") && fromBinary(OfflineTaskSchema, data).record?.recordId === recordId
    );
  });
  assert.equal(fromBinary(OfflineTaskSchema, offline.data).userId, c.userId);
  show("12", "orchestrator → PUSH_ONLINE for B, PUSH_OFFLINE for C", `${online.subject} and ${offline.subject}`);

  const received = await socketB.untilRecord((record) => record.recordId === recordId);
  assert.equal(socketA.hello.gatewayId === socketB.hello.gatewayId, installation.at.gateways === 1);
  show("13", "pusher-realtime → ws-gateway → B", `B received seq ${received.seq} on ${socketB.hello.gatewayId}`);

  const push = await installation.fcm.untilRequest(({ token }) => token === deviceToken);
  assert.equal(push.status, 200);
  show("14", "pusher-offline → FCM for C", `one request for C's device, answered ${push.status}`);

  const mongo = await MongoClient.connect(installation.mesh.endpoints.infra.mongodb);
  const stored = await until(() => mongo.db("oceanchat").collection("records").findOne({ recordId }));
  await mongo.close();
  const records = await b.records(conversationId);
  assert.ok(records.some((record) => record.recordId === recordId));
  show(
    "15",
    "persistence-writer → MongoDB, and query reads it back",
    `seq ${stored.seq} in the store and in GET records`,
  );
  assert.equal((await a.records(conversationId)).length, records.length);
}

type LogLine = Readonly<Record<string, unknown>>;

function untilLine(file: string, accepts: (line: LogLine) => boolean): Promise<LogLine> {
  return until(async () => {
    const lines = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line) as LogLine).find(accepts);
  });
}

async function until<T>(look: () => Promise<T | null | undefined>, timeoutMs = 20_000): Promise<T> {
  const began = Date.now();
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined) return found;
    if (Date.now() - began > timeoutMs) throw new Error("it never came");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
