import assert from "node:assert/strict";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { DirectPolicy } from "@oceanchat/gen/oceanchat/user/v1/user_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { openTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { MongoClient } from "mongodb";
import { type RunningUser, startUser } from "../support/running.ts";

const { ALLOWED, NOT_FRIENDS } = DirectVerdict;
/** Of three slots. */
const ada = "01890a5d-ac96-774b-bcce-b302099a8057";
const bob = "01890a5d-ac96-774b-bcce-b302099a8058";
const cid = "01890a5d-ac96-774b-bcce-b302099a8059";

describe("revisions of who may write to whom, of two instances", () => {
  let servers: TestServers;
  let auth: Awaited<ReturnType<typeof openTestIssuer>>;
  let instances: RunningUser[] = [];

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    auth = await openTestIssuer();
    instances = await Promise.all([startUser(servers.mongodbUrl, auth.port), startUser(servers.mongodbUrl, auth.port)]);
    for (const [userId, username] of [[ada, "ada"] as const, [bob, "bob"] as const, [cid, "cid"] as const])
      await first().mesh.createProfile({ userId, username, displayName: "" });
    for (const { mesh } of instances) await mesh.getDirectRevisions({});
  });
  after(async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
    await auth?.close(0);
    await servers?.stop();
  });

  const first = () => instances[0] ?? assert.fail("not started");
  const second = () => instances[1] ?? assert.fail("not started");
  const ask = (by: RunningUser, senderUserId: string, recipientUserId: string) =>
    by.checkDirects({ senderUserId, recipientUserId });
  const holds = async (by: RunningUser, { slot, revision }: Awaited<ReturnType<typeof ask>>) =>
    revision !== 0 && (await by.mesh.getDirectRevisions({})).revisions[slot] === revision;

  it("confirm an answer until the recipient changes who may write to him, by whichever instance", async () => {
    const [toBob, toAda] = [await ask(first(), ada, bob), await ask(first(), bob, ada)];
    assert.equal(toBob.verdict, ALLOWED);
    assert.notEqual(toBob.slot, toAda.slot);
    for (const by of instances) assert.ok(await holds(by, toBob));
    await second().as(auth.tokenFor(bob)).updateSettings({ directPolicy: DirectPolicy.FRIENDS });
    for (const by of instances) {
      assert.equal(await holds(by, toBob), false);
      assert.ok(await holds(by, toAda));
    }
    const again = await ask(first(), ada, bob);
    assert.equal(again.verdict, NOT_FRIENDS);
    assert.ok(await holds(second(), again));
  });

  it("don't change with what others don't depend on", async () => {
    const before = await ask(first(), bob, ada);
    const me = second().as(auth.tokenFor(ada));
    await me.updateSettings({ hideLastSeen: true });
    await me.updateMe({ bio: "numbers" });
    assert.ok(await holds(first(), before));
  });

  it("count every change of several at once, and leave none open", async () => {
    const before = await ask(first(), ada, cid);
    const clients = instances.map((instance) => instance.as(auth.tokenFor(cid)));
    const policies = [DirectPolicy.FRIENDS, DirectPolicy.EVERYONE];
    const changes = clients.flatMap((client) =>
      policies.map((directPolicy) => client.updateSettings({ directPolicy })),
    );
    await Promise.all(changes);
    const { revisions } = await first().mesh.getDirectRevisions({});
    assert.equal(revisions[before.slot], before.revision + changes.length);
  });

  it("aren't given for a slot in which a change was begun by one who died", async () => {
    const { slot } = await ask(first(), ada, cid);
    const client = new MongoClient(servers.mongodbUrl);
    try {
      const revisions = client.db("user").collection<{ _id: string }>("direct_revisions");
      await revisions.updateOne({ _id: "direct" }, { $set: { "open.dead": [slot] } });
      for (const { mesh } of instances) assert.equal((await mesh.getDirectRevisions({})).revisions[slot], 0);
      for (const by of instances) assert.equal((await ask(by, ada, cid)).revision, 0);
    } finally {
      await client.close();
    }
  });
});
