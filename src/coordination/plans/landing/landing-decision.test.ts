import { describe, expect, test } from 'vitest'
import type { NodeSelectorTerm, Pod } from '#kube/objects/objects.ts'
import type { PlanStep } from '../../api.ts'
import { cartPod, move, plan } from '../testdata/objects.ts'
import { type GateAnswer, holdDecision, holdLimits, landingOf, unheldLandings } from './landing-decision.ts'

const gated: GateAnswer = { kind: 'gated' }
const silent: GateAnswer = { kind: 'ungated', why: 'nobody answers' }
const { patienceMs, askAgainMs } = holdLimits

// biome-ignore format: a table
test.each<[string, GateAnswer, Parameters<typeof holdDecision>[1], ReturnType<typeof holdDecision>]>([
  ['who answers is relied on',                    gated,  { silentMs: 0, wasInVain: false },              { kind: 'held' }],
  ['also after a long silence',                   gated,  { silentMs: patienceMs, wasInVain: true },      { kind: 'held' }],
  ['silence is waited out',                       silent, { silentMs: 0, wasInVain: false },              { kind: 'wait', ms: askAgainMs }],
  ['to the last moment of the patience',          silent, { silentMs: patienceMs - 1, wasInVain: false }, { kind: 'wait', ms: askAgainMs }],
  ['then it is prefer, and why',                  silent, { silentMs: patienceMs, wasInVain: false },     { kind: 'prefer', why: 'nobody answers' }],
  ['who waited in vain before does not again',    silent, { silentMs: 0, wasInVain: true },               { kind: 'prefer', why: 'nobody answers' }],
])('before a pod goes: %s', (_name, answer, so, decision) => expect(holdDecision(answer, so)).toEqual(decision))

describe('where a replacement stands', () => {
  const bound: NodeSelectorTerm = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }] }
  const own: NodeSelectorTerm = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] }
  const standing = (nodeName: string, terms: readonly NodeSelectorTerm[] = []): Pod => ({
    ...cartPod('cart-c'),
    spec: {
      containers: [],
      nodeName,
      ...(terms.length === 0
        ? {}
        : { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } } }),
    },
  })

  // biome-ignore format: a table
  test.each<[string, Pod, string, string]>([
    ['as meant, held',                                         standing('n2', [bound]),                 'hold',   'expected'],
    ['as meant, though nobody held it',                        standing('n2'),                          'hold',   'expected'],
    ['elsewhere, because nobody held it',                      standing('n3'),                          'hold',   'unheld'],
    ['back, because nobody held it',                           standing('n1'),                          'hold',   'unheld'],
    ['elsewhere, with a wish of its own only',                 standing('n3', [own]),                   'hold',   'unheld'],
    ['elsewhere, bound by one of two terms: either may count', standing('n3', [bound, own]),            'hold',   'unheld'],
    ['elsewhere though it was bound: somebody else bound it',  standing('n3', [{ ...own, ...bound }]),  'hold',   'other'],
    ['elsewhere under prefer: the model was wrong',            standing('n3'),                          'prefer', 'other'],
    ['back under prefer: the model was wrong',                 standing('n1'),                          'prefer', 'back'],
  ])('%s', (_name, pod, landing, expected) => expect(landingOf(pod, move(), { spec: { landing } })).toBe(expected))
})

test('landings without the gate are counted over all plans of a batch', () => {
  const unheld: PlanStep = { id: 'm01', state: 'Mismatch', reason: 'LandingNotHeld', landedOn: 'n3' }
  const wrong: PlanStep = { id: 'm02', state: 'Mismatch', reason: 'LandingMismatch', landedOn: 'n3' }
  const landed: PlanStep = { id: 'm03', state: 'Landed', landedOn: 'n2' }
  const first = plan({ name: 'a', steps: [unheld, wrong, landed] })
  const second = { ...plan({ name: 'b', steps: [unheld] }), spec: { ...first.spec, batch: 'a' } }
  const other = plan({ name: 'c', steps: [unheld] })
  expect(unheldLandings([first, second, other], 'a')).toBe(2)
})
