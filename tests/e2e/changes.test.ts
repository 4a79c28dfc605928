import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { reasonOf } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import type { TestSocket } from "../support/socket.ts";
import { directId, TestUser, textTo } from "../support/user.ts";

interface Answer {
  readonly record: { readonly recordId: string; readonly seq: string };
  readonly duplicate: boolean;
}

const text = (value: string) => ({ kind: { case: "text", value: { text: value } } }) as const;
const received = (socket: TestSocket, recordId: string): Promise<LogRecord> =>
  socket.untilRecord((record) => record.recordId === recordId);

/** A new connection gets nothing until presence knows of it, which on a busy machine may be after `hello`. */
async function untilReached(from: TestSocket, to: TestSocket, conversationId: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { recordId } = await from.ask(textTo(conversationId, `try ${tries}`), "messageAccepted");
    try {
      await to.untilRecord((record) => record.recordId === recordId, 3000);
      return;
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

describe("changing what was said", () => {
  /** Alice and Bob with a socket each, in a group where Alice, its owner, has said something. */
  const begin = async () => {
    const { at } = installation();
    const [alice, bob] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "bob")]);
    const { conversationId } = await alice.createGroup([bob]);
    const [a, b] = await Promise.all([alice.connect(), bob.connect({ json: true })]);
    const direct = directId(alice.userId, bob.userId);
    await Promise.all([untilReached(a, b, direct), untilReached(b, a, direct)]);
    const { recordId } = await a.ask(textTo(conversationId, "helo"), "messageAccepted");
    const path = `/conversations/${conversationId}/messages/${recordId}`;
    const close = () => Promise.all([a.close(), b.close()]);
    return { at, alice, bob, a, b, conversationId, recordId, path, close };
  };

  it("works by REST: each change is a record that the other's socket gets", async function () {
    this.timeout(60_000);
    const { alice, bob, a, b, conversationId, path, close } = await begin();
    const edit = { content: { text: { text: "hello" } }, clientMessageId: randomUUID() };
    const edited = await alice.ok<Answer>("PATCH", path, edit);
    assert.deepEqual([edited.record.seq, edited.duplicate], ["3", false]);
    const seenEdit = (await received(b, edited.record.recordId)).body;
    assert.ok(seenEdit.case === "edit");
    assert.equal(seenEdit.value.targetSeq, 2n);
    assert.deepEqual(seenEdit.value.content?.kind.value?.$typeName, "oceanchat.records.v1.TextContent");
    assert.equal((await alice.ok<Answer>("PATCH", path, edit)).duplicate, true);

    const whale = `${path}/reactions/${encodeURIComponent("🐋")}`;
    const reacted = await bob.ok<Answer>("PUT", whale, {});
    const seenReaction = (await received(a, reacted.record.recordId)).body;
    assert.ok(seenReaction.case === "reaction");
    assert.deepEqual(
      [seenReaction.value.targetSeq, seenReaction.value.emoji, seenReaction.value.removed],
      [2n, "🐋", false],
    );
    assert.equal((await bob.ok<Answer>("PUT", whale, {})).duplicate, true);
    const withdrawn = await bob.ok<Answer>("DELETE", whale);
    const seenWithdrawal = (await received(a, withdrawn.record.recordId)).body;
    assert.ok(seenWithdrawal.case === "reaction" && seenWithdrawal.value.removed);

    const recalled = await alice.ok<Answer>("POST", `${path}:recall`, {});
    const seenRecall = (await received(b, recalled.record.recordId)).body;
    assert.ok(seenRecall.case === "recall");
    assert.equal(seenRecall.value.targetSeq, 2n);

    await bob.ok("POST", `/conversations/${conversationId}:markRead`, { seq: "6" });
    await bob.ok("POST", `/conversations/${conversationId}:markRead`, { seq: "4" });
    await close();
  });

  it("works by socket, with the same records", async function () {
    this.timeout(60_000);
    const { alice, bob, a, b, conversationId, recordId, close } = await begin();
    const about = { conversationId, recordId };
    const edit = { ...about, content: text("hello"), clientMessageId: randomUUID() };
    const edited = await a.ask({ case: "editMessage", value: edit }, "messageAccepted");
    assert.equal(edited.seq, 3n);
    assert.equal((await received(b, edited.recordId)).body.case, "edit");
    const again = await a.ask({ case: "editMessage", value: edit }, "messageAccepted");
    assert.deepEqual([again.recordId, again.duplicate], [edited.recordId, true]);
    const states = [false, false, true, false];
    const reactions = [];
    for (const removed of states) {
      reactions.push(await b.ask({ case: "react", value: { ...about, emoji: "🐋", removed } }, "messageAccepted"));
    }
    assert.deepEqual(
      reactions.map(({ seq, duplicate }) => [seq, duplicate]),
      [
        [4n, false],
        [4n, true],
        [5n, false],
        [6n, false],
      ],
    );
    assert.equal((await received(a, reactions[3]?.recordId ?? "")).body.case, "reaction");
    const recalled = await a.ask({ case: "recallMessage", value: about }, "messageAccepted");
    assert.equal((await received(b, recalled.recordId)).body.case, "recall");
    // Bob's other device is told how far he has read; nobody else is.
    const tablet = await (await bob.login()).connect();
    await b.ask({ case: "markRead", value: { conversationId, seq: 99n } }, "done");
    const cursor = await tablet.untilRecord(({ body }) => body.case === "readCursor");
    assert.equal(cursor.conversationId, `u_${bob.userId}`);
    assert.ok(cursor.body.case === "readCursor");
    assert.deepEqual([cursor.body.value.conversationId, cursor.body.value.seq], [conversationId, 7n]);
    const marker = await b.ask(textTo(conversationId, "marker"), "messageAccepted");
    await received(a, marker.recordId);
    assert.ok(a.records().every(({ body }) => body.case !== "readCursor"));
    const log = await alice.records(conversationId);
    assert.ok(log.some((record) => record.recordId === recordId));
    await Promise.all([close(), tablet.close()]);
  });

  it("is refused with reasons, alike on both doors", async function () {
    this.timeout(60_000);
    const { at, bob, b, conversationId, recordId, path, close } = await begin();
    const edit = { content: { text: { text: "x" } }, clientMessageId: randomUUID() };
    const refused = async (call: ReturnType<TestUser["call"]>, status: number, reason: string) => {
      const answer = await call;
      assert.deepEqual([answer.status, reasonOf(answer.body)], [status, `ERROR_REASON_${reason}`]);
    };
    await refused(bob.call("PATCH", path, edit), 403, "NOT_THE_SENDER");
    await refused(bob.call("POST", `${path}:recall`, {}), 403, "NOT_THE_SENDER");
    const nowhere = `/conversations/${conversationId}/messages/${randomUUID()}`;
    await refused(bob.call("POST", `${nowhere}:recall`, {}), 404, "MESSAGE_NOT_FOUND");
    await refused(bob.call("PUT", `${path}/reactions/${"x".repeat(33)}`, {}), 400, "INVALID_FIELD");
    const carol = await TestUser.register(at, "carol");
    await refused(carol.call("PUT", `${path}/reactions/x`, {}), 403, "NOT_A_MEMBER");
    await refused(carol.call("POST", `/conversations/${conversationId}:markRead`, { seq: "1" }), 403, "NOT_A_MEMBER");
    const event = await b.request({ case: "recallMessage", value: { conversationId, recordId } });
    assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_NOT_THE_SENDER");
    const invalid = await b.request({ case: "markRead", value: { conversationId, seq: 0n } });
    assert.ok(invalid.case === "error" && invalid.value.reason === "ERROR_REASON_INVALID_FIELD");
    await close();
  });

  it("lets a group's owner recall anybody's message, and nobody in a direct conversation another's", async function () {
    this.timeout(60_000);
    const { alice, bob, a, b, conversationId, close } = await begin();
    const said = await b.ask(textTo(conversationId, "oops"), "messageAccepted");
    const path = `/conversations/${conversationId}/messages/${said.recordId}:recall`;
    const recalled = await alice.ok<Answer>("POST", path, {});
    const seen = await received(b, recalled.record.recordId);
    assert.ok(seen.body.case === "recall" && seen.body.value.targetSeq === said.seq);
    const direct = directId(alice.userId, bob.userId);
    const privately = await b.ask(textTo(direct, "between us"), "messageAccepted");
    const { status, body } = await alice.call(
      "POST",
      `/conversations/${direct}/messages/${privately.recordId}:recall`,
      {},
    );
    assert.deepEqual([status, reasonOf(body)], [403, "ERROR_REASON_NOT_THE_SENDER"]);
    const own = { conversationId: direct, recordId: privately.recordId };
    const recall = await b.ask({ case: "recallMessage", value: own }, "messageAccepted");
    assert.equal((await received(a, recall.recordId)).body.case, "recall");
    await close();
  });
});
