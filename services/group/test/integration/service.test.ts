import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole, JoinPolicy } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { answers } from "@oceanchat/runtime/testing-public";
import { openTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { v7 } from "uuid";
import { openFakePeers, type RunningGroup, startGroup } from "../support/running.ts";

const [ada = "", bob = "", carl = "", zoe = ""] = Array.from({ length: 4 }, () => v7()).sort();
const dead = "01890a5d-ac96-774b-bcce-b3020000dead";

describe("group", () => {
  let servers: TestServers;
  let auth: Awaited<ReturnType<typeof openTestIssuer>>;
  let peers: Awaited<ReturnType<typeof openFakePeers>>;
  let one: RunningGroup;
  let other: RunningGroup;
  const as = (userId: string, group = one) => group.as(auth.tokenFor(userId));

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    [auth, peers] = await Promise.all([openTestIssuer(), openFakePeers()]);
    one = await startGroup(servers.mongodbUrl, auth.port, peers.port);
    other = await startGroup(servers.mongodbUrl, auth.port, peers.port);
  });
  after(async () => {
    await Promise.all([one?.stop(), other?.stop()]);
    await Promise.all([auth?.close(0), peers?.close(0)]);
    await servers?.stop();
  });

  it("creates a group, appends its first record, and shows it to its members", async () => {
    const request = { name: "crew", memberIds: [carl, bob], clientGroupId: v7() };
    const { group } = await as(ada).createGroup(request);
    const groupId = group?.groupId ?? "";
    assert.deepEqual(
      [group?.conversationId, group?.ownerUserId, group?.memberCount, group?.version, group?.settings?.joinPolicy],
      [`g_${groupId}`, ada, 3, 1n, JoinPolicy.INVITE_ONLY],
    );
    const [appended] = peers.logOf(`g_${groupId}`);
    assert.equal(appended?.record?.senderUserId, ada);
    const { body } = appended?.record ?? {};
    assert.ok(body?.case === "membership");
    const { joined, actorUserId, version } = body.value;
    assert.deepEqual([joined, actorUserId, version], [[ada, bob, carl], ada, 1n]);
    assert.deepEqual((await as(bob, other).getGroup({ groupId })).group?.name, "crew");
    await answers(as(zoe).getGroup({ groupId }), Code.NotFound, "GROUP_NOT_FOUND", "group.oceanchat");
    assert.deepEqual(
      (await as(carl).listGroups({})).groups.map((each) => each.groupId),
      [groupId],
    );
    const page = await as(carl).listMembers({ groupId, pageSize: 2 });
    const rest = await as(carl).listMembers({ groupId, pageSize: 2, pageToken: page.nextPageToken });
    assert.deepEqual(
      [...page.members, ...rest.members].map(({ userId, role }) => [userId, role]),
      [
        [ada, GroupRole.OWNER],
        [bob, GroupRole.MEMBER],
        [carl, GroupRole.MEMBER],
      ],
    );
    assert.equal(rest.nextPageToken, "");
  });

  it("creates one group of twenty requests at once at two instances", async () => {
    const clientGroupId = v7();
    const create = (group: RunningGroup) =>
      as(ada, group).createGroup({ name: "race", memberIds: [bob], clientGroupId });
    const created = await Promise.all(Array.from({ length: 20 }, (_, i) => create(i % 2 === 0 ? one : other)));
    const ids = new Set(created.map(({ group }) => group?.groupId ?? ""));
    assert.equal(ids.size, 1);
    const [groupId] = ids;
    assert.equal(peers.logOf(`g_${groupId}`).length, 1);
    const mismatch = as(ada).createGroup({ name: "other", memberIds: [bob], clientGroupId });
    await answers(mismatch, Code.AlreadyExists, "IDEMPOTENCY_MISMATCH");
  });

  it("answers other services", async () => {
    const { group } = await as(zoe).createGroup({ name: "mesh", memberIds: [bob], clientGroupId: v7() });
    const groupId = group?.groupId ?? "";
    const owner = await one.mesh.checkSend({ groupId, userId: zoe, mentionsAll: true });
    assert.deepEqual([owner.verdict, owner.role], [SendVerdict.ALLOWED, GroupRole.OWNER]);
    const member = await one.mesh.checkSend({ groupId, userId: bob, mentionsAll: true });
    assert.deepEqual([member.verdict, member.role], [SendVerdict.MAY_NOT_MENTION_ALL, GroupRole.MEMBER]);
    const stranger = await one.mesh.checkSend({ groupId, userId: ada });
    assert.deepEqual([stranger.verdict, stranger.role], [SendVerdict.NOT_A_MEMBER, GroupRole.UNSPECIFIED]);
    const { intervals } = await other.mesh.checkRead({ groupId, userId: bob });
    assert.deepEqual(
      intervals.map(({ fromSeq, toSeq }) => [fromSeq, toSeq]),
      [[1n, 0n]],
    );
    assert.deepEqual((await one.mesh.checkRead({ groupId, userId: ada })).intervals, []);
    const { userIds, version, hasMore } = await other.mesh.listMemberIds({ groupId });
    assert.deepEqual([userIds, version, hasMore], [[bob, zoe], 1n, false]);
    const { memberships } = await one.mesh.listGroupIdsOfUser({ userId: zoe });
    assert.deepEqual(
      memberships.map((each) => [each.groupId, each.fromSeq]),
      [[groupId, 1n]],
    );
    const { users } = await other.mesh.listGroupIdsOfUsers({ users: [{ userId: zoe }, { userId: dead }] });
    const asked = users.toSorted((a, b) => (a.userId < b.userId ? 1 : -1));
    assert.deepEqual([asked[0]?.userId, asked[0]?.memberships], [zoe, memberships]);
    assert.deepEqual([asked[1]?.userId, asked[1]?.memberships], [dead, []]);
  });

  it("finishes a group whose record couldn't be appended: by a repeat, or by itself", async () => {
    const request = { name: "late", memberIds: [bob], clientGroupId: v7() };
    const forgotten = { name: "forgotten", memberIds: [bob], clientGroupId: v7() };
    peers.state.away = true;
    await answers(as(ada).createGroup(request), Code.DeadlineExceeded, "OUTCOME_UNKNOWN");
    await answers(as(ada).createGroup(forgotten), Code.DeadlineExceeded, "OUTCOME_UNKNOWN");
    await answers(as(ada).createGroup(request), Code.Unavailable, "UNAVAILABLE");
    const both = peers.more(2); // from here on: an instance that runs may just be sweeping
    peers.state.away = false;
    const { group } = await as(ada).createGroup(request);
    assert.deepEqual(
      peers.logOf(group?.conversationId ?? "").map(({ attempt }) => attempt),
      [2],
    );
    const third = await startGroup(servers.mongodbUrl, auth.port, peers.port);
    try {
      await both;
    } finally {
      await third.stop();
    }
    const { group: finished } = await as(ada).createGroup(forgotten);
    assert.equal(peers.logOf(finished?.conversationId ?? "").length, 1);
  });

  it("refuses no token, a bad one, wrong fields, unknown members, and what isn't there yet", async () => {
    await answers(one.as().listGroups({}), Code.Unauthenticated, "TOKEN_INVALID");
    await answers(one.as("x.y.z").listGroups({}), Code.Unauthenticated, "TOKEN_INVALID");
    const bad = as(ada).createGroup({ name: "", memberIds: ["x", bob, bob], clientGroupId: "key" });
    assert.deepEqual((await answers(bad, Code.InvalidArgument, "INVALID_FIELD")).sort(), [
      "client_group_id",
      "member_ids",
      "member_ids[0]",
      "name",
    ]);
    const page = as(ada).listGroups({ pageToken: "made up" });
    assert.deepEqual(await answers(page, Code.InvalidArgument, "INVALID_FIELD"), ["page_token"]);
    const unknown = as(ada).createGroup({ name: "crew", memberIds: [dead], clientGroupId: v7() });
    await answers(unknown, Code.NotFound, "USER_NOT_FOUND", "group.oceanchat");
    await answers(as(ada).transferGroup({ groupId: v7(), userId: bob }), Code.Unimplemented, "UNIMPLEMENTED");
  });
});
