// Whom a client certificate makes of its holder: the parent's front proxy, a user, or nobody. Follows the ConfigMap
// kube-system/extension-apiserver-authentication, which kube-apiserver writes for its aggregated servers.
//
// (TRU-1) Identity headers count only on a connection whose client certificate chains to requestheader-client-ca and whose common
//         name is allowed (an empty list of names allows all, as kube-apiserver documents it).
// (TRU-2) TLS has verified dates, purposes and signatures of the presented chain against both authorities; here we find out which
//         of the two it was, once per connection and configuration.

import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import * as z from "zod";
import { chainsTo, splitPem, subjectOf } from "#std/peer-certificate.ts";

export interface ClientTrust {
  readonly clientCas: readonly X509Certificate[];
  readonly requestHeaderCas: readonly X509Certificate[];
  readonly allowedNames: readonly string[];
  /** Lower case, in order of preference. */
  readonly userHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraHeaderPrefixes: readonly string[];
  /** Both authorities, for the TLS listener. */
  readonly caPems: readonly string[];
}

export type Peer =
  | { readonly type: "front-proxy" }
  | { readonly type: "user"; readonly name: string; readonly groups: readonly string[]; readonly fingerprint: string }
  | { readonly type: "nobody" };

const NameList = z.string().default("[]").transform(parseJson).pipe(z.array(z.string()));
const ConfigData = z.object({
  "client-ca-file": z.string().default(""),
  "requestheader-client-ca-file": z.string().default(""),
  "requestheader-allowed-names": NameList,
  "requestheader-username-headers": NameList,
  "requestheader-uid-headers": NameList,
  "requestheader-group-headers": NameList,
  "requestheader-extra-headers-prefix": NameList,
});

/** Trusts nobody: until the ConfigMap was read. */
export const noTrust: ClientTrust = parseClientTrust({});

/** Throws when the ConfigMap's data is not what kube-apiserver writes. */
export function parseClientTrust(data: Readonly<Record<string, string>>): ClientTrust {
  const config = ConfigData.parse(data);
  const clientPems = splitPem(config["client-ca-file"]);
  const requestHeaderPems = splitPem(config["requestheader-client-ca-file"]);
  return {
    clientCas: clientPems.map((pem) => new X509Certificate(pem)),
    requestHeaderCas: requestHeaderPems.map((pem) => new X509Certificate(pem)),
    allowedNames: config["requestheader-allowed-names"],
    userHeaders: lowerCase(config["requestheader-username-headers"]),
    uidHeaders: lowerCase(config["requestheader-uid-headers"]),
    groupHeaders: lowerCase(config["requestheader-group-headers"]),
    extraHeaderPrefixes: lowerCase(config["requestheader-extra-headers-prefix"]),
    caPems: [...clientPems, ...requestHeaderPems],
  };
}

/** Remembers what each connection turned out to be; the answer of another configuration is not used. */
export function createPeerIdentifier(): (socket: TLSSocket, trust: ClientTrust) => Peer {
  const known = new WeakMap<TLSSocket, { readonly trust: ClientTrust; readonly peer: Peer }>();
  return (socket, trust) => {
    const before = known.get(socket);
    if (before?.trust === trust) return before.peer;
    const peer = identifyPeer(socket, trust);
    known.set(socket, { trust, peer });
    return peer;
  };
}

function identifyPeer(socket: TLSSocket, trust: ClientTrust): Peer {
  const leaf = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (leaf === undefined) return { type: "nobody" };
  const { commonName, organizations } = subjectOf(leaf);
  const isNameAllowed = trust.allowedNames.length === 0 || trust.allowedNames.includes(commonName);
  if (isNameAllowed && chainsTo(leaf, trust.requestHeaderCas)) return { type: "front-proxy" };
  if (commonName !== "" && chainsTo(leaf, trust.clientCas)) {
    return { type: "user", name: commonName, groups: organizations, fingerprint: leaf.fingerprint256 };
  }
  return { type: "nobody" };
}

function lowerCase(names: readonly string[]): string[] {
  return names.map((name) => name.toLowerCase());
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: "custom", message: "Expected a JSON list of names" });
    return z.NEVER;
  }
}
