import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Endorsement } from "@muster/agent/tpm/face";
import { makeCredential } from "@muster/shared/tpm/credential";
import { type EccPublicArea, parsePublic } from "@muster/shared/tpm/public-area";
import type { Swtpm } from "../../support/swtpm/swtpm.ts";
import { fileOf, using, write } from "./scene.ts";

const run = promisify(execFile);

/** The verifier's side: a secret for the keys of this TPM, which it gives back. */
export const activates = (setting: string): Promise<Endorsement> =>
  using(setting, async (tpm) => {
    const secret = randomBytes(32);
    const ek = await tpm.endorsement();
    const { name } = await tpm.attestationKey();
    const made = makeCredential(parsePublic(ek.public), name, secret, randomBytes);
    const got = await tpm.activateCredential(made.credentialBlob, made.encryptedSecret);
    assert.deepEqual(got, secret);
    return ek;
  });

/** Has the maker write bytes into an NV index, as certificates are. */
export async function burn(swtpm: Swtpm, index: string, bytes: Buffer): Promise<void> {
  await write(swtpm, "burned", bytes);
  const attributes = "ppwrite|platformcreate|authread|ownerread|ppread|no_da|writedefine";
  await swtpm.tool("nvdefine", index, "-C", "p", "-s", String(bytes.length), "-a", attributes);
  await swtpm.tool("nvwrite", index, "-C", "p", "-i", "burned");
}

/** Has the maker issue a certificate for a P-256 key, and burn it in. */
export async function certify(swtpm: Swtpm, { x, y }: EccPublicArea): Promise<void> {
  const key = `x=${x.toString("hex")},y=${y.toString("hex")},id=secp256r1`;
  await run("/usr/bin/swtpm_localca", [
    ...["--type", "ek", "--ek", key, "--dir", swtpm.directory, "--tpm2"],
    ...["--configfile", join(swtpm.directory, "localca.conf")],
    ...["--optsfile", join(swtpm.directory, "localca.options")],
    ...["--tpm-spec-family", "2.0", "--tpm-spec-level", "0", "--tpm-spec-revision", "164"],
    ...["--tpm-manufacturer", "id:00001014", "--tpm-model", "swtpm", "--tpm-version", "id:20191023"],
  ]);
  await burn(swtpm, "0x1c0000a", await fileOf(swtpm, "ek.cert"));
}
