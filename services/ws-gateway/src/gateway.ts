import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Delivery } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import {
  ConnectionSchema,
  LeaseSchema,
  type Replaced,
} from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { GetLimitsResponse } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { type ServiceError, toServiceError } from "@oceanchat/runtime/fail";
import type { Caller } from "@oceanchat/runtime/handlers";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { Logger } from "pino";
import type { GatewayConfig } from "./config.ts";
import { type Closing, closings } from "./core/closing.ts";
import { Counters } from "./core/counters.ts";
import { Outgoing } from "./core/frames.ts";
import { Newcomers } from "./core/newcomers.ts";
import { errorPacket, helloPacket } from "./core/packets.ts";
import { Registry } from "./core/registry.ts";
import { type Reportable, Reports } from "./core/reports.ts";
import { drain } from "./drain.ts";
import { errors } from "./errors.ts";
import type { GatewaysPort, PresencePort, RouterPort, Wire } from "./ports.ts";
import { Session, type SessionWorld } from "./session.ts";
import { inSlices, SLICE } from "./slices.ts";

export interface GatewayOptions {
  readonly gatewayId: string;
  readonly config: GatewayConfig;
  readonly router: RouterPort;
  readonly presence: PresencePort;
  /** Whether a session lives, as far as is known. Never rejects. */
  readonly sessionLives: (sessionId: string) => Promise<boolean>;
  readonly gateways: GatewaysPort;
  readonly tracing: Tracing;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds; never goes back. */
  readonly monotonic: () => number;
  /** Whether this process has had no time to spare lately. */
  readonly isBusy: () => boolean;
}

/** What services may have kept for a connection. */
const MAX_KEPT_BYTES = 16 * 1024;
const REPORTS_IN_FLIGHT = 256;
/** Close codes from here on say that the client is not to come back by itself. */
const FIRST_OWN_CODE = 4_000;

/** All connections of this process, whatever their transport. */
export class Gateway {
  readonly gatewayId: string;
  readonly sessions = new Registry<Session>();
  readonly counters = new Counters();
  readonly reports: Reports;
  readonly #options: GatewayOptions;
  readonly #world: SessionWorld;
  readonly #lagging = new Set<Session>();
  /** Those of which presence isn't told yet: their sessions may have ended. */
  readonly #unproven = new Set<Session>();
  /** What clients are told; undefined until a router could be asked. */
  #limits: GetLimitsResponse | undefined;
  #draining = false;
  #isLeased = false;
  /** Resolves when presence has heard of this gateway: before, a connection of it that is reported counts for nothing. */
  readonly #leased = Promise.withResolvers<void>();

  constructor(options: GatewayOptions) {
    const { config, log } = options;
    this.gatewayId = options.gatewayId;
    this.#options = options;
    const after = (ms: number, run: () => void) => void globalThis.setTimeout(run, ms).unref();
    const { newcomersAtOnce: atOnce, newcomerWaitMs: maxWaitMs } = config;
    this.#world = {
      limits: config,
      counters: this.counters,
      newcomers: new Newcomers({ atOnce, maxWaitMs, isBusy: options.isBusy, now: options.monotonic, after }),
      now: options.monotonic,
      uplink: (session, payload) => this.#uplink(session, payload),
      onLag: (session) => this.#lags(session),
      onEnd: (session, code) => this.#left(session, code),
    };
    this.reports = new Reports({
      presence: options.presence,
      inFlight: REPORTS_IN_FLIGHT,
      maxPending: 2 * config.maxConnections,
      after,
      onReplaced: (replaced) => this.#replace(replaced),
      onReportAll: () =>
        void inSlices(this.sessions.all(), SLICE, (session) => {
          if (!this.#unproven.has(session)) this.reports.again(this.#of(session));
        }),
      onRefused: (cause) => log.warn({ err: cause }, "presence refuses a report"),
    });
  }

