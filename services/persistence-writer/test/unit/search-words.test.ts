import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { type Content, ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { searchChangesOf } from "../../src/core/search-words.ts";
import { ALICE, contentOf, DIRECT, edit, entry, GROUP, reaction, recall, T0 } from "../support/entries.ts";

const records = (...all: Parameters<typeof entry>[]) => all.map((each) => entry(...each).record ?? assert.fail());
const message = { senderUserId: ALICE, acceptedTime: new Date(T0 + 1000) };
const said = (content: Content) => ({ body: { case: "message" as const, value: { content } } });
const saidIn = (content: Content) => searchChangesOf(records([1, 1, said(content)]))[0]?.content?.words;
type Kind = Content["kind"];
const contentWith = (kind: Parameters<typeof create<typeof ContentSchema>>[1] & { kind: unknown }) =>
  create(ContentSchema, kind);

describe("searchChangesOf", () => {
  it("gives each message once, with its newest words", () => {
    const batch = records([1, 1], [2, 2], [3, 3, edit(1, "Five six")], [4, 4, edit(1, "old")]);
    const bySeq = searchChangesOf(batch.toReversed()).toSorted((a, b) => (a.seq < b.seq ? -1 : 1));
    assert.deepEqual(bySeq, searchChangesOf(batch));
    assert.deepEqual(searchChangesOf(batch)[0], {
      conversationId: DIRECT,
      seq: 1n,
      message,
      content: { seq: 4n, words: ["old"] },
      recalled: false,
    });
  });

  it("knows of a message what the batch holds of it", () => {
    const only = { conversationId: DIRECT, seq: 1n, message: undefined, content: undefined, recalled: false };
    assert.deepEqual(searchChangesOf(records([3, 3, recall(1)])), [{ ...only, recalled: true }]);
    const edited = { ...only, content: { seq: 3n, words: ["three"] } };
    assert.deepEqual(searchChangesOf(records([3, 3, edit(1, "three")])), [edited]);
    const [both] = searchChangesOf(records([2, 2, recall(1)], [1, 1]));
    assert.deepEqual([both?.recalled, both?.message], [true, message]);
  });

  it("tells conversations apart and leaves out what says nothing", () => {
    const changes = searchChangesOf(records([1, 1], [1, 2, { conversationId: GROUP }], [2, 3, reaction(1, "👍")]));
    assert.deepEqual(
      changes.map(({ conversationId }) => conversationId),
      [DIRECT, GROUP],
    );
  });

  it("takes what people read of every kind of content", () => {
    const media = { mediaUrl: "https://e.example/secret.jpg", mimeType: "image/jpeg" };
    const place = { latitude: 1, longitude: 2, name: "Zoo", address: "Main Street 5" };
    const kinds: readonly [Kind["case"], Content, readonly string[]][] = [
      ["text", contentOf("Hello you"), ["hello", "you"]],
      [
        "file",
        contentWith({ kind: { case: "file", value: { ...media, fileName: "Plan.pdf", caption: "the plan" } } }),
        ["the", "plan", "pdf"],
      ],
      ["image", contentWith({ kind: { case: "image", value: media } }), []],
      ["location", contentWith({ kind: { case: "location", value: place } }), ["zoo", "main", "street", "5"]],
      ["card", contentWith({ kind: { case: "card", value: { title: "Dr. No" } } }), ["dr", "no"]],
      ["custom", contentWith({ kind: { case: "custom", value: { type: "com.example.poll" } } }), []],
    ];
    for (const [kind, content, words] of kinds) assert.deepEqual(saidIn(content), words, kind);
  });

  it("keeps the first 128 words", () => {
    const text = Array.from({ length: 300 }, (_, n) => `${n + 100}w`).join(" ");
    const words = saidIn(contentOf(text)) ?? [];
    assert.deepEqual([words.length, words[127]], [128, "227w"]);
  });
});
