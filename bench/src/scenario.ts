/** Who talks to whom. Writers of a conversation take turns. */
export type Conversations =
  | { readonly kind: "direct"; readonly pairs: number; readonly writers: 1 | 2 }
  | { readonly kind: "group"; readonly groups: number; readonly members: number; readonly writers: number };

/** closed: each conversation has so many messages waiting for their acks. open: a constant rate over all, whatever comes back. */
export type Load =
  | { readonly kind: "closed"; readonly inFlight: number }
  | { readonly kind: "open"; readonly perSecond: number };

/** One measurement, as a file in scenarios/ describes it. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly conversations: Conversations;
  readonly load: Load;
  /** Length of each message's text. */
  readonly textBytes: number;
  /** Load before the measured time; conservation is checked, nothing is timed. */
  readonly warmUpSeconds: number;
  /** The measured time. */
  readonly seconds: number;
  /** How long answers and deliveries may take after the last message was sent. */
  readonly drainSeconds: number;
}

/** The file does not describe a scenario; every reason is in the message. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}

/** Messages of one run that the generator keeps account of; a closed loop ends early when it is reached. */
export const MAX_MESSAGES = 2_000_000;
const MAX_SOCKETS = 20_000;
const MAX_DELIVERIES = 500_000_000;

/** Reads a scenario and checks all of it. */
export function parseScenario(name: string, text: string): Scenario {
  const problems: string[] = [];
  const file = Fields.of(parseJson(name, text), "", problems);
  const scenario: Scenario = {
    name,
    description: file.text("description"),
    conversations: conversationsIn(file.object("conversations")),
    load: loadIn(file.object("load")),
    textBytes: file.integer("textBytes", 1, 8192, 100),
    warmUpSeconds: file.integer("warmUpSeconds", 0, 600, 3),
    seconds: file.integer("seconds", 1, 3600),
    drainSeconds: file.integer("drainSeconds", 1, 600, 15),
  };
  file.end();
  if (problems.length === 0) problems.push(...excesses(scenario));
  if (problems.length > 0) throw new ScenarioError(`scenario ${name}:\n  ${problems.join("\n  ")}`);
  return scenario;
}

function conversationsIn(fields: Fields): Conversations {
  const kind = fields.choice("kind", ["direct", "group"]);
  if (kind === "direct") {
    const pairs = fields.integer("pairs", 1, MAX_SOCKETS / 2);
    const writers = fields.integer("writers", 1, 2, 2) === 1 ? 1 : 2;
    fields.end();
    return { kind, pairs, writers };
  }
  const groups = fields.integer("groups", 1, 1000, 1);
  const members = fields.integer("members", 2, 10_000);
  const writers = fields.integer("writers", 1, 1000, 1);
  fields.end();
  return { kind, groups, members, writers };
}

function loadIn(fields: Fields): Load {
  const kind = fields.choice("kind", ["closed", "open"]);
  const load: Load =
    kind === "closed"
      ? { kind, inFlight: fields.integer("inFlight", 1, 1000, 1) }
      : { kind, perSecond: fields.number("perSecond", 0.1, 100_000) };
  fields.end();
  return load;
}

/** What is in range by itself but too much together. */
function excesses(scenario: Scenario): string[] {
  const { conversations, load } = scenario;
  const problems: string[] = [];
  const sockets = socketsOf(conversations);
  if (sockets > MAX_SOCKETS) problems.push(`needs ${sockets} sockets, ${MAX_SOCKETS} are the limit`);
  if (conversations.kind === "group" && conversations.writers > conversations.members) {
    problems.push(`conversations.writers: ${conversations.writers}, but a group has ${conversations.members} members`);
  }
  if (load.kind === "open") {
    const messages = Math.ceil(load.perSecond * (scenario.warmUpSeconds + scenario.seconds));
    const deliveries = messages * (membersOf(conversations) - 1);
    if (messages > MAX_MESSAGES) problems.push(`sends ${messages} messages, ${MAX_MESSAGES} are the limit`);
    if (deliveries > MAX_DELIVERIES) problems.push(`makes ${deliveries} deliveries, ${MAX_DELIVERIES} are the limit`);
  }
  return problems;
}

/** Members of each conversation. */
export const membersOf = (conversations: Conversations): number =>
  conversations.kind === "direct" ? 2 : conversations.members;

/** Conversations. */
export const countOf = (conversations: Conversations): number =>
  conversations.kind === "direct" ? conversations.pairs : conversations.groups;

/** Sockets: every member of every conversation is a user of his own with one. */
export const socketsOf = (conversations: Conversations): number => countOf(conversations) * membersOf(conversations);

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ScenarioError(`scenario ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The fields of one JSON object; notes what is wrong and goes on, so that all is said at once. */
class Fields {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #path: string;
  readonly #problems: string[];
  readonly #known = new Set<string>();

  private constructor(values: ReadonlyMap<string, unknown>, path: string, problems: string[]) {
    this.#values = values;
    this.#path = path;
    this.#problems = problems;
  }

  static of(value: unknown, path: string, problems: string[]): Fields {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject) problems.push(`${path || "the file"}: expected an object`);
    return new Fields(new Map(isObject ? Object.entries(value) : []), path === "" ? "" : `${path}.`, problems);
  }

  object(key: string): Fields {
    return Fields.of(this.#take(key), `${this.#path}${key}`, this.#problems);
  }

  text(key: string): string {
    const value = this.#take(key);
    return typeof value === "string" && value !== "" ? value : this.#wrong(key, "expected a text", "");
  }

  choice<T extends string>(key: string, choices: readonly [T, ...T[]]): T {
    const value = this.#take(key);
    const found = choices.find((choice) => choice === value);
    return found ?? this.#wrong(key, `expected ${choices.join(" or ")}`, choices[0]);
  }

  integer(key: string, min: number, max: number, fallback?: number): number {
    const value = this.number(key, min, max, fallback);
    return Number.isInteger(value) ? value : this.#wrong(key, "expected a whole number", min);
  }

  number(key: string, min: number, max: number, fallback?: number): number {
    const value = this.#take(key) ?? fallback;
    const good = typeof value === "number" && value >= min && value <= max;
    return good ? value : this.#wrong(key, `expected a number from ${min} to ${max}`, min);
  }

  /** Whatever was not asked for is a mistake. */
  end(): void {
    for (const key of this.#values.keys()) if (!this.#known.has(key)) this.#wrong(key, "is not known", undefined);
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return this.#values.get(key);
  }

  #wrong<T>(key: string, problem: string, fallback: T): T {
    this.#problems.push(`${this.#path}${key}: ${problem}`);
    return fallback;
  }
}
