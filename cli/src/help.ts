import { describeConfig } from "@oceanchat/runtime/config";
import { allKeys } from "./config.ts";

const LOG = `oceanchat log: what a conversation's log holds
  log tail CONVERSATION [--from SEQ]
      Shows the records from SEQ on, else from the end, and goes on with those that come. Ctrl-C ends it.
  log read CONVERSATION [--from SEQ] [--to SEQ] [--limit N]
      Shows records from the store, the archive and the stream. Default: from 1, at most 100.
  log verify CONVERSATION | --all [--sample N]
      Reads a whole log and says what is wrong with it: seqs that are missing, records that differ between store, archive
      and stream, a head that is elsewhere, record ids that occur twice. --sample N takes N logs by chance.

CONVERSATION is g_<group>, d_<user>_<user> or u_<user>, a user's own log. A line is: seq, time, sender, kind, text.`;

const DEAD = `oceanchat dead: messages that a consumer has given up
  dead list [--stream S] [--from SEQ] [--limit N]
      Lists them, the oldest first, at most 100. SEQ is the letter's number, the first column.
  dead show SEQ
      Shows one with what it holds.
  dead replay SEQ… | --all [--stream S] [--consumer C]
      Gives them back to the consumer that gave them up, and to no other. They stay listed until they are 7 days old; one
      that fails again is listed once more. The same letter is given back once in two minutes, however often that is asked.`;

const ARCHIVE = `oceanchat archive: old records, compressed
  archive run [--older-than 90d] [--conversation CONVERSATION]
      Has persistence-writer move old records into the archive until there are no more. Default age: the service's own.`;

const TOPICS: Readonly<Record<string, string>> = { log: LOG, dead: DEAD, archive: ARCHIVE };

/** The text of `--help`, of one topic or of all. */
export function helpOf(topic: string): string {
  const one = TOPICS[topic.split(" ")[0] ?? ""];
  const topics = one === undefined ? [LOG, DEAD, ARCHIVE].join("\n\n") : one;
  return `${topics}

Everywhere: --json writes one JSON value a line, --help this text.
Exit code: 0 done and all is well; 1 something is wrong, or could not be done; 2 the command is not written as it must be.

Environment (else what a running "make up" in this folder says, else the default):
${describeConfig(allKeys)}
`;
}
