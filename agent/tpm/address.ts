import { MusterError } from "@muster/shared/errors";

/** Where a TPM answers. */
export type TpmAddress =
  | { readonly kind: "device"; readonly path: string }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** The kernel's own resource manager: several programs may use the TPM through it. */
export const RESOURCE_MANAGER = "/dev/tpmrm0";

const NAMED = /^device:(\/.+)$|^swtpm:unix:(\/.+)$|^swtpm:(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):([0-9]{1,5})$/;

/** What the setting may be; the range of the port follows in `addressOf`. */
export const TPM_SETTING = new RegExp(`^(auto|off)$|${NAMED.source}`);

/** @throws MusterError `settings.invalid` */
export function addressOf(setting: string): TpmAddress | "auto" | "off" {
  if (setting === "auto" || setting === "off") return setting;
  const [, path, socket, host, digits] = NAMED.exec(setting) ?? [];
  const port = Number(digits);
  if (path) return { kind: "device", path };
  if (socket) return { kind: "unix", path: socket };
  if (host && port > 0 && port <= 65_535) return { kind: "tcp", host: host.replace(/^\[|\]$/g, ""), port };
  throw new MusterError(
    "settings.invalid",
    `"${setting}" names no TPM: give auto, off, device:PATH, swtpm:HOST:PORT or swtpm:unix:PATH.`,
  );
}

export const inWords = (address: TpmAddress): string =>
  address.kind === "tcp" ? `swtpm at ${address.host}:${address.port}` : address.path;
