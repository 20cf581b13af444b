// The HTTPS port of the descheduler: /metrics and /healthz, as upstream serves them.
import type { Registry } from 'prom-client'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'

/** `--secure-port` and what belongs to it. */
export interface ServingSettings {
  readonly address: string
  /** 0 takes a free one: only tests have it. `--secure-port=0` is no server at all. */
  readonly port: number
  /** Where `apiserver.crt` and `apiserver.key` may lie. */
  readonly certificateDirectory: string
  readonly certificateFile: string
  readonly keyFile: string
  /** `VersionTLS12`; empty: that. */
  readonly minVersion: string
  /** Go's names; empty: the defaults. */
  readonly cipherSuites: readonly string[]
  readonly http2: boolean
  /** Whether /metrics is served. */
  readonly metrics: boolean
}

export interface SecureServerOptions {
  readonly serving: ServingSettings
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>
  readonly clock: Clock
  readonly log: Log
}

/** A server that listens until disposed of. */
export interface SecureServer extends AsyncDisposable {
  readonly port: number
}
