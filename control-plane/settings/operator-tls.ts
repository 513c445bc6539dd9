import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import type { ControlPlaneSettings } from "./settings.ts";

/**
 * Certificate and key of the operator listener, undefined where it speaks plain HTTP.
 * @throws MusterError `settings.invalid`
 */
export async function operatorTls(
  settings: Pick<ControlPlaneSettings, "operatorCertFile" | "operatorKeyFile">,
): Promise<{ cert: string; key: string } | undefined> {
  const { operatorCertFile, operatorKeyFile } = settings;
  if (operatorCertFile === null && operatorKeyFile === null) return undefined;
  if (operatorCertFile === null || operatorKeyFile === null)
    throw new MusterError("settings.invalid", "operatorCertFile and operatorKeyFile belong together.");
  try {
    return { cert: await readFile(operatorCertFile, "utf8"), key: await readFile(operatorKeyFile, "utf8") };
  } catch (cause) {
    throw new MusterError("settings.invalid", `The operator certificate cannot be read: ${String(cause)}`, {
      cause,
    });
  }
}
