import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { tell } from "../../src/core/notices.ts";
import { CAROL, groupEntry, id } from "../support/entries.ts";
import { FakePush, namedBy } from "../support/fakes.ts";

const users = (count: number) => Array.from({ length: count }, (_, n) => id(n));

describe("tell", () => {
  let push: FakePush;
  beforeEach(() => {
    push = new FakePush();
  });

  for (const [count, tasks] of [
    [1, 1],
    [2, 1],
    [999, 1],
    [1000, 1],
    [1001, 2],
    [2000, 2],
    [9001, 10],
  ] as const) {
    it(`tells ${count} users by ${tasks} tasks, each user once`, async () => {
      const entry = groupEntry(5);
      assert.deepEqual(await tell(push, [{ entry, userIds: users(count) }]), { offline: count, dropped: 0 });
      assert.equal(push.offlineTasks.length, tasks);
      assert.deepEqual(push.offlineTasks.flatMap(namedBy).sort(), users(count).sort());
      for (const task of push.offlineTasks) assert.deepEqual(task.record, entry.record);
    });
  }

  it("names one user, alone or left over, as pusher-realtime does", async () => {
    await tell(push, [
      { entry: groupEntry(5), userIds: [CAROL] },
      { entry: groupEntry(6), userIds: users(1001) },
    ]);
    assert.ok(push.ids.has(`${id(1005)}:${CAROL}`));
    assert.ok(push.ids.has(`${id(1006)}:${id(1000)}`));
    assert.deepEqual(
      push.offlineTasks.map(({ userId }) => userId),
      [CAROL, "", id(1000)],
    );
  });

  it("publishes the same tasks again, and others for other users or records", async () => {
    const notice = (seq: number, userIds: readonly string[]) => ({ entry: groupEntry(seq), userIds });
    await tell(push, [notice(5, users(1500)), notice(6, users(1500))]);
    assert.equal(push.ids.size, 4);
    await tell(push, [notice(6, users(1500))]);
    await tell(push, [notice(5, users(1500))]);
    assert.equal(push.ids.size, 4);
    await tell(push, [notice(5, users(1499))]);
    assert.equal(push.ids.size, 5, "the first thousand are the same");
  });

  it("counts users, not tasks, for whom the stream has no room", async () => {
    push.full = true;
    const told = await tell(push, [{ entry: groupEntry(5), userIds: users(1500) }]);
    assert.deepEqual(told, { offline: 0, dropped: 1500 });
  });

  it("stays within the stream's message limit with the largest record", async () => {
    const text = "x".repeat(64 * 1024 - 400);
    const { record, ...entry } = groupEntry(5, {
      body: { case: "message", value: { content: { kind: { case: "text", value: { text } } } } },
    });
    const encoded = toBinary(RecordSchema, record);
    await tell(push, [{ entry: { ...entry, record, encoded }, userIds: users(1000) }]);
    assert.ok((push.bytes[0] ?? 0) > encoded.length + 16_000 - 1);
    assert.ok((push.bytes[0] ?? 0) < 131_072, `${push.bytes[0]} bytes`);
  });
});
