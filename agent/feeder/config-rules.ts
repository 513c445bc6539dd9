import { isAbsolute } from "node:path";
import type { Sink, Source } from "./config.ts";

/** Why sources and sinks cannot be used as they stand; undefined when they can. */
export function feederFault(sources: readonly Source[], sinks: readonly Sink[]): string | undefined {
  const names = sinks.map(({ name }) => name);
  const twice = twiceIn(names) ?? twiceIn(sources.map(({ name }) => name));
  if (twice !== undefined) return `the name ${twice} is there twice.`;
  for (const source of sources) {
    const unknown = source.sinks?.find((sink) => !names.includes(sink));
    if (unknown !== undefined) return `source ${source.name} names sink ${unknown}, which is not there.`;
    if (source.kind === "file") {
      const inside = [source.done, source.failed].find(
        (rule) => typeof rule === "object" && rule.move === source.path,
      );
      if (inside) return `source ${source.name} moves files to where it takes them.`;
    }
    if (source.kind === "mqtt" && !isFilter(source.topic))
      return `source ${source.name} has the topic filter ${source.topic}, which no broker takes.`;
  }
  for (const part of [...sources, ...sinks]) {
    const file = filesOf(part).find((path) => !isAbsolute(path));
    if (file !== undefined) return `${part.name} names the file ${file}: its path must be absolute.`;
    if ("username" in part && part.kind === "http" && part.passwordFile === undefined)
      return `source ${part.name} has a username and no passwordFile.`;
  }
  return undefined;
}

const twiceIn = (names: readonly string[]): string | undefined =>
  names.find((name, index) => names.indexOf(name) !== index);

const filesOf = (part: Source | Sink): string[] =>
  Object.entries(part).flatMap(([key, value]) => (key.endsWith("File") ? [value as string] : []));

/** `+` stands alone in its level, `#` alone in the last (MQTT 3.1.1, 4.7). */
function isFilter(filter: string): boolean {
  const levels = filter.split("/");
  return levels.every(
    (level, at) => level === "+" || (level === "#" ? at === levels.length - 1 : !/[+#\0]/.test(level)),
  );
}
