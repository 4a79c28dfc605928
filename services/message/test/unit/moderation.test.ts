import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ContentSchema, TextEntitySchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { alice, instance, phoneOf, team } from "../support/changing.ts";
import { reason, saying, uuid } from "../support/fakes.ts";

const toTeam = { case: "groupId", value: team } as const;

function setUp(list: string) {
  const here = instance();
  here.core.useWordList(list);
  const send = (text: string, clientMessageId: string, attempt = 1) =>
    here.core.send(phoneOf(alice), saying(text, { target: toTeam, clientMessageId, attempt }), "");
  return { ...here, send };
}

function said({ body }: Record) {
  assert.ok(body.case === "message" || body.case === "edit");
  const { content, flags } = body.value;
  return { text: content?.kind.case === "text" ? content.kind.value.text : undefined, flags };
}

describe("moderation of messages", () => {
  it("refuses, masks and flags", async () => {
    const { send, stream } = setUp("reject worst\nmask worse\nflag bad");
    await assert.rejects(send("the WORST", uuid(50)), reason("SENSITIVE"));
    assert.equal(stream.stored.length, 0);
    assert.deepEqual(said((await send("worse", uuid(51))).record), { text: "*****", flags: ["sensitive", "masked"] });
    assert.deepEqual(said((await send("bad", uuid(52))).record), { text: "bad", flags: ["sensitive"] });
    assert.deepEqual(said((await send("good", uuid(53))).record), { text: "good", flags: [] });
  });

  it("holds for edits too", async () => {
    const { say, edit } = setUp("reject worst\nmask worse");
    const { recordId } = await say(alice);
    await assert.rejects(edit(alice, recordId, "worst"), reason("SENSITIVE"));
    assert.deepEqual(said((await edit(alice, recordId, "worse")).record), {
      text: "*****",
      flags: ["sensitive", "masked"],
    });
  });

  it("leaves the entities where they are, and the request as it was", async () => {
    const { core } = setUp("mask worse");
    const request = saying("worse @b", { target: toTeam, clientMessageId: uuid(50) });
    assert.ok(request.content?.kind.case === "text");
    const kind = { case: "mention", value: { userId: uuid(2) } } as const;
    request.content.kind.value.entities = [create(TextEntitySchema, { offset: 6, length: 2, kind })];
    const { record } = await core.send(phoneOf(alice), request, "");
    assert.ok(record.body.case === "message" && record.body.value.content?.kind.case === "text");
    const { text, entities } = record.body.value.content.kind.value;
    assert.deepEqual([text, entities[0]?.offset, entities[0]?.length], ["***** @b", 6, 2]);
    assert.equal(request.content.kind.value.text, "worse @b");
  });

  const media = { mediaUrl: "https://example.org/a", mimeType: "image/webp" };
  const others: readonly [string, MessageInitShape<typeof ContentSchema>][] = [
    ["caption", { kind: { case: "image", value: { ...media, caption: "worst" } } }],
    ["file name", { kind: { case: "file", value: { ...media, fileName: "worst.txt" } } }],
    ["place", { kind: { case: "location", value: { name: "worst" } } }],
    ["address", { kind: { case: "location", value: { name: "", address: "worst" } } }],
    ["card", { kind: { case: "card", value: { subject: { case: "userId", value: uuid(2) }, title: "worst" } } }],
  ];
  for (const [name, content] of others) {
    it(`looks at the ${name}`, async () => {
      const { core } = setUp("reject worst");
      const request = saying("", { target: toTeam, clientMessageId: uuid(50) });
      request.content = create(ContentSchema, content);
      await assert.rejects(core.send(phoneOf(alice), request, ""), reason("SENSITIVE"));
    });
  }

  it("recognises a repeat under a list that has changed since", async () => {
    const { send, core, store } = setUp("mask worse");
    const first = await send("worse and bad", uuid(50));
    core.useWordList("mask bad");
    const second = await send("worse and bad", uuid(50));
    assert.deepEqual([second.duplicate, second.record.recordId], [true, first.record.recordId]);
    core.useWordList("reject worse");
    store.messages.set(`${alice}:${uuid(50)}`, first.record);
    const third = await send("worse and bad", uuid(50), 2);
    assert.deepEqual([third.duplicate, third.record.recordId], [true, first.record.recordId]);
    core.useWordList("");
    await assert.rejects(send("another and bad", uuid(50)), reason("IDEMPOTENCY_MISMATCH"));
    await assert.rejects(send("worse and baad", uuid(50)), reason("IDEMPOTENCY_MISMATCH"));
  });

  it("keeps the old list when a new one can't be read", async () => {
    const { send, core } = setUp("reject worst");
    assert.throws(() => core.useWordList("reject worst\nnonsense"), /line 2/);
    await assert.rejects(send("worst", uuid(50)), reason("SENSITIVE"));
  });
});
