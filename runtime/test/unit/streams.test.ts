import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { Retention } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { streamOf } from "@oceanchat/runtime/streams";
import { declareStream } from "../support/declared-stream.ts";

const entry = declareStream({
  name: "LOG",
  subjects: [
    { name: "room", pattern: "log.{partition}.r.{id}" },
    { name: "send", pattern: "log.send.{provider}" },
  ],
  partitions: 64,
  retention: Retention.LIMITS,
});

describe("streamOf", () => {
  const log = streamOf(entry);

  it("fills a subject and computes the partition from the id", () => {
    const id = "0198c9a0-0000-7000-8000-000000000001";
    assert.equal(log.partitionOf(id), crc32(id) % 64);
    assert.equal(log.subjectOf("room", { id }), `log.${crc32(id) % 64}.r.${id}`);
    assert.equal(log.subjectOf("send", { provider: "fcm" }), "log.send.fcm");
  });

  it("spreads ids over all partitions", () => {
    const seen = new Set(Array.from({ length: 2000 }, (_, index) => log.partitionOf(`id-${index}`)));
    assert.equal(seen.size, 64);
  });

  for (const id of ["", "a.b", "a*", ">", "a b", "a\tb", "a\r\nSUB x 1", "ä", "x".repeat(257)]) {
    it(`refuses the token ${JSON.stringify(id.slice(0, 20))}`, () => {
      assert.throws(() => log.subjectOf("room", { id }), TypeError);
      assert.throws(() => log.subjectOf("send", { provider: id }), TypeError);
    });
  }

  it("refuses a missing token and an unknown name", () => {
    assert.throws(() => log.subjectOf("room", {}), /token id/);
    assert.throws(() => log.subjectOf("rooms", { id: "a" }), /no subject named rooms/);
    assert.throws(() => log.subjectOf("toString", { id: "a" }), /no subject named toString/);
  });

  it("makes filters and the stream's subjects", () => {
    assert.deepEqual(log.subjects(), ["log.*.r.*", "log.send.*"]);
    assert.equal(log.filterOf("room", { partition: "3" }), "log.3.r.*");
  });

  it("reads a subject back", () => {
    assert.deepEqual(log.parse("log.3.r.abc"), { name: "room", tokens: { partition: "3", id: "abc" } });
    assert.deepEqual(log.parse("log.send.fcm"), { name: "send", tokens: { provider: "fcm" } });
    assert.equal(log.parse("log.3.x.abc"), undefined);
    assert.equal(log.parse("log.3.r.abc.d"), undefined);
  });

  it("refuses a declaration that says too little", () => {
    assert.throws(
      () => streamOf(declareStream({ name: "X", subjects: [{ name: "a", pattern: "x.{id}" }] })),
      /retention/,
    );
    const retention = Retention.LIMITS;
    assert.throws(() => streamOf(declareStream({ name: "X", retention })), /a subject/);
    const unclear = declareStream({ name: "X", retention, subjects: [{ name: "a", pattern: "x.{id}y" }] });
    assert.throws(() => streamOf(unclear), /bad subject pattern/);
    const noPartitions = streamOf(
      declareStream({ name: "X", retention, subjects: [{ name: "a", pattern: "{partition}" }] }),
    );
    assert.throws(() => noPartitions.subjectOf("a", { id: "b" }), /no partitions/);
  });
});
