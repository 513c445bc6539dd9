import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Sink, Source } from "@muster/agent/feeder/config";
import type { SinkStatus, SourceStatus } from "@muster/agent/feeder/control";
import { Feeder } from "@muster/agent/feeder/feeder";
import type { Pipeline } from "@muster/shared/protocol/serving/pipeline";
import { BenchBox, GOLDEN } from "../runner/bench-box.ts";
import { classifier } from "../runner/models.ts";

const LABELS = ["red", "green", "blue", "none"];

/** Four floats of a signal become the input of the classifier; the greatest tells the color. */
const SIGNAL_PIPELINE: Pipeline = {
  before: [
    { op: "decode-signal", type: "float32" },
    { op: "window", size: 4 },
    { op: "reshape", shape: [-1, 4] },
  ],
  after: [{ op: "argmax" }],
};

/** Four gray pixels in place of four floats. */
export const PICTURE_PIPELINE: Pipeline = {
  before: [
    { op: "decode-image" },
    { op: "resize", width: 2, height: 2, fit: "stretch", filter: "nearest" },
    { op: "color", to: "gray" },
    { op: "normalize", scale: 1 / 16 },
    { op: "layout", to: "NCHW" },
    { op: "reshape", shape: [-1, 4] },
  ],
  after: [{ op: "argmax" }],
};

export const signal = (color: number): Uint8Array =>
  new Uint8Array(Float32Array.from({ length: 4 }, (_, at) => (at === color ? 9 : 0)).buffer);

/** A runner that tells colors, a feeder in front of it and all that they told. */
export class FeederBox {
  readonly bench: BenchBox;
  readonly directory: string;
  readonly events: { code: string; message: string }[] = [];
  feeder: Feeder | undefined;

  private constructor(bench: BenchBox, directory: string) {
    this.bench = bench;
    this.directory = directory;
  }

  static async create(pipeline: Pipeline = SIGNAL_PIPELINE): Promise<FeederBox> {
    const box = new FeederBox(await BenchBox.create(), await mkdtemp(join(tmpdir(), "muster-feeder-")));
    await box.serve(pipeline);
    return box;
  }

  async serve(pipeline: Pipeline, sequence = 1): Promise<void> {
    const more = { labels: LABELS, serving: { pipeline } };
    await this.bench.serve(
      [await this.bench.model("classifier", classifier(), GOLDEN.classifier, more)],
      sequence,
    );
  }

  async folder(name: string): Promise<string> {
    const path = join(this.directory, name);
    await mkdir(path, { recursive: true });
    return path;
  }

  async secret(name: string, value: string): Promise<string> {
    const path = join(this.directory, name);
    await writeFile(path, `${value}\n`, { mode: 0o600 });
    return path;
  }

  start(sources: Source[], sinks: Sink[] = []): Feeder {
    const log = () => {};
    this.feeder = new Feeder({
      order: { device: "d123", stateDir: join(this.directory, "state"), sources, sinks },
      runner: () => this.bench.inference.status().endpoint,
      event: (code, message) => void this.events.push({ code, message }),
      log: { info: log, warn: log, error: log },
    });
    this.feeder.start();
    return this.feeder;
  }

  async close(): Promise<void> {
    await this.feeder?.stop();
    await this.bench.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  source(name: string): SourceStatus | undefined {
    return this.feeder?.status().sources.find((source) => source.name === name);
  }

  sink(name: string): SinkStatus | undefined {
    return this.feeder?.status().sinks.find((sink) => sink.name === name);
  }

  /** Labels on record whose ids begin with the name of a source. */
  labels(source: string): (string | undefined)[] {
    return this.recorded(source).map(({ body }) => body.top?.label);
  }

  recorded(source: string) {
    return this.bench.results.filter(({ body: { id } }) => id.startsWith(`${source}-`));
  }
}

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly json: any;
}

/** An HTTP server on the loopback that answers as a test wants and remembers what it got. */
export class Receiver {
  readonly received: Received[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(
    answer: (request: IncomingMessage, response: ServerResponse, got: Received) => unknown,
  ): Promise<Receiver> {
    const server = createServer(async (request, response) => {
      const body = await buffer(request);
      let json: unknown;
      try {
        json = JSON.parse(body.toString());
      } catch {
        json = undefined;
      }
      const got = { path: request.url ?? "", headers: request.headers, body, json };
      receiver.received.push(got);
      await answer(request, response, got);
    });
    const receiver = new Receiver(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
