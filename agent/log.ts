import pino from "pino";

export type Log = pino.Logger;

/** JSON lines on stdout, one event a line. */
export const makeLog = (level: string): Log =>
  pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: pino.stdSerializers.err },
  });
