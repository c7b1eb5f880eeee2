// The authorities, certificates and kubeconfigs of one control plane, written to its directory.

import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { createCertificateAuthority, issueCertificate, type CertificateAuthority } from "#std/certificates.ts";

const VALID_DAYS = 30;

export interface Identity {
  readonly user: string;
  readonly groups?: readonly string[];
}

export interface ControlPlaneAuthorities {
  /** Signs the serving certificate and all client certificates. */
  readonly cluster: CertificateAuthority;
  /** Signs the certificate that kube-aggregator shows to aggregated API servers. */
  readonly frontProxy: CertificateAuthority;
}

export interface CertificateFiles {
  readonly authorities: ControlPlaneAuthorities;
  /** The path of a file in the control plane's `pki` directory. */
  readonly file: (name: string) => string;
}

export interface CertificateFilesOptions {
  readonly directory: string;
  readonly host: string;
  readonly kubernetesServiceAddress: string;
}

/** Writes ca.crt/.key, front-proxy-ca.crt/.key, apiserver.*, front-proxy-client.*, service-account.key/.pub. */
export async function writeControlPlaneCertificates(options: CertificateFilesOptions): Promise<CertificateFiles> {
  const pki = join(options.directory, "pki");
  await mkdir(pki, { mode: 0o700, recursive: true });
  const file = (name: string): string => join(pki, name);
  const authorities = {
    cluster: await createCertificateAuthority({ commonName: "kubernetes", validDays: VALID_DAYS }),
    frontProxy: await createCertificateAuthority({ commonName: "front-proxy-ca", validDays: VALID_DAYS }),
  };
  const serving = await issueCertificate(authorities.cluster, {
    commonName: "kube-apiserver",
    dnsNames: ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"],
    ipAddresses: ["127.0.0.1", options.host, options.kubernetesServiceAddress],
    usages: ["server"],
    validDays: VALID_DAYS,
  });
  const frontProxyClient = await issueCertificate(authorities.frontProxy, {
    commonName: "front-proxy-client",
    usages: ["client"],
    validDays: VALID_DAYS,
  });
  const serviceAccount = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pairs = {
    ca: authorities.cluster,
    "front-proxy-ca": authorities.frontProxy,
    apiserver: serving,
    "front-proxy-client": frontProxyClient,
  };
  await Promise.all([
    ...Object.entries(pairs).flatMap(([name, pair]) => [
      writeFile(file(`${name}.crt`), pair.certificatePem),
      writeFile(file(`${name}.key`), pair.privateKeyPem, { mode: 0o600 }),
    ]),
    writeFile(file("service-account.key"), serviceAccount.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 }),
    writeFile(file("service-account.pub"), serviceAccount.publicKey.export({ type: "spki", format: "pem" })),
  ]);
  return { authorities, file };
}

export interface KubeconfigOptions extends Identity {
  readonly path: string;
  readonly name: string;
  readonly server: string;
  readonly authority: CertificateAuthority;
}

/** A kubeconfig with a client certificate of its own for the identity. */
export async function writeKubeconfig({ path, name, server, authority, user, groups = [] }: KubeconfigOptions): Promise<string> {
  const client = await issueCertificate(authority, {
    commonName: user,
    organizations: groups,
    usages: ["client"],
    validDays: VALID_DAYS,
  });
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority-data": base64(authority.certificatePem) } }],
    users: [
      {
        name: user,
        user: {
          "client-certificate-data": base64(client.certificatePem),
          "client-key-data": base64(client.privateKeyPem),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user } }],
    "current-context": name,
  };
  await writeFile(path, stringify(config), { mode: 0o600 });
  // The mode of writeFile only counts for a file that is new.
  await chmod(path, 0o600);
  return path;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