  /** Why no more connections are taken now; undefined when they are. */
  refusal(): ServiceError | undefined {
    if (this.#draining) return errors.draining();
    return this.sessions.size >= this.#options.config.maxConnections ? errors.full() : undefined;
  }

  /** Whether presence has ever heard of it. */
  get isLeased(): boolean {
    return this.#isLeased;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** Takes a connection whose user is proven; undefined when it was closed at once. */
  connect(wire: Wire, caller: Caller, codec: Codec): Session | undefined {
    const { config, now, log } = this.#options;
    if (this.sessions.countOfUser(caller.userId) >= config.maxConnectionsPerUser) {
      this.counters.refused++;
      wire.close(closings.tooManyConnections);
      return undefined;
    }
    // 128 random bits, so that nobody can name a connection that he wasn't told of.
    const id = `c_${randomBytes(16).toString("base64url")}`;
    const hello = () => helloPacket(codec, this.#greeting(id, caller.platform));
    const session = new Session(this.#world, wire, { id, caller, codec, connectedMs: now(), hello });
    this.sessions.add(session);
    this.counters.opened++;
    log.debug({ connectionId: id, userId: caller.userId, platform: caller.platform, codec }, "connected");
    void this.#admit(session);
    return session;
  }

  /** Says hello when auth has said that the session lives and presence has heard of the connection. Waits for neither for long. */
  async #admit(session: Session): Promise<void> {
    this.#unproven.add(session);
    const lives = await this.#options.sessionLives(session.sessionId);
    if (session.isOver) return;
    if (!lives) return session.close(closings.sessionOver);
    this.#unproven.delete(session);
    const open = () => session.open();
    const timer = globalThis.setTimeout(open, this.#options.config.helloWaitMs);
    this.reports.connected(this.#of(session), async () => {
      if (!this.#isLeased) await this.#leased.promise;
      clearTimeout(timer);
      open();
    });
  }

  /** Writes a packet to connections; gives those that aren't here. */
  deliver({ connectionIds, payload, hint, hintKey, hintOrder }: Delivery): string[] {
    const packet = new Outgoing(payload);
    const instead = hint.length > 0 ? { key: hintKey, order: hintOrder, packet: new Outgoing(hint) } : undefined;
    const unknown: string[] = [];
    for (const id of connectionIds) {
      const session = this.sessions.get(id);
      if (session === undefined) unknown.push(id);
      else session.deliver(packet, instead);
    }
    return unknown;
  }

  /** Closes connections and sessions' connections; gives how many were here. */
  close(connectionIds: Iterable<string>, sessionIds: Iterable<string>, closing: Closing): number {
    let count = 0;
    const close = (session: Session) => {
      count++;
      session.close(closing);
    };
    for (const id of connectionIds) {
      const session = this.sessions.get(id);
      if (session !== undefined) close(session);
    }
    for (const id of sessionIds) for (const session of this.sessions.ofSession(id)) close(session);
    return count;
  }

  /** Tells presence that this gateway lives, or that it goes. */
  async lease(address: string, released = false): Promise<void> {
    const value = create(LeaseSchema, { address, connections: this.sessions.size, released });
    await this.reports.tell({ case: "lease", value }, this.gatewayId);
    this.#isLeased = true;
    this.#leased.resolve();
  }

  /** Asks what is accepted from clients, to announce it. What was known before stays when nobody answers. */
  async learnLimits(): Promise<void> {
    this.#limits = await this.#options.router.limits();
  }

  /** Ends connections from which nothing comes any more. */
  async checkIdle(): Promise<void> {
    await inSlices(this.sessions.all(), SLICE, (session) => session.checkIdle());
  }

  /** Ends connections that don't catch up. */
  checkLag(): void {
    for (const session of this.#lagging) if (!session.checkLag()) this.#lagging.delete(session);
  }

  /** Takes no more connections and has those that are there go elsewhere within a time; gives how many they were. */
  async drain(ms: number): Promise<number> {
    this.#draining = true;
    const { size } = this.sessions;
    await drain(this.sessions.all(), ms);
    return size;
  }

  /** Never rejects: a client whose packet can't be forwarded is told so. */
  async #uplink(session: Session, payload: Uint8Array): Promise<Uint8Array> {
    const { router, tracing } = this.#options;
    const { id, caller, codec } = session;
    const { userId, sessionId, deviceId, platform } = caller;
    const who = { connectionId: id, gatewayId: this.gatewayId, userId, sessionId, deviceId, platform, codec };
    try {
      const reply = await tracing.span("gateway.uplink", tracing.begin(), (traceparent) =>
        router.exchange({ ...who, payload, traceparent }),
      );
      if (reply.keep !== undefined) this.#keep(session, reply.keep);
      return reply.payload;
    } catch (thrown) {
      this.counters.uplinksFailed++;
      const error = toServiceError(thrown);
      this.#options.log.debug({ err: error, connectionId: id }, "a packet was not answered");
      return errorPacket(codec, error);
    }
  }

  #keep(session: Session, bytes: Uint8Array): void {
    if (bytes.length <= MAX_KEPT_BYTES) session.keep(bytes);
    else this.#options.log.warn({ connectionId: session.id, bytes: bytes.length }, "too much to keep for a connection");
  }

  #lags(session: Session): void {
    this.#lagging.add(session);
    this.#options.log.debug({ connectionId: session.id, userId: session.userId }, "too slow for records");
  }

  #left(session: Session, code: number): void {
    this.#lagging.delete(session);
    if (!this.sessions.remove(session)) return;
    this.counters.closed++;
    this.#options.log.debug({ connectionId: session.id, userId: session.userId, code }, "disconnected");
    if (this.#unproven.delete(session) || this.#returns(code)) return;
    this.reports.disconnected(this.#of(session));
  }

  /**
   * Whether a connection that ends is about to be another gateway's. Its user counts as connected until the new one takes its place, or
   * this gateway's lease is over: a restart makes nobody look offline.
   */
  #returns(code: number): boolean {
    return this.#draining && code < FIRST_OWN_CODE;
  }

  #replace(replaced: readonly Replaced[]): void {
    const elsewhere = new Map<string, string[]>();
    for (const { connectionId, gatewayId, address } of replaced) {
      if (gatewayId === this.gatewayId) this.sessions.get(connectionId)?.close(closings.replaced);
      else elsewhere.set(address, [...(elsewhere.get(address) ?? []), connectionId]);
    }
    for (const [address, connectionIds] of elsewhere) {
      this.#options.gateways.closeConnections(address, connectionIds, closings.replaced).catch((cause) => {
        this.#options.log.warn({ err: cause, address }, "replaced connections could not be closed");
      });
    }
  }

  #of(session: Session): Reportable {
    const { id, caller, codec, connectedMs } = session;
    const { userId, sessionId, deviceId, platform } = caller;
    const value = () => ({ connectionId: id, gatewayId: this.gatewayId, userId, sessionId, deviceId, platform, codec });
    return {
      id,
      userId,
      connected: () => ({
        case: "connected",
        value: create(ConnectionSchema, {
          ...value(),
          connectedTime: timestampFromMs(connectedMs),
          kept: session.kept,
        }),
      }),
    };
  }

  #greeting(connectionId: string, platform: string) {
    const { config, now } = this.#options;
    return {
      connectionId,
      gatewayId: this.gatewayId,
      nowMs: now(),
      heartbeatMs: config.heartbeatMs,
      limits: this.#limits?.ofPlatform[platform] ?? this.#limits?.limits,
    };
  }
}
