// A state keeps more than objects, so that a twin is the same one after a restart: its seed, its version, its certificate authority.
import { X509Certificate } from 'node:crypto'
import { systemClock } from '#kube/clock.ts'
import { type Authority, type KeyPair, makeAuthority } from '../authority.ts'
import type { TwinState } from './twin-state.ts'

interface Settings {
  readonly seed?: number
  readonly kubernetesVersion?: string
  readonly state?: TwinState
}

/**
 * The settings with which the cluster goes on. The seed is that of the first start, led on by one for each process: names and UIDs that an
 * earlier one drew do not come again.
 */
export async function withKept<T extends Settings>(options: T): Promise<T> {
  const { state } = options
  if (state === undefined) return options
  const first = Number(await state.kept('seed', () => String(options.seed ?? 1)))
  const kubernetesVersion = options.kubernetesVersion ?? state.known('version')
  return { ...options, seed: seedOf(first, state.life), ...(kubernetesVersion === undefined ? {} : { kubernetesVersion }) }
}

/** Far apart for processes that follow each other; that of the first is the seed itself. */
function seedOf(first: number, life: number): number {
  return life === 1 ? first : (first ^ Math.imul(life, 0x9e3779b1)) >>> 0
}

/** The authority of the first start, as long as its certificate is good; then a new one. */
export async function keptAuthority(state: TwinState, hosts: readonly string[]): Promise<Authority> {
  const nowMs = systemClock.now()
  const root = rootIn(state.known('authority'))
  const isGood = root !== undefined && Date.parse(new X509Certificate(root.certificate).validTo) > nowMs
  const authority = await makeAuthority(nowMs, hosts, isGood ? { root } : {})
  if (!isGood) state.keep('authority', JSON.stringify(authority.root))
  return authority
}

function rootIn(text: string | undefined): KeyPair | undefined {
  if (text === undefined) return undefined
  const { certificate, key } = JSON.parse(text) as Partial<KeyPair>
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}
