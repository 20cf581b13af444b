// How our own authority and its leaf are renewed without one call failing: a new authority is trusted everywhere before anything
// is signed by it, and the old one is trusted until its last leaf is over. What to do next is decided here, one step at a time,
// from what is kept in the Secret; keeping it and injecting the bundle is the caller's.

import type { Random } from '../random.ts'
import {
  authorityRenewalMs,
  type CertificateNames,
  certificateLife,
  isNaming,
  issueAuthority,
  issueLeaf,
  type KeyPair,
  type LeafRequest,
  leafRenewalMs,
  namesOf,
} from './certificates.ts'

/** What the Secret holds. */
export interface CertificateState {
  /** Signs leaves. */
  readonly authority: KeyPair
  readonly leaf: KeyPair
  /** Chosen when the leaf was issued, so that asking again gives the same. */
  readonly leafRenewalMs: number
  /** Trusted everywhere first, then takes over. */
  readonly next?: KeyPair
  /** Trusted until its last leaf is over. */
  readonly old?: { readonly certificate: string; readonly untilMs: number }
}

/** What is known of the places that must trust us: since when all of them have today's whole bundle; `undefined`: not all have. */
export interface Injection {
  readonly completeSinceMs: number | undefined
}

export type RotationStep =
  | { readonly kind: 'create' }
  | { readonly kind: 'introduce-authority' }
  | { readonly kind: 'adopt-authority' }
  | { readonly kind: 'renew-leaf' }
  /** A replica is reached by a name that the leaf lacks. */
  | { readonly kind: 'widen-leaf' }
  | { readonly kind: 'drop-authority' }
  /** Nothing now; look again at `untilMs`, or when the injection changed. */
  | { readonly kind: 'wait'; readonly untilMs: number }

/** How long a bundle must have been everywhere unless said otherwise: API servers keep connections, and the places are read back late. */
const standardSettlingMs = 60_000
/** A leaf is issued anew with the names it had, for replicas that are still reached by them; the oldest are forgotten. */
const mostNames = 20

/** What clients must trust: PEM, one authority after the other. */
export function bundleOf(state: CertificateState): string {
  const certificates = [state.next?.certificate, state.authority.certificate, state.old?.certificate]
  return certificates
    .filter(certificate => certificate !== undefined)
    .map(text => `${text.trim()}\n`)
    .join('')
}

/** The next step; steps are to be carried out one by one, each written down before the next is asked for. */
export function nextStep(
  state: CertificateState | undefined,
  injection: Injection,
  {
    nowMs,
    leaf,
    settlingMs = standardSettlingMs,
  }: { readonly nowMs: number; readonly leaf: CertificateNames; readonly settlingMs?: number | undefined },
): RotationStep {
  if (state === undefined) return { kind: 'create' }
  const authority = certificateLife(state.authority.certificate)
  const authorityEndMs = authority.notAfterMs
  // Nobody trusts us any more, or yet, since it was issued by a clock that was set back: begin anew.
  if (authorityEndMs <= nowMs || authority.notBeforeMs > nowMs) return { kind: 'create' }
  if (state.old !== undefined && state.old.untilMs <= nowMs) return { kind: 'drop-authority' }
  const settledMs = injection.completeSinceMs === undefined ? undefined : injection.completeSinceMs + settlingMs
  if (state.next !== undefined && settledMs !== undefined && settledMs <= nowMs) return { kind: 'adopt-authority' }
  if (state.leafRenewalMs <= nowMs || certificateLife(state.leaf.certificate).notBeforeMs > nowMs) return { kind: 'renew-leaf' }
  if (!isNaming(state.leaf.certificate, leaf)) return { kind: 'widen-leaf' }
  const introductionMs = authorityRenewalMs(state.authority.certificate)
  // One change of authorities at a time: the bundle never holds more than two.
  if (state.next === undefined && state.old === undefined && introductionMs <= nowMs) return { kind: 'introduce-authority' }
  const waits = [state.leafRenewalMs, state.old?.untilMs, state.next === undefined ? introductionMs : settledMs]
  return {
    kind: 'wait',
    untilMs: Math.min(...waits.filter(wait => wait !== undefined && wait > nowMs).map(Number), authorityEndMs),
  }
}

export interface RotationNames {
  readonly authorityName: string
  /** Five years unless said otherwise. */
  readonly authorityLifeMs?: number
  /** Programs read it that know no other kind. */
  readonly isAuthorityRsa?: boolean
  readonly leaf: Omit<LeafRequest, 'nowMs'>
}

/** The state after `step`. Issues keys and certificates; does nothing else. */
export async function afterStep(
  step: Exclude<RotationStep, { readonly kind: 'wait' }>,
  state: CertificateState | undefined,
  around: { readonly names: RotationNames; readonly nowMs: number; readonly random: Random },
): Promise<CertificateState> {
  const { names, nowMs, random } = around
  const life = names.authorityLifeMs === undefined ? {} : { lifeMs: names.authorityLifeMs }
  const isRsa = names.isAuthorityRsa === true
  const newAuthority = () => issueAuthority({ commonName: names.authorityName, nowMs, ...life, isRsa })
  const withLeaf = async (authority: KeyPair) => {
    const leaf = await issueLeaf(authority, { ...names.leaf, ...withNamesOf(state, names.leaf), nowMs })
    return { authority, leaf, leafRenewalMs: leafRenewalMs(leaf.certificate, random) }
  }
  if (state === undefined || step.kind === 'create') return withLeaf(await newAuthority())
  const { next, old, ...settled } = state
  switch (step.kind) {
    case 'introduce-authority':
      return { ...state, next: await newAuthority() }
    case 'adopt-authority':
      if (next === undefined) throw new Error('certificate rotation: there is no new authority to adopt')
      return {
        ...(await withLeaf(next)),
        old: { certificate: state.authority.certificate, untilMs: certificateLife(state.leaf.certificate).notAfterMs },
      }
    case 'renew-leaf':
    case 'widen-leaf':
      return { ...state, ...(await withLeaf(state.authority)) }
    case 'drop-authority':
      return { ...settled, ...(next === undefined ? {} : { next }) }
  }
}

/** `wanted` first, and then what the leaf of `state` names besides. */
function withNamesOf(state: CertificateState | undefined, wanted: CertificateNames): CertificateNames {
  const had = state === undefined ? {} : namesOf(state.leaf.certificate)
  const all = (field: keyof CertificateNames) =>
    [...new Set([...(wanted[field] ?? []), ...(had[field] ?? [])])].slice(0, mostNames)
  return { dnsNames: all('dnsNames'), ipAddresses: all('ipAddresses') }
}
