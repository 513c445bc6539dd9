import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Vulkan in software, as the browser has it: enough for the WebGPU provider of the runtime. */
export const SOFTWARE_VULKAN = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** A TPM in software, and what makes one as a factory does. */
export const SWTPM = "/usr/bin/swtpm";
export const SWTPM_SETUP = "/usr/bin/swtpm_setup";

/** Makes a character device of a socket. */
export const SOCAT = "/usr/bin/socat";

/** A program from Debian that some tests drive for real. */
export interface Tool {
  command: string;
  packages: string;
  tests: string;
}

const TOOLS: readonly Tool[] = [
  { command: "/usr/bin/chromium", packages: "chromium", tests: "tests of the page in a real browser" },
  { command: SOFTWARE_VULKAN, packages: "chromium-common", tests: "tests of the WebGPU provider" },
  { command: SWTPM, packages: "swtpm", tests: "tests of the TPM" },
  { command: SWTPM_SETUP, packages: "swtpm-tools", tests: "tests of the TPM" },
  { command: "/usr/bin/tpm2_quote", packages: "tpm2-tools", tests: "tests of the TPM" },
  { command: SOCAT, packages: "socat", tests: "tests of the TPM as a device" },
];

const isMissing = (tool: Tool) => !existsSync(tool.command);

/** Installs missing tools when this runs as root on Debian, and returns those that are still missing. */
export function missingTools(): Tool[] {
  const missing = TOOLS.filter(isMissing);
  if (missing.length > 0 && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) install(missing);
  return missing.filter(isMissing);
}

function install(tools: readonly Tool[]): void {
  const packages = tools.flatMap((tool) => tool.packages.split(" "));
  console.error(`Installing from Debian: ${packages.join(" ")}`);
  const apt = (...args: string[]) =>
    spawnSync("apt-get", ["-qq", "-o", "Dpkg::Use-Pty=0", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  apt("update");
  apt("install", "-y", "--no-install-recommends", ...packages);
}

/** For tests that skip themselves: why a software TPM cannot be had, or false where it can. */
export const noSwtpm: string | false = [SWTPM, SWTPM_SETUP, SOCAT, "/usr/bin/tpm2_quote"].every(existsSync)
  ? false
  : "swtpm, swtpm-tools, tpm2-tools and socat are not installed";
