/** A text as it is compared: one unit for each character that counts, and where in the text it is. */
export class Folded {
  length = 0;
  units: Uint16Array;
  /** Where each unit begins in the text, in UTF-16 code units. */
  starts: Uint32Array;
  /** Where it ends. */
  ends: Uint32Array;

  constructor(capacity: number) {
    this.units = new Uint16Array(capacity);
    this.starts = new Uint32Array(capacity);
    this.ends = new Uint32Array(capacity);
  }

  add(unit: number, start: number, end: number): void {
    if (unit === NOTHING) return;
    const { length } = this;
    // However many spaces there are, they part two words.
    if (unit === SPACE && length > 0 && this.units[length - 1] === SPACE) return;
    if (length === this.units.length) this.#grow();
    this.units[length] = unit;
    this.starts[length] = start;
    this.ends[length] = end;
    this.length = length + 1;
  }

  /** Few characters become several units: there is room for one each at first. */
  #grow(): void {
    const larger = new Folded(2 * this.length + 16);
    larger.units.set(this.units);
    larger.starts.set(this.starts);
    larger.ends.set(this.ends);
    this.units = larger.units;
    this.starts = larger.starts;
    this.ends = larger.ends;
  }
}

const SPACE = 0x20;
const NOTHING = 0;
/** Stands for a unit that becomes several. */
const SEVERAL = 0xffff;

/**
 * Characters that look like Latin letters, from Unicode's confusables (UTS #39), only the everyday ones: Cyrillic, Greek, digits
 * and signs.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  ...pairs("авеікмнорстухѕјԛԝһ", "abeikmhopctyxsjqwh"),
  ...pairs("αβεικνορτυχ", "abeikvoptyx"),
  ...pairs("013457@$!|", "oieastasii"),
};

function pairs(from: string, to: string): Record<string, string> {
  const targets = [...to];
  return Object.fromEntries([...from].map((character, index) => [character, targets[index] ?? character]));
}

/** Case, width, accents, invisible characters and look-alikes don't count when words are compared. */
export class Folding {
  /** What each UTF-16 code unit becomes. */
  readonly #table = new Uint16Array(0x10000);
  readonly #several = new Map<number, string>();
  /** Which units belong to words of scripts with spaces between them. */
  readonly #word = new Uint8Array(0x10000);

  constructor() {
    for (let unit = 0; unit < 0x10000; unit++) {
      const character = String.fromCharCode(unit);
      if (unit >= 0xd800 && unit <= 0xdfff) {
        this.#table[unit] = unit;
        continue;
      }
      const folded = foldCharacter(character);
      if (folded.length > 1) this.#several.set(unit, folded);
      this.#table[unit] = folded.length > 1 ? SEVERAL : folded === "" ? NOTHING : folded.charCodeAt(0);
      this.#word[unit] = /[\p{L}\p{N}]/u.test(character) && !DENSE.test(character) ? 1 : 0;
    }
  }

  /** Folds a text. */
  fold(text: string): Folded {
    const folded = new Folded(text.length);
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      const becomes = this.#table[unit] ?? 0;
      if (becomes === SEVERAL || (unit >= 0xd800 && unit <= 0xdbff)) {
        index += this.#addSlowly(text, index, unit, folded) - 1;
      } else {
        folded.add(becomes, index, index + 1);
      }
    }
    return folded;
  }

  /** Whether a code unit of a text belongs to a word of a script that parts words: more letters beside it make another word. */
  isWord(unit: number): boolean {
    return this.#word[unit] === 1;
  }

  /** Adds what becomes several units, or lies beyond the first plane; returns how many code units it was. */
  #addSlowly(text: string, index: number, unit: number, folded: Folded): number {
    const codePoint = text.codePointAt(index) ?? unit;
    const width = codePoint > 0xffff ? 2 : 1;
    const becomes = this.#several.get(unit) ?? foldCharacter(String.fromCodePoint(codePoint));
    for (let part = 0; part < becomes.length; part++) {
      folded.add(becomes.charCodeAt(part), index, index + width);
    }
    return width;
  }
}

/** Scripts written without spaces between words. */
const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;
/** Accents, and what can't be seen: format characters (zero-width, direction, soft hyphen) and variation selectors. */
const UNSEEN = /[\p{Mn}\p{Me}\p{Cf}\u115f\u1160\u3164\uffa0]/gu;

function foldCharacter(character: string): string {
  const plain = character.normalize("NFKD").replace(UNSEEN, "").toLowerCase().normalize("NFKD").replace(UNSEEN, "");
  // A single look at each character: what looks like a letter has no other form of its own.
  const alike = [...plain].map((each) => LOOK_ALIKES[each] ?? each).join("");
  return /^\s+$/.test(alike) ? " " : alike;
}
