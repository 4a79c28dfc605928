import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole, JoinPolicy } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { answers } from "@oceanchat/runtime/testing-public";
import { openTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { v7 } from "uuid";
import { openFakePeers, type RunningGroup, startGroup } from "../support/running.ts";

const people = Array.from({ length: 50 }, () => v7()).sort();
const [ada = "", bob = "", carl = "", zoe = ""] = people;

describe("changes of a group", () => {
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

  async function create(memberIds: readonly string[], joinPolicy: JoinPolicy = JoinPolicy.INVITE_ONLY) {
    const settings = { joinPolicy, membersMayInvite: true };
    const { group } = await as(ada).createGroup({
      name: "crew",
      memberIds: [...memberIds],
      clientGroupId: v7(),
      settings,
    });
    return { groupId: group?.groupId ?? "", conversationId: group?.conversationId ?? "" };
  }

  /** The membership records of a conversation. */
  function changesIn(conversationId: string) {
    return peers.logOf(conversationId).flatMap(({ record }, i) => {
      const { body } = record ?? {};
      return body?.case === "membership" ? [{ seq: BigInt(i + 1), ...body.value }] : [];
    });
  }

  async function intervals(group: RunningGroup, groupId: string, userId: string) {
    const { intervals } = await group.mesh.checkRead({ groupId, userId });
    return intervals.map(({ fromSeq, toSeq }) => [fromSeq, toSeq] as const);
  }

  it("begin and end where their records lie, at whichever instance one asks", async () => {
    const { groupId, conversationId } = await create([bob]);
    peers.say(conversationId); // 2
    const { members } = await as(bob, other).inviteMembers({ groupId: groupId.toUpperCase(), userIds: [carl] }); // 3
    assert.deepEqual(
      members.map(({ userId, role }) => [userId, role]),
      [[carl, GroupRole.MEMBER]],
    );
    peers.say(conversationId); // 4
    await as(ada).removeMember({ groupId, userId: bob }); // 5
    peers.say(conversationId); // 6
    await as(carl, other).leaveGroup({ groupId }); // 7
    assert.deepEqual(
      [await intervals(other, groupId, bob), await intervals(one, groupId, carl)],
      [[[1n, 5n]], [[3n, 7n]]],
    );
    assert.equal((await other.mesh.checkSend({ groupId, userId: bob })).verdict, SendVerdict.NOT_A_MEMBER);
    const { userIds, version } = await other.mesh.listMemberIds({ groupId });
    assert.deepEqual([userIds, version], [[ada], 4n]);
    const ended = { seconds: 1_700_000_000n, nanos: 7_000_000 }; // the time of record 7
    const { memberships } = await one.mesh.listGroupIdsOfUser({ userId: carl, leftSince: ended });
    assert.deepEqual(
      memberships.map((each) => [each.groupId, each.fromSeq, each.toSeq]),
      [[groupId, 3n, 7n]],
    );
    assert.deepEqual((await one.mesh.listGroupIdsOfUser({ userId: carl })).memberships, []);
    await answers(as(carl).joinGroup({ groupId }), Code.PermissionDenied, "INVITE_ONLY", "group.oceanchat");
    await answers(as(zoe).joinGroup({ groupId }), Code.NotFound, "GROUP_NOT_FOUND", "group.oceanchat");
  });

  it("make records that say what is different", async () => {
    const { groupId, conversationId } = await create([bob, carl]);
    await as(ada).updateMember({ groupId, userId: bob, role: GroupRole.ADMIN });
    const { member } = await as(bob).updateMember({ groupId, userId: carl, nickname: "c", mute: { seconds: 60n } });
    assert.deepEqual([member?.nickname, member?.mutedUntil !== undefined], ["c", true]);
    assert.equal((await other.mesh.checkSend({ groupId, userId: carl })).verdict, SendVerdict.MUTED);
    const settings = { joinPolicy: JoinPolicy.OPEN, membersMayInvite: true, openHistory: true };
    const { group } = await as(bob).updateGroup({ groupId, name: "fleet", avatarUrl: "https://a/b", settings });
    assert.deepEqual([group?.name, group?.settings?.openHistory, group?.version], ["fleet", true, 2n]);
    await as(bob, other).muteAll({ groupId, muted: true });
    const [, role, changed, muted] = peers.logOf(conversationId).map(({ record }) => record?.body);
    assert.ok(role?.case === "membership" && changed?.case === "groupChange" && muted?.case === "groupChange");
    assert.deepEqual(
      role.value.roleChanged.map((each) => [each.userId, each.role]),
      [[bob, "GROUP_ROLE_ADMIN"]],
    );
    const { name, settings: fields } = changed.value;
    assert.deepEqual(
      [name, fields],
      ["fleet", { join_policy: "JOIN_POLICY_OPEN", open_history: "true", avatar_url: "https://a/b" }],
    );
    assert.deepEqual([muted.value.name, muted.value.settings], [undefined, { muted_all: "true" }]);
    await as(zoe).joinGroup({ groupId });
    assert.deepEqual(await intervals(other, groupId, zoe), [[1n, 0n]]);
  });

  it("come one after another, whatever fifty people do at two instances at once", async function () {
    this.timeout(120_000);
    const { groupId, conversationId } = await create([], JoinPolicy.OPEN);
    const comeAndGo = async (userId: string, i: number) => {
      const [here, there] = i % 2 === 0 ? [one, other] : [other, one];
      await as(userId, here).joinGroup({ groupId });
      peers.say(conversationId);
      if (i % 3 > 0) await as(userId, there).leaveGroup({ groupId });
      if (i % 3 > 1) await as(ada, here).inviteMembers({ groupId, userIds: [userId] });
    };
    await Promise.all(people.slice(1).map(comeAndGo));
    const changes = changesIn(conversationId);
    assert.deepEqual(
      changes.map(({ version }) => version),
      changes.map((_, i) => BigInt(i + 1)),
    );
    const members = new Set<string>();
    const begun = new Map<string, bigint>();
    for (const { seq, joined, left } of changes) {
      for (const userId of joined) {
        assert.ok(!members.has(userId));
        members.add(userId);
        begun.set(userId, seq);
      }
      for (const userId of left) assert.ok(members.delete(userId));
    }
    const list = await other.mesh.listMemberIds({ groupId });
    assert.deepEqual([list.userIds, list.version], [[...members].sort(), BigInt(changes.length)]);
    assert.equal((await as(ada).getGroup({ groupId })).group?.memberCount, members.size);
    for (const userId of members) {
      assert.deepEqual((await intervals(one, groupId, userId)).at(-1), [begun.get(userId) ?? 0n, 0n]);
    }
  });

  it("are finished by whoever looks at the group when the one who began them couldn't", async () => {
    const { groupId, conversationId } = await create([bob, carl]);
    peers.state.away = true;
    const began = Date.now();
    await answers(as(ada).removeMember({ groupId, userId: bob }), Code.DeadlineExceeded, "OUTCOME_UNKNOWN");
    assert.equal((await other.mesh.checkSend({ groupId, userId: bob })).verdict, SendVerdict.NOT_A_MEMBER);
    assert.equal((await other.mesh.checkSend({ groupId, userId: carl })).verdict, SendVerdict.ALLOWED);
    await assert.rejects(other.mesh.checkRead({ groupId, userId: bob }), { reason: "ERROR_REASON_UNAVAILABLE" });
    await assert.rejects(other.mesh.listMemberIds({ groupId }), { reason: "ERROR_REASON_UNAVAILABLE" });
    await answers(as(ada).removeMember({ groupId, userId: carl }), Code.Unavailable, "UNAVAILABLE");
    assert.deepEqual(await intervals(other, groupId, carl), [[1n, 0n]]);
    assert.ok(Date.now() - began < 10_000);
    peers.say(conversationId); // 2
    peers.state.away = false;
    const { userIds, version } = await other.mesh.listMemberIds({ groupId });
    assert.deepEqual([userIds, version], [[ada, carl], 2n]);
    assert.deepEqual(await intervals(one, groupId, bob), [[1n, 3n]]);
    assert.equal(peers.logOf(conversationId).at(-1)?.attempt, 2);
    await as(ada).removeMember({ groupId, userId: bob });
    assert.equal(changesIn(conversationId).length, 2);
  });
});
