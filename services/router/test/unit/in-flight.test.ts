import assert from "node:assert/strict";
import { accepted, type Result, routerWith } from "../support/core.ts";
import { binary, errorOf, readAnswer, sendToGroup, uplink } from "../support/packets.ts";

describe("packets that wait for their answers", () => {
  it("joins a packet that comes again to the one that waits for its answer", async () => {
    const asked = Promise.withResolvers<Result>();
    const { exchange, dispatched } = routerWith(() => asked.promise);
    const packet = binary(sendToGroup(7));
    const first = exchange(uplink(packet));
    const again = exchange(uplink(packet.slice()));
    asked.resolve(accepted);
    const answers = await Promise.all([first, again]);
    assert.equal(dispatched.length, 1);
    for (const { payload } of answers) {
      const { requestId, event } = readAnswer(payload);
      assert.deepEqual([requestId, event.case], [7, "messageAccepted"]);
    }
    await exchange(uplink(packet));
    assert.equal(dispatched.length, 2, "answered: what comes now is a packet of its own");
  });

  it("refuses another packet under the id of one that waits, and forgets the id with its answer", async () => {
    const asked = Promise.withResolvers<Result>();
    const { exchange, send, dispatched } = routerWith(() => asked.promise);
    const first = exchange(uplink(binary(sendToGroup(7))));
    const { requestId, code, reason, domain } = errorOf(await send(sendToGroup(7, "something else")));
    assert.deepEqual([requestId, code, reason, domain], [7, 6, "ERROR_REASON_REQUEST_ID_IN_USE", "gateway.oceanchat"]);
    asked.resolve(accepted);
    assert.equal(readAnswer((await first).payload).event.case, "messageAccepted");
    assert.equal(readAnswer(await send(sendToGroup(7, "something else"))).event.case, "messageAccepted");
    assert.equal(dispatched.length, 2);
  });

  it("knows ids by connection, and 0 is no id", async () => {
    const { exchange, dispatched } = routerWith(() => new Promise(() => undefined));
    const elsewhere = uplink(binary(sendToGroup(7, "something else")));
    elsewhere.connectionId = "c_2";
    void exchange(uplink(binary(sendToGroup(7))));
    void exchange(elsewhere);
    for (const text of ["a", "b", "b"]) void exchange(uplink(binary(sendToGroup(0, text))));
    assert.equal(dispatched.length, 5);
  });

  it("forgets the id of a packet that is refused at once", async () => {
    const { send, clock, dispatched } = routerWith();
    for (let i = 0; i < 200; i++) await send(sendToGroup(1));
    assert.equal(errorOf(await send(sendToGroup(9))).reason, "ERROR_REASON_RATE_LIMITED");
    clock.nowMs = 20;
    assert.equal(readAnswer(await send(sendToGroup(9, "other"))).event.case, "messageAccepted");
    assert.equal(dispatched.length, 201);
  });
});
