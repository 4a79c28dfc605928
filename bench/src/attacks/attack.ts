import type { Socket } from "node:net";
import { type Place, placeOf, UpgradeRefused } from "@oceanchat/tests/raw-clients/raw-websocket";
import { paced } from "../paced.ts";
import type { Tally } from "../tally.ts";
import type { Target } from "../target.ts";
import type { User } from "../users.ts";
import type { AttackName } from "./names.ts";

/** Who attacks. */
export class Offenders {
  /** Sessions of one user, on as many devices. */
  readonly devices: readonly User[];
  readonly #users: readonly User[];
  #next = 0;

  constructor(users: readonly User[], devices: readonly User[]) {
    this.#users = users;
    this.devices = devices;
  }

  /** Another user, in turn: a second connection of the same device would replace the first. */
  next(): User {
    const user = this.#users[this.#next++ % this.#users.length];
    if (user === undefined) throw new RangeError("there are no offenders");
    return user;
  }
}

/** What an attack works with. */
export interface AttackWorld {
  readonly target: Target;
  readonly offenders: Offenders;
  /** What the offenders are told. */
  readonly outcomes: Tally;
}

/** Something that nobody should do. */
export interface Attack {
  readonly name: AttackName;
  /** For people. */
  readonly title: string;
  /** What the offenders may be told; whatever else comes is no typed refusal. */
  readonly expected: readonly string[];
  /** Attacks for so long; resolves when the last offender has been told something, or will never be. */
  run(world: AttackWorld, ms: number): Promise<void>;
}

/** Where all offenders come from: what the edge and the gateways limit by address is limited for them together. */
export const OFFENDER_ADDRESS = "127.9.0.1";
/** An offender that is told nothing for so long ends by himself. More than the edge's idle time, 60 s. */
const PATIENCE_MS = 70_000;
/** Offenders at the same time. */
const AT_ONCE = 1_000;

export const edgeOf = ({ target }: AttackWorld): Place => ({
  ...placeOf(target.ws),
  localAddress: OFFENDER_ADDRESS,
});

/** Does something so many times a second for so long, and notes what comes of each; resolves when all have ended. */
export async function repeatedly(
  { outcomes }: AttackWorld,
  { perSecond, ms }: { readonly perSecond: number; readonly ms: number },
  act: (n: number) => Promise<string>,
): Promise<void> {
  const numbers = Array.from({ length: Math.ceil((perSecond * ms) / 1000) }, (_, n) => n);
  await paced(numbers, { perSecond, atOnce: AT_ONCE }, async (n) => outcomes.add(await told(act(n))));
}

/** What an offender is told, also when he isn't let in. */
export async function told(what: Promise<string>): Promise<string> {
  try {
    return await what;
  } catch (error) {
    if (error instanceof UpgradeRefused) return error.status === 0 ? "closed" : `HTTP ${error.status}`;
    if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
    throw error;
  }
}

export const closedWith = (code: number | undefined): string => (code === undefined ? "closed" : `close ${code}`);

/** All that comes until the other side ends; undefined when it doesn't. */
export function readAll(socket: Socket): Promise<Buffer | undefined> {
  const read: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void read.push(chunk));
  return untilEnd(socket).then((ended) => (ended ? Buffer.concat(read) : undefined));
}

/** Waits until the other side ends a socket; false when it had to be ended here. */
export function untilEnd(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    let patient = true;
    const timer = setTimeout(() => {
      patient = false;
      socket.destroy();
    }, PATIENCE_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(patient);
    });
    if (socket.destroyed) socket.emit("close");
  });
}

export const STILL_OPEN = "still open";
