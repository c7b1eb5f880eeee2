// The agent's options about callers that ask its predictor without the tunnel -> how they are served, or what is wrong. Pure.

export interface DirectAccessOptions {
  readonly predictor: boolean;
  readonly predictorDirectAccess: boolean;
  readonly predictorDirectUrl: string;
  readonly predictorPort: number;
  readonly predictorCertFile: string;
  readonly predictorKeyFile: string;
  readonly predictorClientCaFile: string;
  readonly predictorClientNames: readonly string[];
  readonly predictorInsecure: boolean;
}

export type DirectAccess =
  | ({ readonly type: "tls"; readonly clientNames: readonly string[] } & Address & PredictorFiles)
  /** Whoever reaches it may ask. */
  | ({ readonly type: "plain" } & Address);

interface Address {
  /** As the parent is told. */
  readonly url: string;
  readonly port: number;
}

export interface PredictorFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string;
}

export interface DirectAccessResult {
  /** undefined: through the tunnel only. */
  readonly access: DirectAccess | undefined;
  /** A line for each option that is wrong: its flag, the cause and what to do. */
  readonly problems: readonly string[];
}

/** Where the port is asked for by halves it is refused: what is not served, and what is open though nobody meant it, is found too late. */
export function directAccessOf(options: DirectAccessOptions): DirectAccessResult {
  const { predictorDirectAccess, predictorDirectUrl, predictorPort, predictorInsecure } = options;
  if (!predictorDirectAccess) return { access: undefined, problems: uselessOptions(options) };
  const problems = [
    ...(options.predictor
      ? []
      : ["--predictor-direct-access: There is nothing to serve with --predictor=false; leave out one of the two"]),
    ...urlProblems(predictorDirectUrl, predictorInsecure ? "http:" : "https:"),
    ...(predictorInsecure ? uselessFiles(options, WITH_INSECURE) : tlsProblems(options)),
  ];
  if (problems.length > 0) return { access: undefined, problems };
  const address = { url: new URL(predictorDirectUrl).origin, port: predictorPort };
  if (predictorInsecure) return { access: { type: "plain", ...address }, problems };
  const { predictorCertFile, predictorKeyFile, predictorClientCaFile, predictorClientNames } = options;
  const files = { certFile: predictorCertFile, keyFile: predictorKeyFile, clientCaFile: predictorClientCaFile };
  return { access: { type: "tls", clientNames: predictorClientNames, ...files, ...address }, problems };
}

const WITHOUT_ACCESS = "Of no use without --predictor-direct-access; add that, or leave this out";
const WITH_INSECURE = "Of no use with --predictor-insecure, which serves without TLS; leave out one of the two";

function uselessOptions(options: DirectAccessOptions): readonly string[] {
  return [
    ...(options.predictorDirectUrl === "" ? [] : [`--predictor-direct-url: ${WITHOUT_ACCESS}`]),
    ...(options.predictorInsecure ? [`--predictor-insecure: ${WITHOUT_ACCESS}`] : []),
    ...uselessFiles(options, WITHOUT_ACCESS),
  ];
}

function uselessFiles(options: DirectAccessOptions, why: string): readonly string[] {
  return fileOptions(options).flatMap(({ flag, path }) => (path === "" ? [] : [`${flag}: ${why}`]));
}

function tlsProblems(options: DirectAccessOptions): readonly string[] {
  return [
    ...fileOptions(options).flatMap(({ flag, path, what }) =>
      path === ""
        ? [`${flag}: Not given, and the port is served over TLS to callers with a certificate only; name the PEM file of ${what}`]
        : [],
    ),
    ...(options.predictorClientNames.length === 0
      ? ["--predictor-client-names: Empty, so nobody may ask; name the common name of the scheduler's certificate"]
      : []),
  ];
}

function fileOptions({ predictorCertFile, predictorKeyFile, predictorClientCaFile }: DirectAccessOptions): readonly {
  readonly flag: string;
  readonly path: string;
  readonly what: string;
}[] {
  return [
    { flag: "--predictor-cert-file", path: predictorCertFile, what: "the agent's certificate for --predictor-direct-url" },
    { flag: "--predictor-key-file", path: predictorKeyFile, what: "that certificate's key" },
    {
      flag: "--predictor-client-ca-file",
      path: predictorClientCaFile,
      what: "the authority that signs the callers' certificates",
    },
  ];
}

function urlProblems(text: string, protocol: "http:" | "https:"): readonly string[] {
  const flag = "--predictor-direct-url";
  const example = `such as ${protocol}//predictor.paris.example:8080`;
  if (text === "") return [`${flag}: Not given; name where the parent reaches the port, ${example}`];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A user in it would be published to everybody who reads the ManagedCluster.
  const isAddressOnly = url?.username === "" && url.password === "" && `${url.pathname}${url.search}${url.hash}` === "/";
  if (url?.protocol === protocol && isAddressOnly) return [];
  const why = protocol === "https:" ? "(http only with --predictor-insecure)" : "as --predictor-insecure serves it";
  return [`${flag}: Expected ${protocol}//host:port and nothing else ${why}; write it ${example}`];
}
