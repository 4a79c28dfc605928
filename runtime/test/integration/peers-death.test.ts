import assert from "node:assert/strict";
import http2 from "node:http2";
import { shared } from "@oceanchat/runtime/fail";
import type { Handlers } from "@oceanchat/runtime/handlers";
import type { EchoService } from "../support/echo_pb.ts";
import { ALARM_MS, echoBed, until } from "../support/echo-bed.ts";
import { latch, reasonOf } from "../support/echo-door.ts";

describe("peers: one that dies", function () {
  this.timeout(ALARM_MS);
  const { connectPeers: connect, fork, forkOne, listen, serve } = echoBed();

  it("repeats a call without side effects on another address", async () => {
    const [dying, living] = [await forkOne(), await serve({ read: () => ({ text: "alive" }) })];
    const peers = connect(dying.address, living.address);
    const call = peers.call.read({ text: "hold" });
    await dying.received("hold");
    await dying.kill();
    assert.equal((await call).text, "alive");
  });

  it("does not repeat any other call: its outcome is unknown", async () => {
    let called = false;
    const living = await serve({
      say: () => {
        called = true;
        return {};
      },
    });
    const dying = await forkOne();
    const call = reasonOf(connect(dying.address, living.address).call.say({ text: "hold" }));
    await dying.received("hold");
    await dying.kill();
    assert.equal(await call, "ERROR_REASON_OUTCOME_UNKNOWN");
    assert.equal(called, false);
  });

  it("repeats at most twice", async () => {
    const dying = await fork(4);
    const peers = connect(...dying.map(({ address }) => address));
    const call = reasonOf(peers.call.read({ text: "hold" }));
    for (const child of dying.slice(0, 3)) {
      await child.received("hold");
      await child.kill();
    }
    assert.equal(await call, "ERROR_REASON_UNAVAILABLE");
    assert.equal(dying[3]?.got.has("hold"), false);
  });

  it("repeats any call that was certainly not processed", async () => {
    let refused = 0;
    const refusing = await listen(createRefuser(() => refused++));
    const living = await serve({ say: () => ({ text: "alive" }) });
    const peers = connect(refusing, living.address);
    assert.equal((await peers.call.say({})).text, "alive");
    assert.equal(refused, 1);
  });

  it("does not repeat what the service itself answered", async () => {
    let calls = 0;
    const handlers: Handlers<typeof EchoService> = {
      read: () => {
        calls++;
        throw shared.unavailable("the store is away");
      },
    };
    const peers = connect((await serve(handlers)).address, (await serve(handlers)).address);
    assert.equal(await reasonOf(peers.call.read({})), "ERROR_REASON_UNAVAILABLE");
    assert.equal(calls, 1);
  });

  it("answers what runs when it closes, while new calls go elsewhere", async () => {
    const [started, go] = [latch(), latch()];
    const closing = await serve({
      say: async () => {
        started.open();
        await go.promise;
        return { text: "old" };
      },
    });
    const living = await serve({ say: () => ({ text: "new" }) });
    const peers = connect(closing.address, living.address);
    const running = peers.call.say({});
    await started.promise;
    const closed = closing.close(5000);
    await until(async () => (await peers.call.say({})).text === "new");
    for (let i = 0; i < 4; i++) assert.equal((await peers.call.say({})).text, "new");
    go.open();
    assert.equal((await running).text, "old");
    await closed;
  });
});

/** A peer that says SERVING and then refuses every call. */
function createRefuser(onRefused: () => void): http2.Http2Server {
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined); // the refusal comes back as an error of the stream
    if (headers[":path"] === "/grpc.health.v1.Health/Watch") {
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.write(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
      return;
    }
    onRefused();
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  });
  return server;
}
