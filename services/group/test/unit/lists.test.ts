import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import { fakeGroups, origin, request } from "../support/fakes.ts";

async function given() {
  const { core, store } = fakeGroups();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    ids.push((await core.create("a", request({ clientGroupId: `key ${i}` }), origin)).groupId);
  }
  const [groupId = ""] = ids;
  const left = store.membersById.get(`${groupId}:c`);
  if (left !== undefined) store.membersById.set(`${groupId}:c`, { ...left, toSeq: 3n });
  return { core, groupId, ids };
}

describe("lists of groups and members", () => {
  it("GetGroup answers members only", async () => {
    const { core, groupId } = await given();
    assert.equal((await core.group("b", groupId)).name, "crew");
    await refused(core.group("c", groupId), "GROUP_NOT_FOUND");
    await refused(core.group("z", groupId), "GROUP_NOT_FOUND");
    await refused(core.group("a", "no group"), "GROUP_NOT_FOUND");
  });

  it("ListGroups pages over one's own groups", async () => {
    const { core, ids } = await given();
    const found: string[][] = [];
    let pageToken = "";
    do {
      const { groups, nextPageToken } = await core.listGroups("c", { pageSize: 2, pageToken });
      found.push(groups.map(({ groupId }) => groupId));
      pageToken = nextPageToken;
    } while (pageToken !== "");
    assert.deepEqual(found, [ids.slice(1, 3), ids.slice(3, 5)]);
    assert.deepEqual(await core.listGroups("z", { pageSize: 0, pageToken: "" }), { groups: [], nextPageToken: "" });
  });

  it("ListMembers pages over those who are there, for members only", async () => {
    const { core, groupId } = await given();
    const first = await core.listMembers("a", groupId, { pageSize: 1, pageToken: "" });
    const second = await core.listMembers("a", groupId, { pageSize: 1, pageToken: first.nextPageToken });
    assert.deepEqual(
      [...first.members, ...second.members].map(({ userId }) => userId),
      ["a", "b"],
    );
    assert.equal(second.nextPageToken, "");
    await refused(core.listMembers("z", groupId, { pageSize: 1, pageToken: "" }), "GROUP_NOT_FOUND");
    await refused(core.listMembers("a", groupId, { pageSize: 1, pageToken: "x" }), "INVALID_FIELD");
    const ofGroups = Buffer.from('{"groupId":"g1"}').toString("base64url");
    await refused(core.listMembers("a", groupId, { pageSize: 1, pageToken: ofGroups }), "INVALID_FIELD");
  });

  it("ListMemberIds ascends, says the version and whether there are more", async () => {
    const { core, ids } = await given();
    const [, groupId = ""] = ids;
    const page = (afterUserId: string, limit: number) => core.listMemberIds({ groupId, afterUserId, limit });
    assert.deepEqual(await page("", 0), { userIds: ["a", "b", "c"], version: 1n, hasMore: false });
    assert.deepEqual(await page("", 2), { userIds: ["a", "b"], version: 1n, hasMore: true });
    assert.deepEqual(await page("b", 2), { userIds: ["c"], version: 1n, hasMore: false });
    const unknown = await core.listMemberIds({ groupId: "no group", afterUserId: "", limit: 0 });
    assert.deepEqual(unknown, { userIds: [], version: 0n, hasMore: false });
  });

  it("ListGroupIdsOfUser leaves out what he has left", async () => {
    const { core, ids } = await given();
    const page = (afterGroupId: string, limit: number) => core.listMemberships({ userId: "c", afterGroupId, limit });
    const { memberships, hasMore } = await page("", 3);
    assert.deepEqual(
      memberships,
      ids.slice(1, 4).map((groupId) => ({ groupId, fromSeq: 1n, toSeq: 0n, joinTime: new Date(1_000) })),
    );
    assert.equal(hasMore, true);
    assert.equal((await page(ids[3] ?? "", 3)).hasMore, false);
  });
});
