import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type RestAnswer, reasonOf } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import type { TestSocket } from "../support/socket.ts";
import { directId, TestUser, textTo } from "../support/user.ts";

interface Sent {
  readonly record: {
    readonly seq: string;
    readonly recordId: string;
    readonly message: { readonly replyToSeq: string; readonly forwardedFrom?: { readonly senderUserId: string } };
  };
}
interface Changed {
  readonly record: {
    readonly conversationId: string;
    readonly recordId: string;
    readonly conversationSettings: Readonly<Record<string, unknown>>;
  };
}

const said = (where: object, rest: object = {}) => ({
  ...where,
  clientMessageId: randomUUID(),
  content: { text: { text: "see there" } },
  ...rest,
});
const fieldOf = (body: unknown): unknown => JSON.stringify(body).match(/"field":"([^"]*)"/)?.[1];

async function refused(call: Promise<RestAnswer>, status: number, reason: string, field?: string): Promise<void> {
  const { status: got, body } = await call;
  assert.deepEqual([got, reasonOf(body), fieldOf(body)], [status, `ERROR_REASON_${reason}`, field]);
}

describe("what a message refers to", () => {
  /** Alice has said something in her group with Bob, at 2; Carol came in later, at 3. */
  const begin = async () => {
    const { at } = installation();
    const names = ["alice", "bob", "carol", "mallory"];
    const [alice, bob, carol, mallory] = await Promise.all(names.map((name) => TestUser.register(at, name)));
    assert.ok(alice && bob && carol && mallory);
    const { groupId, conversationId } = await alice.createGroup([bob]);
    const { record } = await alice.ok<Sent>("POST", "/messages", said({ groupId }));
    assert.equal(record.seq, "2");
    await alice.ok("POST", `/groups/${groupId}/members`, { userIds: [carol.userId] });
    return { alice, bob, carol, mallory, conversationId, recordId: record.recordId };
  };

  it("is answered and forwarded by who may read it, by REST and socket", async function () {
    this.timeout(60_000);
    const { alice, bob, conversationId } = await begin();
    const reply = await bob.ok<Sent>("POST", "/messages", said({ conversationId }, { replyToSeq: "2" }));
    assert.equal(reply.record.message.replyToSeq, "2");
    const forwardedFrom = { conversationId, seq: "2", senderUserId: bob.userId };
    const forward = await bob.ok<Sent>("POST", "/messages", said({ userId: alice.userId }, { forwardedFrom }));
    assert.equal(forward.record.message.forwardedFrom?.senderUserId, alice.userId);

    const socket = await bob.connect({ json: true });
    const command = textTo(directId(alice.userId, bob.userId), "and there");
    const value = { ...command.value, replyToSeq: 1n, forwardedFrom: { conversationId, seq: 2n } };
    const { seq } = await socket.ask({ ...command, value }, "messageAccepted");
    assert.equal(seq, 2n);
    const answer = await socket.request({ ...textTo(conversationId, "x"), value: { ...value, replyToSeq: 99n } });
    assert.ok(answer.case === "error" && answer.value.reason === "ERROR_REASON_REFERENCE_NOT_FOUND");
    assert.equal(answer.value.metadata.field, "reply_to_seq");
    await socket.close();
  });

  it("isn't there for those who may not read it, or when it was taken back", async function () {
    this.timeout(60_000);
    const { alice, bob, carol, mallory, conversationId, recordId } = await begin();
    const reply = (user: TestUser, replyToSeq: string) =>
      user.call("POST", "/messages", said({ conversationId }, { replyToSeq }));
    const forward = (user: TestUser, seq: string) =>
      user.call("POST", "/messages", said({ userId: alice.userId }, { forwardedFrom: { conversationId, seq } }));
    await refused(reply(bob, "1"), 404, "REFERENCE_NOT_FOUND", "reply_to_seq");
    await refused(reply(carol, "2"), 404, "REFERENCE_NOT_FOUND", "reply_to_seq");
    await refused(reply(mallory, "2"), 403, "NOT_A_MEMBER");
    await refused(forward(carol, "2"), 404, "REFERENCE_NOT_FOUND", "forwarded_from");
    for (const seq of ["2", "99"]) {
      await refused(forward(mallory, seq), 404, "REFERENCE_NOT_FOUND", "forwarded_from");
    }
    const path = `/conversations/${conversationId}/messages/${recordId}`;
    await refused(carol.call("PUT", `${path}/reactions/x`, {}), 404, "MESSAGE_NOT_FOUND");
    await alice.ok("POST", `${path}:recall`, {});
    await refused(forward(bob, "2"), 404, "REFERENCE_NOT_FOUND", "forwarded_from");
  });
});

