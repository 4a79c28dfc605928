import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { UsageError } from "./errors.ts";

/** What is asked for, with its arguments checked. */
export type Command =
  | { readonly name: "help"; readonly topic: string }
  | { readonly name: "log tail"; readonly json: boolean; readonly logId: string; readonly from: bigint | undefined }
  | {
      readonly name: "log read";
      readonly json: boolean;
      readonly logId: string;
      readonly from: bigint;
      readonly to: bigint | undefined;
      readonly limit: number;
    }
  | {
      readonly name: "log verify";
      readonly json: boolean;
      /** Undefined: all, or a sample of them. */
      readonly logId: string | undefined;
      readonly sample: number | undefined;
    }
  | {
      readonly name: "dead list";
      readonly json: boolean;
      readonly stream: string | undefined;
      readonly from: bigint;
      readonly limit: number;
    }
  | { readonly name: "dead show"; readonly json: boolean; readonly sequence: bigint }
  | {
      readonly name: "dead replay";
      readonly json: boolean;
      /** Empty: all. */
      readonly sequences: readonly bigint[];
      readonly stream: string | undefined;
      readonly consumer: string | undefined;
    }
  | {
      readonly name: "archive run";
      readonly json: boolean;
      readonly olderThanSeconds: number | undefined;
      readonly logId: string;
    };

type Values = Readonly<Record<string, string | boolean | undefined>>;

interface Form {
  readonly options: ParseArgsOptionsConfig;
  readonly positionals: { readonly min: number; readonly max: number };
  make(values: Values, positionals: readonly string[], json: boolean): Command;
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

const FORMS: Readonly<Record<string, Form>> = {
  "log tail": {
    options: { from: text },
    positionals: { min: 1, max: 1 },
    make: (values, [id], json) => ({ name: "log tail", json, logId: logIdOf(id), from: maybeSeq("from", values) }),
  },
  "log read": {
    options: { from: text, to: text, limit: text },
    positionals: { min: 1, max: 1 },
    make: (values, [id], json) => ({
      name: "log read",
      json,
      logId: logIdOf(id),
      from: maybeSeq("from", values) ?? 1n,
      to: maybeSeq("to", values),
      limit: countOf("limit", values, 100),
    }),
  },
  "log verify": {
    options: { all: flag, sample: text },
    positionals: { min: 0, max: 1 },
    make(values, [id], json) {
      const all = values.all === true;
      if (all === (id !== undefined)) throw new UsageError("give a conversation or --all");
      if (!all && values.sample !== undefined) throw new UsageError("--sample goes with --all");
      const sample = values.sample === undefined ? undefined : countOf("sample", values, 0);
      return { name: "log verify", json, logId: all ? undefined : logIdOf(id), sample };
    },
  },
  "dead list": {
    options: { stream: text, from: text, limit: text },
    positionals: { min: 0, max: 0 },
    make: (values, _positionals, json) => ({
      name: "dead list",
      json,
      stream: nameOf("stream", values),
      from: maybeSeq("from", values) ?? 1n,
      limit: countOf("limit", values, 100),
    }),
  },
  "dead show": {
    options: {},
    positionals: { min: 1, max: 1 },
    make: (_values, [sequence = ""], json) => ({ name: "dead show", json, sequence: seqOf("SEQ", sequence) }),
  },
  "dead replay": {
    options: { all: flag, stream: text, consumer: text },
    positionals: { min: 0, max: 1000 },
    make(values, positionals, json) {
      const all = values.all === true;
      if (all === positionals.length > 0) throw new UsageError("give the letters' numbers or --all");
      const stream = nameOf("stream", values);
      const consumer = nameOf("consumer", values);
      if (!all && (stream ?? consumer) !== undefined) throw new UsageError("--stream and --consumer go with --all");
      const sequences = positionals.map((each) => seqOf("SEQ", each));
      return { name: "dead replay", json, sequences, stream, consumer };
    },
  },
  "archive run": {
    options: { "older-than": text, conversation: text },
    positionals: { min: 0, max: 0 },
    make(values, _positionals, json) {
      const age = values["older-than"];
      const id = values.conversation;
      const olderThanSeconds = typeof age === "string" ? secondsOf("older-than", age) : undefined;
      return { name: "archive run", json, olderThanSeconds, logId: typeof id === "string" ? logIdOf(id) : "" };
    },
  },
};

/** The names of all commands. */
export const commandNames: readonly string[] = Object.keys(FORMS);

/** Reads the command line; throws a UsageError that says what is wrong. */
export function parseCommand(argv: readonly string[]): Command {
  const words = argv.slice(0, 2).filter((word) => !word.startsWith("-"));
  const help = argv.includes("--help") || argv.includes("-h") || words[0] === "help" || argv.length === 0;
  if (help) return { name: "help", topic: words.filter((word) => word !== "help").join(" ") };
  const name = words.join(" ");
  const form = FORMS[name];
  if (form === undefined) throw new UsageError(`there is no command "${name}"`);
  const { values, positionals } = parsed(form, argv.slice(2));
  const { min, max } = form.positionals;
  if (positionals.length < min || positionals.length > max) {
    throw new UsageError(`${name} takes ${min === max ? min : `${min} to ${max}`} arguments`);
  }
  return form.make(values, positionals, values.json === true);
}

function parsed({ options }: Form, args: string[]): { values: Values; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args, options: { ...options, json: flag }, allowPositionals: true });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const LOG_ID = new RegExp(`^(?:[gu]_${UUID}|d_${UUID}_${UUID})$`);

function logIdOf(id: string | undefined): string {
  if (id === undefined || !LOG_ID.test(id)) {
    throw new UsageError(`"${id ?? ""}" is no conversation: g_<group>, d_<user>_<user> or u_<user> with UUIDs`);
  }
  return id;
}

function nameOf(name: string, values: Values): string | undefined {
  const value = values[name];
  if (typeof value !== "string") return undefined;
  if (!/^[\w-]{1,64}$/.test(value)) throw new UsageError(`--${name} must be a name`);
  return value;
}

function maybeSeq(name: string, values: Values): bigint | undefined {
  const value = values[name];
  return typeof value === "string" ? seqOf(`--${name}`, value) : undefined;
}

function seqOf(name: string, value: string): bigint {
  if (!/^[1-9]\d{0,15}$/.test(value) || !Number.isSafeInteger(Number(value))) {
    throw new UsageError(`${name} must be a number from 1`);
  }
  return BigInt(value);
}

function countOf(name: string, values: Values, fallback: number): number {
  const value = values[name];
  if (typeof value !== "string") return fallback;
  if (!/^[1-9]\d{0,6}$/.test(value)) throw new UsageError(`--${name} must be a number from 1 to 9999999`);
  return Number(value);
}

const SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };

function secondsOf(name: string, value: string): number {
  const [, digits = "", unit = ""] = /^([1-9]\d{0,8})([dhms])$/.exec(value) ?? [];
  const seconds = Number(digits) * (SECONDS[unit] ?? 0);
  if (seconds === 0) throw new UsageError(`--${name} must be a time like 90d or 200h`);
  return seconds;
}
