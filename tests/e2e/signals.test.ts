import assert from "node:assert/strict";
import type { ServerPacket } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { reasonOf } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import type { TestSocket } from "../support/socket.ts";
import { directId, TestUser, textTo } from "../support/user.ts";

/** A signal in short: `typing <conversation> <user> true`, `receipt <conversation> <user> <read>/<delivered>`. */
function signalOf({ requestId, event }: ServerPacket): string | undefined {
  if (event.case !== "signal") return undefined;
  assert.equal(requestId, 0);
  const { kind } = event.value;
  if (kind.case === "typing") return `typing ${kind.value.conversationId} ${kind.value.userId} ${kind.value.active}`;
  if (kind.case !== "receipt") return kind.case;
  const { conversationId, userId, readSeq, deliveredSeq } = kind.value;
  return `receipt ${conversationId} ${userId} ${readSeq}/${deliveredSeq}`;
}

const signalsOf = (socket: TestSocket) => socket.packets.flatMap((packet) => signalOf(packet) ?? []);
const untilSignal = (socket: TestSocket, signal: string) => socket.until((packet) => signalOf(packet) === signal);

interface Receipts {
  readonly receipts: readonly { readonly userId: string; readonly readSeq: string; readonly deliveredSeq: string }[];
}

describe("signals", () => {
  let [alice, bob, carol]: TestUser[] = [];
  let sockets: TestSocket[] = [];

  async function users(): Promise<[TestUser, TestUser, TestUser]> {
    const { at } = installation();
    alice ??= await TestUser.register(at, "alice");
    bob ??= await TestUser.register(at, "bob");
    carol ??= await TestUser.register(at, "carol");
    return [alice, bob, carol];
  }

  const connect = async (user: TestUser, options: { readonly json?: boolean } = {}) => {
    const socket = await user.connect(options);
    sockets.push(socket);
    return socket;
  };

  afterEach(async () => {
    await Promise.all(sockets.map((socket) => socket.close()));
    sockets = [];
  });

  it("shows typing to the others in either codec, not to oneself and not to strangers", async function () {
    this.timeout(30_000);
    const [one, other, stranger] = await users();
    const { conversationId } = await one.createGroup([other]);
    const [a, aElsewhere, b, bJson, c] = await Promise.all([
      connect(one),
      one.login().then((again) => connect(again)),
      connect(other),
      other.login().then((again) => connect(again, { json: true })),
      connect(stranger),
    ]);
    a.send({ case: "typing", value: { conversationId, active: true } });
    const typing = `typing ${conversationId} ${one.userId} true`;
    await Promise.all([b, bJson].map((socket) => untilSignal(socket, typing)));
    await one.ok("POST", `/conversations/${conversationId}:setTyping`, { active: false });
    const stopped = `typing ${conversationId} ${one.userId} false`;
    await Promise.all([b, bJson].map((socket) => untilSignal(socket, stopped)));

    const refused = await c.request({ case: "typing", value: { conversationId, active: true } });
    assert.ok(refused.case === "error" && refused.value.reason === "ERROR_REASON_NOT_A_MEMBER");
    // What follows the signals on the same way has come: nothing is on its way any more.
    const direct = directId(one.userId, stranger.userId);
    assert.equal((await one.call("POST", `/conversations/${direct}:setTyping`, { active: true })).status, 200);
    await untilSignal(c, `typing ${direct} ${one.userId} true`);
    assert.equal((await stranger.call("POST", `/conversations/${direct}:setTyping`, { active: true })).status, 200);
    const fromStranger = `typing ${direct} ${stranger.userId} true`;
    await Promise.all([a, aElsewhere].map((socket) => untilSignal(socket, fromStranger)));

    for (const socket of [b, bJson]) assert.deepEqual(signalsOf(socket), [typing, stopped]);
    for (const socket of [a, aElsewhere]) assert.deepEqual(signalsOf(socket), [fromStranger]);
    assert.deepEqual(signalsOf(c), [`typing ${direct} ${one.userId} true`]);
    assert.ok(
      a.packets.every(({ event }) => event.case === "hello" || event.case === "signal"),
      "typing is not answered",
    );
  });

  it("shows nothing to who was removed, a second later at the latest", async function () {
    this.timeout(30_000);
    const [one, other, removed] = await users();
    const { groupId, conversationId } = await one.createGroup([other, removed]);
    const [b, c] = await Promise.all([connect(other), connect(removed)]);
    const type = (by: TestUser, active: boolean) =>
      by.call("POST", `/conversations/${conversationId}:setTyping`, { active });
    await type(one, true);
    const typing = `typing ${conversationId} ${one.userId} true`;
    await Promise.all([b, c].map((socket) => untilSignal(socket, typing)));
    await one.ok("DELETE", `/groups/${groupId}/members/${removed.userId}`);
    // What is believed of members and permissions is believed for a second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await type(one, false);
    await untilSignal(b, `typing ${conversationId} ${one.userId} false`);
    const { status, body } = await type(removed, true);
    assert.deepEqual([status, reasonOf(body)], [403, "ERROR_REASON_NOT_A_MEMBER"]);
    assert.deepEqual(signalsOf(c), [typing]);
  });

  it("tells who wrote that it was received and read", async function () {
    this.timeout(30_000);
    const [one, other, stranger] = await users();
    const direct = directId(one.userId, other.userId);
    const [a, b, c] = await Promise.all([connect(one), connect(other, { json: true }), connect(stranger)]);
    const { seq } = await a.ask(textTo(direct, "did you get this?"), "messageAccepted");
    await b.untilRecord((record) => record.conversationId === direct && record.seq === seq);
    b.send({ case: "confirm", value: { conversationId: direct, seq } });
    await untilSignal(a, `receipt ${direct} ${other.userId} 0/${seq}`);
    const path = `/conversations/${direct}/receipts?seq=${seq}`;
    assert.deepEqual((await one.ok<Receipts>("GET", path)).receipts, [
      { userId: other.userId, readSeq: "0", deliveredSeq: String(seq) },
    ]);

    const { seq: next } = await a.ask(textTo(direct, "and this?"), "messageAccepted");
    await other.ok("POST", `/conversations/${direct}:markRead`, { seq: String(next) });
    await untilSignal(a, `receipt ${direct} ${other.userId} ${next}/0`);
    // The writer folds cursors some milliseconds later.
    for (const began = Date.now(); ; ) {
      const [receipt] = (await one.ok<Receipts>("GET", path)).receipts;
      assert.ok(Date.now() - began < 10_000, JSON.stringify(receipt));
      if (receipt?.readSeq !== "0") {
        assert.deepEqual(receipt, { userId: other.userId, readSeq: String(next), deliveredSeq: String(next) });
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const further = { conversationId: direct, seq: next + 100n };
    await other.ok("POST", `/conversations/${direct}:confirm`, { seq: String(further.seq) });
    await untilSignal(a, `receipt ${direct} ${other.userId} 0/${next}`);
    assert.deepEqual(signalsOf(b), []);
    assert.deepEqual(signalsOf(c), []);
    const refused = await c.request({ case: "confirm", value: further });
    assert.ok(refused.case === "error" && refused.value.reason === "ERROR_REASON_NOT_A_MEMBER");
  });
});
