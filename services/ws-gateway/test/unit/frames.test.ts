import assert from "node:assert/strict";
import { emptyFrame, frame, Outgoing } from "../../src/core/frames.ts";
import { FrameReader, FrameTooLarge } from "../../src/core/tcp-frames.ts";

const payload = (length: number) => Buffer.alloc(length, 7);

describe("frame", () => {
  for (const [length, header] of [
    [0, "8200"],
    [1, "8201"],
    [125, "827d"],
    [126, "827e007e"],
    [65_535, "827effff"],
    [65_536, "827f0000000000010000"],
  ] as const) {
    it(`writes a WebSocket header for ${length} bytes`, () => {
      const bytes = frame("binary message", payload(length));
      assert.equal(bytes.subarray(0, header.length / 2).toString("hex"), header);
      assert.deepEqual(bytes.subarray(header.length / 2), payload(length));
    });
  }

  it("writes text frames and length prefixes", () => {
    assert.equal(frame("text message", payload(2)).toString("hex"), "81020707");
    assert.equal(frame("length prefix", payload(2)).toString("hex"), "000000020707");
    assert.equal(frame("length prefix", payload(70_000)).readUInt32BE(0), 70_000);
  });

  it("answers heartbeats with empty frames", () => {
    assert.deepEqual(
      Object.values(emptyFrame).map((bytes) => bytes.toString("hex")),
      ["8200", "8100", "00000000"],
    );
  });
});

describe("Outgoing", () => {
  it("frames a payload once per kind of transport", () => {
    const outgoing = new Outgoing(payload(10));
    assert.equal(outgoing.frame("binary message"), outgoing.frame("binary message"));
    assert.equal(outgoing.frame("length prefix").readUInt32BE(0), 10);
  });
});

describe("FrameReader", () => {
  const collect = (maxBytes = 1_000) => {
    const frames: string[] = [];
    return { frames, reader: new FrameReader(maxBytes, (bytes) => frames.push(bytes.toString())) };
  };
  const texts = ["", "a", "", "hello", "x".repeat(999), "", "y".repeat(1_000)];
  const stream = Buffer.concat(texts.map((text) => frame("length prefix", Buffer.from(text))));

  for (const size of [1, 2, 3, 4, 5, 7, 1_000, 10_000]) {
    it(`reads frames from chunks of ${size} bytes`, () => {
      const { frames, reader } = collect();
      for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size));
      assert.deepEqual(frames, texts);
    });
  }

  it("refuses a frame that is too large as soon as its length is known", () => {
    const { frames, reader } = collect(10);
    assert.throws(
      () => reader.push(Buffer.concat([frame("length prefix", Buffer.from("ok")), Buffer.of(0, 0, 0, 11)])),
      FrameTooLarge,
    );
    assert.deepEqual(frames, ["ok"]);
    assert.throws(() => collect(10).reader.push(Buffer.of(0xff, 0xff, 0xff, 0xff)), FrameTooLarge);
  });

  it("takes another limit from the next frame on", () => {
    const { reader } = collect(2);
    const seen: number[] = [];
    const changing = new FrameReader(2, (bytes) => {
      seen.push(bytes.length);
      changing.maxBytes = 100;
    });
    changing.push(Buffer.concat([frame("length prefix", payload(2)), frame("length prefix", payload(50))]));
    assert.deepEqual(seen, [2, 50]);
    assert.throws(() => reader.push(frame("length prefix", payload(50))), FrameTooLarge);
  });

  it("doesn't allocate what was only announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 200 }, () => collect(1 << 20).reader);
    for (const reader of readers) reader.push(Buffer.of(0, 0x10, 0, 0, 1));
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 * 1024 * 1024);
    assert.equal(readers.length, 200);
  });
});
