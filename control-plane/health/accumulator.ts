import { mergeSums, noSums, type Sums } from "./sums.ts";

/** The time between two ends of a bucket: all sums of a ledger live in the same one. */
export interface Era {
  number: number;
  /** The bucket that ended with the era before was the last of its hour. */
  beganHour: boolean;
}

/** Sums of one scope: of the open bucket, the one closed last, the open hour and the one closed last. */
export class Accumulator {
  open: Sums = noSums();
  closed: Sums = noSums();
  /** Of the closed buckets of the open hour. */
  hour: Sums = noSums();
  closedHour: Sums = noSums();
  #era: number | undefined;

  /** Which of them hold anything. */
  readonly filled = { open: false, closed: false, hour: false, closedHour: false };

  add(sums: Sums): void {
    mergeSums(this.open, sums);
    this.filled.open = true;
  }

  /** What a start read back of a closed bucket of the open hour. */
  addToHour(sums: Sums): void {
    mergeSums(this.hour, sums);
    this.filled.hour = true;
  }

  takeClosed(sums: Sums): void {
    this.closed = sums;
    this.filled.closed = true;
  }

  takeClosedHour(sums: Sums): void {
    this.closedHour = sums;
    this.filled.closedHour = true;
  }

  /**
   * Ends the open bucket, and the hour with it, if a new era has begun. To be called before anything else is done
   * with the sums, and at least once an era: so ten thousand buckets do not end all in one moment.
   */
  follow({ number, beganHour }: Era): this {
    if (this.#era !== undefined && this.#era !== number) this.#roll(beganHour);
    this.#era = number;
    return this;
  }

  #roll(endsHour: boolean): void {
    const { open, closed, filled } = this;
    if (filled.open) this.addToHour(open);
    if (filled.open || filled.closed) {
      this.closed = open;
      this.open = closed.fill(0);
      filled.closed = filled.open;
      filled.open = false;
    }
    if (!endsHour || !(filled.hour || filled.closedHour)) return;
    const { closedHour } = this;
    this.closedHour = this.hour;
    this.hour = closedHour.fill(0);
    filled.closedHour = filled.hour;
    filled.hour = false;
  }
}
