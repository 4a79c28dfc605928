import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { installation } from "../support/shared-installation.ts";
import { type JsonRecord, TestUser } from "../support/user.ts";

interface HistoryRecord extends JsonRecord {
  readonly editedTime?: string;
  readonly recalled: boolean;
  readonly reactions: readonly { readonly emoji: string; readonly count: number; readonly mine: boolean }[];
}

describe("history", () => {
  it("shows messages as they stand now, at once, and the log as it is on request", async function () {
    this.timeout(30_000);
    const { at } = installation();
    const [alice, bob] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "bob")]);
    const { conversationId } = await alice.createGroup([bob]);
    const say = async (text: string) => {
      const { body } = await alice.send({ conversationId }, text);
      return (body as { record: JsonRecord }).record;
    };
    const [kept, taken] = [await say("helo"), await say("oops")];
    const messages = `/conversations/${conversationId}/messages`;
    const edit = { content: { text: { text: "hello" } }, clientMessageId: randomUUID() };
    await alice.ok("PATCH", `${messages}/${kept.recordId}`, edit);
    await alice.ok("POST", `${messages}/${taken.recordId}:recall`, {});
    await bob.ok("PUT", `${messages}/${kept.recordId}/reactions/${encodeURIComponent("👍")}`, {});

    const { records } = await bob.ok<{ records: HistoryRecord[] }>("GET", `/conversations/${conversationId}/records`);
    assert.deepEqual(
      records.map(({ seq }) => seq),
      ["1", kept.seq, taken.seq],
    );
    const [, hello, oops] = records;
    assert.equal(hello?.message?.content.text?.text, "hello");
    assert.ok(hello?.editedTime !== undefined);
    assert.deepEqual(
      hello?.reactions.map(({ emoji, count, mine }) => ({ emoji, count, mine })),
      [{ emoji: "👍", count: 1, mine: true }],
    );
    assert.equal(oops?.recalled, true);
    assert.doesNotMatch(JSON.stringify(oops), /oops/, "what was taken back is not shown");
    assert.deepEqual(
      (await bob.records(conversationId)).map(({ seq }) => seq),
      ["1", "2", "3", "4", "5", "6"],
    );
  });

  it("counts as unread what lies after the read cursor", async function () {
    this.timeout(30_000);
    const { at } = installation();
    const [alice, bob] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "bob")]);
    const { conversationId } = await alice.createGroup([bob]);
    for (const text of ["one", "two", "three"]) assert.equal((await alice.send({ conversationId }, text)).status, 200);
    const untilUnread = async (unread: number, readSeq: string) => {
      const began = Date.now();
      for (;;) {
        const path = `/conversations/${conversationId}`;
        const { conversation } = await bob.ok<{ conversation: { unreadCount: number; readSeq: string } }>("GET", path);
        if (conversation.unreadCount === unread && conversation.readSeq === readSeq) return;
        assert.ok(Date.now() - began < 10_000, JSON.stringify(conversation));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await untilUnread(3, "0");
    await bob.ok("POST", `/conversations/${conversationId}:markRead`, { seq: "3" });
    await untilUnread(1, "3");
    await bob.ok("POST", `/conversations/${conversationId}:markRead`, { seq: "2" });
    await bob.ok("POST", `/conversations/${conversationId}:markRead`, { seq: "4" });
    await untilUnread(0, "4");
  });
});
