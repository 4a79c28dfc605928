import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { Health } from "@oceanchat/gen/grpc/health/v1/health_pb";
import { BatchEncoder, type BatchItem, batchShape, decodeBatch } from "@oceanchat/runtime/batch";
import { EchoItemSchema, EchoService, ExchangeRequestSchema } from "../support/echo_pb.ts";

const MAX_BYTES = 10_000;
const item = (ref: number, bytes: number) =>
  create(EchoItemSchema, { ref: BigInt(ref), payload: new Uint8Array(bytes) });
const refs = (messages: Buffer[]) =>
  messages.map((m) => decodeBatch(ExchangeRequestSchema, m).map((i) => Number(i.ref)));

/** Fails the test when an item is refused. */
const refuseNone = (_item: BatchItem, cause: unknown) => assert.fail(String(cause));

describe("batchShape", () => {
  it("finds the items of a batched method", () => {
    const shape = batchShape(EchoService.method.exchange);
    assert.equal(shape.inputItem.typeName, "oceanchat.echo.v1.EchoItem");
    assert.equal(shape.outputItem.typeName, "oceanchat.echo.v1.EchoAnswer");
  });

  it("refuses a method that does not keep the convention", () => {
    assert.throws(() => batchShape(Health.method.watch), /no repeated message field items/);
  });
});

describe("BatchEncoder", () => {
  it("puts a batch into one message", () => {
    const encoder = new BatchEncoder(ExchangeRequestSchema, MAX_BYTES);
    assert.deepEqual(refs(encoder.encode([item(1, 10), item(2, 10)], refuseNone)), [[1, 2]]);
  });

  it("splits what is too large, in order", () => {
    const encoder = new BatchEncoder(ExchangeRequestSchema, MAX_BYTES);
    const items = [1, 2, 3, 4, 5].map((ref) => item(ref, 4000));
    const messages = encoder.encode(items, refuseNone);
    assert.ok(messages.every((message) => message.length <= MAX_BYTES));
    assert.deepEqual(refs(messages).flat(), [1, 2, 3, 4, 5]);
  });

  it("refuses only the item that is too large, and only the item that can't be encoded", () => {
    const encoder = new BatchEncoder(ExchangeRequestSchema, MAX_BYTES);
    const broken = item(3, 1);
    Object.assign(broken, { text: 7, payload: "no bytes" });
    const refused: number[] = [];
    const messages = encoder.encode([item(1, 1), item(2, MAX_BYTES), broken, item(4, 1)], (bad) => {
      refused.push(Number(bad.ref));
    });
    assert.deepEqual(refused, [2, 3]);
    assert.deepEqual(refs(messages).flat(), [1, 4]);
  });

  it("takes fewer items at a time when they are large, and more again when they are small", () => {
    const encoder = new BatchEncoder(ExchangeRequestSchema, 4 * 1024 * 1024);
    assert.equal(encoder.limit, 256);
    for (let i = 0; i < 60; i++) encoder.encode([item(1, 64 * 1024)], refuseNone);
    assert.ok(encoder.limit >= 7 && encoder.limit <= 9, String(encoder.limit));
    for (let i = 0; i < 100; i++) encoder.encode([item(1, 100)], refuseNone);
    assert.equal(encoder.limit, 256);
  });
});
