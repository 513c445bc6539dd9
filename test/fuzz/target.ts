/** One parser under test. */
export interface Target {
  readonly name: string;
  /** How inputs are changed: any bytes, or JSON by its structure as well. */
  readonly form: "bytes" | "json";
  /** Valid inputs that the others are made from. */
  readonly seeds: readonly Buffer[];
  /** Reads an input as the product does. Anything thrown but a MusterError is a fault. */
  take(input: Buffer): void | Promise<void>;
  close?(): void;
}

/** A promise that a parser makes about what it took; broken, it is a fault like a crash. */
export function hold(condition: boolean, what: string): void {
  if (!condition) throw new TypeError(`broken promise: ${what}`);
}
