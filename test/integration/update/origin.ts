import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { type ReleaseManifest, releaseTarget } from "@muster/shared/protocol/release";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import { type DirectivePayload, signDirective } from "@muster/shared/trust/directive";
import { type SigningKey, signingKeyFrom } from "@muster/shared/trust/ed25519";
import {
  type AnyMetadata,
  addSignature,
  metadataText,
  newRoot,
  newSnapshot,
  newTargets,
  newTimestamp,
  type TargetEntry,
  tufTime,
} from "@muster/shared/trust/tuf";

/** How the origin answers a request for an artifact, in place of what is right. */
export type Fault =
  | { kind: "cut" | "truncate" | "flip"; at: number }
  | { kind: "ignore-range" | "oversize" | "wrong-range" | "no-satisfiable-range" }
  | { kind: "status"; status: number }
  | { kind: "slow"; chunk: number; ms: number };

const key = (byte: number): SigningKey => signingKeyFrom(Buffer.alloc(32, byte));
const YEAR = 365 * 86_400_000;

/** A control plane as the device's downloads see it: signed metadata, manifests and artifacts over HTTP. */
export class Origin {
  readonly keys = {
    root: key(1),
    targets: key(2),
    snapshot: key(3),
    timestamp: key(4),
    directive: key(5),
  };
  readonly #files = new Map<string, Buffer>();
  readonly #targets: TargetEntry[] = [];
  readonly #versions = { root: 0, targets: 0, online: 0 };
  #server: Server | undefined;
  /** Where it listens, or listened last. */
  url = "";
  /** Asked for each artifact request, with the number of such requests so far. */
  fault: (count: number, hex: string) => Fault | undefined = () => undefined;
  artifactRequests = 0;
  readonly ranges: (string | undefined)[] = [];

  async start(): Promise<void> {
    this.#server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((resolve) => this.#server!.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    if (this.#versions.root > 0) return;
    this.rotateRoot();
    this.sign();
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(undefined)));
  }

  /** Text of the root that a device pins. */
  root(version = this.#versions.root): string {
    return String(this.#files.get(`${DEVICE_API.tuf}${version}.root.json`));
  }

  /** Signs the next root; the directive and timestamp keys may change. */
  rotateRoot(next: Partial<Origin["keys"]> = {}, expires = Date.now() + YEAR): void {
    Object.assign(this.keys, next);
    const { root, targets, snapshot, timestamp, directive } = this.keys;
    this.#versions.root += 1;
    const metadata = newRoot({
      version: this.#versions.root,
      expires: tufTime(expires),
      root: { keys: [root.publicKey], threshold: 1 },
      targets: { keys: [targets.publicKey], threshold: 1 },
      snapshot: snapshot.publicKey,
      timestamp: timestamp.publicKey,
      directive: { [directive.keyId]: directive.publicKey },
    });
    this.#put(`${DEVICE_API.tuf}${this.#versions.root}.root.json`, metadata, root);
  }

  /** Signs targets, snapshot and timestamp anew; times and keys may be wrong on purpose. */
  sign(
    over: { expires?: number; targetsKey?: SigningKey; timestampKey?: SigningKey; online?: number } = {},
  ): void {
    const expires = tufTime(over.expires ?? Date.now() + YEAR);
    this.#versions.targets += 1;
    this.#versions.online = over.online ?? this.#versions.online + 1;
    const { targets: targetsVersion, online } = this.#versions;
    const targets = newTargets(targetsVersion, tufTime(Date.now() + YEAR), this.#targets);
    this.#put(
      `${DEVICE_API.tuf}${targetsVersion}.targets.json`,
      targets,
      over.targetsKey ?? this.keys.targets,
    );
    const snapshot = newSnapshot(online, expires, targetsVersion);
    this.#put(`${DEVICE_API.tuf}${online}.snapshot.json`, snapshot, this.keys.snapshot);
    const timestamp = newTimestamp(online, expires, online);
    this.#put(`${DEVICE_API.tuf}timestamp.json`, timestamp, over.timestampKey ?? this.keys.timestamp);
  }

  addArtifact(content: Buffer): { digest: `sha256:${string}`; size: number } {
    const digest = sha256(content);
    this.#files.set(DEVICE_API.artifacts + hexOf(digest), content);
    return { digest, size: content.byteLength };
  }

  /** Lists and signs a release. @returns how a directive names it */
  publish(manifest: ReleaseManifest): ReleaseRef {
    const content = Buffer.from(canonicalJson(manifest));
    const digest = sha256(content);
    const { name, version, sequence } = manifest;
    const path = releaseTarget(name, version);
    const slash = path.lastIndexOf("/") + 1;
    this.#files.set(
      `${DEVICE_API.targets}${path.slice(0, slash)}${hexOf(digest)}.${path.slice(slash)}`,
      content,
    );
    this.#targets.push({ path, length: content.byteLength, sha256: hexOf(digest) });
    this.sign();
    return { name, version, sequence, digest };
  }

  remove(hex: string): void {
    this.#files.delete(DEVICE_API.artifacts + hex);
  }

  directive(
    device: string,
    generation: number,
    release: ReleaseRef | null,
    over: Partial<DirectivePayload> = {},
  ) {
    const payload: DirectivePayload = {
      v: 1,
      device,
      generation,
      issuedAt: Date.now(),
      notAfter: Date.now() + YEAR,
      rollout: "rollout-1",
      release,
      floor: 0,
      shadow: null,
      ...over,
    };
    return JSON.stringify(signDirective(payload, this.keys.directive));
  }

  #put(path: string, metadata: AnyMetadata, signer: SigningKey): void {
    addSignature(metadata, signer);
    this.#files.set(path, Buffer.from(metadataText(metadata)));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    const content = this.#files.get(path);
    const isArtifact = path.startsWith(DEVICE_API.artifacts);
    const fault = isArtifact ? this.fault(++this.artifactRequests, path.slice(-64)) : undefined;
    if (isArtifact) this.ranges.push(request.headers.range);
    if (!content) response.writeHead(404).end();
    else if (isArtifact) this.#sendArtifact(content, request.headers.range, fault, response);
    else response.writeHead(200).end(content);
  }

  #sendArtifact(
    content: Buffer,
    range: string | undefined,
    fault: Fault | undefined,
    response: ServerResponse,
  ): void {
    if (fault?.kind === "status") return void response.writeHead(fault.status).end();
    if (fault?.kind === "no-satisfiable-range") return void response.writeHead(416).end();
    const from = fault?.kind === "ignore-range" ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    let body = Buffer.from(content.subarray(from));
    if (fault?.kind === "oversize") body = Buffer.concat([body, Buffer.alloc(1000)]);
    if (fault?.kind === "truncate") body = body.subarray(0, fault.at);
    if (fault?.kind === "flip" && body[fault.at] !== undefined) body[fault.at]! ^= 1;
    if (from > 0) {
      const shown = fault?.kind === "wrong-range" ? from - 1 : from;
      response.writeHead(206, { "content-range": `bytes ${shown}-${content.length - 1}/${content.length}` });
    } else response.writeHead(200);
    if (fault?.kind === "cut") {
      response.write(body.subarray(0, fault.at), () => setTimeout(() => response.destroy(), 20));
    } else if (fault?.kind === "slow") void sendSlowly(body, fault.chunk, fault.ms, response);
    else response.end(body);
  }
}

async function sendSlowly(body: Buffer, chunk: number, ms: number, response: ServerResponse): Promise<void> {
  for (let at = 0; at < body.length && !response.destroyed; at += chunk) {
    response.write(body.subarray(at, at + chunk));
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
  response.end();
}
