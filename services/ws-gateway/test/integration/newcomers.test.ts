import assert from "node:assert/strict";
import { packet, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { accessToken } from "../support/tokens.ts";

/** So many first packets are under way while many connect. */
const FEW = 8;
const MANY = 40;

const done = (requestId: number) => packet({ requestId, event: { case: "done", value: {} } });

describe("first packets of connections", () => {
  let gateway: RunningGateway;
  /** Has the crowd's hello come. */
  let welcome: () => void;

  const start = async (waitMs: number) => {
    gateway = await RunningGateway.start({
      OCEANCHAT_NEWCOMER_WAIT_MS: String(waitMs),
      OCEANCHAT_HELLO_WAIT_MS: "60000",
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    welcome = resolve;
    gateway.presence.answer = async ({ event }) => {
      if (event.case === "connected" && event.value.userId.startsWith("crowd")) await promise;
      return {};
    };
    gateway.router.answer = ({ userId, payload }) =>
      userId.startsWith("unanswered") ? new Promise<never>(() => undefined) : { payload };
  };
  afterEach(async () => {
    welcome();
    await gateway.stop();
  });

  const connect = (sub: string) => WsClient.connect(gateway.at.wsPort, { token: accessToken({ sub, sid: sub }) });
  const ask = async (client: WsClient, number: number) => {
    client.socket.send(done(number));
    await client.packets.find(({ requestId }) => requestId === number);
  };
  const askers = () => gateway.router.uplinks.all.map(({ userId }) => userId);

  /** So many who wait for hello. */
  const crowd = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) => {
        const token = accessToken({ sub: `crowd${index}`, sid: `crowd${index}` });
        return WsClient.upgrade(gateway.at.wsPort, { token });
      }),
    );

  /** Some whose first packets are under way and not answered, and a crowd that waits for hello. */
  const storm = async () => {
    const unanswered = await Promise.all(Array.from({ length: FEW }, (_, index) => connect(`unanswered${index}`)));
    await crowd(MANY);
    for (const { socket } of unanswered) socket.send(done(1));
    await gateway.router.uplinks.find(() => askers().filter((id) => id.startsWith("unanswered")).length === FEW);
  };

  it("wait while many connect; those of connections that were answered before don't", async () => {
    await start(60_000);
    const [older, newcomer] = await Promise.all([connect("older"), connect("newcomer")]);
    await ask(older, 1);
    await storm();
    newcomer.socket.send(done(1));
    await ask(older, 2);
    await ask(older, 3);
    assert.ok(!askers().includes("newcomer"));
    welcome();
    await newcomer.packets.find(({ requestId }) => requestId === 1);
  });

  it("wait no longer than they are to, however long others connect", async () => {
    await start(1_000);
    const newcomer = await connect("newcomer");
    await storm();
    const since = performance.now();
    await ask(newcomer, 1);
    const tookMs = performance.now() - since;
    assert.ok(tookMs >= 950 && tookMs < 6_000, `${tookMs} ms`);
  });

  it("don't wait while few connect", async () => {
    await start(60_000);
    await crowd(MANY / 2);
    await ask(await connect("newcomer"), 1);
  });
});
