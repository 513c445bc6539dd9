import { call, type Reply, type Target } from "../runner/client.ts";
import type { Vector } from "./vectors.ts";

/** JSON with integers of any size. */
const textOf = (value: unknown): string => {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${textOf(member)}`).join(",")}}`;
};

/** Sends a vector over HTTP. Requests without binary data go out as plain JSON. */
export function send(target: Target, { model, version, request }: Vector): Promise<Reply> {
  const blobs: Buffer[] = [];
  const inputs = request.inputs.map(({ bytes, ...tensor }) => {
    if (!bytes) return tensor;
    blobs.push(Buffer.from(bytes));
    return { ...tensor, parameters: { binary_data_size: bytes.length } };
  });
  const json = Buffer.from(textOf({ ...request, inputs }));
  const path = `/v2/models/${model}${version === undefined ? "" : `/versions/${version}`}/infer`;
  if (blobs.length === 0) return call(target, "POST", path, json, { "content-type": "application/json" });
  return call(target, "POST", path, Buffer.concat([json, ...blobs]), {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(json.length),
  });
}

/** The parts of an answer: the JSON text and the binary data behind it. */
export function partsOf({ headers, body }: Reply): { text: string; binary: Buffer } {
  const length = Number(headers["inference-header-content-length"] ?? body.length);
  return { text: body.subarray(0, length).toString(), binary: body.subarray(length) };
}

/** What the JSON part of the answer to a vector must be, and the bytes behind it. */
export function expected({ model, response }: Vector): { text: string; binary: Buffer } {
  const { model_version, id, outputs } = response;
  const blobs = outputs.flatMap(({ bytes }) => (bytes ? [Buffer.from(bytes)] : []));
  const written = outputs.map(({ bytes, data, ...tensor }) =>
    bytes ? { ...tensor, parameters: { binary_data_size: bytes.length } } : { ...tensor, data },
  );
  return {
    text: textOf({ model_name: model, model_version, id, outputs: written }),
    binary: Buffer.concat(blobs),
  };
}
