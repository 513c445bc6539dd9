const SUFFIXES: Readonly<Record<string, string>> = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  json: "application/json",
};

/** The content type of a body by its first bytes, then by the name it came under; else it is a signal. */
export function contentTypeOf(body: Uint8Array, name: string): string {
  if (body[0] === 0xff && body[1] === 0xd8 && body[2] === 0xff) return "image/jpeg";
  if (body[0] === 0x89 && body[1] === 0x50 && body[2] === 0x4e && body[3] === 0x47) return "image/png";
  const suffix = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  return SUFFIXES[suffix] ?? "application/x-muster-signal";
}
