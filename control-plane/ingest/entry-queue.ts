import { type Entry, recordsOf } from "./entries.ts";

/** Entries that wait for the database, counted in records. */
export class EntryQueue {
  readonly #limit: number;
  readonly #entries: Entry[] = [];
  #records = 0;
  #room: { promise: Promise<void>; open: () => void } | undefined;

  /** @param limit records that may wait */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get records(): number {
    return this.#records;
  }

  /** Whether so many more records may wait. */
  fits(records: number): boolean {
    return this.#records + records <= this.#limit;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#records += recordsOf(entry);
  }

  /** The oldest entries, until they have `records` records or more. */
  take(records: number): Entry[] {
    let taken = 0;
    let count = 0;
    for (; count < this.#entries.length && taken < records; count += 1)
      taken += recordsOf(this.#entries[count] as Entry);
    this.#records -= taken;
    if (this.#room && this.#records < this.#limit / 4) {
      this.#room.open();
      this.#room = undefined;
    }
    return this.#entries.splice(0, count);
  }

  /** Undefined up to half of the limit; beyond it a promise that resolves below a quarter. */
  room(): Promise<void> | undefined {
    if (this.#records < this.#limit / 2) return undefined;
    if (!this.#room) {
      let open = () => {};
      const promise = new Promise<void>((resolve) => {
        open = resolve;
      });
      this.#room = { promise, open };
    }
    return this.#room.promise;
  }
}
