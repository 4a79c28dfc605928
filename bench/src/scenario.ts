import type { AttackName } from "./attacks/names.ts";

/** Who talks to whom. Writers of a conversation take turns; `online` of a group's members have a socket. */
export type Conversations =
  | { readonly kind: "direct"; readonly pairs: number; readonly writers: 1 | 2 }
  | {
      readonly kind: "group";
      readonly groups: number;
      readonly members: number;
      readonly online: number;
      readonly writers: number;
    };

/** closed: each conversation has so many messages waiting for their acks. open: a constant rate over all, whatever comes back. */
export type Load =
  | { readonly kind: "closed"; readonly inFlight: number }
  | { readonly kind: "open"; readonly perSecond: number };

/** One kind of traffic; those of a scenario run at the same time, each with users of its own. */
export interface Part {
  readonly name: string;
  readonly conversations: Conversations;
  readonly load: Load;
  /** Length of each message's text. */
  readonly textBytes: number;
}

/** Where sockets are opened: through the edge, at the gateways in turn, or at the first one (writers at the second). */
export type Way = "edge" | "gateways" | "one gateway";

/** Sockets that read slowly: the last members of the first part's conversations. */
export interface SlowReaders {
  readonly sockets: number;
  readonly bytesPerSecond: number;
  /** How long before the measured time the others are timed for comparison, while nobody is slow; within the warm-up. */
  readonly baselineSeconds: number;
}

/** Idle sockets that go and come back. */
export interface Churn {
  readonly perSecond: number;
}

/** The first gateway is killed; its clients come back at random within a time, and ask what they have missed. */
export interface Storm {
  /** After the warm-up. */
  readonly afterSeconds: number;
  /** Over which time clients spread their first try. */
  readonly spreadSeconds: number;
}

/** Attacks on the mesh while the traffic goes on, one after another; each is repeated, with a rest after each time. */
export interface Attacks {
  readonly kinds: readonly AttackName[];
  readonly seconds: number;
  readonly restSeconds: number;
  readonly repetitions: number;
  /** Before the first and after the last, for comparison. */
  readonly calmSeconds: number;
  /** Whether services are asked after each what they still refer to. */
  readonly liveMemory: boolean;
}

/** What a figure must not pass. */
export interface Budget {
  /** What the table calls it. */
  readonly name: string;
  /** A figure's name, as in figures.ts. */
  readonly figure: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** The figure is divided by that of this scenario. */
  readonly timesOf?: string;
}

/** One measurement, as a file in scenarios/ describes it. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly traffic: readonly Part[];
  /** Users with a socket who take no part. */
  readonly idleSockets: number;
  readonly connect: Way;
  /** NATS' `sync_interval` in the mesh that it needs; "": as the environment says. */
  readonly natsSyncInterval: string;
  /** What the services of the mesh that it needs are told, beside what every mesh of the bench is. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it needs a mesh that nothing has run on: for figures of memory. */
  readonly freshMesh: boolean;
  readonly slowReaders: SlowReaders | undefined;
  readonly churn: Churn | undefined;
  readonly storm: Storm | undefined;
  readonly attacks: Attacks | undefined;
  /** How often each socket sends a heartbeat. */
  readonly heartbeatSeconds: number;
  /** Load before the measured time; conservation is checked, nothing is timed. */
  readonly warmUpSeconds: number;
  /** The measured time. */
  readonly seconds: number;
  /** How long answers and deliveries may take after the last message was sent. */
  readonly drainSeconds: number;
  readonly budgets: readonly Budget[];
}

/** How long they take. */
export const attackSeconds = ({ kinds, seconds, restSeconds, repetitions, calmSeconds }: Attacks): number =>
  2 * calmSeconds + kinds.length * repetitions * (seconds + restSeconds);

/** Phases of the measured time: the calm before, the attacks in their order, the calm after. */
export const phasesOf = ({ kinds }: Attacks): number => kinds.length + 2;

/** Messages of one run that the generator keeps account of; a closed loop ends early when it is reached. */
export const MAX_MESSAGES = 2_000_000;
/** Deliveries of one run that it keeps account of. */
export const MAX_DELIVERIES = 500_000_000;
export const MAX_SOCKETS = 20_000;

/** Members of each conversation. */
export const membersOf = (conversations: Conversations): number =>
  conversations.kind === "direct" ? 2 : conversations.members;

/** Members of each conversation who have a socket. */
export const onlineOf = (conversations: Conversations): number =>
  conversations.kind === "direct" ? 2 : conversations.online;

/** Conversations. */
export const countOf = (conversations: Conversations): number =>
  conversations.kind === "direct" ? conversations.pairs : conversations.groups;

/** Sockets: every member of every conversation is a user of his own with one. */
export const socketsOf = ({ traffic, idleSockets }: Pick<Scenario, "traffic" | "idleSockets">): number =>
  traffic.reduce((sum, { conversations }) => sum + countOf(conversations) * onlineOf(conversations), idleSockets);

/** Users, with a socket or without. */
export const usersOf = ({ traffic, idleSockets }: Scenario): number =>
  traffic.reduce((sum, { conversations }) => sum + countOf(conversations) * membersOf(conversations), idleSockets);
