import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { HttpPort } from "@muster/agent/update/ports";
import { TrustStore } from "@muster/agent/update/trust-store";
import { isMusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { type SigningKey, signBytes, signingKeyFrom } from "@muster/shared/trust/ed25519";
import {
  type AnyMetadata,
  addSignature,
  directiveKeysOf,
  metadataText,
  newRoot,
  newSnapshot,
  newTargets,
  newTimestamp,
  parseRoot,
  parseTargets,
  targetEntries,
  verifyRoot,
  verifyTargets,
} from "@muster/shared/trust/tuf";
import type { Target } from "../target.ts";

const key = signingKeyFrom(new Uint8Array(32).fill(9));
const EXPIRES = "2099-01-01T00:00:00Z";
const release = { name: "cam", version: "1.0.0", sequence: 1, digest: `sha256:${"ab".repeat(32)}` } as const;

const plan = (version: number) => ({
  version,
  expires: EXPIRES,
  root: { keys: [key.publicKey], threshold: 1 },
  targets: { keys: [key.publicKey], threshold: 1 },
  snapshot: key.publicKey,
  timestamp: key.publicKey,
  directive: { [key.keyId]: key.publicKey },
});

function signed<T extends AnyMetadata>(metadata: T): T {
  addSignature(metadata, key);
  return metadata;
}

const entry = { path: "releases/cam/1.0.0.json", length: 100, sha256: "ab".repeat(32) };
const rootOf = (version: number) => signed(newRoot(plan(version)));
const FILES = {
  "2.root.json": rootOf(2),
  "timestamp.json": signed(newTimestamp(1, EXPIRES, 1)),
  "1.snapshot.json": signed(newSnapshot(1, EXPIRES, 1)),
  "1.targets.json": signed(newTargets(1, EXPIRES, [entry])),
} as const;

interface Metadata {
  signed?: unknown;
  signatures?: unknown;
}

/** Signs what was changed, so that the checks behind the signature are reached. */
function signedAnew(text: string, by: SigningKey): string {
  const document = JSON.parse(text) as Metadata | null;
  const keyid = (JSON.parse(metadataText(FILES["2.root.json"])) as { signatures: { keyid: string }[] })
    .signatures[0]?.keyid;
  if (typeof document !== "object" || document === null || !document.signed) return text;
  const sig = signBytes(by, Buffer.from(canonicalJson(document.signed)));
  return JSON.stringify({ ...document, signatures: [{ keyid, sig }] });
}

const tried = (text: string): string => {
  try {
    return signedAnew(text, key);
  } catch {
    return text;
  }
};

function serving(name: string, text: string): HttpPort {
  const files: Record<string, string> = Object.fromEntries(
    Object.entries(FILES).map(([file, metadata]) => [file, metadataText(metadata)]),
  );
  files[name] = text;
  return {
    request: ({ path }) => {
      const file = path.slice(DEVICE_API.tuf.length);
      const found = Object.hasOwn(files, file) ? files[file] : undefined;
      const answer = { status: found === undefined ? 404 : 200, headers: {} };
      return Promise.resolve({ ...answer, body: Readable.from([Buffer.from(found ?? "{}")]) });
    },
  };
}

/** Release metadata as the control plane takes it from an operator and as an agent takes it from the network. */
export function metadataTargets(): Target[] {
  const folder = mkdtempSync(join(tmpdir(), "muster-fuzz-tuf-"));
  const agent = (name: keyof typeof FILES): Target => ({
    name: `agent takes ${name}`,
    form: "json",
    seeds: [Buffer.from(metadataText(FILES[name]))],
    take: async (input) => {
      rmSync(folder, { recursive: true, force: true });
      await mkdir(join(folder, "tuf"), { recursive: true });
      await writeFile(join(folder, "tuf", "root.json"), metadataText(rootOf(1)));
      const store = new TrustStore(folder, serving(name, tried(input.toString())));
      const signal = AbortSignal.timeout(10_000);
      await store.refresh(signal);
      await store.directiveKeys();
      try {
        await store.trustedManifest(release, signal);
      } catch (error) {
        // The release is listed, and nobody serves it here.
        if (!isMusterError(error, "release.artifact-missing")) throw error;
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  });
  const current = rootOf(1);
  return [
    {
      name: "root metadata",
      form: "json",
      seeds: [Buffer.from(metadataText(rootOf(2)))],
      take: (input) => {
        const root = parseRoot(tried(input.toString()));
        verifyRoot(root, current);
        directiveKeysOf(root);
      },
    },
    {
      name: "targets metadata",
      form: "json",
      seeds: [Buffer.from(metadataText(FILES["1.targets.json"]))],
      take: (input) => {
        const targets = parseTargets(tried(input.toString()));
        verifyTargets(targets, current, 0);
        targetEntries(targets);
      },
    },
    ...(Object.keys(FILES) as (keyof typeof FILES)[]).map(agent),
  ];
}
