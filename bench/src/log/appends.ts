import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { toBinary } from "@bufbuild/protobuf";
import { jetstream } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { GroupMeshService, SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { DirectVerdict, UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { implement } from "@oceanchat/runtime/handlers";
import type { RunningHost } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { openTestDoor, testHost } from "@oceanchat/runtime/testing";
import { createTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { closedLoop, type LoopResult } from "./closed-loop.ts";
import { startServiceProcess } from "./service-process.ts";
import { logIdOf, textEntry, textOf, uuid, writerOf } from "./text-records.ts";

/*
 * How many messages per second one message process appends, over 1, 32 and 256 conversations with one in flight each, beside what
 * the same stream takes of records of the same size with the same headers (message id, expected last sequence of the subject,
 * expected stream): published with NATS' own client, and with the runtime's bus. Message is driven as a router drives it, through
 * Dispatch on its mesh door; this process stands in for auth, group and user, too, which allow everything. Prints one line of JSON.
 */

/** Each has conversations of its own, so that nobody is in another's way. */
const WAYS = ["jsPublish", "message", "busPublish"] as const;
type Way = (typeof WAYS)[number];

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    warmUp: { type: "string", default: "1" },
    runs: { type: "string", default: "3" },
    conversations: { type: "string", default: "1,32,256" },
    textBytes: { type: "string", default: "100" },
    /** Which of them take turns; message alone for a profile. */
    ways: { type: "string", default: WAYS.join() },
  },
});
const time = { seconds: Number(values.seconds), warmUp: Number(values.warmUp) };
const runs = Number(values.runs);
const counts = values.conversations.split(",").map(Number);
const textBytes = Number(values.textBytes);
const ways = WAYS.filter((way) => values.ways.split(",").includes(way));

/** How long each way runs before anything is measured. */
const START_SECONDS = 5;

type Send = (conversation: number) => Promise<void>;

const stream = streamOf(LogEntrySchema);
let serial = 0;

/** What the bare ways publish: the next record of a conversation, all but its bytes made anew each time. */
function bareRecords(way: Way) {
  const places = new Map<number, number>();
  const ready = new Map<number, { subject: string; data: Uint8Array }>();
  return {
    next(conversation: number) {
      const known = ready.get(conversation) ?? {
        subject: stream.subjectOf("conversation", { id: logIdOf(numberOf(way, conversation)) }),
        data: toBinary(LogEntrySchema, textEntry(1_000_000, numberOf(way, conversation), 1_000, textOf(1, textBytes))),
      };
      ready.set(conversation, known);
      const messageId = `${writerOf(numberOf(way, conversation))}:${uuid(serial++)}`;
      return { ...known, messageId, expected: places.get(conversation) ?? 0 };
    },
    stored: (conversation: number, sequence: number) => void places.set(conversation, sequence),
  };
}

const numberOf = (way: Way, conversation: number) => conversation + 1_000 * WAYS.indexOf(way);

function jsPublish(nc: NatsConnection): Send {
  const js = jetstream(nc);
  const records = bareRecords("jsPublish");
  return async (conversation) => {
    const { subject, data, messageId, expected } = records.next(conversation);
    const expect = { lastSubjectSequence: expected, streamName: stream.name };
    const { seq } = await js.publish(subject, data, { msgID: messageId, expect });
    records.stored(conversation, seq);
  };
}

function busPublish(bus: Bus): Send {
  const records = bareRecords("busPublish");
  return async (conversation) => {
    const { subject, data, messageId, expected } = records.next(conversation);
    const options = { messageId, expectLastSubjectSequence: expected, expectStream: stream.name };
    const { sequence } = await bus.publish(subject, data, options);
    records.stored(conversation, sequence);
  };
}

/** Sends to message as a router does. */
async function dispatch(host: RunningHost, port: number): Promise<Send> {
  const addresses = parseAddresses(`127.0.0.1:${port}`);
  const { call } = await host.calls(MessageMeshService.method.dispatch, addresses, { timeoutMs: 10_000 });
  return async (conversation) => {
    const number = numberOf("message", conversation);
    const sender = { userId: writerOf(number), sessionId: "session", deviceId: "laptop" };
    const n = serial++;
    const text = { case: "text", value: { text: textOf(n, textBytes) } } as const;
    const target = { case: "conversationId", value: logIdOf(number) } as const;
    const value = { target, clientMessageId: uuid(n), content: { kind: text }, attempt: 1 };
    const { result } = await call({ sender, command: { case: "sendMessage", value } });
    if (result.case !== "accepted" || result.value.duplicate) throw new Error(`answered with ${result.case}`);
  };
}

/** Auth, group and user, who allow everything. */
function openPeers() {
  const group = implement(GroupMeshService, {
    checkSend: () => ({ verdict: SendVerdict.ALLOWED, role: GroupRole.MEMBER }),
  });
  const user = implement(UserMeshService, { checkDirects: () => ({ verdict: DirectVerdict.ALLOWED }) });
  return openTestDoor([createTestIssuer().auth, group, user]);
}

/** The figures of one way over all runs. */
function summary(results: readonly LoopResult[]) {
  return {
    perSecond: results.map(({ perSecond }) => perSecond),
    p50Ms: results.map(({ p50Ms }) => p50Ms),
    p99Ms: results.map(({ p99Ms }) => p99Ms),
    failed: results.map(({ failed }) => failed),
    cpuMicros: results.map(({ cpuMicros }) => cpuMicros),
    otherCpus: results.map(({ otherCpus }) => otherCpus),
  };
}

async function measureAll(sends: Readonly<Record<Way, Send>>) {
  // What each of them runs is compiled when it is measured: services run for days.
  for (const way of ways) await closedLoop(Math.max(...counts), { warmUp: 0, seconds: START_SECONDS }, sends[way]);
  const figures: Record<string, Record<string, unknown>> = {};
  for (const count of counts) {
    const results: Record<Way, LoopResult[]> = { jsPublish: [], message: [], busPublish: [] };
    for (let run = 0; run < runs; run++) {
      for (const way of ways) results[way].push(await closedLoop(count, time, sends[way]));
    }
    figures[count] = Object.fromEntries(ways.map((way) => [way, summary(results[way])]));
  }
  return figures;
}

const servers = await startServers({ nats: true, mongo: true });
const host = testHost("bench");
const peers = await openPeers();
try {
  const bus = await host.bus(servers.natsUrl);
  await bus.ensureStream(LogEntrySchema);
  const nc = await connect({ servers: servers.natsUrl });
  const at = `127.0.0.1:${peers.port}`;
  const addresses = { OCEANCHAT_AUTH_ADDRESSES: at, OCEANCHAT_GROUP_ADDRESSES: at, OCEANCHAT_USER_ADDRESSES: at };
  const message = await startServiceProcess("message", servers, addresses);
  try {
    const throughMessage = await dispatch(host, message.meshPort);
    const load = loadavg()[0];
    const sends = { jsPublish: jsPublish(nc), message: throughMessage, busPublish: busPublish(bus) };
    const conversations = await measureAll(sends);
    const store = process.env.OCEANCHAT_STORE ?? "embedded";
    const sizes = { runs, ...time, textBytes };
    process.stdout.write(`${JSON.stringify({ bench: "appends", store, ...sizes, load, conversations })}\n`);
  } finally {
    await message.end();
    await nc.close();
  }
} finally {
  await host.stop();
  await peers.close(0);
  await servers.stop();
}
