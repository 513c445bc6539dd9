import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Vulkan in software, as the browser has it: enough for the WebGPU provider of the runtime. */
export const SOFTWARE_VULKAN = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** A program from Debian that some tests drive for real. */
export interface Tool {
  command: string;
  packages: string;
  tests: string;
}

const TOOLS: readonly Tool[] = [
  { command: "/usr/bin/chromium", packages: "chromium", tests: "tests of the page in a real browser" },
  { command: SOFTWARE_VULKAN, packages: "chromium-common", tests: "tests of the WebGPU provider" },
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
