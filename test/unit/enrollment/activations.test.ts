import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { Activations, type PendingEnrollment } from "@muster/control-plane/enrollment/activations";
import { checkRequest } from "@muster/control-plane/enrollment/csr";
import { isMusterError } from "@muster/shared/errors";
import { TPMA_OBJECT } from "@muster/shared/tpm/constants";
import type { EccPublicArea } from "@muster/shared/tpm/public-area";
import { enrollRequest, newDevice } from "../../support/fleet/keys.ts";

const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;
const exporter = Buffer.alloc(32);

function endorsementKey(): EccPublicArea {
  const { FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN, RESTRICTED, DECRYPT } = TPMA_OBJECT;
  const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const coordinate = (text = "") => Buffer.from(text, "base64url");
  return {
    type: "ecc",
    nameAlg: "sha256",
    attributes: FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | DECRYPT,
    authPolicy: Buffer.alloc(32),
    symmetric: { algorithm: "aes", bits: 128, mode: "cfb" },
    scheme: null,
    curve: "p256",
    x: coordinate(jwk.x),
    y: coordinate(jwk.y),
  };
}

describe("challenges of enrollment", async () => {
  const device = await newDevice();
  const checked = checkRequest(device.csr);
  const claim: PendingEnrollment["claim"] = {
    ek: endorsementKey(),
    ekName: "000b",
    akName: `000b${"11".repeat(32)}`,
    akPublic: "AAAA",
    assurance: "tpm-pinned",
    reason: "",
  };
  const pending = (token: string): PendingEnrollment => ({
    request: enrollRequest(device, { id: token, secret: "s" }),
    checked,
    claim,
    token,
  });
  const wrong = (id: string) => ({ id, proof: randomBytes(32).toString("hex") });

  it("are good for one try", () => {
    const activations = new Activations(() => 0);
    const { challenge } = activations.challenge(pending("a"));
    assert.equal(challenge.notAfter, 120_000);
    assert.throws(() => activations.answer(wrong(challenge.id), exporter), code("enrollment.proof-invalid"));
    assert.throws(
      () => activations.answer(wrong(challenge.id), exporter),
      code("enrollment.challenge-unknown"),
    );
  });

  it("end after two minutes, and are forgotten after four", () => {
    let now = 0;
    const activations = new Activations(() => now);
    const first = activations.challenge(pending("a"));
    const second = activations.challenge(pending("a"));
    now = 120_000;
    assert.throws(
      () => activations.answer(wrong(first.challenge.id), exporter),
      code("enrollment.challenge-expired"),
    );
    now = 240_001;
    activations.challenge(pending("a"));
    assert.throws(
      () => activations.answer(wrong(second.challenge.id), exporter),
      code("enrollment.challenge-unknown"),
    );
  });

  it("of one token make room for each other; when all room is taken, a newcomer waits", () => {
    let now = 0;
    const activations = new Activations(() => now);
    const first = activations.challenge(pending("token-0"));
    for (let count = 1; count <= 256; count += 1) activations.challenge(pending("token-0"));
    assert.throws(
      () => activations.answer(wrong(first.challenge.id), exporter),
      code("enrollment.challenge-unknown"),
    );
    for (let token = 1; token < 8; token += 1)
      for (let count = 0; count < 256; count += 1) activations.challenge(pending(`token-${token}`));
    assert.throws(() => activations.challenge(pending("token-8")), code("enrollment.challenges-full"));
    // Whoever holds a token makes room among its own alone.
    activations.challenge(pending("token-7"));
    now = 121_000;
    activations.challenge(pending("token-8"));
  });
});
