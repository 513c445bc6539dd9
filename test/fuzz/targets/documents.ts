import { createPrivateKey, createPublicKey } from "node:crypto";
import { ReferenceSet } from "@muster/control-plane/attestation/references/reference-set";
import { requireSound } from "@muster/control-plane/releases/manifest-rules";
import { ActivateRequest, EnrollRequest } from "@muster/shared/protocol/device-api";
import { DeviceSecrets } from "@muster/shared/protocol/device-secrets";
import { decodeExample, ExampleHeader } from "@muster/shared/protocol/example";
import { encodeExample } from "@muster/shared/protocol/example-bytes";
import { KeyRequest } from "@muster/shared/protocol/key-lease";
import { GoldenSet } from "@muster/shared/protocol/model-evidence";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { parseJson } from "@muster/shared/protocol/validate";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { openSealed, SealedBox, sealTo } from "@muster/shared/trust/sealed-box";
import type { TSchema } from "typebox";
import { documentsOf } from "../from-schema.ts";
import { hold, type Target } from "../target.ts";

/** Canonical JSON is what gets signed: read again it must be the same. */
function requireCanonical(value: unknown): void {
  const text = canonicalJson(value);
  hold(canonicalJson(JSON.parse(text)) === text, "canonical JSON is a fixed point");
}

const document = (name: string, schema: TSchema, more: (value: never) => void = () => {}): Target => ({
  name,
  form: "json",
  seeds: documentsOf(schema),
  take: (input) => {
    const value = parseJson(schema, input, "request.invalid");
    requireCanonical(value);
    more(value as never);
  },
});

/** PKCS #8 before a raw X25519 key (RFC 8410). */
const X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");

function sealedBox(): Target {
  const secret = Buffer.alloc(32, 1);
  const key = createPrivateKey({ key: Buffer.concat([X25519, secret]), format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  const recipient = Buffer.from(x, "base64url").toString("hex");
  const sealed = sealTo(recipient, Buffer.alloc(40), Buffer.alloc(32, 2));
  const target = document("sealed box", SealedBox, (box: SealedBox) => {
    openSealed(secret.toString("hex"), box);
  });
  return { ...target, seeds: [Buffer.from(JSON.stringify(sealed)), ...target.seeds] };
}

const hardExample: Target = {
  name: "hard example",
  form: "bytes",
  seeds: documentsOf(ExampleHeader).map((text) => {
    const header = JSON.parse(text.toString()) as ExampleHeader;
    const inputs = header.inputs.map((input) => ({ ...input, bytes: Math.min(input.bytes, 64) }));
    const contents = inputs.map(({ bytes }) => new Uint8Array(bytes));
    return Buffer.from(encodeExample({ ...header, inputs }, contents));
  }),
  take: (input) => void decodeExample(input),
};

/** Documents of operators and bodies of requests and answers. */
export const documentTargets = (): Target[] => [
  document("enroll request", EnrollRequest),
  document("activate request", ActivateRequest),
  document("key request", KeyRequest),
  document("release manifest", ReleaseManifest, (manifest: ReleaseManifest) => requireSound(manifest)),
  document("release.json", ReleaseSpec),
  document("golden set", GoldenSet),
  document("reference set", ReferenceSet),
  document("secrets of a device", DeviceSecrets),
  sealedBox(),
  hardExample,
];
