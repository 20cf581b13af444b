import { describe, expect, test } from 'vitest'
import { seededRandom } from '../random.ts'
import {
  afterStep,
  bundleOf,
  type CertificateState,
  type Injection,
  nextStep,
  type RotationStep,
} from './certificate-rotation.ts'
import { certificateLife, isIssuedBy, namesOf } from './certificates.ts'

const dayMs = 86_400_000
const startMs = Date.UTC(2026, 0, 1)
const names = { authorityName: 'ballast', leaf: { commonName: 'ballast', dnsNames: ['ballast'], usages: ['server'] } } as const
const random = seededRandom(1)

const authorities = (bundle: string) => bundle.split(/(?<=-----END CERTIFICATE-----\n)/).filter(text => text.trim() !== '')

const isTrusted = (leaf: string, bundle: string, nowMs: number) =>
  authorities(bundle).some(authority => isIssuedBy(leaf, authority) && certificateLife(authority).notAfterMs > nowMs)

const step = async (kind: Exclude<RotationStep['kind'], 'wait'>, state: CertificateState | undefined, nowMs: number) =>
  afterStep({ kind }, state, { names, nowMs, random })

const at = (nowMs: number) => ({ nowMs, leaf: names.leaf })

const nowhere: Injection = { completeSinceMs: undefined }

describe('a new authority', () => {
  const changeMs = startMs + 4.1 * 365 * dayMs

  async function introduced(): Promise<CertificateState> {
    const first = await step('renew-leaf', await step('create', undefined, startMs), changeMs)
    return step('introduce-authority', first, changeMs)
  }

  test('is begun with at four fifths of the old one', async () => {
    const state = await step('renew-leaf', await step('create', undefined, startMs), changeMs)
    expect(nextStep(state, nowhere, at(changeMs)).kind).toBe('introduce-authority')
  })
  test('signs nothing before it is trusted everywhere for a minute', async () => {
    const state = await introduced()
    expect(authorities(bundleOf(state))).toHaveLength(2)
    expect(nextStep(state, nowhere, at(changeMs + dayMs)).kind).toBe('wait')
    expect(nextStep(state, { completeSinceMs: changeMs }, at(changeMs + 59_999))).toEqual({
      kind: 'wait',
      untilMs: changeMs + 60_000,
    })
    expect(nextStep(state, { completeSinceMs: changeMs }, at(changeMs + 60_000)).kind).toBe('adopt-authority')
  })
  test('leaves the old one trusted until its last leaf is over', async () => {
    const before = await introduced()
    const after = await step('adopt-authority', before, changeMs)
    const oldEndMs = certificateLife(before.leaf.certificate).notAfterMs
    expect(isTrusted(before.leaf.certificate, bundleOf(after), changeMs)).toBe(true)
    expect(nextStep(after, { completeSinceMs: changeMs }, at(oldEndMs - 1)).kind).not.toBe('drop-authority')
    expect(nextStep(after, { completeSinceMs: changeMs }, at(oldEndMs)).kind).toBe('drop-authority')
    expect(authorities(bundleOf(await step('drop-authority', after, oldEndMs)))).toHaveLength(1)
  })
})

test('ten years: every leaf served is trusted by every bundle a client may still have (case 31)', async () => {
  let state = await step('create', undefined, startMs)
  let injected = bundleOf(state)
  let completeSinceMs: number | undefined = startMs
  const taken: Record<string, number> = {}
  let authoritiesSeen = new Set([state.authority.certificate])
  for (let nowMs = startMs; nowMs < startMs + 10 * 365 * dayMs; ) {
    const served = state.leaf.certificate
    expect(certificateLife(served).notAfterMs).toBeGreaterThan(nowMs)
    expect(isTrusted(served, injected, nowMs)).toBe(true)
    expect(isTrusted(served, bundleOf(state), nowMs)).toBe(true)
    const due = nextStep(state, { completeSinceMs }, at(nowMs))
    if (due.kind === 'wait') {
      // Clients get the bundle late: only after the next wait, when we come back.
      const isBehind = injected !== bundleOf(state)
      nowMs = isBehind ? nowMs + 3_600_000 : due.untilMs
      if (isBehind) {
        injected = bundleOf(state)
        completeSinceMs = nowMs
      }
      continue
    }
    taken[due.kind] = (taken[due.kind] ?? 0) + 1
    state = await afterStep(due, state, { names, nowMs, random })
    authoritiesSeen = authoritiesSeen.add(state.authority.certificate)
    if (injected !== bundleOf(state)) completeSinceMs = undefined
  }
  expect(authoritiesSeen.size).toBe(3)
  expect(taken).toMatchObject({ 'introduce-authority': 2, 'adopt-authority': 2, 'drop-authority': 2 })
  expect(taken['renew-leaf']).toBeGreaterThan(50)
})

test('with nothing to start from, or an authority that is over, all is made anew', async () => {
  expect(nextStep(undefined, nowhere, at(startMs))).toEqual({ kind: 'create' })
  const state = await step('create', undefined, startMs)
  expect(nextStep(state, nowhere, at(startMs + 6 * 365 * dayMs))).toEqual({ kind: 'create' })
})

test('what a clock issued that was ahead is good later only: it is issued anew when that is set back', async () => {
  const state = await step('create', undefined, startMs)
  const renewed = await step('renew-leaf', state, startMs + dayMs)
  expect(nextStep(state, nowhere, at(startMs - dayMs))).toEqual({ kind: 'create' })
  expect(nextStep(renewed, nowhere, at(startMs + dayMs / 2))).toEqual({ kind: 'renew-leaf' })
  expect(nextStep(renewed, nowhere, at(startMs + dayMs)).kind).toBe('wait')
})

test('a leaf that lacks a name of ours is issued anew, with those it had', async () => {
  const state = await step('create', undefined, startMs)
  const leaf = { dnsNames: ['other'], ipAddresses: ['10.0.0.1', 'fd00::1'] }
  const due = nextStep(state, nowhere, { nowMs: startMs, leaf })
  if (due.kind !== 'widen-leaf') throw new Error(`it is ${due.kind}`)
  const wider = { authorityName: 'ballast', leaf: { ...names.leaf, ...leaf } }
  const after = await afterStep(due, state, { names: wider, nowMs: startMs, random })
  expect(namesOf(after.leaf.certificate)).toEqual({
    dnsNames: ['other', 'ballast'],
    ipAddresses: ['10.0.0.1', 'FD00:0:0:0:0:0:0:1'],
  })
  expect(bundleOf(after)).toBe(bundleOf(state))
  for (const named of [names.leaf, leaf]) expect(nextStep(after, nowhere, { nowMs: startMs, leaf: named }).kind).toBe('wait')
})

test('a leaf is renewed at the time chosen when it was issued', async () => {
  const state = await step('create', undefined, startMs)
  expect(nextStep(state, { completeSinceMs: startMs }, at(startMs))).toEqual({ kind: 'wait', untilMs: state.leafRenewalMs })
  expect(nextStep(state, { completeSinceMs: startMs }, at(state.leafRenewalMs))).toEqual({ kind: 'renew-leaf' })
})
