import { randomBytes } from "node:crypto";

/** A random id that a command line never takes for an option: the base64url alphabet has a dash. */
export const newId = (prefix: string): string => `${prefix}_${randomBytes(9).toString("base64url")}`;
