// The whole policy at work: each row is one question, the answer to it, and the rule without which it would be another.
import { parseWindow, type Window } from '#kube/time/window.ts'
import {
  type Asked,
  deployment,
  doneFor,
  drain,
  elsewhere,
  hour,
  minute,
  node,
  nowMs,
  permit,
  pod,
  reload,
  resize,
  seen,
  single,
  steer,
  toZero,
  upscale,
  waiting,
} from './question.ts'

interface Scenario {
  readonly name: string
  /** Name of the rule that makes the answer. */
  readonly rule: string
  readonly asked: Asked
  readonly expected: string
}

export function openWindow(text: string): Window {
  const parsed = parseWindow(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

const later = { deadlineMs: nowMs + 7 * hour }
const target = pod('cart-a')
const observe = { policy: { modes: { deschedule: 'observe' } } } as const
const coordinate = { policy: { modes: { deschedule: 'coordinate', reload: 'coordinate', rightsize: 'coordinate' } } } as const
const keda = { owner: { value: 'keda', source: 'scaler' } } as const
const rolling = permit({ ...reload, name: 'restart-cart', batch: undefined, workload: 'shop/Deployment/cart' })
const otherDrain = permit({ ...drain, name: 'drain-n1', requester: 'deschedule', batch: 'energy', workload: undefined, nodes: ['n1'] })
const steering = permit({ ...steer, batch: 'plan-0', name: 'steer-n1', workload: undefined, targets: [node('n1')], nodes: [] })

// biome-ignore format: a table
const rows: readonly (readonly [rule: string, name: string, asked: Asked, expected: string])[] = [
  ['repeat',            'asked twice is the same permit',                         { ledger: [permit({ idempotencyKey: 'plan-1/m01' })] },                       'same evict-cart-b-1000001'],
  ['repeat',            'done before is nothing to do',                           { ledger: [permit({ idempotencyKey: 'plan-1/m01', ...doneFor(minute) })] },   'no-op repeat'],
  ['late',              'after its deadline nothing is wanted any more',          { intent: { deadlineMs: nowMs } },                                            'deny late'],
  ['stale',             'the pod was replaced under its name',                    { facts: { presence: [{ target, presence: 'replaced' }] } },                  'deny stale'],
  ['nothing-runs',      'at 0 replicas the next start takes the secret along',    { intent: reload, facts: { replicas: 0 } },                                   'no-op nothing-runs'],
  ['nothing-runs',      '... and the new size',                                   { intent: resize, facts: { replicas: 0 } },                                   'no-op nothing-runs'],
  ['owner-matrix',      "KEDA's workload is not moved for balance",               { facts: keda },                                                              'deny owner'],
  ['owner-matrix',      '... in coordinate neither',                              { facts: keda, ...coordinate },                                               'deny owner'],
  ['protection',        'a pod asks not to be disturbed',                         { facts: { protection: { target, annotation: 'karpenter.sh/do-not-disrupt: true' } } }, 'deny protected'],
  ['budget-required',   'a move needs a budget',                                  { facts: { budgets: [{ pod: target, answer: { kind: 'no-budget' } }] } },     'deny budget-required'],
  ['least-replicas',    'too few replicas',                                       { intent: { leastReplicas: 3 } },                                             'deny least-replicas'],
  ['freeze',            'the namespace is frozen',                                { facts: { freeze: { where: 'Namespace shop', reason: 'audit', untilMs: undefined } } }, 'deny freeze'],
  ['freeze',            'frozen by configuration, in observe too',                { policy: { freeze: 'holidays', modes: { deschedule: 'observe' } } },         'deny freeze'],
  ['freeze',            'even what is most urgent',                               { intent: { ...reload, class: 'safety' }, policy: { freeze: true } },         'deny freeze'],
  ['early',             'not wanted yet',                                         { intent: { notBeforeMs: nowMs + minute } },                                  'defer early 60 s'],
  ['window',            'its window opens in half an hour',                       { policy: { windows: { deschedule: [openWindow('30 4 * * *;2h;UTC')] } } },   'defer window 1800 s'],
  ['gate',              'a node is not Ready',                                    { facts: { gates: [{ gate: 'node-not-ready', message: 'n3', sinceMs: nowMs }] } }, 'defer gate 5 s'],
  ['joining',           'a move while the workload is rolled out steers its new pods', { ledger: [rolling] },                                                    'coalesced restart-cart'],
  ['joining',           'a move while a rollout waits is absorbed',               { pending: [waiting(minute, resize)] },                                       'absorbed cart/size-3'],
  ['workload-lock',     'another of its pods is on its way',                      { ledger: [permit({ batch: 'plan-1' })] },                                    'defer lock 540 s'],
  ['workload-lock',     'a secret waits for a move too',                          { intent: reload, ledger: [permit()] },                                       'defer lock 540 s'],
  ['under-way',         'somebody else rolls the workload out',                   { intent: reload, facts: { underWay: { kind: 'rollout', by: 'kubectl edit', sinceMs: nowMs - minute } } }, 'defer under-way 5 s'],
  ['under-way',         '... in coordinate too, and a drain that takes its pods', { intent: reload, facts: { underWay: { kind: 'drain', by: 'kubectl drain', sinceMs: nowMs - minute } }, ...coordinate }, 'defer under-way 5 s'],
  ['under-way',         '... which in observe is only noted',                     { intent: reload, facts: { underWay: { kind: 'rollout', by: 'kubectl edit', sinceMs: nowMs - minute } }, policy: { modes: { reload: 'observe' } } }, 'grant, would be Queued by under-way'],
  ['waking',            'it comes up from 0',                                     { facts: { waking: { sinceMs: nowMs - minute, untilMs: nowMs + minute } } },  'defer waking 60 s'],
  ['node-lock',         'its node is being emptied by somebody else',             { intent: single, ledger: [otherDrain] },                                     'defer node-lock 540 s'],
  ['zone-drain',        'one node of a zone at a time',                           { intent: { ...drain, requester: 'deschedule', targets: [node('n2')], idempotencyKey: 'drain/n2' }, facts: { nodes: ['n2'], zones: { n1: 'a', n2: 'a' } }, ledger: [otherDrain], policy: { caps: { concurrent: 5, perHour: 30, perNamespace: 2, perSourceNode: 2, perDestination: 3 } } }, 'defer zone-drain 540 s'],
  ['plan-lock',         'another plan has the node',                              { ledger: [steering] },                                                       'defer plan-lock 540 s'],
  ['cool-down',         'moved an hour ago by another plan',                      { intent: later, ledger: [permit(doneFor(hour))] },                           'defer cool-down 18000 s'],
  ['cool-down',         '... which is too late for the deadline',                 { ledger: [permit(doneFor(hour))] },                                          'deny cool-down'],
  ['cool-down',         'evicted by the kubelet an hour ago',                     { intent: later, observed: [seen(hour)] },                                    'defer cool-down 18000 s'],
  ['scale-cool-down',   'scaled by an autoscaler a minute ago',                   { observed: [seen(minute, { kind: 'scaled' })] },                             'defer scale-cool-down 540 s'],
  ['reverse-move',      'moved the other way yesterday',                          { intent: { deadlineMs: nowMs + 24 * hour }, ledger: [permit({ ...doneFor(20 * hour), relocation: { from: 'n2', to: ['n1'] }, landing: 'expected' })] }, 'defer reverse-move 14400 s'],
  ['quarantine',        'came back five times',                                   { intent: { deadlineMs: nowMs + 24 * hour }, ledger: [11, 10, 9, 8, 7].map(hours => permit({ ...doneFor(hours * hour), landing: 'back' })) }, 'defer quarantine 3600 s'],
  ['disruption-budget', 'the budget has nothing left',                            { facts: { budgets: [{ pod: target, answer: { kind: 'exhausted', budget: 'shop/cart', message: '' } }] } }, 'defer disruption-budget 5 s'],
  ['disruption-budget', '... nor in observe',                                     { facts: { budgets: [{ pod: target, answer: { kind: 'exhausted', budget: 'shop/cart', message: '' } }] }, ...observe }, 'defer disruption-budget 5 s'],
  ['disruption-budget', 'the budget can never allow it',                          { facts: { budgets: [{ pod: target, answer: { kind: 'never-allows', budget: 'shop/cart' } }] } }, 'deny budget-never-allows'],
  ['disruption-budget', 'two budgets select it',                                  { facts: { budgets: [{ pod: target, answer: { kind: 'several', budgets: ['shop/a', 'shop/b'] } }] } }, 'deny budgets-overlap'],
  ['caps',              'a small cluster takes one at a time',                    { ledger: [permit({ ...elsewhere('blog'), batch: 'plan-1' })] },              'defer cap 540 s'],
  ['caps',              'the hour is used up by others',                          { observed: Array.from({ length: 30 }, (_, index) => seen(minute, { workload: `web/Deployment/w${index}` })) }, 'defer cap 60 s'],
  ['overtaken',         'somebody waits for the same room with more urgency',     { pending: [waiting(minute, { ...elsewhereWish('blog'), class: 'capacity' }, 'cap')] }, 'defer overtaken 5 s'],
  ['overtaken',         'in coordinate too, for the same workload',               { pending: [waiting(minute, { ...toZero, class: 'capacity', requester: 'other' }, 'lock')], ...coordinate }, 'defer overtaken 5 s'],
  ['fit-proof',         'nothing proves that it fits elsewhere',                  { intent: { proof: { snapshotHash: '', nodes: [] } } },                       'deny fit-proof'],
  ['company',           'a new size waits a minute for other changes',            { intent: resize },                                         'defer company 60 s'],
  ['company',           '... in coordinate too, for what is left of it',          { intent: resize, waitedMs: 40_000, ...coordinate },        'defer company 20 s'],
]

export const scenarios: readonly Scenario[] = rows.map(([rule, name, asked, expected]) => ({ rule, name, asked, expected }))

/** What nobody objects to. */
// biome-ignore format: a table
export const granted: readonly (readonly [name: string, asked: Asked])[] = [
  ["a plan's move of one of two replicas",            {}],
  ['a rotated secret while plans run elsewhere',      { intent: reload, ledger: [steering, permit(elsewhere('blog'))] }],
  ['a revoked secret while somebody rolls it out',    { intent: { ...reload, class: 'safety' }, facts: { underWay: { kind: 'rollout', by: 'kubectl edit', sinceMs: nowMs - minute } } }],
  ['a new size once the minute is over',              { intent: resize, waitedMs: minute }],
  ['more replicas, whatever stands in the way',       { intent: upscale, facts: { ...keda, replicas: 1, freeze: { where: 'Namespace shop', reason: 'audit', untilMs: undefined }, gates: [{ gate: 'api-slow', message: '', sinceMs: nowMs }], waking: { sinceMs: nowMs, untilMs: undefined } }, ledger: [permit()], policy: { windows: { autoscale: [openWindow('30 4 * * *;2h;UTC')] } } }],
  ["KEDA's own scaling to 0",                         { intent: toZero, facts: { ...keda, gates: [{ gate: 'api-slow', message: '', sinceMs: nowMs }], waking: { sinceMs: nowMs, untilMs: undefined } }, observed: [seen(minute), seen(minute, { kind: 'scaled' })], policy: { windows: { autoscale: [openWindow('30 4 * * *;2h;UTC')] } } }],
  ['steering, whatever stands in the way',            { intent: steer, facts: { gates: [{ gate: 'api-slow', message: '', sinceMs: nowMs }] }, policy: { windows: { deschedule: [openWindow('30 4 * * *;2h;UTC')] } } }],
  ['a failing node is emptied',                       { intent: { ...drain, class: 'safety' }, facts: { ...keda, gates: [{ gate: 'node-not-ready', message: 'n1', sinceMs: nowMs }], protection: { target, annotation: 'karpenter.sh/do-not-disrupt: true' } } }],
]

function elsewhereWish(name: string) {
  return {
    workload: deployment(name, 'web'),
    targets: [{ ...pod(name), namespace: 'web' }],
    disrupts: [{ ...pod(name), namespace: 'web' }],
    relocation: { from: 'n4', to: ['n3'] },
    idempotencyKey: `plan-0/${name}`,
  } as const
}
