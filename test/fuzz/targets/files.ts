import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxFile, readBoxFile } from "@muster/agent/config/box-file";
import { seal, signCheckpoint } from "@muster/control-plane/audit/chain";
import { CONTROL_PLANE } from "@muster/control-plane/audit/entry";
import { exportHeader, exportLine, readExport } from "@muster/control-plane/audit/export";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { documentsOf } from "../from-schema.ts";
import type { Target } from "../target.ts";

/** A parser of a file that is read as it is at work. */
function fileTarget(
  name: string,
  form: Target["form"],
  seeds: readonly Buffer[],
  read: (path: string) => unknown,
): Target {
  const folder = mkdtempSync(join(tmpdir(), "muster-fuzz-file-"));
  const path = join(folder, "file");
  return {
    ...{ name, form, seeds },
    take: async (input) => {
      writeFileSync(path, input);
      await read(path);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function auditExport(): Buffer {
  const key = signingKeyFrom(new Uint8Array(32).fill(3));
  const event = { actor: CONTROL_PLANE, action: "rollout.submit", subject: "r1", detail: { waves: 2 } };
  const first = seal(key, null, event, 1);
  const second = seal(key, first, event, 2);
  const header = exportHeader(key.publicKey, [signCheckpoint(key, second, 3)]);
  return Buffer.from(header + exportLine(first) + exportLine(second));
}

/** Files that somebody else may have written. */
export const fileTargets = (): Target[] => [
  fileTarget("box.json", "json", documentsOf(BoxFile), readBoxFile),
  fileTarget("audit export", "bytes", [auditExport()], (path) =>
    readExport(
      path,
      () => {},
      () => {},
    ),
  ),
];
