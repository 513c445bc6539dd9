import type { Environment } from "./context.ts";

/** Where a command reads, writes and learns about its surroundings: the process, or a test. */
export interface Terminal {
  readonly env: Environment;
  readonly stdout: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns" | "rows"> &
    Partial<Pick<NodeJS.WriteStream, "on">>;
  readonly stderr: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns" | "rows">;
  now(): number;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof CODES;

/** Colours text for people; plain where the stream is no terminal or NO_COLOR is set (no-color.org). */
export function painter(terminal: Terminal): (style: Style, text: string) => string {
  const colours = terminal.stdout.isTTY && !terminal.env.NO_COLOR && terminal.env.TERM !== "dumb";
  return (style, text) => (colours ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text);
}

/** Terminal control characters in names and messages from elsewhere must not reach the terminal. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ");
