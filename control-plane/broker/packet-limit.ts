import type { Client } from "aedes";

/** The part of mqtt-packet's parser that knows a packet's length before its body is buffered. */
interface LengthParser {
  _parseLength(): boolean;
  packet: { length: number };
  emit(event: "error", error: Error): boolean;
}

/**
 * Cuts a connection that announces a packet of more than `limit` bytes. The parser of aedes 1.2 has no such
 * limit and would buffer up to 256 MiB for one packet.
 */
export function limitPackets(client: Client, limit: number, onExceeded: (bytes: number) => void): void {
  const parser = (client as unknown as { _parser: LengthParser })._parser;
  const parseLength = parser._parseLength.bind(parser);
  parser._parseLength = () => {
    if (!parseLength()) return false;
    const { length } = parser.packet;
    if (length <= limit) return true;
    onExceeded(length);
    parser.emit("error", new Error(`packet of ${length} bytes exceeds ${limit}`));
    return false;
  };
}
