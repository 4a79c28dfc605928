import { ATTACK_NAMES } from "./attacks/names.ts";
import { Fields } from "./fields.ts";
import {
  type Attacks,
  attackSeconds,
  type Budget,
  type Conversations,
  countOf,
  type Load,
  MAX_DELIVERIES,
  MAX_MESSAGES,
  MAX_SOCKETS,
  onlineOf,
  type Part,
  type Scenario,
  socketsOf,
} from "./scenario.ts";

/** What lies between attacks, beside their rests: offenders who take long, and looking at memory. */
const ATTACK_MARGIN_SECONDS = 45;

/** The file does not describe a scenario; every reason is in the message. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}

/** Reads a scenario and checks all of it. */
export function parseScenario(name: string, text: string): Scenario {
  const problems: string[] = [];
  const file = Fields.of(parseJson(name, text), "", problems);
  const scenario: Scenario = {
    name,
    description: file.text("description"),
    traffic: file.list("traffic").map(partIn),
    idleSockets: file.integer("idleSockets", 0, MAX_SOCKETS, 0),
    connect: file.choice("connect", ["edge", "gateways", "one gateway"], "edge"),
    natsSyncInterval: file.has("natsSyncInterval") ? file.text("natsSyncInterval") : "",
    freshMesh: file.choice("mesh", ["shared", "fresh"], "shared") === "fresh",
    environment: environmentIn(file),
    ...eventsIn(file),
    attacks: attacksIn(file),
    heartbeatSeconds: file.integer("heartbeatSeconds", 1, 300, 25),
    warmUpSeconds: file.integer("warmUpSeconds", 0, 600, 3),
    seconds: file.integer("seconds", 1, 3600),
    drainSeconds: file.integer("drainSeconds", 1, 600, 15),
    budgets: file.list("budgets").map(budgetIn),
  };
  file.end();
  if (problems.length === 0) problems.push(...excesses(scenario));
  if (problems.length > 0) throw new ScenarioError(`scenario ${name}:\n  ${problems.join("\n  ")}`);
  return scenario;
}

function eventsIn(file: Fields): Pick<Scenario, "slowReaders" | "churn" | "storm"> {
  const slow = file.optional("slowReaders");
  const churn = file.optional("churn");
  const storm = file.optional("storm");
  const events = {
    slowReaders: slow && {
      sockets: slow.integer("sockets", 1, MAX_SOCKETS),
      bytesPerSecond: slow.integer("bytesPerSecond", 100, 10_000_000),
      baselineSeconds: slow.integer("baselineSeconds", 1, 600),
    },
    churn: churn && { perSecond: churn.number("perSecond", 0.1, 1000) },
    storm: storm && {
      afterSeconds: storm.number("afterSeconds", 0, 3600),
      spreadSeconds: storm.number("spreadSeconds", 0, 600),
    },
  };
  for (const fields of [slow, churn, storm]) fields?.end();
  return events;
}

function environmentIn(file: Fields): Record<string, string> {
  const fields = file.optional("environment");
  const environment = Object.fromEntries((fields?.keys ?? []).map((key) => [key, fields?.text(key) ?? ""]));
  fields?.end();
  return environment;
}

function attacksIn(file: Fields): Attacks | undefined {
  const fields = file.optional("attacks");
  if (fields === undefined) return undefined;
  const only = fields.choice("only", ["all", ...ATTACK_NAMES], "all");
  const attacks = {
    kinds: only === "all" ? ATTACK_NAMES : [only],
    seconds: fields.integer("seconds", 1, 60),
    restSeconds: fields.integer("restSeconds", 1, 60),
    repetitions: fields.integer("repetitions", 1, 10),
    calmSeconds: fields.integer("calmSeconds", 1, 60),
    liveMemory: fields.choice("liveMemory", ["no", "yes"], "no") === "yes",
  };
  fields.end();
  return attacks;
}

