import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { DirectVerdict, PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { DirectPolicy, PresencePolicy } from "@oceanchat/gen/oceanchat/user/v1/user_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { answers } from "@oceanchat/runtime/testing-public";
import { openTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { type RunningUser, startUser } from "../support/running.ts";

const ada = "01890a5d-ac96-774b-bcce-b302099a8057";
const bob = "01890a5d-ac96-774b-bcce-b302099a8058";
const nobody = "01890a5d-ac96-774b-bcce-b302099a8059";

describe("user", () => {
  let servers: TestServers;
  let auth: Awaited<ReturnType<typeof openTestIssuer>>;
  let user: RunningUser;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    auth = await openTestIssuer();
    user = await startUser(servers.mongodbUrl, auth.port);
    await user.mesh.createProfile({ userId: ada, username: "ada", displayName: "Ada Lovelace" });
    await user.mesh.createProfile({ userId: bob, username: "bob", displayName: "" });
  });
  after(async () => {
    await user?.stop();
    await auth?.close(0);
    await servers?.stop();
  });

  it("gives and changes the caller's profile", async () => {
    const me = user.as(auth.tokenFor(ada));
    assert.equal((await me.getMe({})).user?.displayName, "Ada Lovelace");
    const { user: changed } = await me.updateMe({ bio: "numbers" });
    assert.deepEqual([changed?.displayName, changed?.bio], ["Ada Lovelace", "numbers"]);
    const blank = me.updateMe({ displayName: "   " });
    assert.deepEqual(await answers(blank, Code.InvalidArgument, "INVALID_FIELD"), ["display_name"]);
  });

  it("gives others' profiles", async () => {
    const me = user.as(auth.tokenFor(ada));
    assert.equal((await me.getUser({ userId: bob })).user?.displayName, "bob");
    await answers(me.getUser({ userId: nobody }), Code.NotFound, "USER_NOT_FOUND", "user.oceanchat");
    const { users } = await me.batchGetUsers({ userIds: [bob, nobody] });
    assert.deepEqual(
      users.map(({ username }) => username),
      ["bob"],
    );
    assert.equal((await me.searchUsers({ query: "LOVE" })).users.length, 0);
    assert.equal((await me.searchUsers({ query: "ADA l" })).users[0]?.userId, ada);
  });

  it("keeps settings, and CheckDirect follows them", async () => {
    const me = user.as(auth.tokenFor(bob));
    const settings = async () => (await me.getSettings({})).settings;
    assert.equal((await settings())?.directPolicy, DirectPolicy.EVERYONE);
    const check = { senderUserId: ada, recipientUserId: bob };
    assert.equal((await user.mesh.checkDirect(check)).verdict, DirectVerdict.ALLOWED);
    await me.updateSettings({ directPolicy: DirectPolicy.FRIENDS });
    await me.updateSettings({ hideLastSeen: true });
    const { directPolicy, hideLastSeen, hideFromSearch } = (await settings()) ?? {};
    assert.deepEqual([directPolicy, hideLastSeen, hideFromSearch], [DirectPolicy.FRIENDS, true, false]);
    assert.equal((await user.mesh.checkDirect(check)).verdict, DirectVerdict.NOT_FRIENDS);
    const unknown = { senderUserId: ada, recipientUserId: nobody };
    assert.equal((await user.mesh.checkDirect(unknown)).verdict, DirectVerdict.UNKNOWN_RECIPIENT);
    const together = await Promise.all([check, unknown].map((question) => user.checkDirects(question)));
    assert.deepEqual(
      together.map(({ verdict }) => verdict),
      [DirectVerdict.NOT_FRIENDS, DirectVerdict.UNKNOWN_RECIPIENT],
    );
  });

  it("keeps who sees whether somebody is here, and CheckPresence follows it", async () => {
    const me = user.as(auth.tokenFor(bob));
    await me.updateSettings({ hideLastSeen: false });
    assert.equal((await me.getSettings({})).settings?.presencePolicy, PresencePolicy.EVERYONE);
    const { ALL, STATUS, HIDDEN } = PresenceVerdict;
    const seen = async () => {
      const pairs = [ada, bob, nobody].map((viewerUserId) => ({ viewerUserId, userId: bob }));
      const { verdicts } = await user.mesh.checkPresence({
        questions: [...pairs, { viewerUserId: bob, userId: nobody }],
      });
      return verdicts;
    };
    assert.deepEqual(await seen(), [ALL, ALL, ALL, HIDDEN]);
    for (const presencePolicy of [PresencePolicy.FRIENDS, PresencePolicy.NOBODY]) {
      const { settings } = await me.updateSettings({ presencePolicy });
      assert.equal(settings?.presencePolicy, presencePolicy);
      assert.deepEqual(await seen(), [HIDDEN, ALL, HIDDEN, HIDDEN]);
    }
    await me.updateSettings({ presencePolicy: PresencePolicy.EVERYONE, hideLastSeen: true });
    assert.deepEqual(await seen(), [STATUS, ALL, STATUS, HIDDEN]);
    const unheardOf: number = 9;
    const wrong = me.updateSettings({ presencePolicy: unheardOf as PresencePolicy });
    assert.deepEqual(await answers(wrong, Code.InvalidArgument, "INVALID_FIELD"), ["presence_policy"]);
  });

  it("answers other services", async () => {
    const again = await user.mesh.createProfile({ userId: ada, username: "ada", displayName: "Another" });
    assert.equal(again.user?.displayName, "Ada Lovelace");
    const { users } = await user.mesh.batchGetProfiles({ userIds: [ada, nobody] });
    assert.deepEqual(
      users.map(({ userId }) => userId),
      [ada],
    );
    assert.deepEqual((await user.mesh.areFriends({ userId: ada, otherUserIds: [bob] })).friendUserIds, []);
  });

  it("refuses no token, a bad one, wrong fields, and what isn't there yet", async () => {
    await answers(user.as().getMe({}), Code.Unauthenticated, "TOKEN_INVALID");
    await answers(user.as(`${auth.tokenFor(ada)}x`).getMe({}), Code.Unauthenticated, "TOKEN_INVALID");
    const me = user.as(auth.tokenFor(ada));
    const fields = await answers(me.getUser({ userId: '{"$ne":null}' }), Code.InvalidArgument, "INVALID_FIELD");
    assert.deepEqual(fields, ["user_id"]);
    const search = me.searchUsers({ query: "ad", pageToken: "made up" });
    assert.deepEqual(await answers(search, Code.InvalidArgument, "INVALID_FIELD"), ["page_token"]);
    const friends = user.relationsAs(auth.tokenFor(ada)).listFriends({});
    await answers(friends, Code.Unimplemented, "UNIMPLEMENTED");
  });
});
