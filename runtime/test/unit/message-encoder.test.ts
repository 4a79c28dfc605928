import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { MessageEncoder } from "@oceanchat/runtime/message-encoder";
import { EchoItemSchema } from "../support/echo_pb.ts";

/** Every message of the contracts. */
function contracts(): DescMessage[] {
  const bytes = readFileSync(new URL("../../../gen/descriptors.binpb", import.meta.url));
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  return [...registry].flatMap((desc) =>
    desc.kind === "message" && desc.typeName.startsWith("oceanchat.") ? desc : [],
  );
}

/** The same numbers below `n` each time. */
function numbers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % n;
  };
}

const TEXTS = ["", "a", "x".repeat(36), "ä€😀".repeat(20), "y".repeat(40_000)];

function scalar(type: ScalarType, pick: (n: number) => number): unknown {
  switch (type) {
    case ScalarType.STRING:
      return TEXTS[pick(TEXTS.length)];
    case ScalarType.BYTES:
      return new Uint8Array(pick(200)).fill(7);
    case ScalarType.BOOL:
      return pick(2) === 1;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return pick(100) - 50;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return [0n, 1n, -1n, 2n ** 62n, -(2n ** 63n)][pick(5)];
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return [0n, 1n, 127n, 128n, 2n ** 64n - 1n][pick(5)];
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return [0, 1, 128, 2 ** 32 - 1][pick(4)];
    default:
      return [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)][pick(5)];
  }
}

function value(field: DescField, depth: number, pick: (n: number) => number): unknown {
  if (field.message !== undefined) return some(field.message, depth + 1, pick);
  return field.enum === undefined ? scalar(field.scalar ?? ScalarType.STRING, pick) : pick(3);
}

/** Some message of that type. */
function some(desc: DescMessage, depth: number, pick: (n: number) => number): Message {
  const fields: Record<string, unknown> = {};
  for (const field of desc.fields) {
    if (pick(3) === 0 || (depth > 3 && field.message !== undefined)) continue;
    if (field.fieldKind === "list") {
      fields[field.localName] = Array.from({ length: pick(4) }, () => value(field, depth, pick));
    } else if (field.fieldKind === "map") {
      fields[field.localName] = field.mapKey === ScalarType.STRING ? { key: value(field, depth, pick) } : {};
    } else if (field.oneof !== undefined) {
      fields[field.oneof.localName] = { case: field.localName, value: value(field, depth, pick) };
    } else {
      fields[field.localName] = value(field, depth, pick);
    }
  }
  return create(desc, fields);
}

describe("MessageEncoder", () => {
  it("writes every message of the contracts as toBinary does", () => {
    const encoder = new MessageEncoder();
    const pick = numbers(1);
    const all = contracts();
    assert.ok(all.length > 100);
    for (let round = 0; round < 20; round++) {
      for (const desc of all) {
        const message = some(desc, 0, pick);
        assert.deepEqual(encoder.encode(desc, message), toBinary(desc, message), desc.typeName);
      }
    }
  });

  it("keeps what it doesn't know", () => {
    const item = create(EchoItemSchema, { ref: 1n });
    const bytes = Buffer.concat([toBinary(EchoItemSchema, item), Buffer.from([0xf8, 0x3f, 0x05])]);
    assert.deepEqual(
      Buffer.from(new MessageEncoder().encode(EchoItemSchema, fromBinary(EchoItemSchema, bytes))),
      bytes,
    );
  });

  it("gives bytes that stay as they are, also behind a large message", () => {
    const encoder = new MessageEncoder();
    const encode = (length: number, fill: number) =>
      encoder.encode(EchoItemSchema, create(EchoItemSchema, { payload: new Uint8Array(length).fill(fill) }));
    const [first, large, last] = [encode(50, 1), encode(1_000_000, 2), encode(50, 3)];
    assert.deepEqual(
      [first, large, last].map((bytes) =>
        fromBinary(EchoItemSchema, bytes).payload.every((byte) => byte === bytes.at(-1)),
      ),
      [true, true, true],
    );
    assert.deepEqual([first.at(-1), large.at(-1), last.at(-1)], [1, 2, 3]);
  });

  it("goes on after a message that can't be encoded", () => {
    const encoder = new MessageEncoder();
    const bad = create(EchoItemSchema, { payload: new Uint8Array(9), ref: 2n ** 65n });
    assert.throws(() => encoder.encode(EchoItemSchema, bad));
    assert.throws(() => encoder.encode(EchoItemSchema, create(FileDescriptorSetSchema)), /is no/);
    const good = create(EchoItemSchema, { ref: 1n });
    assert.deepEqual(encoder.encode(EchoItemSchema, good), toBinary(EchoItemSchema, good));
  });
});
