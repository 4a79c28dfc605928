import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { check } from "./checker.ts";
import { atRest } from "./support/at-rest.ts";
import { Device, ifImplemented, viewOf } from "./support/device.ts";
import { createGroup, type LogUser, registerUser } from "./support/log-user.ts";
import { Recorder, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

const ROUNDS = Number(process.env.OCEANCHAT_TEST_ROUNDS ?? 15);

describe("members who are removed and come back while others write and all read", () => {
  it("read exactly what lies within their memberships", async function () {
    this.timeout(60_000 + ROUNDS * 2_000);
    const mesh = logMesh();
    const [ann, bob, cid] = await Promise.all(["ann", "bob", "cid"].map((name) => registerUser(mesh, name)));
    assert.ok(ann !== undefined && bob !== undefined && cid !== undefined);
    const conversationId = await createGroup([ann, bob, cid]);
    const groupId = conversationId.slice(2);
    const recorder = new Recorder(mesh);
    let going = true;
    const write = async (instance: number) => {
      while (going) await recorder.try(recorder.begin(saying(bob, conversationId, "hi")), { instance });
    };
    const running = [
      write(0),
      write(1),
      ...Array.from({ length: 4 }, () => readOn(recorder, cid, conversationId, () => going)),
    ];
    for (let round = 0; round < ROUNDS; round++) {
      await ann.groups.removeMember({ groupId, userId: cid.userId });
      await ann.groups.inviteMembers({ groupId, userIds: [cid.userId] });
    }
    going = false;
    await Promise.all(running);
    const final = await atRest(mesh, [ann, bob, cid], [conversationId]);
    const facts = { rounds: ROUNDS, records: final.stream.length, views: recorder.views.length, ...recorder.counts() };
    console.log(`      ${JSON.stringify(facts)}`);
    assert.deepEqual(check(recorder.history, final).slice(0, 10), []);
    const changes = final.stream.filter(({ fact }) => fact.kind === "membership").length;
    assert.equal(changes, 1 + 2 * ROUNDS);
  });
});

/** Reads the newest records, by every call that shows them, until it is over. */
async function readOn(recorder: Recorder, user: LogUser, conversationId: string, goOn: () => boolean) {
  const { userId, query } = user;
  const shown = ({ seq, recordId }: { seq: bigint; recordId: string }) => ({ seq: Number(seq), recordId });
  const device = new Device(user, recorder);
  for (let turn = 0; goOn(); turn++) {
    try {
      if (turn % 5 === 4) {
        await ifImplemented(() => device.sync(10));
        continue;
      }
      if (turn % 4 === 3) {
        await recorder.read(
          () => query.listConversations({}),
          ({ conversations }) => conversations.map((each) => viewOf(userId, each, "conversations")),
        );
        continue;
      }
      const raw = turn % 2 === 0;
      await recorder.read(
        () => query.listRecords({ conversationId, limit: 20, raw }),
        ({ records, firstSeq, lastSeq }) => {
          const covers = { from: Number(firstSeq), to: Number(lastSeq) };
          return [{ userId, conversationId, via: raw ? "records" : "history", records: records.map(shown), covers }];
        },
      );
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== Code.NotFound) throw error;
    }
  }
}
