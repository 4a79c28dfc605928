import assert from "node:assert/strict";
import type { SyncResponse } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { reasonOf } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import { type JsonRecord, TestUser } from "../support/user.ts";

interface JsonConversation {
  readonly conversationId: string;
  readonly headSeq: string;
  readonly firstSeq: string;
  readonly left: boolean;
  readonly readSeq: string;
  readonly unreadCount: number;
  readonly settings?: { readonly pinned: boolean };
  readonly lastRecord?: JsonRecord;
}

interface JsonPage {
  readonly conversations: readonly JsonConversation[];
  readonly userRecords: readonly (JsonRecord & { readonly readCursor?: { readonly seq: string } })[];
  readonly cursor: string;
  readonly hasMore: boolean;
  readonly startAfresh: boolean;
}

const crew = (...names: string[]): Promise<TestUser[]> => {
  const { at } = installation();
  return Promise.all(names.map((name) => TestUser.register(at, name)));
};

const syncPage = (user: TestUser, cursor: string, pageSize = 0): Promise<JsonPage> =>
  user.ok("GET", `/sync?cursor=${encodeURIComponent(cursor)}&pageSize=${pageSize}`);

/** A round to its end. */
async function syncAll(user: TestUser, cursor: string, pageSize = 0): Promise<JsonPage> {
  let page = await syncPage(user, cursor, pageSize);
  const { startAfresh } = page;
  const conversations = [...page.conversations];
  const userRecords = [...page.userRecords];
  while (page.hasMore) {
    page = await syncPage(user, page.cursor, pageSize);
    assert.equal(page.startAfresh, false);
    conversations.push(...page.conversations);
    userRecords.push(...page.userRecords);
  }
  return { ...page, conversations, userRecords, startAfresh };
}

async function sent(by: TestUser, target: Parameters<TestUser["send"]>[0], text: string): Promise<JsonRecord> {
  const { status, body } = await by.send(target, text);
  assert.equal(status, 200, JSON.stringify(body));
  return (body as { record: JsonRecord }).record;
}

const headsOf = ({ conversations }: JsonPage) =>
  new Map(conversations.map(({ conversationId, headSeq }) => [conversationId, headSeq]));

describe("sync", function () {
  this.timeout(60_000);

  it("gives a device that was offline what it has missed, at once and once", async () => {
    const [alice, bob, carol] = await crew("alice", "bob", "carol");
    assert.ok(alice && bob && carol);
    const first = await syncAll(bob, "");
    assert.deepEqual([first.startAfresh, first.conversations.length], [true, 0]);

    const { conversationId } = await alice.createGroup([bob]);
    const direct = await sent(carol, { userId: bob.userId }, "hello bob");
    const last = await sent(alice, { conversationId }, "ahoy");
    const missed = await syncAll(bob, first.cursor);
    assert.equal(missed.startAfresh, false);
    assert.deepEqual(
      missed.conversations.map((each) => [
        each.conversationId,
        each.headSeq,
        each.lastRecord?.recordId,
        each.unreadCount,
      ]),
      [
        [conversationId, "2", last.recordId, 1],
        [direct.conversationId, "1", direct.recordId, 1],
      ],
    );

    await bob.ok("POST", `/conversations/${conversationId}:markRead`, { seq: "2" });
    await sent(carol, { userId: bob.userId }, "are you there?");
    const other = await syncAll(bob, missed.cursor);
    assert.equal(headsOf(other).get(direct.conversationId), "2");
    assert.deepEqual(
      other.userRecords.map(({ readCursor }) => readCursor?.seq),
      ["2"],
    );
    const fresh = await syncAll(await bob.login(), "", 1);
    assert.deepEqual(
      headsOf(fresh),
      new Map([
        [direct.conversationId, "2"],
        [conversationId, "2"],
      ]),
    );
    assert.equal(fresh.conversations.find((each) => each.conversationId === conversationId)?.readSeq, "2");
  });

  it("answers the same over Connect and over a socket", async () => {
    const [alice, bob] = await crew("alice", "bob");
    assert.ok(alice && bob);
    const { conversationId } = await alice.createGroup([bob]);
    const record = await sent(alice, { conversationId }, "ahoy");
    const { at } = installation();
    const response = await fetch(`${at.edge}/oceanchat.query.v1.QueryService/Sync`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${bob.token}` },
      body: JSON.stringify({ pageSize: 10 }),
    });
    assert.equal(response.status, 200);
    const page = (await response.json()) as JsonPage;
    assert.deepEqual(headsOf(page), new Map([[conversationId, "2"]]));

    for (const json of [false, true]) {
      const socket = await bob.connect({ json });
      const answer: SyncResponse = await socket.ask({ case: "sync", value: { cursor: "" } }, "syncPage");
      assert.equal(answer.startAfresh, true);
      assert.deepEqual(
        answer.conversations.map((each) => [each.conversationId, each.headSeq, each.lastRecord?.recordId]),
        [[conversationId, 2n, record.recordId]],
      );
      const next = await socket.ask({ case: "sync", value: { cursor: answer.cursor } }, "syncPage");
      assert.deepEqual([next.startAfresh, next.hasMore], [false, false]);
      await socket.close();
    }
  });

  it("shows a removed member the end of his time and nothing after it, and a newcomer the group", async () => {
    const [alice, bob, carol] = await crew("alice", "bob", "carol");
    assert.ok(alice && bob && carol);
    const { groupId, conversationId } = await alice.createGroup([bob]);
    await sent(alice, { conversationId }, "with bob");
    const bobs = await syncAll(bob, "");
    const carols = await syncAll(carol, "");
    await alice.ok("DELETE", `/groups/${groupId}/members/${bob.userId}`);
    await alice.ok("POST", `/groups/${groupId}/members`, { userIds: [carol.userId] });
    await sent(alice, { conversationId }, "without bob");

    const removed = await syncAll(bob, bobs.cursor);
    const group = removed.conversations.find((each) => each.conversationId === conversationId);
    assert.deepEqual([group?.left, group?.headSeq, group?.lastRecord?.seq], [true, "3", "3"]);
    assert.doesNotMatch(JSON.stringify(removed), /without bob/);
    assert.deepEqual((await syncAll(bob, "")).conversations, []);

    const joined = await syncAll(carol, carols.cursor);
    const hers = joined.conversations.find((each) => each.conversationId === conversationId);
    assert.deepEqual([hers?.left, hers?.headSeq, hers?.firstSeq], [false, "5", "4"]);
    assert.match(JSON.stringify(joined), /without bob/);
  });

  it("refuses what isn't a cursor of this user", async () => {
    const [alice, bob] = await crew("alice", "bob");
    assert.ok(alice && bob);
    const { cursor } = await syncAll(alice, "");
    for (const wrong of ["nonsense", cursor]) {
      const { status, body } = await bob.call("GET", `/sync?cursor=${wrong}`);
      assert.deepEqual([status, reasonOf(body)], [400, "ERROR_REASON_INVALID_PAGE_TOKEN"]);
    }
    const long = await bob.call("GET", `/sync?cursor=${"x".repeat(4097)}`);
    assert.deepEqual([long.status, reasonOf(long.body)], [400, "ERROR_REASON_INVALID_FIELD"]);
    const negative = await bob.call("GET", "/sync?pageSize=-1");
    assert.deepEqual([negative.status, reasonOf(negative.body)], [400, "ERROR_REASON_INVALID_FIELD"]);
    assert.equal((await bob.call("GET", "/sync?pageSize=5000")).status, 200);
  });
});
