import type { ParsedRequest } from "./infer-request.ts";
import type { LoadedModel } from "./model.ts";
import { decodeBinaryData } from "./tensors/binary.ts";
import { DATATYPES } from "./tensors/datatypes.ts";

/** JSON parts remembered for each model; when there are more they are all forgotten. */
const REMEMBERED = 32;
/** A longer JSON part is never remembered. */
const REMEMBERED_LENGTH = 1024;

interface Remembered {
  readonly request: ParsedRequest;
  /** Bytes of all binary data. */
  readonly size: number;
}

/**
 * JSON parts of binary requests that were read before: a client sends the same one again and again with other data
 * behind it. Requests with an id, with data in the JSON or with elements of varying size are not remembered.
 */
export class RememberedRequests {
  readonly #models = new WeakMap<LoadedModel, Map<string, Remembered>>();

  /** @returns undefined where the request must be read; it is for the reader to refuse what is wrong */
  find(model: LoadedModel, body: Buffer, jsonLength: number): ParsedRequest | undefined {
    if (jsonLength > REMEMBERED_LENGTH) return undefined;
    const known = this.#models.get(model)?.get(body.toString("latin1", 0, jsonLength));
    if (!known || body.byteLength - jsonLength !== known.size) return undefined;
    const { request } = known;
    let offset = jsonLength;
    const inputs = request.inputs.map(({ name, datatype, shape }) => {
      const size = bytesOf(datatype, shape);
      const data = decodeBinaryData(name, datatype, shape, body.subarray(offset, offset + size));
      offset += size;
      return { name, datatype, shape, data };
    });
    return { ...request, inputs };
  }

  keep(model: LoadedModel, body: Buffer, jsonLength: number, request: ParsedRequest): void {
    if (jsonLength > REMEMBERED_LENGTH || request.id !== undefined) return;
    const size = request.inputs.reduce((sum, { datatype, shape }) => sum + bytesOf(datatype, shape), 0);
    const inBinary = request.inputs.every(({ datatype }) => DATATYPES[datatype].size > 0);
    if (!inBinary || body.byteLength - jsonLength !== size) return;
    let known = this.#models.get(model);
    if (!known) {
      known = new Map();
      this.#models.set(model, known);
    }
    if (known.size >= REMEMBERED) known.clear();
    const inputs = request.inputs.map((input) => ({ ...input, data: DATATYPES[input.datatype].allocate(0) }));
    known.set(body.toString("latin1", 0, jsonLength), { request: { ...request, inputs }, size });
  }
}

const bytesOf = (datatype: keyof typeof DATATYPES, shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, DATATYPES[datatype].size);
