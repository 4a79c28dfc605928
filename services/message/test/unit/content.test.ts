import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Content } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { ContentSchema, type TextEntitySchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { checkContent as check } from "../../src/core/content.ts";
import { reason, uuid } from "../support/fakes.ts";

const MAX_MENTIONS = 50;
const checkContent = (content: Content | undefined) => check(content, { textBytes: 8192, mentions: MAX_MENTIONS });

type Entity = MessageInitShape<typeof TextEntitySchema>;
const text = (value: string, entities: Entity[] = []) =>
  create(ContentSchema, { kind: { case: "text", value: { text: value, entities } } });
const mention = (userId: string, offset = 0, length = 1): Entity => ({
  offset,
  length,
  kind: { case: "mention", value: { userId } },
});
const mentionAll = (offset = 0, length = 1): Entity => ({ offset, length, kind: { case: "mentionAll", value: {} } });

describe("the content of a message", () => {
  for (const blank of ["", " ", "\n\t ", "\u00a0\u2003\ufeff"]) {
    it(`refuses the blank text ${JSON.stringify(blank)}`, () => {
      assert.throws(() => checkContent(text(blank)), reason("EMPTY_TEXT"));
    });
  }

  it("has at most so many bytes of UTF-8", () => {
    assert.ok(checkContent(text("é".repeat(4096))));
    assert.throws(() => checkContent(text(`${"é".repeat(4096)}e`)), reason("INVALID_FIELD"));
  });

  it("passes text and the other kinds as they are", () => {
    const hello = text("hello");
    assert.deepEqual(checkContent(hello), { content: hello, mentions: [], mentionsAll: false });
    const place = create(ContentSchema, { kind: { case: "location", value: { latitude: 1, longitude: 2 } } });
    assert.equal(checkContent(place).content, place);
  });

  it("must be there", () => {
    assert.throws(() => checkContent(undefined), reason("INVALID_FIELD"));
    assert.throws(() => checkContent(create(ContentSchema, {})), reason("INVALID_FIELD"));
  });

  it("names each mentioned user once, in order", () => {
    const { mentions, mentionsAll } = checkContent(
      text("@b @a @b", [mention(uuid(2)), mention(uuid(1)), mention(uuid(2))]),
    );
    assert.deepEqual(mentions, [uuid(2), uuid(1)]);
    assert.equal(mentionsAll, false);
  });

  it("notices that all are mentioned", () => {
    assert.equal(checkContent(text("@all", [mentionAll()])).mentionsAll, true);
  });

  it("writes mentioned users in lower case without touching the request", () => {
    const upper = "ABCDEF00-0000-7000-8000-00000000000A";
    const request = text("@x", [mention(upper)]);
    const { content, mentions } = checkContent(request);
    assert.deepEqual(mentions, [upper.toLowerCase()]);
    assert.deepEqual(content, text("@x", [mention(upper.toLowerCase())]));
    assert.deepEqual(request, text("@x", [mention(upper)]));
  });

  it("refuses a mention of something that is no user id", () => {
    assert.throws(() => checkContent(text("@x", [mention("bob")])), reason("INVALID_FIELD"));
  });

  it(`takes ${MAX_MENTIONS} mentions and no more`, () => {
    const some = (count: number) =>
      text(
        "@",
        Array.from({ length: count }, (_, index) => mention(uuid(index))),
      );
    assert.equal(checkContent(some(MAX_MENTIONS)).mentions.length, MAX_MENTIONS);
    assert.throws(() => checkContent(some(MAX_MENTIONS + 1)), reason("TOO_MANY_MENTIONS"));
  });

  const pair = "a😀b"; // UTF-16: a, high, low, b
  for (const [offset, length] of [
    [0, 1],
    [1, 2],
    [0, 4],
    [3, 1],
  ] as const) {
    it(`takes an entity at ${offset} of length ${length} in ${pair}`, () => {
      assert.equal(checkContent(text(pair, [mention(uuid(1), offset, length)])).mentions.length, 1);
    });
  }
  for (const [offset, length] of [
    [2, 1],
    [2, 2],
    [0, 2],
    [1, 1],
    [0, 5],
    [4, 1],
    [8192, 8192],
    [1, 0],
  ] as const) {
    it(`refuses an entity at ${offset} of length ${length} in ${pair}`, () => {
      assert.throws(() => checkContent(text(pair, [mention(uuid(1), offset, length)])), reason("INVALID_ENTITY"));
      assert.throws(() => checkContent(text(pair, [mentionAll(offset, length)])), reason("INVALID_ENTITY"));
    });
  }

  it("refuses an entity without a meaning", () => {
    assert.throws(() => checkContent(text("abc", [{ offset: 0, length: 1 }])), reason("INVALID_ENTITY"));
  });
});
