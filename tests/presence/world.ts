import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { type Mesh, startMesh } from "@oceanchat/infra/supervisor";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import { testHost } from "@oceanchat/runtime/testing";
import { Redis } from "ioredis";
import { TestSocket } from "../support/socket.ts";
import { TestUser } from "../support/user.ts";
import { type Action, type Choice, DEVICES, USERS } from "./action.ts";
import { type Link, openLink } from "./link.ts";

/** Short, so that the test is. */
export const LEASE_MS = 3_000;
/** After so long a gateway notices that a way is lost. */
export const IDLE_MS = 2_500;
/** How many connections a user may have. */
export const MOST = 2;
const BEAT_MS = 600;
/** A socket that ended without a close frame. */
const GONE = 1006;
const OPENING_MS = 30_000;

interface Connection {
  readonly socket: TestSocket;
  readonly link: Link;
  readonly gateway: number;
  lost: boolean;
  /** Whether something happened to it that may end it: to its client, its way or its gateway. */
  touched: boolean;
  /** The code that it was closed with. */
  endedWith: number | undefined;
}

interface Device {
  readonly login: TestUser;
  connections: Connection[];
}

interface Person {
  readonly devices: readonly Device[];
  choice: Choice;
  /** His choices, one after another. */
  choosing: Promise<void>;
}

/** What is so, or what presence says: by user, how he looks and where he is. */
export type Truth = Readonly<Record<string, { readonly status: string; readonly connections: readonly string[] }>>;

type Locate = (userIds: string[]) => Promise<readonly { readonly userId: string; readonly connectionId: string }[]>;

/** Users with real sockets on two real gateways, two instances of presence, and what can happen to them. */
export class World {
  readonly #mesh: Mesh;
  readonly #redis: Redis;
  readonly #viewer: TestUser;
  readonly #people: readonly Person[];
  readonly #locates: readonly Locate[];
  readonly #opening = new Set<Promise<void>>();
  readonly #links: Link[] = [];
  /** All that ever were. */
  readonly #connections: Connection[] = [];
  /** How often something happened to each gateway. */
  readonly #struck = [0, 0];

  constructor(mesh: Mesh, redis: Redis, viewer: TestUser, people: readonly Person[], locates: readonly Locate[]) {
    this.#mesh = mesh;
    this.#redis = redis;
    this.#viewer = viewer;
    this.#people = people;
    this.#locates = locates;
  }

  /** Lets something happen; resolves when it has. */
  async act(action: Action): Promise<void> {
    switch (action.kind) {
      case "connect":
        return this.#connect(this.#device(action), action.gateway);
      case "close":
        return each(this.#device(action), ({ socket }) => socket.raw.close(1000));
      case "reset":
        return each(this.#device(action), ({ socket }) => socket.raw.terminate());
      case "lose":
        return each(this.#device(action), (connection) => {
          connection.lost = true;
          connection.link.lose();
        });
      case "choose":
        return this.#choose(this.#person(action), action.choice);
      case "kill":
        await this.#mesh.kill(`ws-gateway-${action.gateway + 1}`, "SIGKILL");
        this.#touch(action.gateway);
        return this.#mesh.untilReady(`ws-gateway-${action.gateway + 1}`);
      case "freeze":
        await this.#mesh.kill(`ws-gateway-${action.gateway + 1}`, "SIGSTOP");
        await setTimeout(LEASE_MS * 1.5);
        this.#touch(action.gateway);
        return this.#mesh.kill(`ws-gateway-${action.gateway + 1}`, "SIGCONT");
      case "restart":
        await this.#mesh.kill(`presence-${action.presence + 1}`, "SIGKILL");
        return this.#mesh.untilReady(`presence-${action.presence + 1}`);
      case "flush":
        await this.#redis.flushall();
    }
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.all([...this.#opening, ...this.#people.map(({ choosing }) => choosing)]);
  }

  /** The close codes of sockets that nothing had happened to: other devices have taken their place. */
  get ends(): readonly number[] {
    return this.#connections.flatMap(({ touched, endedWith }) => (touched ? [] : (endedWith ?? [])));
  }

  /** What is so, as the clients know it: who holds an open socket, and what he has chosen. */
  reality(): Truth {
    return Object.fromEntries(
      this.#people.map(({ devices, choice }) => {
        const sockets = devices.flatMap(({ connections }) => connections.filter(isOpen));
        const connections = sockets.map(({ socket }) => socket.hello.connectionId).sort();
        const status = connections.length === 0 || choice === "STATUS_INVISIBLE" ? "STATUS_OFFLINE" : choice;
        return [userIdOf(devices), { status, connections }];
      }),
    );
  }

  /** What presence says, to a client and, by one of its instances, to other services. */
  async said(instance: number): Promise<Truth> {
    const userIds = this.#people.map(({ devices }) => userIdOf(devices));
    const query = userIds.map((userId) => `userIds=${userId}`).join("&");
    const [{ presences }, located] = await Promise.all([
      this.#viewer.ok<{ presences: { userId: string; status: string }[] }>("GET", `/presence?${query}`),
      this.#locates[instance]?.(userIds) ?? [],
    ]);
    return Object.fromEntries(
      presences.map(({ userId, status }) => {
        const own = located.filter((each) => each.userId === userId);
        return [userId, { status, connections: own.map(({ connectionId }) => connectionId).sort() }];
      }),
    );
  }

  /** Every client that lives says so. */
  beat(): void {
    for (const connection of this.#all()) if (isOpen(connection)) connection.socket.raw.send("");
  }

  close(): void {
    for (const { socket } of this.#all()) socket.raw.terminate();
    for (const link of this.#links) link.close();
  }

  #touch(gateway: number): void {
    this.#struck[gateway] = (this.#struck[gateway] ?? 0) + 1;
    for (const connection of this.#connections) {
      const { endedWith = GONE } = connection;
      if (connection.gateway === gateway && endedWith === GONE) connection.touched = true;
    }
  }

  #opened(device: Device, opened: Pick<Connection, "socket" | "link" | "gateway" | "touched">): void {
    const connection: Connection = { ...opened, lost: false, endedWith: undefined };
    device.connections.push(connection);
    this.#connections.push(connection);
    void connection.socket.closed.then(({ code }) => {
      connection.endedWith = code;
    });
  }

  *#all(): Generator<Connection> {
    for (const { devices } of this.#people) for (const { connections } of devices) yield* connections;
  }

  #person({ user }: { readonly user: number }): Person {
    const person = this.#people[user];
    if (person === undefined) throw new Error(`there is no user ${user}`);
    return person;
  }

  #device({ user, device }: { readonly user: number; readonly device: number }): Device {
    const found = this.#person({ user }).devices[device];
    if (found === undefined) throw new Error(`there is no device ${device}`);
    return found;
  }

