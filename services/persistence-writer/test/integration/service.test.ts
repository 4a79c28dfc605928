import assert from "node:assert/strict";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PersistenceMeshService } from "@oceanchat/gen/oceanchat/persistence/v1/persistence_mesh_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Peers } from "@oceanchat/runtime/peers";
import { type RunningService, refused, silentLog, startService } from "@oceanchat/runtime/testing";
import { writableEntry } from "../../src/core/entry.ts";
import { createWriterCore } from "../../src/core.ts";
import { start } from "../../src/main.ts";
import { openStore } from "../../src/store.ts";
import { entry, GROUP, T0 } from "../support/entries.ts";
import { noTail } from "../support/memory-store.ts";

const DAY_MS = 86_400_000;

describe("PersistenceMeshService.ArchiveRecords", () => {
  let servers: TestServers;
  let writer: RunningService;
  let peers: Peers<typeof PersistenceMeshService>;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true, valkey: true });
    const env = {
      OCEANCHAT_NATS_URL: servers.natsUrl,
      OCEANCHAT_MONGODB_URL: servers.mongodbUrl,
      OCEANCHAT_REDIS_URL: servers.redisUrl,
    };
    writer = await startService("persistence-writer", start, env);
    peers = await writer.host.peers(PersistenceMeshService, writer.mesh, { timeoutMs: 30_000 });
    const store = await openStore({ url: servers.mongodbUrl, database: "oceanchat", name: "test", log: silentLog });
    const batch = Array.from({ length: 150 }, (_, index) => {
      const made = entry(index + 1, index + 1, { conversationId: GROUP });
      return writableEntry(made, { streamSequence: BigInt(index + 1), messageId: undefined });
    });
    await createWriterCore(store, noTail).write(batch);
    await store.close();
  });
  after(async () => {
    await writer?.host.stop();
    await servers?.stop();
  });

  it("refuses to move what may be needed to recognise repeats", async () => {
    await refused(peers.call.archiveRecords({ olderThan: durationFromMs(8 * DAY_MS - 1) }), "INVALID_FIELD");
  });

  it("moves what is older than asked, and says how much", async () => {
    const olderThan = durationFromMs(Math.max(8 * DAY_MS, Date.now() - T0 - DAY_MS));
    const young = await peers.call.archiveRecords({ olderThan: durationFromMs(Date.now() - T0 + DAY_MS) });
    assert.deepEqual([young.conversations, young.blocks, young.hasMore], [1, 0, false]);
    const { conversations, blocks, records, bytesBefore, bytesAfter, hasMore } = await peers.call.archiveRecords({
      olderThan,
      conversationId: GROUP,
    });
    assert.deepEqual([conversations, blocks, records, hasMore], [1, 1, 150n, false]);
    assert.ok(bytesAfter > 0n && bytesAfter * 3n < bytesBefore, `${bytesAfter} of ${bytesBefore}`);
    const again = await peers.call.archiveRecords({ olderThan });
    assert.equal(again.blocks, 0);
  });
});