function partIn(fields: Fields): Part {
  const conversations = conversationsIn(fields.object("conversations"));
  const part = {
    name: fields.text("name", conversations.kind),
    conversations,
    load: loadIn(fields.object("load")),
    textBytes: fields.integer("textBytes", 1, 8192, 100),
  };
  fields.end();
  return part;
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
  const online = fields.integer("online", 2, 10_000, members);
  const writers = fields.integer("writers", 1, 1000, 1);
  fields.end();
  return { kind, groups, members, online, writers };
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

function budgetIn(fields: Fields): Budget {
  const limit = (key: "atMost" | "atLeast") => (fields.has(key) ? { [key]: fields.number(key, 0, 1e12) } : {});
  const timesOf = fields.has("timesOf") ? { timesOf: fields.text("timesOf") } : {};
  const named = { name: fields.text("name"), figure: fields.text("figure") };
  const budget = { ...named, ...limit("atMost"), ...limit("atLeast"), ...timesOf };
  fields.end();
  return budget;
}

/** What is in range by itself but too much together. */
function excesses(scenario: Scenario): string[] {
  const { traffic, slowReaders, churn, storm, idleSockets, connect } = scenario;
  const { attacks, environment, seconds } = scenario;
  const problems = traffic.flatMap((part, index) => partExcesses(part, `traffic.${index}`));
  const sockets = socketsOf(scenario);
  if (sockets > MAX_SOCKETS) problems.push(`needs ${sockets} sockets, ${MAX_SOCKETS} are the limit`);
  if (sockets === 0) problems.push("there is neither traffic nor an idle socket");
  const names = new Set(traffic.map(({ name }) => name));
  if (names.size < traffic.length) problems.push("traffic: parts need names that differ");
  const sent = traffic.map(({ load }) => messagesOf(load, scenario)).reduce((sum, count) => sum + count, 0);
  if (sent > MAX_MESSAGES) problems.push(`sends ${sent} messages, ${MAX_MESSAGES} are the limit`);
  const made = traffic.reduce(
    (sum, { load, conversations }) => sum + messagesOf(load, scenario) * onlineOf(conversations),
    0,
  );
  if (made > MAX_DELIVERIES) problems.push(`makes ${made} deliveries, ${MAX_DELIVERIES} are the limit`);
  const [first] = traffic;
  if (slowReaders !== undefined && (first === undefined || slowReaders.sockets >= readersIn(first))) {
    problems.push("slowReaders.sockets: there are not so many who only read in the first part of the traffic");
  }
  if (slowReaders !== undefined && slowReaders.baselineSeconds > scenario.warmUpSeconds) {
    problems.push("slowReaders.baselineSeconds: longer than the warm-up");
  }
  if (churn !== undefined && idleSockets === 0) problems.push("churn: there are no idleSockets");
  if (storm !== undefined && connect === "edge") problems.push('storm: needs "connect" to name the gateways');
  if (attacks !== undefined && seconds < attackSeconds(attacks) + ATTACK_MARGIN_SECONDS) {
    problems.push(`seconds: the attacks need ${attackSeconds(attacks) + ATTACK_MARGIN_SECONDS}`);
  }
  for (const key of Object.keys(environment)) {
    if (!/^OCEANCHAT_[A-Z0-9_]+$/.test(key)) problems.push(`environment.${key}: is no key of a service`);
  }
  return problems;
}

function partExcesses({ conversations }: Part, path: string): string[] {
  if (conversations.kind === "direct") return [];
  const { members, online, writers } = conversations;
  return [
    ...(online > members ? [`${path}.conversations.online: ${online}, but a group has ${members} members`] : []),
    ...(writers > online ? [`${path}.conversations.writers: ${writers}, but ${online} members are online`] : []),
  ];
}

function messagesOf(load: Load, { warmUpSeconds, seconds }: Scenario): number {
  return load.kind === "open" ? Math.ceil(load.perSecond * (warmUpSeconds + seconds)) : 0;
}

const readersIn = ({ conversations }: Part): number =>
  countOf(conversations) * (onlineOf(conversations) - conversations.writers);

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ScenarioError(`scenario ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
