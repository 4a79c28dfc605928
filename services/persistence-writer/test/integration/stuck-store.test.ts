import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { pino } from "pino";
import { writableEntry } from "../../src/core/entry.ts";
import { createWriterCore } from "../../src/core.ts";
import { openStore } from "../../src/store.ts";
import { entry } from "../support/entries.ts";
import { noTail } from "../support/memory-store.ts";

describe("MongoStore and a server that takes nothing", () => {
  let servers: TestServers;
  const taken = new Set<Socket>();
  const relay = createServer((client) => {
    const { hostname, port } = new URL(servers.mongodbUrl);
    const server = connect(Number(port), hostname);
    for (const socket of [client, server]) taken.add(socket.on("error", () => socket.destroy()));
    client.pipe(server).pipe(client);
  });

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
  });

  after(async () => {
    for (const socket of taken) socket.destroy();
    relay.close();
    await servers?.stop();
  });

  it("gives an operation up that can't even be written", async function () {
    this.timeout(60_000);
    const at = relay.address();
    assert.ok(at !== null && typeof at === "object");
    const { host } = new URL(servers.mongodbUrl);
    const url = servers.mongodbUrl.replace(host, `127.0.0.1:${at.port}`);
    const log = pino({ level: "silent" });
    const store = await openStore({ url, database: "stuck", name: "test", log, silenceMs: 1000 }, 2000);
    try {
      for (const socket of taken) socket.unpipe().pause();
      const text = "x".repeat(50_000);
      const body = { case: "message", value: { content: { kind: { case: "text", value: { text } } } } } as const;
      const batch = Array.from({ length: 200 }, (_, n) =>
        writableEntry(entry(n + 1, n + 1, { body }), { streamSequence: BigInt(n + 1), messageId: undefined }),
      );
      await assert.rejects(createWriterCore(store, noTail).write(batch));
    } finally {
      await store.close();
    }
  });
});
