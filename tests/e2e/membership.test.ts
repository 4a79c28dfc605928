import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { reasonOf } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import { SteadySender } from "../support/steady-sender.ts";
import { type JsonRecord, TestUser } from "../support/user.ts";

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

async function crew(...names: string[]): Promise<TestUser[]> {
  const { at } = installation();
  return Promise.all(names.map((name) => TestUser.register(at, name)));
}

/** The seqs that the log gives a user: from each record that lets him in to the one that ends it. */
function readableBy(log: readonly JsonRecord[], { userId }: TestUser): string[] {
  let member = false;
  return log.flatMap(({ seq, membership }) => {
    const goes = membership?.left.includes(userId) || membership?.removed.includes(userId);
    if (membership?.joined.includes(userId)) member = true;
    const readable = member ? [seq] : [];
    if (goes) member = false;
    return readable;
  });
}

describe("membership", () => {
  it("begins a newcomer's history at the record that lets him in, and ends it at the one that ends it", async function () {
    this.timeout(60_000);
    const [alice, bob, carol, dan] = await crew("alice", "bob", "carol", "dan");
    assert.ok(alice && bob && carol && dan);
    const { groupId, conversationId } = await alice.createGroup([bob]); // 1
    const say = async (by: TestUser, text: string) => {
      const { status, body } = await by.send({ conversationId }, text);
      assert.equal(status, 200, JSON.stringify(body));
    };
    const seqs = async (of: TestUser) => (await of.records(conversationId)).map(({ seq }) => seq);
    await say(alice, "before carol"); // 2
    const members = `/groups/${groupId}/members`;
    const invited = await bob.ok<{ members: { userId: string; role: string }[] }>("POST", members, {
      userIds: [carol.userId],
    }); // 3
    assert.deepEqual(
      invited.members.map(({ userId, role }) => [userId, role]),
      [[carol.userId, "GROUP_ROLE_MEMBER"]],
    );
    await say(carol, "I am here"); // 4
    assert.deepEqual(await seqs(carol), range(3, 4));

    await bob.ok("POST", `/groups/${groupId}:leave`, {}); // 5
    await say(alice, "bob has left"); // 6
    assert.deepEqual([await seqs(bob), await seqs(carol)], [range(1, 5), range(3, 6)]);
    const late = await bob.send({ conversationId }, "wait");
    // What message has believed for less than a second may still be let through.
    if (late.status !== 200) assert.equal(reasonOf(late.body), "ERROR_REASON_NOT_A_MEMBER");
    assert.deepEqual(await seqs(bob), range(1, 5));

    await alice.ok("DELETE", `${members}/${carol.userId}`);
    const end = Number((await seqs(alice)).at(-1));
    await say(alice, "carol was removed");
    assert.deepEqual(await seqs(carol), range(3, end));
    for (const gone of [bob, carol]) {
      const { status, body } = await gone.call("GET", `/groups/${groupId}`);
      assert.deepEqual([status, reasonOf(body)], [404, "ERROR_REASON_GROUP_NOT_FOUND"]);
    }
    await alice.ok("POST", members, { userIds: [carol.userId] }); // end + 2
    await say(alice, "carol is back"); // end + 3
    assert.deepEqual(await seqs(carol), [...range(3, end), ...range(end + 2, end + 3)]);

    await alice.ok("PATCH", `/groups/${groupId}`, {
      settings: { joinPolicy: "JOIN_POLICY_OPEN", membersMayInvite: true, openHistory: true },
    }); // end + 4
    assert.deepEqual(await dan.ok("POST", `/groups/${groupId}:join`, {}), { pending: false }); // end + 5
    assert.deepEqual(await seqs(dan), range(1, end + 5));
    assert.deepEqual(await seqs(bob), range(1, 5));
  });

  it("refuses what a role doesn't allow, and tells strangers nothing", async function () {
    this.timeout(30_000);
    const [alice, bob, carol, zoe] = await crew("alice", "bob", "carol", "zoe");
    assert.ok(alice && bob && carol && zoe);
    const { groupId, conversationId } = await alice.createGroup([bob, carol]);
    const group = `/groups/${groupId}`;
    const answer = async (by: TestUser, method: string, path: string, body?: unknown) => {
      const { status, body: refusal } = await by.call(method, path, body);
      return [status, reasonOf(refusal)?.replace("ERROR_REASON_", "")];
    };
    assert.deepEqual(await answer(bob, "DELETE", `${group}/members/${carol.userId}`), [403, "ROLE_TOO_LOW"]);
    assert.deepEqual(await answer(bob, "PATCH", group, { name: "x" }), [403, "ROLE_TOO_LOW"]);
    assert.deepEqual(await answer(alice, "POST", `${group}:leave`, {}), [400, "OWNER_MAY_NOT_LEAVE"]);
    assert.deepEqual(await answer(alice, "DELETE", `${group}/members/${zoe.userId}`), [404, "MEMBER_NOT_FOUND"]);
    assert.deepEqual(await answer(alice, "POST", `${group}/members`, { userIds: ["x"] }), [400, "INVALID_FIELD"]);
    const strange: [string, string, unknown?][] = [
      ["GET", ""],
      ["PATCH", "", { name: "x" }],
      ["POST", "/members", { userIds: [zoe.userId] }],
      ["DELETE", `/members/${bob.userId}`],
      ["PATCH", `/members/${bob.userId}`, { nickname: "x" }],
      ["POST", ":join", {}],
      ["POST", ":leave", {}],
      ["POST", ":muteAll", { muted: true }],
    ];
    for (const [method, path, body] of strange) {
      assert.deepEqual(await answer(zoe, method, group + path, body), [404, "GROUP_NOT_FOUND"], method + path);
    }
    await alice.ok("PATCH", `${group}/members/${bob.userId}`, { role: "GROUP_ROLE_ADMIN" });
    await bob.ok("PATCH", `${group}/members/${carol.userId}`, { mute: "3600s" });
    const muted = await carol.send({ conversationId }, "mm");
    assert.equal(reasonOf(muted.body), "ERROR_REASON_MUTED");
    await bob.ok("PATCH", `${group}/members/${carol.userId}`, { mute: "0s" });
    assert.equal((await carol.send({ conversationId }, "ah")).status, 200);
    await bob.ok("POST", `${group}:muteAll`, { muted: true });
    const { group: now } = await carol.ok<{ group: { mutedAll: boolean } }>("GET", group);
    assert.equal(now.mutedAll, true);
  });

  it("shows nobody a message outside it while members come and go between messages", async function () {
    this.timeout(120_000);
    const [alice, bob, carol] = await crew("alice", "bob", "carol");
    assert.ok(alice && bob && carol);
    const { groupId, conversationId } = await alice.createGroup([carol]);
    const b = await bob.connect();
    const writer = new SteadySender(carol, conversationId);
    writer.start(80);
    let reading = true;
    const read = async () => {
      const seen = new Set<string>();
      while (reading) {
        const { status, body } = await bob.call("GET", `/conversations/${conversationId}/records?raw=true`);
        if (status === 200) for (const { seq } of (body as { records: JsonRecord[] }).records) seen.add(seq);
        const list = await bob.ok<{ conversations: { lastRecord?: JsonRecord }[] }>("GET", "/conversations");
        for (const { lastRecord } of list.conversations) if (lastRecord !== undefined) seen.add(lastRecord.seq);
        await new Promise((resolve) => setTimeout(resolve, 80)); // the edge lets a user call 30 times a second
      }
      return seen;
    };
    const readers = read();
    try {
      for (let round = 0; round < 12; round++) {
        await alice.ok("POST", `/groups/${groupId}/members`, { userIds: [bob.userId] });
        await bob.send({ conversationId }, `bob ${round}`);
        if (round % 2 === 0) await alice.ok("DELETE", `/groups/${groupId}/members/${bob.userId}`);
        else await bob.ok("POST", `/groups/${groupId}:leave`, {});
      }
    } finally {
      reading = false;
      await writer.finish();
    }
    const seenByCalls = await readers;
    await alice.ok("POST", `/groups/${groupId}/members`, { userIds: [bob.userId] });
    const last = await alice.send({ conversationId }, "the last one");
    const lastId = (last.body as { record: JsonRecord }).record.recordId;
    await b.untilRecord(({ recordId }) => recordId === lastId);

    const log = await carol.records(conversationId);
    assert.deepEqual(
      log.map(({ seq }) => seq),
      range(1, log.length),
    );
    const readable = readableBy(log, bob);
    assert.deepEqual(
      (await bob.records(conversationId)).map(({ seq }) => seq),
      readable,
    );
    assert.deepEqual(
      [...seenByCalls].filter((seq) => !readable.includes(seq)),
      [],
    );
    // His device gets what others write in the meantime, all of it and no more.
    const own = new Set(log.filter(({ senderUserId }) => senderUserId === bob.userId).map(({ seq }) => seq));
    const pushed = b.records().filter((record) => record.conversationId === conversationId);
    const pushedSeqs = new Set(pushed.map(({ seq }) => String(seq)));
    assert.deepEqual(
      [...pushedSeqs].filter((seq) => !readable.includes(seq)),
      [],
    );
    assert.deepEqual(
      readable.filter((seq) => !own.has(seq) && !pushedSeqs.has(seq)),
      [],
    );
    assert.deepEqual(
      log.flatMap(({ membership }) => membership?.version ?? []),
      range(1, 26),
    );
    await b.close();
  });

  it("is what the log says when group and message are killed in the middle of changes", async function () {
    this.timeout(180_000);
    const { mesh } = installation();
    const [alice, bob] = await crew("alice", "bob");
    assert.ok(alice && bob);
    const { groupId, conversationId } = await alice.createGroup([]);
    const members = `/groups/${groupId}/members`;
    /** Repeats until it is done. The edge may refuse by itself while a service is away. */
    const done = async (method: string, path: string, body?: unknown) => {
      for (const began = Date.now(); ; ) {
        const answer = await alice.call(method, path, body);
        if (answer.status === 200) return;
        assert.ok([503, 504].includes(answer.status), JSON.stringify(answer.body));
        assert.ok(Date.now() - began < 45_000, JSON.stringify(answer.body));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    for (const victim of ["group-1", "message-1", "group-1", "message-1"]) {
      await done("POST", members, { userIds: [bob.userId] });
      const message = { clientMessageId: randomUUID(), content: { text: { text: "for bob" } } };
      await done("POST", "/messages", { conversationId, ...message });
      const removed = done("DELETE", `${members}/${bob.userId}`);
      await mesh.kill(victim, "SIGKILL");
      await Promise.all([removed, mesh.untilReady(victim)]);
    }
    const log = await alice.records(conversationId);
    assert.deepEqual(
      log.map(({ membership }) => membership?.version ?? "message"),
      ["1", "2", "message", "3", "4", "message", "5", "6", "message", "7", "8", "message", "9"],
    );
    const read = await bob.records(conversationId);
    assert.deepEqual(
      read.map(({ seq }) => seq),
      readableBy(log, bob),
    );
    const { group } = await alice.ok<{ group: { memberCount: number; version: string } }>("GET", `/groups/${groupId}`);
    assert.deepEqual([group.memberCount, group.version], [1, "9"]);
  });
});
