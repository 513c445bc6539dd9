import { fitsQuality } from "@muster/shared/protocol/drift-limits";
import type { InputQuality } from "@muster/shared/protocol/drift-window";
import type { NumericData, TensorValue } from "../tensors/datatypes.ts";
import { readerOf } from "./numbers.ts";

const none = (): InputQuality => ({ rows: 0, nan: 0, infinite: 0, outOfRange: 0, constant: 0 });

/** Counts what is wrong with the inputs of a model, since it was last taken. */
export class QualityCounters {
  readonly #tensors = new Map<string, InputQuality>();
  #rejected = 0;

  of(tensor: string): InputQuality {
    let found = this.#tensors.get(tensor);
    if (!found) {
      found = none();
      if (fitsQuality(tensor, this.#tensors.size)) this.#tensors.set(tensor, found);
    }
    return found;
  }

  /** A request was refused by the guards. */
  reject(): void {
    this.#rejected += 1;
  }

  get rejected(): number {
    return this.#rejected;
  }

  take(): { rejected: number; inputs: Record<string, InputQuality> } {
    const taken = { rejected: this.#rejected, inputs: Object.fromEntries(this.#tensors) };
    this.#rejected = 0;
    this.#tensors.clear();
    return taken;
  }
}

/** Counts a row whose moments are not finite by what is in it: the slow way, for the few that are broken. */
export function countNonFinite(tensor: TensorValue, start: number, end: number, quality: InputQuality): void {
  const read = readerOf(tensor.datatype);
  if (!read) return;
  let nan = false;
  let infinite = false;
  for (let index = start; index < end; index += 1) {
    const value = read(tensor.data as NumericData, index);
    if (Number.isNaN(value)) nan = true;
    else if (!Number.isFinite(value)) infinite = true;
  }
  if (nan) quality.nan += 1;
  if (infinite) quality.infinite += 1;
}
