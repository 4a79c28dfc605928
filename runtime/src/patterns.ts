/** A subject's tokens. */
export type Pattern = readonly { readonly literal: string; readonly token: string | undefined }[];

/** Reads a subject pattern: tokens, of which `{name}` are filled in. */
export function parsePattern(pattern: string): Pattern {
  return pattern.split(".").map((literal) => {
    const token = /^\{([a-z_]+)\}$/.exec(literal)?.[1];
    if (token === undefined && !/^([^\s{}*>]+|>)$/.test(literal)) throw new TypeError(`bad subject pattern ${pattern}`);
    return { literal, token };
  });
}

/** The subject with its tokens filled in. */
export function fillPattern(pattern: Pattern, fill: (token: string) => string): string {
  let subject = "";
  for (const part of pattern) {
    if (subject !== "") subject += ".";
    subject += part.token === undefined ? part.literal : fill(part.token);
  }
  return subject;
}

/** A subject's token from outside: one that could reach another subject is refused. */
export function checkedToken(name: string, value: string | undefined): string {
  if (value === undefined || !/^[!-~]{1,256}$/.test(value) || /[.*>]/.test(value)) {
    throw new TypeError(`subject token ${name} must be 1 to 256 printable ASCII characters without . * >`);
  }
  return value;
}