describe("an edit whose answer was lost", () => {
  it("is answered again to who has left meanwhile", async function () {
    this.timeout(60_000);
    const { at } = installation();
    const [alice, bob] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "bob")]);
    const { groupId, conversationId } = await alice.createGroup([bob]);
    const { record } = await bob.ok<Sent>("POST", "/messages", said({ groupId }));
    const path = `/conversations/${conversationId}/messages/${record.recordId}`;
    const edit = { clientMessageId: randomUUID(), content: { text: { text: "better" } } };
    const edited = await bob.ok<Sent>("PATCH", path, edit);
    await bob.ok("POST", `/groups/${groupId}:leave`, {});
    const again = await bob.ok<Sent & { duplicate: boolean }>("PATCH", path, { ...edit, attempt: 2 });
    assert.deepEqual([again.duplicate, again.record.recordId], [true, edited.record.recordId]);
    const other = { ...edit, attempt: 2, content: { text: { text: "other" } } };
    await refused(bob.call("PATCH", path, other), 409, "IDEMPOTENCY_MISMATCH");
  });
});

/** A new connection gets nothing until presence knows of it, which on a busy machine may be after `hello`. */
async function untilReached(user: TestUser, device: TestSocket, path: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { record } = await user.ok<Changed>("PATCH", path, { pinned: false });
    try {
      await device.untilRecord(({ recordId }) => recordId === record.recordId, 3000);
      return;
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

describe("settings of a conversation", () => {
  it("reach the user's other devices, by REST and socket", async function () {
    this.timeout(60_000);
    const alice = await TestUser.register(installation().at, "alice");
    const { conversationId } = await alice.createGroup([]);
    const tablet = await (await alice.login()).connect();
    const phone = await alice.connect();
    const path = `/conversations/${conversationId}/settings`;
    await untilReached(alice, tablet, path);
    const { record } = await alice.ok<Changed>("PATCH", path, { pinned: true, mutedUntil: "2999-01-01T00:00:00Z" });
    assert.equal(record.conversationId, `u_${alice.userId}`);
    const expected = { conversationId, pinned: true, mutedUntil: "2999-01-01T00:00:00Z" };
    assert.deepEqual(record.conversationSettings, expected);
    const seen = await tablet.untilRecord(({ recordId }) => recordId === record.recordId);
    assert.equal(seen.body.case, "conversationSettings");

    const mutedUntil = { seconds: 1n, nanos: 0 };
    const command = { case: "updateSettings", value: { conversationId, mutedUntil } } as const;
    const accepted = await phone.ask(command, "messageAccepted");
    assert.equal(accepted.conversationId, `u_${alice.userId}`);
    const { body } = await tablet.untilRecord(({ recordId }) => recordId === accepted.recordId);
    assert.ok(body.case === "conversationSettings");
    assert.deepEqual([body.value.pinned, body.value.mutedUntil?.seconds], [undefined, 0n]);
    await Promise.all([tablet.close(), phone.close()]);
  });

  it("are refused without a change, a time or a membership", async () => {
    const { at } = installation();
    const [alice, mallory] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "mallory")]);
    const { conversationId } = await alice.createGroup([]);
    const path = `/conversations/${conversationId}/settings`;
    await refused(alice.call("PATCH", path, {}), 400, "INVALID_FIELD", "pinned");
    assert.equal((await alice.call("PATCH", path, { mutedUntil: "tomorrow" })).status, 400);
    assert.equal((await alice.call("PATCH", path, { pinned: {} })).status, 400);
    await refused(mallory.call("PATCH", path, { pinned: true }), 403, "NOT_A_MEMBER");
    await refused(
      alice.call("PATCH", "/conversations/u_x/settings", { pinned: true }),
      400,
      "INVALID_FIELD",
      "conversation_id",
    );
  });
});
