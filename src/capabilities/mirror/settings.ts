// What a mirror agent works by, wherever it was said: upstream's flags, environment, our file.
import type { RegistryFilters } from './filters.ts'

export interface BootstrapSettings {
  readonly kind: 'dns' | 'http' | 'static' | 'file' | 'kubernetes'
  readonly dnsDomain?: string
  readonly httpAddress?: string
  readonly httpUrl?: string
  readonly httpCertificateDirectory?: string
  readonly staticPeers?: readonly string[]
  readonly file?: string
}

/** Durations in milliseconds, sizes in bytes. */
export interface MirrorSettings {
  /** What has the ports and carries bodies: this process itself, nginx, or nginx where it is there. */
  readonly dataPlane: 'auto' | 'builtin' | 'nginx'
  /** Front for containerd: `:5000`, `10.0.0.7:29999`; several where `mirror.ports` says so. The same ports on all nodes. */
  readonly registryAddresses: readonly string[]
  /** Where peers reach each other's front in plain HTTP, as upstream's do: port of the first registry address. */
  readonly peerPort: number
  /** Front for peers and the controller with mutual TLS; `undefined`: none. */
  readonly peerTlsAddress: string | undefined
  readonly routerAddress: string
  readonly metricsAddress: string
  readonly debugWebEnabled: boolean
  readonly containerdSocket: string
  readonly containerdNamespace: string
  /** Empty: ask containerd, else read through gRPC. */
  readonly containerdContentPath: string
  readonly containerdRegistryConfigPath: string
  /** Empty: a new identity at each start. */
  readonly dataDirectory: string
  readonly filters: RegistryFilters
  /** Hosts of mirrored registries that speak plain HTTP. */
  readonly plainRegistries: ReadonlySet<string>
  readonly mirrorResolveTimeoutMs: number
  readonly mirrorResolveRetries: number
  readonly bootstrap: BootstrapSettings
  readonly tags: 'always' | 'never' | 'fallback'
  /** `node`, `any`, or CIDRs. */
  readonly allowFrom: 'node' | 'any' | readonly string[]
  readonly peerTransport: 'auto' | 'mtls' | 'http'
  /** Directory of `ca.crt`, `tls.crt`, `tls.key`; `undefined`: no mutual TLS. */
  readonly peerCertificateDirectory: string | undefined
  readonly relay: { readonly enabled: boolean; readonly holdMs: number; readonly settleMs: number }
  readonly verifyBufferBytes: number
  readonly quarantineMs: number
  readonly stallTimeoutMs: number
  readonly headerTimeoutMs: number
  /** Bytes a second to all peers together; 0: no limit. */
  readonly uploadLimit: number
  readonly zone: 'prefer' | 'ignore'
  /** This node's zone; empty: unknown. */
  readonly ownZone: string
  readonly readyWhenAlone: boolean
  /** `username` and `password`, where containerd has to say them. */
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined
  /** Which peers are told them: those that show our certificate, or all, in plain text as upstream's agents do. */
  readonly basicAuthTo: 'certified' | 'all'
}
