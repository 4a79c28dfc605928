import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { reasonOf } from "../support/rest.ts";
import { installation } from "../support/shared-installation.ts";
import { directId, type JsonRecord, TestUser } from "../support/user.ts";

interface Found {
  readonly records: readonly JsonRecord[];
  readonly nextPageToken: string;
}

describe("search", () => {
  let alice: TestUser;
  let bob: TestUser;
  let stranger: TestUser;
  let conversationId: string;
  /** So that nobody else's words are found. */
  const word = `w${randomUUID().slice(0, 8)}`;

  before(async function () {
    this.timeout(30_000);
    const { at } = installation();
    const names = ["alice", "bob", "stranger"];
    const users = await Promise.all(names.map((name) => TestUser.register(at, name)));
    [alice, bob, stranger] = users as [TestUser, TestUser, TestUser];
    ({ conversationId } = await alice.createGroup([bob]));
  });

  const say = async (from: TestUser, target: Parameters<TestUser["send"]>[0], text: string): Promise<JsonRecord> => {
    const { status, body } = await from.send(target, text);
    assert.equal(status, 200, JSON.stringify(body));
    return (body as { record: JsonRecord }).record;
  };
  const search = (user: TestUser, query: Record<string, string>) =>
    user.ok<Found>("GET", `/search?${new URLSearchParams(query)}`);

  /** Asks until that many are found: the index is some moments behind. */
  async function untilFound(user: TestUser, query: Record<string, string>, count: number): Promise<Found> {
    const began = Date.now();
    for (;;) {
      const found = await search(user, query);
      if (found.records.length === count) return found;
      assert.ok(Date.now() - began < 15_000, JSON.stringify(found));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  const idsOf = ({ records }: Found) => records.map(({ recordId }) => recordId);

  it("finds what was said, as it stands now, and shows it to nobody else", async function () {
    this.timeout(60_000);
    const kept = await say(alice, { conversationId }, `The ${word} café is open`);
    const edited = await say(alice, { conversationId }, `The ${word} is clsd`);
    const recalled = await say(alice, { conversationId }, `${word} oops`);
    const direct = await say(bob, { userId: alice.userId }, `and ${word} for you`);
    await untilFound(bob, { query: word }, 4);

    const messages = `/conversations/${conversationId}/messages`;
    const content = { text: { text: `The ${word} is closed, 北京大学 is not` } };
    await alice.ok("PATCH", `${messages}/${edited.recordId}`, { content, clientMessageId: randomUUID() });
    await alice.ok("POST", `${messages}/${recalled.recordId}:recall`, {});
    // A recall counts at once, whatever the index says.
    assert.deepEqual(idsOf(await search(bob, { query: word })).includes(recalled.recordId), false);
    assert.deepEqual(idsOf(await untilFound(bob, { query: `${word} 京大` }, 1)), [edited.recordId]);
    assert.deepEqual(idsOf(await untilFound(bob, { query: word.slice(0, 7).toUpperCase() }, 3)), [
      direct.recordId,
      edited.recordId,
      kept.recordId,
    ]);
    assert.deepEqual(idsOf(await search(bob, { query: `${word} cafe` })), [kept.recordId]);
    assert.deepEqual(idsOf(await search(bob, { query: `${word} clsd` })), [], "what it said before");
    assert.deepEqual(idsOf(await search(bob, { query: word, conversationId })), [edited.recordId, kept.recordId]);
    assert.deepEqual(idsOf(await search(alice, { query: word, senderUserId: bob.userId })), [direct.recordId]);

    const first = await search(bob, { query: word, pageSize: "2" });
    const second = await search(bob, { query: word, pageSize: "2", pageToken: first.nextPageToken });
    const pages = [...idsOf(first), ...idsOf(second)];
    assert.deepEqual([pages, second.nextPageToken], [[direct.recordId, edited.recordId, kept.recordId], ""]);

    assert.deepEqual(idsOf(await search(stranger, { query: word })), []);
  });

  it("refuses what can't be searched", async () => {
    const refusals: readonly [TestUser, Record<string, string>, number, string][] = [
      [alice, { query: "?!" }, 400, "ERROR_REASON_NOTHING_TO_SEARCH"],
      [alice, { query: "x" }, 400, "ERROR_REASON_INVALID_FIELD"],
      [alice, { query: "x".repeat(129) }, 400, "ERROR_REASON_INVALID_FIELD"],
      [alice, { query: word, pageToken: "nonsense" }, 400, "ERROR_REASON_INVALID_PAGE_TOKEN"],
      [stranger, { query: word, conversationId }, 404, "ERROR_REASON_CONVERSATION_NOT_FOUND"],
      [
        stranger,
        { query: word, conversationId: directId(alice.userId, bob.userId) },
        404,
        "ERROR_REASON_CONVERSATION_NOT_FOUND",
      ],
      [alice, { query: word, conversationId: "nonsense" }, 404, "ERROR_REASON_CONVERSATION_NOT_FOUND"],
    ];
    for (const [user, query, status, reason] of refusals) {
      const answer = await user.call("GET", `/search?${new URLSearchParams(query)}`);
      assert.deepEqual([answer.status, reasonOf(answer.body)], [status, reason], JSON.stringify(query));
    }
  });
});