  /** Begins; the gateway may be dead, or frozen, and answer later. */
  async #connect(device: Device, gateway: number): Promise<void> {
    const at = this.#mesh.endpoints.services["ws-gateway"][gateway]?.ws;
    if (at === undefined) throw new Error(`there is no gateway ${gateway}`);
    const struck = this.#struck[gateway];
    const link = await openLink(at);
    this.#links.push(link);
    const opened = TestSocket.open({ url: `ws://${link.address}/ws`, token: device.login.token });
    const opening = Promise.race([
      opened,
      setTimeout(OPENING_MS, undefined, { ref: false }).then(() => assertNever("a socket never opened")),
    ])
      .then(
        // Its hello may have been under way when something happened to its gateway.
        (socket) => this.#opened(device, { socket, link, gateway, touched: this.#struck[gateway] !== struck }),
        () => link.close(), // its gateway is dead, or has closed it at once
      )
      .finally(() => this.#opening.delete(opening));
    this.#opening.add(opening);
    await Promise.race([opening, setTimeout(1_000)]);
  }

  /** Until it is accepted: presence, or Redis, may be away. */
  #choose(person: Person, choice: Choice): Promise<void> {
    const [{ login } = { login: this.#viewer }] = person.devices;
    person.choice = choice;
    person.choosing = person.choosing.then(async () => {
      const until = performance.now() + OPENING_MS;
      while ((await login.call("PUT", "/presence/status", { status: choice })).status !== 200) {
        if (performance.now() > until) throw new Error("a status was never accepted");
        await setTimeout(100);
      }
    });
    return person.choosing;
  }
}

const isOpen = ({ socket, lost }: Connection) => !lost && socket.raw.readyState === socket.raw.OPEN;
const userIdOf = (devices: readonly Device[]) => devices[0]?.login.userId ?? "";

function assertNever(what: string): never {
  throw new Error(what);
}

async function each(device: Device, act: (connection: Connection) => void): Promise<void> {
  for (const connection of device.connections.filter(isOpen)) {
    connection.touched = true;
    act(connection);
  }
  device.connections = device.connections.filter(isOpen);
}

/** Starts the processes and registers the users; the caller stops it. */
export async function startWorld(): Promise<{ readonly world: World; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "oceanchat-presence-"));
  const undo: (() => unknown)[] = [() => rm(dataDir, { recursive: true, force: true })];
  const stop = async () => {
    for (const each of undo.splice(0).reverse()) await each();
  };
  try {
    const mesh = await startMesh({
      dataDir,
      ports: "free",
      quiet: true,
      edge: true,
      mode: "mesh",
      only: ["auth", "user", "message", "router", "presence", "ws-gateway"],
      instances: { presence: 2 },
      env: {
        presence: {
          OCEANCHAT_GATEWAY_LEASE_MS: String(LEASE_MS),
          OCEANCHAT_DEVICE_LIMITS: `web=${MOST},total=${MOST}`,
        },
        "ws-gateway": { OCEANCHAT_LEASE_RENEWAL_MS: "500", OCEANCHAT_IDLE_MS: String(IDLE_MS) },
      },
    });
    undo.push(() => mesh.stop());
    const redis = new Redis(mesh.endpoints.infra.redis);
    undo.push(() => redis.disconnect());
    const host = testHost("test");
    undo.push(() => host.stop());
    const locates = await Promise.all(
      mesh.endpoints.services.presence.map(async ({ mesh: at }): Promise<Locate> => {
        const { call } = await host.peers(PresenceMeshService, parseAddresses(at));
        return async (userIds) => (await call.locate({ userIds })).connections;
      }),
    );
    const at = { edge: mesh.endpoints.edge, ws: mesh.endpoints.ws };
    const world = new World(mesh, redis, await TestUser.register(at, "viewer"), await registered(at), locates);
    const beating = setInterval(() => world.beat(), BEAT_MS);
    undo.push(() => world.close());
    undo.push(() => clearInterval(beating));
    return { world, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function registered(at: { readonly edge: string; readonly ws: string }): Promise<Person[]> {
  const people: Person[] = [];
  for (let user = 0; user < USERS; user++) {
    const first = await TestUser.register(at, "user");
    const logins = [first];
    while (logins.length < DEVICES) logins.push(await first.login());
    const devices = logins.map((login): Device => ({ login, connections: [] }));
    people.push({ devices, choice: "STATUS_ONLINE", choosing: Promise.resolve() });
  }
  return people;
}
