import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type Presence, Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { worldOverValkey } from "../support/valkey.ts";

describe("streams over Valkey", () => {
  const at = worldOverValkey();
  let stops: AbortController[] = [];

  afterEach(() => {
    for (const stop of stops) stop.abort();
    stops = [];
  });

  /** A stream that watches a user who is here, after its first answer. */
  async function streaming(sessionId = "s1", viewerId: string = randomUUID()) {
    const { world } = at;
    const [streams = world.openStreams()] = world.streams;
    const userId = randomUUID();
    await world.connect(userId);
    const stop = new AbortController();
    stops.push(stop);
    const stream = streams.open({ userId: viewerId, sessionId }, [userId], stop.signal);
    const next = async () =>
      ((await stream.next()).value as readonly Presence[] | undefined)?.map(({ status }) => status);
    const first = await next();
    world.nowMs += 600;
    return { world, streams, userId, stop, stream, next, first };
  }

  it("says how users are, then what changes, the newest of each", async () => {
    const { world, userId, next, first } = await streaming();
    assert.deepEqual(first, [Status.ONLINE]);
    await world.choose(userId, Status.BUSY);
    await world.seconds(2);
    await world.choose(userId, Status.AWAY);
    await world.seconds(2);
    assert.deepEqual(await next(), [Status.AWAY]);
    const coming = next();
    await world.choose(userId, Status.ONLINE);
    await world.seconds(1);
    assert.deepEqual(await coming, [Status.ONLINE]);
  });

  it("says nothing now and then, so that it counts as alive", async () => {
    const { streams, next } = await streaming();
    const coming = next();
    await streams.beat();
    assert.deepEqual(await coming, []);
  });

  it("leaves nothing behind when it ends", async () => {
    const { stop, next } = await streaming();
    const coming = next();
    stop.abort();
    assert.equal(await coming, undefined);
    assert.deepEqual(await at.leftKeys(), ["presence:watching-gateways"]);
  });

  it("ends with its session, and not with another", async () => {
    const one = await streaming("s1");
    const two = await streaming("s2");
    const [first, second] = [one.next(), two.next()];
    one.world.endedSessions.add("s1");
    await one.streams.checkSessions();
    await assert.rejects(first, { reason: "ERROR_REASON_SESSION_REVOKED" });
    await two.streams.beat();
    assert.deepEqual(await second, []);
  });

  it("ends when the process stops", async () => {
    const { streams, next } = await streaming();
    const coming = next();
    await streams.close();
    await assert.rejects(coming, { reason: "ERROR_REASON_UNAVAILABLE" });
  });

  it("lives on when Redis has lost everything", async () => {
    const { world, streams, userId, next } = await streaming();
    await at.redis.flushall();
    await world.lease();
    await streams.renew();
    await world.connect(userId);
    await world.choose(userId, Status.AWAY);
    await world.seconds(1);
    assert.deepEqual(await next(), [Status.AWAY]);
  });

  it("refuses a sixth stream of a user, and gives the place back", async () => {
    const viewerId = randomUUID();
    const first = await streaming("s1", viewerId);
    for (let i = 1; i < 5; i++) await streaming("s1", viewerId);
    await assert.rejects(streaming("s1", viewerId), { reason: "ERROR_REASON_OVERLOADED" });
    const ended = first.next();
    first.stop.abort();
    await ended;
    await streaming("s1", viewerId);
  });

  it("answers an empty list and ends", async () => {
    const streams = at.world.openStreams();
    const stream = streams.open({ userId: randomUUID(), sessionId: "s" }, [], new AbortController().signal);
    assert.deepEqual((await stream.next()).value, []);
    assert.equal((await stream.next()).done, true);
  });
});
