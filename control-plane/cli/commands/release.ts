import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMusterError, MusterError } from "@muster/shared/errors";
import type { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import type { Command } from "commander";
import type { ReleaseList, ReleaseResource } from "../../api/schemas/releases.ts";
import type { TrustResource } from "../../api/schemas/trust.ts";
import { packageRelease, readReleaseSpec } from "../../releases/package.ts";
import { type SealedModels, sealModels } from "../../releases/sealing.ts";
import type { OfflineKeys } from "../../trust/offline-keys.ts";
import { addTarget } from "../../trust/offline-signing.ts";
import type { Cli } from "../cli.ts";
import { KEYS_OPTION, openKeys } from "../keys.ts";
import { printable } from "../terminal.ts";
import { uploadFiles } from "../upload.ts";
import { ago, bytes } from "../words.ts";
import { quarantineCommands } from "./quarantine.ts";

/** Somebody else may register a release in between: then the targets are signed anew over theirs. */
const ATTEMPTS = 5;

/** `muster release ...` */
export function releaseCommands(program: Command, cli: Cli): void {
  const group = cli.group(program, "release", "signed sets of models and configs that go live together");

  cli.leaf(
    group,
    {
      name: "create",
      summary: "hash, upload, sign and register a release",
      examples: [
        ["muster release create -f release.json --keys ./keys", "files lie beside release.json"],
        ["muster release create -f release.json --seal", "no model file leaves this machine in the open"],
      ],
    },
    (command) =>
      command
        .requiredOption("-f, --file <spec>", "release spec, see docs/protocol.md")
        .option(
          "--seal",
          "encrypt the model files; devices get the keys on a good verdict, see docs/sealed-models.md",
        )
        .option(...KEYS_OPTION),
    async (_args, options) => {
      const { keys } = await openKeys(cli, options.keys);
      const release = await sealedRelease(cli, String(options.file), keys, options.seal === true);
      cli.output.data(release, () => `Release ${release.name} ${release.version} is ${release.digest}.`);
    },
  );

  cli.leaf(
    group,
    {
      name: "list",
      summary: "list releases, newest first",
      examples: [["muster release list", "what can be rolled out"]],
    },
    (command) => command,
    async () => {
      const { releases } = await (await cli.client()).get<ReleaseList>("/releases");
      const now = cli.terminal.now();
      cli.output.list(
        releases,
        [
          { title: "NAME", value: (row) => row.name },
          { title: "VERSION", value: (row) => row.version },
          { title: "SIZE", value: (row) => bytes(row.size), right: true },
          { title: "CREATED", value: (row) => ago(row.createdAt, now) },
          {
            title: "QUARANTINED",
            value: (row) => row.quarantined.map((each) => each.hardwareClass).join(", "),
          },
          { title: "DIGEST", value: (row) => row.digest.slice(7, 19) },
        ],
        releases,
        "There is no release yet: `muster release create` makes one.",
      );
    },
  );

  cli.leaf(
    group,
    {
      name: "show <release>",
      summary: "components and variants of a release, and where it is in quarantine",
      examples: [["muster release show vibration@1.0.0", "what a device may get"]],
    },
    (command) => command,
    async ([given = ""]) => {
      const [name, version] = releaseNamed(given);
      const path = `/releases/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
      const release = await (await cli.client()).get<ReleaseResource>(path);
      cli.output.data(release, () => describeRelease(release, cli.terminal.now()));
    },
  );

  quarantineCommands(group, cli);
}

/** @throws MusterError `settings.invalid` */
function releaseNamed(text: string): [name: string, version: string] {
  const [, name, version] = /^([^@]+)@([^@]+)$/.exec(text) ?? [];
  if (!name || !version)
    throw new MusterError("settings.invalid", `${text} is no release: write NAME@VERSION.`);
  return [name, version];
}

/** Seals what is to be sealed and puts the keys before anything else: a release without its key runs nowhere. */
async function sealedRelease(
  cli: Cli,
  file: string,
  keys: OfflineKeys,
  seal: boolean,
): Promise<ReleaseResource> {
  const spec = await readReleaseSpec(file);
  if (!seal) return await createRelease(cli, file, spec, keys, new Map());
  const into = await mkdtemp(join(tmpdir(), "muster-seal-"));
  try {
    const sealed = await sealModels(file, spec, into, randomBytes);
    const client = await cli.client();
    for (const [name, model] of sealed) {
      const named = `${spec.name} ${spec.version}: ${name}`.slice(0, 200);
      const key = model.secret.toString("base64");
      await client.send("PUT", `/model-keys/${model.sealed.key}`, { name: named, key });
      model.secret.fill(0);
    }
    return await createRelease(cli, file, spec, keys, sealed);
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

async function createRelease(
  cli: Cli,
  file: string,
  spec: ReleaseSpec,
  keys: OfflineKeys,
  sealed: SealedModels,
): Promise<ReleaseResource> {
  const client = await cli.client();
  const { output } = cli;
  for (let attempt = 1; ; attempt += 1) {
    const { releases } = await client.get<ReleaseList>("/releases");
    const known = releases.filter(({ name }) => name === spec.name);
    if (known.some(({ version }) => version === spec.version))
      throw new MusterError("release.exists", `The release ${spec.name} ${spec.version} exists already.`);
    const sequence = 1 + Math.max(0, ...known.map((release) => release.sequence));
    const packaged = await packageRelease(file, spec, sequence, sealed);
    const sent = await uploadFiles(client, packaged.files, output);
    output.say(`${packaged.files.length} artifacts are in the store, ${bytes(sent)} uploaded.`);
    const { targets } = await client.get<TrustResource>("/trust");
    if (targets === null) throw new MusterError("trust.uninitialized");
    const signed = addTarget(keys, targets, packaged.target, cli.terminal.now());
    try {
      return await client.send<ReleaseResource>("POST", "/releases", {
        manifest: packaged.text,
        targets: signed,
      });
    } catch (error) {
      if (!isMusterError(error, "request.conflict") || attempt >= ATTEMPTS) throw error;
      output.say("Somebody else registered a release meanwhile; signing again.");
    }
  }
}

function describeRelease(release: ReleaseResource, now: number): string {
  const lines = [
    `${release.name} ${release.version}, sequence ${release.sequence}, ${bytes(release.size)}, made ${ago(release.createdAt, now)}`,
    `  ${release.digest}`,
    ...(release.description ? [`  ${release.description}`] : []),
  ];
  for (const component of release.components) {
    lines.push(`  ${component.type} ${component.name} ${component.version}`);
    for (const variant of component.variants)
      lines.push(
        `    ${variant.id}: ${variant.precision} on ${variant.requires.providers.join(" or ")}, ${bytes(variant.size)}${variant.sealedWith === null ? "" : `, sealed with ${variant.sealedWith}`}`,
      );
  }
  for (const { hardwareClass, reason, at } of release.quarantined)
    lines.push(`  In quarantine for ${hardwareClass} since ${ago(at, now)}: ${reason}`);
  return lines.map(printable).join("\n");
}
