import assert from "node:assert/strict";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, Published, PublishOptions } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { bytesText, failureOf, freezeNats, openBus, roomStream, textBytes } from "../support/bus.ts";

const BATCH_HEADER = "Nats-Batch-Id";

describe("bus: publishes in batches", () => {
  let servers: TestServers;
  let bus: Bus;
  const desc = roomStream("BATCH", { maxBytes: 0n });
  const stream = streamOf(desc);
  const subjectOf = (id: string) => stream.subjectOf("room", { id });
  const publish = (id: string, more: Partial<PublishOptions> = {}): Promise<Published> =>
    bus.publish(subjectOf(id), textBytes(id), { expectStream: "BATCH", expectLastSubjectSequence: 0, ...more });
  const rooms = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}-${n}`);

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, natsSyncInterval: "always" });
    bus = await openBus(servers.natsUrl, { batch: 32 });
    await bus.ensureStream(desc);
  });

  after(async () => {
    await bus.close();
    await servers.stop();
  });

  /** Those that lie in the stream as part of a batch, and what stands at each sequence. */
  async function stored(published: readonly Published[]) {
    const nc = await connect({ servers: servers.natsUrl });
    const manager = await jetstreamManager(nc);
    const found = await Promise.all(
      published.map(async ({ sequence }) => manager.streams.getMessage("BATCH", { seq: sequence })),
    );
    await nc.close();
    return {
      texts: found.map((message) => bytesText(message?.data ?? new Uint8Array())),
      batches: new Set(found.flatMap((message) => message?.header.get(BATCH_HEADER) || [])).size,
    };
  }

  it("puts what waits in batches, and tells each its own sequence", async () => {
    const ids = rooms("many", 100);
    const published = await Promise.all(ids.map((id) => publish(id)));
    const { texts, batches } = await stored(published);
    assert.deepEqual(texts, ids);
    assert.equal(batches, 3);
    assert.equal(new Set(published.map(({ sequence }) => sequence)).size, 100);
  });

  it("doesn't put few together", async () => {
    const ids = rooms("few", 11);
    const published = await Promise.all(ids.map((id) => publish(id)));
    assert.deepEqual(await stored(published), { texts: ids, batches: 0 });
  });

  it("lets each learn its own answer when the batch is refused: a repeat, somebody who came first, the others", async () => {
    const known = await publish("mixed-3", { messageId: "alice:1" });
    await publish("mixed-7");
    const ids = rooms("mixed", 20);
    const results = ids.map((id, n) =>
      publish(id, n === 3 ? { messageId: "alice:1", expectLastSubjectSequence: known.sequence } : {}),
    );
    assert.equal(await failureOf(results[7] ?? Promise.reject(new RangeError())), "conflict");
    assert.deepEqual(await results[3], { sequence: known.sequence, duplicate: true });
    const others = await Promise.all(results.filter((_, n) => n !== 3 && n !== 7));
    const { texts } = await stored(others);
    assert.deepEqual(
      texts,
      ids.filter((_, n) => n !== 3 && n !== 7),
    );
  });

  it("answers a repeat of what was stored in a batch with its sequence", async () => {
    const ids = rooms("repeat", 20);
    const once = () => Promise.all(ids.map((id) => publish(id, { messageId: `bob:${id}` })));
    const first = await once();
    const head = (n: number) => ({ messageId: `bob:${ids[n]}`, expectLastSubjectSequence: first[n]?.sequence ?? -1 });
    assert.equal((await stored(first)).batches, 1);
    const again = await Promise.all(ids.map((id, n) => publish(id, head(n))));
    assert.deepEqual(
      again,
      first.map(({ sequence }) => ({ sequence, duplicate: true })),
    );
  });

  it("stores two of a subject and two of an id one after the other", async () => {
    const ids = rooms("twice", 14);
    const first = ids.map((id) => publish(id, { messageId: `carol:${id}` }));
    const repeat = failureOf(publish("twice-0", { messageId: "carol:other" }));
    const results = await Promise.all(first);
    assert.equal(await repeat, "conflict");
    assert.deepEqual(await stored(results), { texts: ids, batches: 1 });
  });

  it("refuses a header that can't be sent without holding up others", async () => {
    const bad = failureOf(publish("header-x", { messageId: "with space" }));
    const ids = rooms("header", 12);
    const { batches } = await stored(await Promise.all(ids.map((id) => publish(id))));
    assert.equal(await bad, "refused");
    assert.equal(batches, 1);
  });

  it("doesn't know what became of a batch whose answer is lost", async () => {
    const ids = rooms("lost", 20);
    await freezeNats(servers, bus);
    const failures = ids.map((id) => failureOf(publish(id, { timeoutMs: 300 })));
    assert.deepEqual(new Set(await Promise.all(failures)), new Set(["unknown"]));
    await servers.kill("nats", "SIGCONT");
  });
});
