import { describe, expect, test } from 'vitest'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { remedy } from '../arbiter/sentences.ts'
import type { Intent } from '../intent.ts'
import type { Verdict } from '../policy/question.ts'
import { readToldVerdict, toldVerdictText, verdictAnnotation } from './told-verdict.ts'
import { VerdictEvents } from './verdict-events.ts'

const nowMs = Date.parse('2026-03-02T04:00:00Z')
const cart = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'uid-cart' }
const intent: Intent = {
  requester: 'deschedule',
  verb: 'evict',
  purpose: 'move',
  class: 'balance',
  targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-a', uid: 'uid-a' }],
  workload: cart,
  disrupts: [],
  reasons: [],
  idempotencyKey: 'plan-1/m01',
  deadlineMs: nowMs + 3_600_000,
  timeToLiveMs: 600_000,
}
const workload = 'shop/Deployment/cart'
const owned: Extract<Verdict, { kind: 'deny' }> = {
  kind: 'deny',
  objection: { rule: 'owner', owner: 'none', source: 'workload', label: defaultOwnerLabel, purpose: 'move', workload },
}
const locked: Extract<Verdict, { kind: 'defer' }> = {
  kind: 'defer',
  objection: { rule: 'lock', workload, permit: 'evict-cart-b-7', requester: 'isolate' },
  untilMs: nowMs + 600_000,
}

function told(...decisions: readonly { readonly verdict: Verdict; readonly waitedMs?: number; readonly key?: string }[]) {
  const emitted: EmittedEvent[] = []
  const events = new VerdictEvents({ emit: event => emitted.push(event) })
  for (const { verdict, waitedMs = 0, key = 'plan-1/m01' } of decisions)
    events.tell({ intent: { ...intent, idempotencyKey: key }, verdict, waitedMs })
  return emitted
}

describe('what is told as an event', () => {
  // biome-ignore format: a table
  test.each([
    ['a denial',                       [{ verdict: owned }],                                                                        ['DisruptionDenied']],
    ['asked twice',                    [{ verdict: owned }, { verdict: owned }],                                                    ['DisruptionDenied']],
    ['another wish',                   [{ verdict: owned }, { verdict: owned, key: 'plan-1/m02' }],                                 ['DisruptionDenied', 'DisruptionDenied']],
    ['a wish that just came',          [{ verdict: locked }],                                                                       []],
    ['a wish that waits',              [{ verdict: locked, waitedMs: 61_000 }, { verdict: locked, waitedMs: 90_000 }],              ['DisruptionQueued']],
    ['that is denied in the end',      [{ verdict: locked, waitedMs: 61_000 }, { verdict: { kind: 'deny', objection: locked.objection } }] as const, ['DisruptionQueued', 'DisruptionDenied']],
    ['a grant',                        [{ verdict: { kind: 'grant', wouldBe: undefined } }] as const,                               []],
    ['nothing to do',                  [{ verdict: { kind: 'no-op', objection: { rule: 'nothing-runs', workload } } }] as const,     []],
  ])('%s', (_name, decisions, reasons) => {
    expect(told(...decisions).map(event => event.reason)).toEqual(reasons)
  })

  test('carries the rule, its data and the way out', () => {
    const [event] = told({ verdict: owned })
    expect(event).toMatchObject({
      type: 'Warning',
      regarding: cart,
      controller: 'ballast.dev/deschedule',
      distinction: 'NotOurs',
    })
    expect(readToldVerdict(event?.annotations?.[verdictAnnotation])).toEqual({
      requester: 'deschedule',
      class: 'balance',
      verb: 'evict',
      purpose: 'move',
      target: 'Pod shop/cart-a',
      decision: 'Denied',
      rule: 'owner',
      reason: 'NotOurs',
      wayOut: remedy(owned.objection),
      key: 'plan-1/m01',
      data: { owner: 'none', source: 'workload', label: defaultOwnerLabel, purpose: 'move', workload },
    })
  })
})

describe('the annotation', () => {
  test('says until when', () => {
    expect(readToldVerdict(toldVerdictText(intent, locked))).toMatchObject({ decision: 'Queued', until: '2026-03-02T04:10:00Z' })
  })

  // biome-ignore format: a table
  test.each([
    ['a long objection', { ...locked, objection: { ...locked.objection, requester: 'x'.repeat(2_000) } }, intent, { key: 'plan-1/m01' }],
    ['a long key too',   { ...locked, objection: { ...locked.objection, requester: 'x'.repeat(2_000) } }, { ...intent, idempotencyKey: 'ü'.repeat(512) }, { rule: 'lock' }],
  ] as const)('keeps its bound and its rule with %s', (_name, verdict, asked, has) => {
    const text = toldVerdictText(asked, verdict)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1_024)
    expect(readToldVerdict(text)).toMatchObject({ rule: 'lock', ...has })
    expect(readToldVerdict(text)).not.toHaveProperty('data')
  })

  test.each([['{'], ['[]'], ['{"rule":"lock"}'], ['{"decision":"Granted"}'], [`"${'x'.repeat(10_000)}"`], ['null']])(
    '%.20s by somebody else says nothing',
    text => {
      expect(readToldVerdict(text)).toBeUndefined()
    },
  )
})
