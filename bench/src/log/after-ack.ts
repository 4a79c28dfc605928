import { parseArgs } from "node:util";
import { toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import { implement } from "@oceanchat/runtime/handlers";
import { streamOf } from "@oceanchat/runtime/streams";
import { startService, testHost } from "@oceanchat/runtime/testing";
import { logBacklog } from "../backlog.ts";
import { type ProcessRef, sampleUsage, usageBetween } from "../usage.ts";
import { childProcesses } from "./child-processes.ts";
import { textOf as wordsOf } from "./search-store.ts";
import { startServiceProcess } from "./service-process.ts";
import { textEntry, textOf, uuid } from "./text-records.ts";

/*
 * What a message costs after its ack, process by process: records are published at a constant rate, and the services that read the
 * log do their work. The way to the gateways ends in this process, which stands in for two of them. Prints one line of JSON.
 */

const { values } = parseArgs({
  options: {
    perSecond: { type: "string", default: "200" },
    seconds: { type: "string", default: "8" },
    conversations: { type: "string", default: "50" },
    /** `lorem`: the same few words always; `words`: a dozen, as frequent as in a language. */
    text: { type: "string", default: "lorem" },
    /** Which of delivery, store and search. */
    parts: { type: "string", default: "delivery,store,search" },
  },
});
const perSecond = Number(values.perSecond);
const conversations = Number(values.conversations);
const seconds = Number(values.seconds);
const said = (n: number) => (values.text === "words" ? wordsOf(n) : textOf(n, 100));
const parts = new Set(values.parts.split(","));
const WARM_UP_SECONDS = 3;
const TURN_MS = 2;

const servers = await startServers({ nats: true, valkey: true, mongo: parts.has("store") });
const host = testHost("bench");
const ends: (() => Promise<void>)[] = [];
const named: ProcessRef[] = [];

async function start(
  name: "presence" | "orchestrator" | "pusher-realtime" | "persistence-writer",
  env: { [key: string]: string },
) {
  const running = await startServiceProcess(name, servers, env);
  named.push({ name, pid: running.pid });
  ends.push(() => running.end());
  return running;
}

let packets = 0;
let bytes = 0;
let written = 0;

async function startDelivery(): Promise<void> {
  const presence = await start("presence", {
    OCEANCHAT_AUTH_ADDRESSES: "127.0.0.1:1",
    OCEANCHAT_USER_ADDRESSES: "127.0.0.1:1",
  });
  const deliveries = implement(GatewayMeshService, {
    deliver: async ({ connectionIds, payload }) => {
      packets++;
      written += connectionIds.length;
      bytes += payload.length;
      return {};
    },
  });
  const gateways = await Promise.all(
    [1, 2].map(() => startService("ws-gateway", async (gateway) => void (await gateway.serve({ mesh: [deliveries] })))),
  );
  ends.push(async () => void (await Promise.all(gateways.map((gateway) => gateway.host.stop()))));
  const reports = await host.calls(PresenceMeshService.method.report, parseAddresses(`127.0.0.1:${presence.meshPort}`));
  const lease = () =>
    Promise.all(
      gateways.map(({ served }, n) =>
        reports.call({
          gatewayId: `gw${n}`,
          event: { case: "lease", value: { address: `127.0.0.1:${served.meshPort}` } },
        }),
      ),
    );
  await lease();
  const timer = setInterval(() => void lease(), 5000);
  ends.push(async () => clearInterval(timer));
  for (let n = 1; n <= 4 * conversations; n++) {
    const gatewayId = `gw${n % 2}`;
    const userId = uuid(n);
    await reports.call({
      gatewayId,
      event: {
        case: "connected",
        value: {
          connectionId: `c_${Buffer.from(String(n).padStart(16, "x")).toString("base64url")}`,
          gatewayId,
          userId,
          sessionId: userId,
          deviceId: n % 4 === 1 ? "laptop" : "phone",
          platform: "PLATFORM_WEB",
          codec: Codec.BINARY,
          connectedTime: timestampFromMs(1),
        },
      },
    });
  }
  const at = { OCEANCHAT_PRESENCE_ADDRESSES: `127.0.0.1:${presence.meshPort}` };
  await start("orchestrator", { ...at, OCEANCHAT_GROUP_ADDRESSES: "127.0.0.1:1" });
  await start("pusher-realtime", at);
}

try {
  const bus = await host.bus(servers.natsUrl);
  await bus.ensureStream(LogEntrySchema);
  if (parts.has("delivery")) await startDelivery();
  if (parts.has("store"))
    await start("persistence-writer", { OCEANCHAT_SEARCH_INDEX: parts.has("search") ? "on" : "off" });
  const stream = streamOf(LogEntrySchema);
  let sent = 0;
  let failed = 0;
  const publish = (n: number) => {
    const entry = textEntry(n, 2 * (n % conversations), Math.floor(n / conversations) + 1, said(n));
    const id = entry.record?.conversationId ?? "";
    bus
      .publish(stream.subjectOf("conversation", { id }), toBinary(LogEntrySchema, entry), {
        expectStream: stream.name,
        messageId: `bench:${n}`,
      })
      .catch(() => failed++);
  };
  const pace = async (during: number) => {
    const [begin, first] = [performance.now(), sent];
    for (;;) {
      const elapsed = (performance.now() - begin) / 1000;
      if (elapsed >= during) return;
      while (sent - first < elapsed * perSecond) publish(sent++);
      await new Promise((resolve) => setTimeout(resolve, TURN_MS));
    }
  };
  await pace(WARM_UP_SECONDS);
  const others = (await childProcesses()).filter(({ pid }) => !named.some((each) => each.pid === pid));
  const refs = [...others, ...named];
  const before = await sampleUsage(refs);
  const [firstSent, firstPackets, firstWritten] = [sent, packets, written];
  await pace(seconds);
  const records = sent - firstSent;
  const usage = usageBetween(before, await sampleUsage(refs));
  const cpuMicros = Object.fromEntries(
    usage.processes.map(({ name, cpuSeconds }) => [name, Math.round((cpuSeconds / records) * 1e6)]),
  );
  const behind = await logBacklog(servers.natsUrl);
  const result = {
    bench: "after-ack",
    perSecond,
    parts: [...parts],
    records,
    failed,
    packets: packets - firstPackets,
    written: written - firstWritten,
    cpuMicros,
    total: Object.values(cpuMicros).reduce((sum, each) => sum + each, 0),
    otherCpus: Number((usage.otherCpuSeconds / usage.seconds).toFixed(2)),
    behind,
    bytes,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  for (const end of ends.reverse()) await end();
  await host.stop();
  await servers.stop();
}
