import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openSocket, RawWebSocket, statusOf, upgradeRequest } from "@oceanchat/tests/raw-clients/raw-websocket";
import { type Attack, closedWith, edgeOf, readAll, repeatedly, STILL_OPEN, untilEnd } from "./attack.ts";
import { lastWords, openTls } from "./tcp.ts";

const PER_SECOND = 50;
const VANISHING_PER_SECOND = 20;
/** A byte of the headers each so many milliseconds: all of them would take a minute. */
const SLOW_BYTE_MS = 100;
/** After this the gateway should have given up one from whom nothing comes (with OCEANCHAT_IDLE_MS of 6,000), and waits for the end. */
const VANISHED_MS = 9_000;

/** What an HTTP answer says. */
async function answered(socket: Socket): Promise<string> {
  const read = await readAll(socket);
  if (read === undefined) return STILL_OPEN;
  return read.length === 0 ? "closed" : `HTTP ${statusOf(read.toString("latin1"))}`;
}

/** In turn: nothing at all, half an upgrade, TCP without a packet, TCP with half of one. */
export const waiting: Attack = {
  name: "waiting",
  title: `${PER_SECOND}/s connect and wait: silent, in the headers, on TCP silent, in the first packet`,
  expected: ["closed", "HTTP 408", "ERROR_REASON_TOKEN_INVALID"],
  run: (world, ms) =>
    repeatedly(world, { perSecond: PER_SECOND, ms }, async (n) => {
      if (n % 4 < 2) {
        const socket = await openSocket(edgeOf(world));
        if (n % 4 === 1) socket.write(upgradeRequest(world.offenders.next().token).slice(0, 60));
        return answered(socket);
      }
      const socket = await openTls(world);
      if (n % 4 === 3) socket.write(Buffer.of(0, 0));
      return lastWords(socket);
    }),
};

export const slowHeaders: Attack = {
  name: "slow-headers",
  title: `${PER_SECOND}/s connect and send a byte of their headers each ${SLOW_BYTE_MS} ms`,
  expected: ["HTTP 408"],
  run: (world, ms) =>
    repeatedly(world, { perSecond: PER_SECOND, ms }, async () => {
      const socket = await openSocket(edgeOf(world));
      const request = upgradeRequest(world.offenders.next().token);
      let at = 0;
      const dribbling = setInterval(() => socket.write(request.charAt(at++)), SLOW_BYTE_MS);
      return answered(socket).finally(() => clearInterval(dribbling));
    }),
};

/**
 * Clients that have gone without a word: nothing comes from them, and nothing that is sent to them is read. They look on at the end, to
 * see how they were closed.
 */
export const halfOpen: Attack = {
  name: "half-open",
  title: `${VANISHING_PER_SECOND}/s connect and vanish`,
  expected: ["close 1001"],
  run: (world, ms) =>
    repeatedly(world, { perSecond: VANISHING_PER_SECOND, ms }, async () => {
      const client = await RawWebSocket.open(edgeOf(world), upgradeRequest(world.offenders.next().token));
      client.socket.pause();
      await sleep(VANISHED_MS);
      client.socket.resume();
      return (await untilEnd(client.socket)) ? closedWith(await client.closeCode) : STILL_OPEN;
    }),
};
