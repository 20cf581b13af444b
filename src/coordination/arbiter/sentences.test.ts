import { describe, expect, test } from 'vitest'
import { defaultOwnerLabel, type OwnerLabel } from '#cluster/ownership.ts'
import type { Objection, Verdict } from '../policy/question.ts'
import { intent, node, nowMs, permit, pod, seen } from '../policy/testdata/question.ts'
import { objectionReasons, objectionSentence, remedy, verdictSentence } from './sentences.ts'

const hour = 3_600_000
const cart = 'shop/Deployment/cart'
const label = defaultOwnerLabel
const ownLabel: OwnerLabel = { key: 'example.com/owner', values: { keda: 'scaled', descheduler: 'free', none: 'hands-off' } }
const cartPod = pod('cart-a')
const byPermit = { kind: 'permit', permit: 'evict-cart-b-7', requester: 'deschedule' } as const

type Row = readonly [objection: Objection, why: string, wayOut: string]

// biome-ignore format: a table
const rows: Readonly<Record<Objection['rule'], readonly [Row, ...Row[]]>> = {
  repeat: [[{ rule: 'repeat', permit: 'evict-cart-b-7' }, 'it was done under permit evict-cart-b-7', 'nothing is left to do; a new wish takes a new key']],
  stale: [
    [{ rule: 'stale', target: cartPod, presence: 'gone' }, 'Pod shop/cart-a is gone', 'plan again from the present state'],
    [{ rule: 'stale', target: cartPod, presence: 'replaced' }, 'Pod shop/cart-a was replaced by another of the same name', 'plan again from the present state'],
    [{ rule: 'stale', target: node('n1'), presence: 'terminating' }, 'Node n1 is terminating already', 'plan again from the present state'],
  ],
  late: [[{ rule: 'late', deadlineMs: nowMs }, 'it was wanted before 2026-03-02T04:00:00.000Z', 'ask again with a later deadline']],
  early: [[{ rule: 'early', notBeforeMs: nowMs }, 'it is wanted from 2026-03-02T04:00:00.000Z on', 'it goes on by itself then']],
  'nothing-runs': [[{ rule: 'nothing-runs', workload: cart }, 'shop/Deployment/cart has 0 replicas', 'its next start takes the change along']],
  owner: [
    [{ rule: 'owner', label, owner: 'keda', source: 'scaler', purpose: 'move', workload: cart }, 'shop/Deployment/cart belongs to keda (scaler), which does not allow move', 'delete the ScaledObject that targets it if KEDA is not to have it'],
    [{ rule: 'owner', label, owner: 'keda', source: 'scaler', contradicting: 'descheduler', purpose: 'move', workload: cart }, 'shop/Deployment/cart belongs to keda (scaler, though its label ballast.dev/managed-by says "descheduler"), which does not allow move', 'delete the ScaledObject that targets it if KEDA is not to have it'],
    [{ rule: 'owner', label, owner: 'none', source: 'namespace', purpose: 'resize', workload: cart }, 'shop/Deployment/cart belongs to none (label ballast.dev/managed-by=none of the namespace), which does not allow resize', 'change the label ballast.dev/managed-by of the namespace if that is not meant'],
    [{ rule: 'owner', label, owner: 'keda', source: 'workload', purpose: 'isolate', workload: cart }, 'shop/Deployment/cart belongs to keda (label ballast.dev/managed-by=keda of the workload), which does not allow isolate', 'wait for its next 0 replicas, or set isolation.keda: evict in the policy'],
    [{ rule: 'owner', label, owner: undefined, source: 'nowhere', purpose: 'isolate', workload: cart }, 'shop/Deployment/cart carries no label ballast.dev/managed-by or scaling.talos.io/managed-by and the policy leaves such workloads alone', 'set isolation.includeUnmanaged: true in the policy'],
    [{ rule: 'owner', label, owner: undefined, source: 'nowhere', purpose: 'move', workload: cart }, 'shop/Deployment/cart carries no label ballast.dev/managed-by or scaling.talos.io/managed-by and the policy leaves such workloads alone', 'label it ballast.dev/managed-by=descheduler, or set coordination.unlabelled: descheduler in the policy'],
    [{ rule: 'owner', label, owner: undefined, source: 'pod', contradicting: 'me', purpose: 'move', workload: cart }, 'shop/Deployment/cart carries the label ballast.dev/managed-by with the value "me", which says nothing, and the policy leaves such workloads alone', 'label it ballast.dev/managed-by=descheduler, or set coordination.unlabelled: descheduler in the policy'],
    [{ rule: 'owner', label: ownLabel, owner: 'none', source: 'pod', purpose: 'move', workload: cart }, 'shop/Deployment/cart belongs to none (label example.com/owner=hands-off of the pod), which does not allow move', 'change the label example.com/owner of the pod if that is not meant'],
    [{ rule: 'owner', label: ownLabel, owner: undefined, source: 'nowhere', purpose: 'move', workload: cart }, 'shop/Deployment/cart carries no label example.com/owner and the policy leaves such workloads alone', 'label it example.com/owner=free, or set coordination.unlabelled: descheduler in the policy'],
    [{ rule: 'owner', label, owner: 'none', source: 'workload', purpose: 'drain', workload: cart }, 'shop/Deployment/cart belongs to none (label ballast.dev/managed-by=none of the workload), which does not allow drain', 'drain the node by hand, or take this workload to 0 replicas before'],
  ],
  protected: [[{ rule: 'protected', target: cartPod, annotation: 'karpenter.sh/do-not-disrupt: true' }, 'Pod shop/cart-a carries karpenter.sh/do-not-disrupt: true', 'take the annotation away when it may be moved']],
  'budget-required': [[{ rule: 'budget-required', pod: cartPod, workload: cart }, 'no PodDisruptionBudget selects the pods of shop/Deployment/cart', 'create a PodDisruptionBudget with maxUnavailable 1 for it (ballast plan --emit-pdbs prints it)']],
  'budget-never-allows': [[{ rule: 'budget-never-allows', pod: cartPod, budget: 'shop/cart' }, 'PodDisruptionBudget shop/cart can never allow Pod shop/cart-a to go', 'change the budget to maxUnavailable 1, or add a replica']],
  'least-replicas': [[{ rule: 'least-replicas', workload: cart, replicas: 1, least: 2 }, 'shop/Deployment/cart has 1 replicas, at least 2 are asked for', 'scale it to 2, or lower the least number in the policy that asks']],
  freeze: [
    [{ rule: 'freeze', freeze: { where: 'arbiter.freeze', reason: 'holidays', untilMs: undefined } }, 'frozen by arbiter.freeze: holidays', 'set arbiter.freeze: false in the configuration'],
    [{ rule: 'freeze', freeze: { where: 'ballast.dev/freeze on Node n1', reason: 'audit', untilMs: undefined } }, 'frozen by ballast.dev/freeze on Node n1: audit', 'take the annotation ballast.dev/freeze away'],
  ],
  window: [
    [{ rule: 'window', requester: 'deschedule', opensMs: nowMs }, 'it is outside of the windows of deschedule, the next opens at 2026-03-02T04:00:00.000Z', 'arbiter.windows.deschedule in the configuration says when it may'],
    [{ rule: 'window', requester: 'deschedule', opensMs: undefined }, 'no window of deschedule opens any more', 'arbiter.windows.deschedule in the configuration says when it may'],
  ],
  gate: [[{ rule: 'gate', gate: 'api-slow', message: 'p99 is 1.2 s' }, 'gate api-slow is red: p99 is 1.2 s', 'it goes on once that is over; arbiter.gates.apiSlow: false in the configuration takes the gate away']],
  lock: [[{ rule: 'lock', workload: cart, permit: 'restart-cart-8', requester: 'reload' }, 'shop/Deployment/cart is being disrupted by reload under permit restart-cart-8', 'it goes on when permit restart-cart-8 is released (ballast permits shows how far that is)']],
  'under-way': [
    [{ rule: 'under-way', workload: cart, kind: 'rollout', by: 'kubectl edit', sinceMs: nowMs }, 'shop/Deployment/cart is being rolled out by kubectl edit since 2026-03-02T04:00:00.000Z', 'it goes on when that is done, or makes no progress for 10 minutes (spec.progressDeadlineSeconds)'],
    [{ rule: 'under-way', workload: cart, kind: 'drain', by: 'kubectl drain', sinceMs: nowMs }, 'pods of shop/Deployment/cart are being drained by kubectl drain since 2026-03-02T04:00:00.000Z', 'it goes on when that is done, or makes no progress for 10 minutes (spec.progressDeadlineSeconds)'],
  ],
  waking: [[{ rule: 'waking', workload: cart, sinceMs: nowMs }, 'shop/Deployment/cart was woken at 2026-03-02T04:00:00.000Z and has not been Ready for 2 minutes yet', 'it goes on 2 minutes after the workload is Ready']],
  'node-lock': [[{ rule: 'node-lock', node: 'n1', permit: 'drain-n1-3', requester: 'provision' }, 'node n1 is in the hands of provision under permit drain-n1-3', 'it goes on when permit drain-n1-3 is released (ballast permits shows how far that is)']],
  'zone-drain': [
    [{ rule: 'zone-drain', zone: 'a', node: 'n1', permit: 'drain-n1-3' }, 'node n1 of zone a is being drained under permit drain-n1-3', 'it goes on when permit drain-n1-3 is released (ballast permits shows how far that is)'],
    [{ rule: 'zone-drain', zone: '', node: 'n1', permit: 'drain-n1-3' }, 'node n1 of the nodes without a zone is being drained under permit drain-n1-3', 'it goes on when permit drain-n1-3 is released (ballast permits shows how far that is)'],
  ],
  'plan-lock': [[{ rule: 'plan-lock', node: 'n1', batch: 'night-4', permit: 'evict-x-9' }, 'node n1 is source or destination of plan night-4, which is running (permit evict-x-9)', 'it goes on when plan night-4 has ended']],
  'cool-down': [
    [{ rule: 'cool-down', workload: cart, cause: byPermit }, 'a pod of shop/Deployment/cart was replaced by deschedule under permit evict-cart-b-7', 'arbiter.cooldowns in the configuration says for each class how long that counts'],
    [{ rule: 'cool-down', workload: cart, cause: { kind: 'observed', observation: seen(0) } }, 'a pod of shop/Deployment/cart was replaced by kubelet (memory pressure) at 2026-03-02T04:00:00.000Z', 'arbiter.cooldowns in the configuration says for each class how long that counts'],
  ],
  'scale-cool-down': [[{ rule: 'scale-cool-down', workload: cart, cause: byPermit }, 'shop/Deployment/cart was scaled by deschedule under permit evict-cart-b-7', 'arbiter.cooldowns.scale in the configuration says how long that counts']],
  'reverse-move': [[{ rule: 'reverse-move', workload: cart, from: 'n2', to: 'n1', permit: 'evict-cart-b-7' }, 'shop/Deployment/cart was moved from n1 to n2 under permit evict-cart-b-7', 'change the goals so that both can hold; arbiter.cooldowns.reverseMove in the configuration says how long that counts']],
  quarantine: [
    [{ rule: 'quarantine', workload: cart, failures: 1, permit: 'evict-cart-b-7' }, 'shop/Deployment/cart came back to its source once, last under permit evict-cart-b-7', 'see in its pods why no other node takes them; arbiter.cooldowns.longestQuarantine in the configuration bounds the time'],
    [{ rule: 'quarantine', workload: cart, failures: 3, permit: 'evict-cart-b-7' }, 'shop/Deployment/cart came back to its source 3 times, last under permit evict-cart-b-7', 'see in its pods why no other node takes them; arbiter.cooldowns.longestQuarantine in the configuration bounds the time'],
  ],
  'disruption-budget': [[{ rule: 'disruption-budget', pod: cartPod, budget: 'shop/cart', message: '1 of 2 pods are healthy, 1 must be' }, 'PodDisruptionBudget shop/cart: 1 of 2 pods are healthy, 1 must be', 'it goes on when more of its pods are healthy; the budget or more replicas would allow more']],
  'budgets-overlap': [[{ rule: 'budgets-overlap', pod: cartPod, budgets: ['shop/a', 'shop/b'] }, 'Pod shop/cart-a is selected by 2 PodDisruptionBudgets (shop/a, shop/b), which the eviction API refuses', 'leave only one PodDisruptionBudget that selects it']],
  cap: [
    [{ rule: 'cap', cap: 'concurrent', subject: 'cluster', used: 1, limit: 1 }, '1 of 1 disruptions that the cluster takes at once are under way', 'it goes on when there is room; arbiter.caps.concurrent in the configuration says how much there is'],
    [{ rule: 'cap', cap: 'per-hour', subject: 'cluster', used: 30, limit: 30 }, '30 of 30 disruptions that an hour takes are used up', 'it goes on when there is room; arbiter.caps.perHour in the configuration says how much there is'],
    [{ rule: 'cap', cap: 'per-namespace', subject: 'shop', used: 2, limit: 2 }, '2 of 2 disruptions that namespace shop takes at once are under way', 'it goes on when there is room; arbiter.caps.perNamespace in the configuration says how much there is'],
    [{ rule: 'cap', cap: 'per-node', subject: 'n1', used: 2, limit: 2 }, '2 of 2 that may leave node n1 at once are leaving it', 'it goes on when there is room; arbiter.caps.perSourceNode in the configuration says how much there is'],
    [{ rule: 'cap', cap: 'per-destination', subject: 'n2', used: 3, limit: 3 }, '3 of 3 that may come to node n2 at once are on their way', 'it goes on when there is room; arbiter.caps.perDestination in the configuration says how much there is'],
    [{ rule: 'cap', cap: 'per-namespace', subject: 'shop', used: 5, limit: 2 }, 'it asks for 5 at once, at most 2 may go (per-namespace of shop)', 'ask for 2 at once, or raise arbiter.caps.perNamespace in the configuration'],
  ],
  overtaken: [[{ rule: 'overtaken', by: 'plan-1/m02', requester: 'isolate' }, 'isolate waits for the same in a better place (plan-1/m02)', 'it goes on when plan-1/m02 is done; after 30 minutes it has more urgency']],
  'fit-proof': [
    [{ rule: 'fit-proof', workload: cart }, 'nothing proves that shop/Deployment/cart fits elsewhere', 'make room on another node, then plan again from the present state'],
    [{ rule: 'fit-proof', workload: undefined }, 'nothing proves that what is evicted fits elsewhere', 'make room on another node, then plan again from the present state'],
  ],
  company: [[{ rule: 'company', workload: cart }, 'other changes of shop/Deployment/cart may come, and go into the same rollout', 'it goes on by itself; arbiter.mergeWindow in the configuration says how long that is waited for']],
}

