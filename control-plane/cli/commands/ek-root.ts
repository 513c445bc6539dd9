import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import type { Command } from "commander";
import type { EkRootList, EkRootResource } from "../../api/schemas/ek-roots.ts";
import type { Cli } from "../cli.ts";
import { ago } from "../words.ts";

/** `muster trust ek-root ...`: whose word makes a TPM `tpm-certified`. */
export function ekRootCommands(trust: Command, cli: Cli): void {
  const group = cli.group(trust, "ek-root", "authorities of TPM vendors that are believed");

  cli.leaf(
    group,
    {
      name: "add <file>",
      summary: "believe an authority of a TPM vendor",
      examples: [["muster trust ek-root add infineon-root.pem", "one CA certificate, PEM or DER"]],
    },
    (command) => command,
    async ([file = ""]) => {
      const body = { certificate: await certificateIn(file) };
      const added = await (await cli.client()).send<EkRootResource>("POST", "/trust/ek-roots", body);
      cli.output.data(added, () => `${added.name} is believed (${added.id.slice(0, 16)}).`);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list the authorities that are believed",
      examples: [["muster trust ek-root list", "whose TPMs count as certified"]],
    },
    (command) => command,
    async () => {
      const { ekRoots } = await (await cli.client()).get<EkRootList>("/trust/ek-roots");
      const now = cli.terminal.now();
      cli.output.list(
        ekRoots,
        [
          { title: "ID", value: (row) => row.id.slice(0, 16) },
          { title: "NAME", value: (row) => row.name },
          { title: "ENDS", value: (row) => ago(row.validTo, now) },
        ],
        ekRoots,
        "No authority is believed: every TPM counts as pinned, none as certified.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "remove <id>",
      summary: "believe an authority no more; enrolled devices stay what they are",
      examples: [["muster trust ek-root remove 4f2a91c07d3b", "the beginning of the id is enough"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const client = await cli.client();
      const path = `/trust/ek-roots/${encodeURIComponent(id)}`;
      const removed = await client.send<EkRootResource>("DELETE", path);
      cli.output.data(removed, () => `${removed.name} is believed no more.`);
    },
  );
}

/** PEM as it is, DER in base64. @throws MusterError `settings.invalid`, `enrollment.ek-root-invalid` */
async function certificateIn(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new MusterError("settings.invalid", `${file} cannot be read.`, { cause });
  }
  try {
    return new X509Certificate(bytes).toString();
  } catch (cause) {
    throw new MusterError("enrollment.ek-root-invalid", `${file} is no certificate in PEM or DER.`, {
      cause,
    });
  }
}
