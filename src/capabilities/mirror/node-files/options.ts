// What the three commands about containerd's hosts files are told: `writeConfiguration` (writer.ts), `cleanUp` (cleanup.ts) and
// `waitForCleanup` (cleanup-wait.ts).
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'

export interface HostsWish {
  /** `https://ghcr.io`, `_default`; empty: `_default`. */
  readonly mirroredRegistries: readonly string[]
  /** `http://10.0.0.7:30020`, at least one; asked in this order. IPv6 hosts may come without brackets. */
  readonly mirrorTargets: readonly string[]
  readonly resolveTags: boolean
  /** Go's notation, `200ms`; empty: the line is left out. */
  readonly dialTimeout: string
  /** What containerd has to say to the mirror. */
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined
}

/**
 * What becomes of hosts that were configured before: `replace` sets them aside; `prepend-mirrored` appends those of mirrored
 * registries, as upstream's `--prepend-existing`; `prepend` keeps those of all other registries, too.
 */
export type ExistingHosts = 'replace' | 'prepend-mirrored' | 'prepend'

export interface ConfigurationOptions extends HostsWish {
  /** `/etc/containerd/certs.d` */
  readonly registryConfigPath: string
  readonly existing: ExistingHosts
  /** Names what is kept aside: milliseconds since 1970. */
  readonly nowMs: number
  readonly log: Log
}

/** What was done; paths are below the directory. */
export interface WrittenConfiguration {
  readonly written: readonly string[]
  readonly unchanged: readonly string[]
  readonly removed: readonly string[]
  /** What others had changed of ours: where each is kept, below `_backup/_kept`. */
  readonly kept: readonly string[]
  /** What others changed or added where ours would be, and that stays. */
  readonly left: readonly string[]
  /** `sha256:…` over paths, modes and contents: equal sets have equal digests. */
  readonly digest: string
}

export interface CleanupOptions {
  readonly registryConfigPath: string
  /** Names what is kept aside: milliseconds since 1970. */
  readonly nowMs: number
  /** `:8080`, `[::]:8080`: answers `GET /readyz` with 200 once all is restored, until `signal`; `undefined`: it returns at once. */
  readonly address: string | undefined
  readonly signal: AbortSignal
  readonly log: Log
}

export interface CleanupWaitOptions {
  /** `host:port`; every address that the name has is asked. */
  readonly probeEndpoint: string
  /** Rounds without a failure, one after the other. */
  readonly threshold: number
  readonly periodMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly log: Log
}
