import { once } from "node:events";
import { openSocket, statusOf, upgradeRequest } from "@oceanchat/tests/raw-clients/raw-websocket";
import { type Attack, edgeOf, repeatedly } from "./attack.ts";

const PER_SECOND = 500;

/** In turn: reset at once, after the request, after its answer. */
export const resets: Attack = {
  name: "resets",
  title: `${PER_SECOND}/s connect and reset: at once, after the request, after its answer`,
  // Most of them are refused by the edge's limit of an address.
  expected: ["reset", "HTTP 101", "HTTP 429"],
  run: (world, ms) =>
    repeatedly(world, { perSecond: PER_SECOND, ms }, async (n) => {
      const socket = await openSocket(edgeOf(world));
      if (n % 3 > 0) socket.write(upgradeRequest(world.offenders.next().token));
      let answer = "";
      if (n % 3 === 2) {
        socket.on("data", (chunk: Buffer) => {
          answer += chunk.toString("latin1");
        });
        await Promise.race([once(socket, "data"), once(socket, "close")]);
      }
      socket.resetAndDestroy();
      return n % 3 === 2 ? `HTTP ${statusOf(answer)}` : "reset";
    }),
};