describe('every objection says why, and what would let it pass', () => {
  test.each(Object.values(rows).flat())('%j', (objection, why, wayOut) => {
    expect(objectionSentence(objection)).toBe(why)
    expect(remedy(objection)).toBe(wayOut)
  })

  test('under a CamelCase reason of its own', () => {
    const reasons = Object.values(objectionReasons)
    for (const reason of reasons) expect(reason).toMatch(/^[A-Z][A-Za-z]+$/)
    expect(new Set(reasons).size).toBe(reasons.length)
  })
})

describe('a verdict in one line', () => {
  const objection = rows['cool-down'][0][0]
  const why = 'a pod of shop/Deployment/cart was replaced by deschedule under permit evict-cart-b-7'
  const wayOut = 'arbiter.cooldowns in the configuration says for each class how long that counts'
  // biome-ignore format: a table
  test.each<[string, Verdict, string]>([
    ['granted',     { kind: 'grant', wouldBe: undefined },                            'granted'],
    ['in observe',  { kind: 'grant', wouldBe: { decision: 'Queued', objection } },    `granted; in mode enforce it would be Queued: ${why}`],
    ['asked twice', { kind: 'same', permit: permit() },                               'granted before as evict-cart-b-1000001'],
    ['deferred',    { kind: 'defer', objection, untilMs: nowMs + hour },              `deferred until 2026-03-02T05:00:00.000Z by cool-down: ${why}; ${wayOut}`],
    ['denied',      { kind: 'deny', objection },                                      `denied by cool-down: ${why}; ${wayOut}`],
    ['too late',    { kind: 'deny', objection, untilMs: nowMs + 2 * hour },           `denied by cool-down: ${why}; it would wait until 2026-03-02T06:00:00.000Z, and is wanted before 2026-03-02T05:00:00.000Z; ${wayOut}`],
    ['no-op',       { kind: 'no-op', objection: rows['nothing-runs'][0][0] },         'nothing to do: shop/Deployment/cart has 0 replicas; its next start takes the change along'],
    ['coalesced',   { kind: 'coalesced', into: permit() },                            'goes along with evict-cart-b-1000001'],
    ['absorbed',    { kind: 'absorbed', into: { requester: 'reload', idempotencyKey: 'k' } }, 'will go along with the rollout that reload waits for'],
  ])('%s', (_name, verdict, expected) => {
    expect(verdictSentence(intent(), verdict)).toBe(`evict Pod shop/cart-a: ${expected}`)
  })

  test('with many targets or none', () => {
    expect(verdictSentence(intent({ targets: [pod('a'), pod('b'), pod('c')] }), { kind: 'grant', wouldBe: undefined })).toBe(
      'evict Pod shop/a and 2 more: granted',
    )
    expect(verdictSentence(intent({ targets: [] }), { kind: 'grant', wouldBe: undefined })).toBe('evict nothing: granted')
  })

  test('what is no time is told as such', () => {
    expect(verdictSentence(intent(), { kind: 'defer', objection, untilMs: Number.NaN })).toContain(
      'deferred until a time unknown by',
    )
  })
})
