// The platforms' manifests that an index names, the one for this machine first.
import { type Digest, parseDigest } from '../reference.ts'
import { firstObject, isObject } from '../store/fingerprint.ts'

/** Platforms as images name them: `linux/amd64`. */
export interface Platform {
  readonly os: string
  readonly architecture: string
}

/** Go's names for what Node calls otherwise. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }

/** What containerd pulls on a machine with Node's `arch`. */
export const linuxOn = (arch: string): Platform => ({ os: 'linux', architecture: architectures[arch] ?? arch })

/** `undefined` where the bytes are no index. Attestations, which have no platform, are left out: nobody pulls by them. */
export function platformManifests(bytes: Uint8Array, own: Platform): readonly Digest[] | undefined {
  const manifests = firstObject(bytes)?.['manifests']
  if (!Array.isArray(manifests)) return undefined
  const others: Digest[] = []
  const fitting: Digest[] = []
  for (const entry of manifests as readonly unknown[]) {
    if (!isObject(entry) || typeof entry['digest'] !== 'string') continue
    const digest = parseDigest(entry['digest'])
    const platform = isObject(entry['platform']) ? entry['platform'] : {}
    if (digest === undefined || platform['os'] === 'unknown') continue
    const isFitting = platform['os'] === own.os && platform['architecture'] === own.architecture
    ;(isFitting ? fitting : others).push(digest)
  }
  return [...fitting, ...others]
}
