import { RawWebSocket, upgradeRequest } from "@oceanchat/tests/raw-clients/raw-websocket";
import { CONTINUATIONS, FRAGMENTS, OVERSIZED, UNMASKED, type Violation } from "@oceanchat/tests/raw-clients/violations";
import { type Attack, type AttackWorld, closedWith, edgeOf, repeatedly, STILL_OPEN, untilEnd } from "./attack.ts";
import type { AttackName } from "./names.ts";
import { connectFrame, lastWords, openTls } from "./tcp.ts";

/** New offenders per second. */
const PER_SECOND = 25;

/** Connects, is upgraded, and breaks the protocol; gives what it is told. */
async function violate(world: AttackWorld, { bytes }: Violation): Promise<string> {
  const client = await RawWebSocket.open(edgeOf(world), upgradeRequest(world.offenders.next().token));
  client.write(bytes);
  return (await untilEnd(client.socket)) ? closedWith(await client.closeCode) : STILL_OPEN;
}

const violation = (name: AttackName, title: string, what: Violation): Attack => ({
  ...{ name, title, expected: [`close ${what.code}`] },
  run: (world, ms) => repeatedly(world, { perSecond: PER_SECOND, ms }, () => violate(world, what)),
});

export const unmasked = violation("unmasked", `${PER_SECOND}/s connect and send an unmasked frame`, UNMASKED);
export const fragments = violation(
  "fragments",
  `${PER_SECOND}/s send a message in 2,000 fragments of a byte`,
  FRAGMENTS,
);
export const continuations = violation(
  "continuations",
  `${PER_SECOND}/s send 10,000 continuation frames`,
  CONTINUATIONS,
);

/** Frames that are too large: every other one on TCP. */
export const oversized: Attack = {
  name: "oversized",
  title: `${PER_SECOND}/s announce a frame of 1 TiB (WebSocket) or 4 GiB (TCP)`,
  // On TCP it comes with the first packet: nobody is known yet who could be sent away.
  expected: ["close 1009", "ERROR_REASON_MALFORMED", "go_away 1009"],
  run: (world, ms) =>
    repeatedly(world, { perSecond: PER_SECOND, ms }, async (n) => {
      if (n % 2 === 0) return violate(world, OVERSIZED);
      const socket = await openTls(world);
      socket.write(Buffer.concat([connectFrame(world.offenders.next().token), Buffer.of(0xff, 0xff, 0xff, 0xff)]));
      return lastWords(socket);
    }),
};
