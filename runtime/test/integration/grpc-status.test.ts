import assert from "node:assert/strict";
import type { ServiceError as GrpcError } from "@grpc/grpc-js";
import { lossOf } from "@oceanchat/runtime/grpc-status";
import { EchoService } from "../support/echo_pb.ts";
import { ALARM_MS } from "../support/echo-bed.ts";
import { type EchoChild, forkEcho } from "../support/echo-child.ts";
import { bareCall, bareClient } from "../support/echo-client.ts";
import { deadAddress } from "../support/echo-door.ts";

/** How far a call came, by what grpc-js itself says of it. */
async function lossAt(address: string): Promise<ReturnType<typeof lossOf>> {
  const client = bareClient(address);
  const call = bareCall(client, EchoService.method.say, Buffer.from([10, 4, ...Buffer.from("hold")]));
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (thrown: GrpcError) => thrown,
  );
  client.close();
  return lossOf(error);
}

describe("lossOf, by the texts of grpc-js", function () {
  this.timeout(ALARM_MS);
  let child: EchoChild | undefined;
  afterEach(() => child?.kill());

  it("knows a call that was never sent", async () => {
    assert.equal(await lossAt(await deadAddress()), "never sent");
  });

  it("knows a call whose peer died", async () => {
    const dying = await forkEcho();
    child = dying;
    const killed = dying.received("hold").then(() => dying.kill());
    assert.equal(await lossAt(dying.address), "unknown");
    await killed;
  });
});
