import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { bytesOf, everyBytesOf } from "../../src/wire-bytes.ts";

const FILE = FileDescriptorSetSchema.field.file.number;
const set = (...names: string[]) =>
  toBinary(
    FileDescriptorSetSchema,
    create(FileDescriptorSetSchema, { file: names.map((name) => ({ name, weakDependency: [1] })) }),
  );

describe("wire bytes", () => {
  it("gives the values of a field as they are encoded, in order", () => {
    const found = everyBytesOf(set("a", "b"), FILE).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
    assert.deepEqual(found, ["a", "b"]);
    assert.deepEqual(everyBytesOf(set("a"), FILE + 1), []);
  });

  it("passes over fields of every other kind", () => {
    const [file = new Uint8Array(0)] = everyBytesOf(set("a"), FILE);
    assert.deepEqual(everyBytesOf(file, FileDescriptorProtoSchema.field.name.number).map(String), ["97"]);
  });

  it("gives one message for several values: what protobuf would merge", () => {
    const merged = fromBinary(FileDescriptorProtoSchema, bytesOf(set("a", "b"), FILE));
    assert.equal(merged.name, "b");
    assert.deepEqual(merged.weakDependency, [1, 1]);
    assert.equal(bytesOf(new Uint8Array(0), FILE).length, 0);
  });

  it("throws for what is no message", () => {
    assert.throws(() => everyBytesOf(new Uint8Array([0x0a, 200]), 1));
  });
});
