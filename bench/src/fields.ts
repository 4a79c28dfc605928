/** The fields of one JSON object; notes what is wrong and goes on, so that all is said at once. */
export class Fields {
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

  /** An object that may be left out. */
  optional(key: string): Fields | undefined {
    return this.#values.has(key) ? this.object(key) : undefined;
  }

  /** A list of objects; absent: an empty one. */
  list(key: string): Fields[] {
    const value = this.#take(key) ?? [];
    if (!Array.isArray(value)) return this.#wrong(key, "expected a list", []);
    return value.map((item: unknown, index) => Fields.of(item, `${this.#path}${key}.${index}`, this.#problems));
  }

  text(key: string, fallback?: string): string {
    const value = this.#take(key) ?? fallback;
    return typeof value === "string" && value !== "" ? value : this.#wrong(key, "expected a text", "");
  }

  choice<T extends string>(key: string, choices: readonly [T, ...T[]], fallback?: T): T {
    const value = this.#take(key) ?? fallback;
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

  /** What there is. */
  get keys(): string[] {
    return [...this.#values.keys()];
  }

  has(key: string): boolean {
    return this.#values.has(key);
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
