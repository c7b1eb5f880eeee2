// Which headers of an answer pass from the child's API server into the tunnel, and how one is read. Pure.

import type { Dispatcher } from "undici";

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

type RawHeaders = Dispatcher.DispatchController["rawHeaders"];

/** What of an answer goes back to the caller. */
export function responseHeaders(raw: RawHeaders): string[] {
  const headers: string[] = [];
  if (!Array.isArray(raw)) return headers;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = latin1(raw[index]).toLowerCase();
    if (!HOP_BY_HOP.has(name)) headers.push(name, latin1(raw[index + 1]));
  }
  return headers;
}

/** The switch itself is part of the answer. */
export function upgradeHeaders(raw: RawHeaders): string[] {
  const names = Array.isArray(raw) ? raw : [];
  const upgrade = names.findIndex((name, index) => index % 2 === 0 && latin1(name).toLowerCase() === "upgrade");
  return [...responseHeaders(raw), "connection", "Upgrade", ...(upgrade === -1 ? [] : ["upgrade", latin1(names[upgrade + 1])])];
}

function latin1(text: Buffer | string | undefined): string {
  return typeof text === "string" ? text : (text?.toString("latin1") ?? "");
}

/** `name` in lower case. */
export function headerValue(headers: readonly string[], name: string): string | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() === name) return headers[index + 1];
  }
  return undefined;
}
