// Makes certificate authorities and the certificates they sign: P-256 keys, PEM text. The one home of @peculiar/x509.

import "reflect-metadata";
import { X509Certificate as NodeCertificate, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

export interface CertificateWithKey {
  readonly certificatePem: string;
  /** PKCS #8. */
  readonly privateKeyPem: string;
}

/** The PEM texts are the whole authority: one that was stored signs again after a restart. */
export type CertificateAuthority = CertificateWithKey;

export interface AuthorityOptions {
  readonly commonName: string;
  readonly validDays: number;
}

export interface CertificateOptions {
  readonly commonName: string;
  /** Kubernetes reads them as groups. */
  readonly organizations?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usages: readonly ("server" | "client")[];
  readonly validDays: number;
  /** Milliseconds since the epoch; the certificate is valid from five minutes before it. */
  readonly now?: number;
}

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Verifiers whose clock is a little behind must accept a certificate that was made just now. */
const CLOCK_SKEW_MS = 300_000;
const EXTENDED_USAGES = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth } as const;

cryptoProvider.set(webcrypto);

export async function createCertificateAuthority({ commonName, validDays }: AuthorityOptions): Promise<CertificateAuthority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: new Name([{ CN: [commonName] }]),
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    ...validity(Date.now(), validDays),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pem(certificate), privateKeyPem: await privateKeyPem(keys.privateKey) };
}

export async function issueCertificate(
  authority: CertificateAuthority,
  { commonName, organizations = [], dnsNames = [], ipAddresses = [], usages, validDays, now = Date.now() }: CertificateOptions,
): Promise<CertificateWithKey> {
  const keys = await newKeys();
  const issuer = new X509Certificate(authority.certificatePem);
  const alternativeNames = [
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...ipAddresses.map((value) => ({ type: "ip" as const, value })),
  ];
  const subject = [...organizations.map((organization) => ({ O: [organization] })), { CN: [commonName] }];
  const certificate = await X509CertificateGenerator.create({
    subject: new Name(subject),
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await importPrivateKey(authority.privateKeyPem),
    signingAlgorithm: SIGNING_ALGORITHM,
    ...validity(now, validDays),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usages.map((usage) => EXTENDED_USAGES[usage])),
      await AuthorityKeyIdentifierExtension.create(issuer),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(alternativeNames.length === 0 ? [] : [new SubjectAlternativeNameExtension(alternativeNames)]),
    ],
  });
  return { certificatePem: pem(certificate), privateKeyPem: await privateKeyPem(keys.privateKey) };
}

/** Milliseconds since the epoch after which the (first) certificate of a PEM text is no longer valid. */
export function certificateExpiresAt(certificatePem: string): number {
  return new NodeCertificate(certificatePem).validToDate.getTime();
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
}

function validity(now: number, validDays: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - CLOCK_SKEW_MS), notAfter: new Date(now + validDays * DAY_MS) };
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

function importPrivateKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(keyPem), KEY_ALGORITHM, false, ["sign"]);
}
