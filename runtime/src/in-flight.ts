/**
 * What waits for its answer, by a number that is never given twice. A Map that is added to and deleted from all the time would do the
 * same, but V8 copies its table every few hundred deletions and links the old table, with all that it held, to the new one: once one
 * of them has grown old, everything that was ever in flight outlives it until the next full collection. Here a slot is empty when its
 * value is taken.
 */
export class InFlight<T> {
  #values: (T | undefined)[] = [undefined, undefined];
  /** Whose slot it is. */
  #numbers: number[] = [0, 0];
  #next = 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Keeps a value; gives its number, larger than all before. */
  add(value: T): number {
    // Half of the slots stay free, so that the next number mostly finds its own.
    if (this.#size * 2 >= this.#values.length) this.#grow();
    while (this.#values[this.#slot(this.#next)] !== undefined) this.#next++;
    const number = this.#next++;
    this.#put(number, value);
    this.#size++;
    return number;
  }

  /** Takes the value of that number out; undefined when it isn't there (any more). */
  take(number: number): T | undefined {
    const slot = this.#slot(number);
    if (this.#numbers[slot] !== number) return undefined;
    const value = this.#values[slot];
    if (value !== undefined) this.#size--;
    this.#values[slot] = undefined;
    return value;
  }

  /** Takes all values out that are chosen, the oldest first. */
  takeIf(chosen: (value: T) => boolean): T[] {
    const numbers = this.#numbers.filter((number, slot) => {
      const value = this.#values[slot];
      return number !== 0 && value !== undefined && chosen(value);
    });
    return numbers.sort((a, b) => a - b).flatMap((number) => this.take(number) ?? []);
  }

  #slot(number: number): number {
    return number % this.#values.length;
  }

  #put(number: number, value: T): void {
    const slot = this.#slot(number);
    this.#values[slot] = value;
    this.#numbers[slot] = number;
  }

  /** As many slots again: two that had different ones still have. */
  #grow(): void {
    const [values, numbers] = [this.#values, this.#numbers];
    this.#values = Array.from({ length: values.length * 2 }, () => undefined);
    this.#numbers = this.#values.map(() => 0);
    for (const [slot, value] of values.entries()) if (value !== undefined) this.#put(numbers[slot] ?? 0, value);
  }
}
