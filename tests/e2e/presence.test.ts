import assert from "node:assert/strict";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { PresenceService, Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { installation } from "../support/shared-installation.ts";
import { TcpSocket } from "../support/tcp.ts";
import { TestUser } from "../support/user.ts";
import { type Client, look, subscribe, told, untilStatuses, untilTold } from "../support/watching.ts";

const setStatus = (user: TestUser, status: string, more: { statusText?: string; expireTime?: string } = {}) =>
  user.ok("PUT", "/presence/status", { status: `STATUS_${status}`, ...more });

describe("presence, from the client's side", function () {
  this.timeout(60_000);
  let open: { close(): Promise<unknown> }[] = [];

  before(() => untilStatuses(installation().at));

  afterEach(async () => {
    await Promise.all(open.map((each) => each.close()));
    open = [];
  });

  const keep = <C extends { close(): Promise<unknown> }>(client: C): C => {
    open.push(client);
    return client;
  };
  const register = (...names: string[]) => Promise.all(names.map((name) => TestUser.register(installation().at, name)));
  const connect = async (user: TestUser, options: { readonly json?: boolean } = {}) =>
    keep(await user.connect(options));

  /** Two people; the first one watches the second, who is here, and a third one, whose changes show that time has passed. */
  async function watching() {
    const [viewer, user, third] = await register("viewer", "user", "third");
    assert.ok(viewer !== undefined && user !== undefined && third !== undefined);
    const [watcher, device] = await Promise.all([connect(viewer), connect(user)]);
    assert.deepEqual(await subscribe(watcher, [user, third]), ["ONLINE", "OFFLINE"]);
    let statuses = 0;
    /** Long enough for every change of before to have been shown: the third one's changes come a second apart. */
    const settled = async () => {
      const thirds = keep(await third.connect());
      await untilTold(watcher, third, ++statuses);
      await thirds.close();
      await untilTold(watcher, third, ++statuses);
    };
    return { viewer, user, watcher, device, settled };
  }

  const doors: readonly (readonly [string, (user: TestUser) => Promise<Client & { close(): Promise<unknown> }>])[] = [
    ["a WebSocket in binary", (user) => user.connect()],
    ["a WebSocket in JSON", (user) => user.connect({ json: true })],
    ["TCP in binary", (user) => TcpSocket.open(installation().mesh.endpoints, user.token)],
    ["TCP in JSON", (user) => TcpSocket.open(installation().mesh.endpoints, user.token, Codec.JSON)],
  ];
  for (const [name, openClient] of doors) {
    it(`tells on ${name} how users are, and then each change once`, async () => {
      const [viewer, user, other] = await register("viewer", "user", "other");
      assert.ok(viewer !== undefined && user !== undefined && other !== undefined);
      const device = await connect(user);
      const watcher = keep(await openClient(viewer));
      assert.deepEqual(await subscribe(watcher, [user, other]), ["ONLINE", "OFFLINE"]);
      const others = await connect(other, { json: true });
      assert.deepEqual(await untilTold(watcher, other, 1), ["ONLINE"]);
      const done = await others.request({
        case: "setStatus",
        value: {
          $typeName: "oceanchat.presence.v1.SetStatusRequest",
          status: Status.BUSY,
          statusText: "in a meeting",
        },
      });
      assert.equal(done.case, "done");
      assert.deepEqual(await untilTold(watcher, other, 2), ["ONLINE", 'BUSY "in a meeting"']);
      await device.close();
      assert.deepEqual(await untilTold(watcher, user, 1), ["OFFLINE seen"]);
      assert.deepEqual(await subscribe(watcher, [other]), ['BUSY "in a meeting"']);
    });
  }

  it("doesn't take a user for gone while one of his devices is here", async () => {
    const { user, watcher, device, settled } = await watching();
    const second = await user.login();
    const tablet = await connect(second, { json: true });
    await settled();
    await device.close();
    await settled();
    assert.deepEqual(told(watcher, user), []);
    await tablet.close();
    assert.deepEqual(await untilTold(watcher, user, 1), ["OFFLINE seen"]);
  });

  it("shows an invisible user as one who is gone, and himself as he is", async () => {
    const { viewer, user, watcher, device, settled } = await watching();
    const mirror = await connect(await user.login());
    assert.deepEqual(await subscribe(mirror, [user]), ["ONLINE"]);
    await setStatus(user, "INVISIBLE", { statusText: "not for you" });
    assert.deepEqual(await untilTold(mirror, user, 1), ['INVISIBLE "not for you"']);
    assert.deepEqual(await untilTold(watcher, user, 1), ["OFFLINE seen"]);
    await device.close();
    const again = await connect(await user.login());
    await setStatus(user, "INVISIBLE", { statusText: "still not" });
    await settled();
    assert.deepEqual(told(watcher, user), ["OFFLINE seen"], "what he does while he is invisible shows nowhere");
    const fresh = await connect(await viewer.login());
    assert.deepEqual(await subscribe(fresh, [user]), ["OFFLINE seen"]);
    await setStatus(user, "ONLINE");
    assert.deepEqual(await untilTold(watcher, user, 2), ["OFFLINE seen", "ONLINE"]);
    await again.close();
  });

  it("ends a status when it was said to end", async () => {
    const { user, watcher } = await watching();
    const expireTime = new Date(Date.now() + 3_000).toISOString();
    await setStatus(user, "AWAY", { statusText: "back soon", expireTime });
    assert.deepEqual(await untilTold(watcher, user, 2), ['AWAY "back soon"', "ONLINE"]);
    const at = watcher.times.at(-1) ?? 0;
    assert.ok(at >= Date.parse(expireTime) && at < Date.parse(expireTime) + 4_000, `${at - Date.parse(expireTime)} ms`);
  });

  it("tells only those who may see it, and those who may no longer once that he is gone", async () => {
    const { user, watcher, device, settled } = await watching();
    const stranger = await TestUser.register(installation().at, "stranger");
    await user.ok("PATCH", "/users/me/settings", { presencePolicy: "PRESENCE_POLICY_NOBODY" });
    assert.deepEqual(await untilTold(watcher, user, 1), ["OFFLINE"], "without any other change");
    // What is believed of who may see whom is believed for a second.
    await settled();
    const strangers = await connect(stranger);
    assert.deepEqual(await subscribe(strangers, [user]), ["OFFLINE"]);
    await setStatus(user, "BUSY", { statusText: "secret" });
    await settled();
    await device.close();
    await setStatus(user, "AWAY");
    await settled();
    assert.deepEqual([told(watcher, user), told(strangers, user)], [["OFFLINE"], []]);
  });

  it("doesn't say when a user was here who hides it", async () => {
    const [viewer, user] = await register("viewer", "user");
    assert.ok(viewer !== undefined && user !== undefined);
    await user.ok("PATCH", "/users/me/settings", { hideLastSeen: true });
    const [watcher, device] = [await connect(viewer), await connect(user)];
    assert.deepEqual(await subscribe(watcher, [user]), ["ONLINE"]);
    await device.close();
    assert.deepEqual(await untilTold(watcher, user, 1), ["OFFLINE"]);
  });

  it("watches those named last, and nobody after an empty list", async () => {
    const { user, watcher, settled } = await watching();
    const other = await TestUser.register(installation().at, "other");
    const others = await connect(other);
    await settled();
    assert.deepEqual(await subscribe(watcher, [other]), ["ONLINE"]);
    await Promise.all([setStatus(user, "BUSY"), setStatus(other, "BUSY")]);
    assert.deepEqual(await untilTold(watcher, other, 1), ["BUSY"]);
    assert.deepEqual(await subscribe(watcher, []), []);
    const [witness] = await register("witness");
    assert.ok(witness !== undefined);
    const witnesses = await connect(witness);
    await subscribe(witnesses, [other]);
    await setStatus(other, "AWAY");
    await untilTold(witnesses, other, 1);
    await others.close();
    await untilTold(witnesses, other, 2);
    assert.deepEqual([told(watcher, user), told(watcher, other)], [[], ["BUSY"]]);
  });

  it("refuses more than 500 users, and what is no user's id, and leaves what was watched", async () => {
    const { user, watcher } = await watching();
    for (const userIds of [Array.from({ length: 501 }, () => user.userId), ["bob"]]) {
      const event = await watcher.request({
        case: "subscribePresence",
        value: { $typeName: "oceanchat.presence.v1.SubscribePresenceRequest", userIds },
      });
      assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_INVALID_FIELD");
    }
    await setStatus(user, "AWAY");
    assert.deepEqual(await untilTold(watcher, user, 1), ["AWAY"]);
  });

  it("refuses streams to who has no token, and to what isn't asked rightly", async () => {
    const { edge } = installation().at;
    const user = await TestUser.register(installation().at, "user");
    const client = createClient(PresenceService, createConnectTransport({ baseUrl: edge, httpVersion: "1.1" }));
    const refusalOf = async (userIds: string[], token: string) => {
      const headers = token === "" ? {} : { authorization: `Bearer ${token}` };
      try {
        for await (const _ of client.subscribePresence({ userIds }, { headers })) return "answered";
        return "ended";
      } catch (error) {
        return Code[ConnectError.from(error).code];
      }
    };
    for (const token of ["", `${user.token}x`]) assert.equal(await refusalOf([user.userId], token), "Unauthenticated");
    for (const userIds of [["bob"], Array.from({ length: 501 }, () => user.userId)]) {
      assert.equal(await refusalOf(userIds, user.token), "InvalidArgument");
    }
    assert.equal(await refusalOf([user.userId], user.token), "answered");
  });

  it("streams to programs and over REST, until the session ends", async () => {
    const [viewer, user] = await register("viewer", "user");
    assert.ok(viewer !== undefined && user !== undefined);
    const { edge } = installation().at;
    const device = await connect(user);
    const client = createClient(PresenceService, createConnectTransport({ baseUrl: edge, httpVersion: "1.1" }));
    const headers = { authorization: `Bearer ${viewer.token}` };
    const stream = client.subscribePresence({ userIds: [user.userId] }, { headers })[Symbol.asyncIterator]();
    const next = async (): Promise<string[]> => {
      const { value } = await stream.next();
      if (value === undefined) return assert.fail("the stream ended");
      // An empty one only says that the stream is alive.
      return value.presences.length === 0 ? next() : value.presences.map(look);
    };
    assert.deepEqual(await next(), ["ONLINE"]);
    const response = await fetch(`${edge}/presence:subscribe?userIds=${user.userId}`, { headers });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const untilRead = async (wanted: RegExp) => {
      while (!wanted.test(text)) text += (await reader?.read())?.value ?? assert.fail(`the stream ended: ${text}`);
    };
    await untilRead(/STATUS_ONLINE/);
    await setStatus(user, "BUSY");
    assert.deepEqual(await next(), ["BUSY"]);
    await untilRead(/STATUS_BUSY/);
    await device.close();
    assert.deepEqual(await next(), ["OFFLINE seen"]);
    await reader?.cancel();
    await viewer.ok("POST", "/auth/logout", {});
    await assert.rejects(next(), (error) => ConnectError.from(error).code === Code.Unauthenticated);
  });
});
