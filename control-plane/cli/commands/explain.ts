import { catalogue, isErrorCode, MusterError } from "@muster/shared/errors";
import type { Command } from "commander";
import type { Cli } from "../cli.ts";

/** `muster explain`: the error catalogue at hand. */
export function explainCommand(program: Command, cli: Cli): void {
  cli.leaf(
    program,
    {
      name: "explain [code]",
      summary: "say what an error code means and what to do",
      examples: [
        ["muster explain rollout.no-targets", "one code"],
        ["muster explain", "all codes"],
      ],
    },
    (command) => command,
    ([code]) => {
      if (code === undefined) {
        const rows = Object.entries(catalogue).map(([name, entry]) => ({ code: name, ...entry }));
        const columns = [
          { title: "CODE", value: (row: (typeof rows)[number]) => row.code },
          { title: "MEANING", value: (row: (typeof rows)[number]) => row.meaning },
        ];
        cli.output.list(rows, columns, rows, "");
        return;
      }
      if (!isErrorCode(code)) throw new MusterError("request.not-found", `There is no error code ${code}.`);
      const { meaning, remedy, retryable, status } = catalogue[code];
      cli.output.data({ code, meaning, remedy, retryable, status }, () =>
        [
          cli.output.paint("bold", code),
          `  ${meaning}`,
          `  What to do: ${remedy}`,
          `  The same call may succeed later: ${retryable ? "yes" : "no"}`,
        ].join("\n"),
      );
    },
  );
}
