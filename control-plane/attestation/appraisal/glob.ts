const compiled = new Map<string, RegExp>();
const MOST_COMPILED = 4_096;

/** A path pattern as a regular expression. */
function toRegExp(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*|\*)/);
  const source = parts
    .map((part) =>
      part === "**" ? ".*" : part === "*" ? "[^/]*" : part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"),
    )
    .join("");
  return new RegExp(`^${source}$`);
}

/** Whether a path is meant by a pattern: `*` stands for anything within a name, `**` for anything. */
export function matchesPath(pattern: string, path: string): boolean {
  let expression = compiled.get(pattern);
  if (!expression) {
    expression = toRegExp(pattern);
    if (compiled.size >= MOST_COMPILED) compiled.clear();
    compiled.set(pattern, expression);
  }
  return expression.test(path);
}
