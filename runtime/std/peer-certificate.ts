// What a certificate that a TLS peer showed says of it: its names, and whether one of these authorities stands behind it.

import type { X509Certificate } from "node:crypto";

/** A chain that is longer is nobody's. */
const CHAIN_LENGTH_MAX = 5;

/** Of a leaf as `getPeerX509Certificate` gives it, with the intermediates that came with it. Dates are not looked at. */
export function chainsTo(leaf: X509Certificate, authorities: readonly X509Certificate[]): boolean {
  let current = leaf;
  for (let depth = 0; depth < CHAIN_LENGTH_MAX; depth += 1) {
    const certificate = current;
    if (authorities.some((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey)))
      return true;
    const issuer = certificate.issuerCertificate;
    if (issuer?.ca !== true || issuer.fingerprint256 === certificate.fingerprint256) return false;
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
    current = issuer;
  }
  return false;
}

export function subjectOf(certificate: X509Certificate): {
  readonly commonName: string;
  readonly organizations: readonly string[];
} {
  // The legacy form keeps repeated attributes apart; the text form would have to be parsed.
  const { subject } = certificate.toLegacyObject();
  const organizations = subject.O as unknown;
  const commonName = subject.CN as unknown;
  return {
    commonName: typeof commonName === "string" ? commonName : "",
    organizations: Array.isArray(organizations)
      ? organizations.map(String)
      : typeof organizations === "string"
        ? [organizations]
        : [],
  };
}

/** The PEM blocks of a text, which may hold several and other lines between them. */
export function splitPem(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
