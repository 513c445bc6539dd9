import type { BenchModel } from "./models.ts";

/** One whole HTTP request for each row of a model: binary tensor data in, binary out. */
export function requestsOf(model: BenchModel, parameters: object = {}): Buffer[] {
  return model.rows.map((row) => {
    const json = Buffer.from(
      JSON.stringify({
        inputs: [
          {
            name: "x",
            datatype: "FP32",
            shape: [1, ...model.dims],
            parameters: { binary_data_size: row.byteLength },
          },
        ],
        parameters: { binary_data_output: true, ...parameters },
      }),
    );
    const head = [
      `POST /v2/models/${model.name}/infer HTTP/1.1`,
      "host: box",
      "content-type: application/octet-stream",
      `inference-header-content-length: ${json.length}`,
      `content-length: ${json.length + row.byteLength}`,
    ].join("\r\n");
    return Buffer.concat([
      Buffer.from(`${head}\r\n\r\n`),
      json,
      Buffer.from(row.buffer, row.byteOffset, row.byteLength),
    ]);
  });
}
