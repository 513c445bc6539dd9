import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { SWTPM_SETUP } from "../tools.ts";

const run = promisify(execFile);

/** What a maker puts into a TPM. */
export interface MakeOptions {
  /** Endorsement certificates of a local CA: RSA 2048 in the low and ECC P-384 in the high range. */
  readonly certificates?: boolean;
  /** PCR banks that are in use, separated by commas. */
  readonly banks?: string;
}

/**
 * Makes the state of a new TPM with swtpm_setup.
 * @param directory for the state; the CA goes into `ca` beside it
 * @returns the certificate that its endorsement certificates are issued by, and the root above it, PEM
 */
export async function manufacture(
  directory: string,
  { certificates = true, banks = "sha256" }: MakeOptions,
): Promise<{ issuer: string; root: string }> {
  const state = join(directory, "state");
  const ca = join(directory, "ca");
  await mkdir(state, { recursive: true });
  await mkdir(ca, { recursive: true });
  const caConfig = join(directory, "localca.conf");
  const caOptions = join(directory, "localca.options");
  const setupConfig = join(directory, "setup.conf");
  await writeFile(
    caConfig,
    `statedir = ${ca}\nsigningkey = ${ca}/signkey.pem\nissuercert = ${ca}/issuercert.pem\ncertserial = ${ca}/certserial\n`,
  );
  await writeFile(caOptions, "--platform-manufacturer Muster\n--platform-version 1\n--platform-model test\n");
  await writeFile(
    setupConfig,
    [
      "create_certs_tool = /usr/bin/swtpm_localca",
      `create_certs_tool_config = ${caConfig}`,
      `create_certs_tool_options = ${caOptions}`,
      "",
    ].join("\n"),
  );
  await run(SWTPM_SETUP, [
    ...["--tpm2", "--tpmstate", state, "--config", setupConfig, "--pcr-banks", banks, "--overwrite"],
    ...["--logfile", join(directory, "setup.log")],
    ...(certificates ? ["--create-ek-cert", "--ecc"] : []),
  ]);
  if (!certificates) return { issuer: "", root: "" };
  const pem = (name: string) => readFile(join(ca, name), "utf8");
  return { issuer: await pem("issuercert.pem"), root: await pem("swtpm-localca-rootca-cert.pem") };
}
