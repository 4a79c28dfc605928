import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { RunningGateway } from "../support/gateway.ts";

const MANY = 1_200;
const ESTABLISHED = "01";
const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");

/** Sockets to a port that the system has connected. */
function established(port: number): number {
  const lines = readFileSync("/proc/net/tcp", "latin1").trim().split("\n").slice(1);
  return lines.filter((line) => {
    const [, , remote, state] = line.trim().split(/\s+/);
    return remote?.endsWith(`:${hex(port)}`) && state === ESTABLISHED;
  }).length;
}

describe("many who come at once", () => {
  let gateway: RunningGateway;
  const allowed = Number(readFileSync("/proc/sys/net/core/somaxconn", "latin1"));

  before(async () => {
    gateway = await RunningGateway.start();
  });
  after(() => gateway.stop());

  for (const door of ["wsPort", "tcpPort"] as const) {
    it(`are connected before this process has taken the first of them (${door})`, async () => {
      const port = gateway.at[door];
      const sockets = Array.from({ length: MANY }, () => connect({ host: "127.0.0.1", port }));
      for (const socket of sockets) socket.on("error", () => undefined);
      // The sockets connect in this turn of the event loop, and nobody is taken before the next.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      const wanted = Math.min(MANY, allowed);
      let count = established(port);
      // A busy system goes on with them in a moment. This process stands still meanwhile, so it takes none.
      for (let looks = 0; count < wanted && looks < 40; looks++) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
        count = established(port);
      }
      for (const socket of sockets) socket.destroy();
      assert.ok(count >= wanted, `${count} of ${MANY}`);
    });
  }
});
