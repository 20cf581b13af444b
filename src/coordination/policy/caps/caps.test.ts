import { describe, expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
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
  question,
  reload,
  resize,
  seen,
  short,
  single,
  steer,
  toZero,
  upscale,
} from '../testdata/question.ts'
import { caps } from './caps.ts'

const roomy = { concurrent: 1000, perHour: 1000, perNamespace: 1000, perSourceNode: 1000, perDestination: 1000 }
const only = (cap: Partial<typeof roomy>) => ({ policy: { caps: { ...roomy, ...cap } } })
/** Permits that share no namespace and no node. */
const apart = (count: number, change: Partial<PermitRecord> = {}) =>
  Array.from({ length: count }, (_, index) =>
    permit({ ...elsewhere(`w${index}`, `ns${index}`), nodes: [`m${index}`], batch: undefined, ...change }),
  )

describe('at once in the cluster', () => {
  const nodes = (nodeCount: number, out: number): Asked => ({
    facts: { nodeCount },
    ledger: apart(out),
    policy: { caps: { ...roomy, concurrent: undefined } },
  })
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['one on 1 node',                   nodes(1, 0),    'pass'],
    ['one on 0 nodes',                  nodes(0, 0),    'pass'],
    ['a second one on 4 nodes',         nodes(4, 1),    'defer cap 540 s'],
    ['a second one on 19 nodes',        nodes(19, 1),   'defer cap 540 s'],
    ['a second one on 20 nodes',        nodes(20, 1),   'pass'],
    ['a third one on 20 nodes',         nodes(20, 2),   'defer cap 540 s'],
    ['the 500th on 5,000 nodes',        nodes(5000, 499), 'pass'],
    ['as many as the policy says',      { ...only({ concurrent: 3 }), ledger: apart(2) }, 'pass'],
    ['... and no more',                 { ...only({ concurrent: 3 }), ledger: apart(3) }, 'defer cap 540 s'],
    ['those that are over are over',    { facts: { nodeCount: 4 }, ledger: apart(1, doneFor(minute)) }, 'pass'],
    ['a drain is one',                  { ...only({ concurrent: 2 }), ledger: [permit({ ...drain, batch: undefined, targets: [node('n9')], nodes: ['n9'] })] }, 'pass'],
    ['an eviction of two pods is two',  { ...only({ concurrent: 2 }), ledger: apart(1, { targets: [pod('x'), pod('y')] }) }, 'defer cap 540 s'],
    ['... and waits for room for two',  { ...only({ concurrent: 2 }), intent: { targets: [pod('a'), pod('b')] }, ledger: apart(1) }, 'defer cap 540 s'],
    ['more than ever may is denied',    { ...only({ concurrent: 2 }), intent: { targets: [pod('a'), pod('b'), pod('c')] } }, 'deny cap'],
    ['what is over soonest counts',     { ...only({ concurrent: 2 }), ledger: [...apart(1), ...apart(1, { grant: { token: 2, atMs: nowMs, expiresAtMs: nowMs + minute } })] }, 'defer cap 60 s'],
    ['what should be over is asked again', { ...only({ concurrent: 1 }), ledger: apart(1, { grant: { token: 2, atMs: 0, expiresAtMs: nowMs - 1 } }) }, 'defer cap 5 s'],
  ])('%s', (_name, asked, expected) => expect(short(caps.ask(question(asked)))).toBe(expected))
})

describe('what counts', () => {
  const full = (ledger: readonly PermitRecord[]): Asked => ({ ...only({ concurrent: 1 }), ledger })
  // biome-ignore format: a table
  test.each<[string, Partial<PermitRecord>, 'counts' | 'does not']>([
    ['an eviction of class 5',        {},                                       'counts'],
    ['an eviction of class 0',        { class: 'safety' },                      'counts'],
    ['a rollout of class 2',          { ...reload, class: 'availability' },     'counts'],
    ['a rollout of class 1',          reload,                                   'does not'],
    ['a rollout of class 0',          { ...reload, class: 'safety' },           'does not'],
    ['a resize that rolls out',       resize,                                   'counts'],
    ['a resize in place',             { ...resize, change: undefined },         'does not'],
    ['a drain of class 0',            { ...drain, class: 'safety' },            'counts'],
    ['scaling to 0',                  toZero,                                   'does not'],
    ['scaling up',                    upscale,                                  'does not'],
    ['steering',                      steer,                                    'does not'],
    ['a machine switched off',        { ...drain, verb: 'terminate' },          'does not'],
    ['a machine switched on',         { ...drain, verb: 'launch' },             'does not'],
  ])('%s', (_name, change, expected) => {
    const [first] = apart(1)
    const record = permit({ ...first, ...change, workload: undefined })
    expect(short(caps.ask(question(full([record]))))).toBe(expected === 'counts' ? 'defer cap 540 s' : 'pass')
  })

  // biome-ignore format: a table
  test.each<[string, Partial<Intent>, string]>([
    ['an eviction of class 0',    { class: 'safety' },                  'defer cap 540 s'],
    ['a rollout of class 3',      { ...resize, class: 'capacity' },     'defer cap 540 s'],
    ['a rotated secret',          reload,                               'pass'],
    ['a drain',                   drain,                                'defer cap 540 s'],
    ['scaling to 0',              toZero,                               'pass'],
    ['steering',                  steer,                                'pass'],
  ])('%s is held: %s', (_name, intent, expected) => {
    expect(short(caps.ask(question({ ...full(apart(1)), intent })))).toBe(expected)
  })
})

describe('at once by place', () => {
  const shop = (count: number) => apart(count, { targets: [pod('x')] })
  const leaving = (count: number) => apart(count, { nodes: ['n1'] })
  const coming = (count: number) => apart(count, { relocation: { from: 'n7', to: ['n2', 'n3'] } })
  const rolling = { ...reload, class: 'availability' } as const
  const steered = apart(1, {
    ...reload,
    joined: [1, 2].map(
      index =>
        ({
          requester: 'deschedule',
          class: 'balance',
          verb: 'evict',
          purpose: 'move',
          reasons: [],
          idempotencyKey: `m${index}`,
          change: undefined,
          relocation: { from: 'n7', to: [`n${index}`] },
        }) as const,
    ),
  })
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['the second of a namespace',                { ...only({ perNamespace: 2 }), ledger: shop(1) },           'pass'],
    ['the third of a namespace',                 { ...only({ perNamespace: 2 }), ledger: shop(2) },           'defer cap 540 s'],
    ['... of which another has two',             { ...only({ perNamespace: 2 }), ledger: apart(2, { targets: [{ ...pod('x'), namespace: 'web' }] }) }, 'pass'],
    ['the second to leave a node',               { ...only({ perSourceNode: 2 }), ledger: leaving(1) },       'pass'],
    ['the third to leave a node',                { ...only({ perSourceNode: 2 }), ledger: leaving(2) },       'defer cap 540 s'],
    ['a rollout leaves the nodes of its pods',   { ...only({ perSourceNode: 2 }), intent: rolling, facts: { nodes: ['n5', 'n1'] }, ledger: leaving(2) }, 'defer cap 540 s'],
    ['the third to come to a node',              { ...only({ perDestination: 3 }), ledger: coming(2) },       'pass'],
    ['the fourth to come to a node',             { ...only({ perDestination: 3 }), ledger: coming(3) },       'defer cap 540 s'],
    ['... that is only one that would do',       { ...only({ perDestination: 3 }), intent: { relocation: { from: 'n1', to: ['n4', 'n2'] } }, ledger: coming(3) }, 'pass'],
    ['... which others only could come to',      { ...only({ perDestination: 3 }), intent: { relocation: { from: 'n1', to: ['n3'] } }, ledger: coming(3) }, 'pass'],
    ['a rollout of class 1 that carries a move counts nothing', { ...only({ perDestination: 1 }), ledger: steered }, 'pass'],
    ['... of class 4 does',                      { ...only({ perDestination: 1 }), ledger: steered.map(record => ({ ...record, class: 'cost' })) }, 'defer cap 540 s'],
  ])('%s', (_name, asked, expected) => expect(short(caps.ask(question(asked)))).toBe(expected))

  test('the cap, the place and its figures are told', () => {
    expect(caps.ask(question({ ...only({ perSourceNode: 2 }), ledger: leaving(2) }))).toMatchObject({
      objection: { rule: 'cap', cap: 'per-node', subject: 'n1', used: 2, limit: 2 },
    })
  })
})

describe('in an hour', () => {
  const perHour = (limit: number) => only({ perHour: limit })
  /** So many, done, granted at these times before now. */
  const earlier = (...ago: readonly number[]) => ago.map(ms => permit({ ...elsewhere('blog'), ...doneFor(ms), batch: undefined }))
  const ofPlan = (plan: string, ...ago: readonly number[]) => earlier(...ago).map(record => ({ ...record, batch: plan }))
  const times = (count: number, ms: number) => Array.from({ length: count }, () => ms)
  const unplanned = { intent: single }
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['the 30th at once',                           { ...unplanned, ...perHour(30), ledger: earlier(...times(29, 0)) },              'pass'],
    ['the 31st at once waits two minutes',         { ...unplanned, ...perHour(30), ledger: earlier(...times(30, 0)) },              'defer cap 120 s'],
    ['... one of which have passed',               { ...unplanned, ...perHour(30), ledger: earlier(...times(30, minute)) },         'defer cap 60 s'],
    ['... all but a millisecond',                  { ...unplanned, ...perHour(30), ledger: earlier(...times(30, 2 * minute - 1)) }, 'defer cap 0.001 s'],
    ['... exactly',                                { ...unplanned, ...perHour(30), ledger: earlier(...times(30, 2 * minute)) },     'pass'],
    ['one every two minutes goes for ever',        { ...unplanned, ...perHour(30), ledger: earlier(...Array.from({ length: 600 }, (_, index) => (index + 1) * 2 * minute)) }, 'pass'],
    ['one every minute does not',                  { ...unplanned, ...perHour(30), ledger: earlier(...Array.from({ length: 90 }, (_, index) => (index + 1) * minute)) }, 'defer cap 60 s'],
    ['the bucket never holds more than an hour',   { ...unplanned, ...perHour(30), ledger: earlier(...times(30, 0), ...times(1, 20 * hour)) }, 'defer cap 120 s'],
    ['a plan of 40 steps is one',                  { ...unplanned, ...perHour(2), ledger: ofPlan('plan-0', ...times(40, minute)) }, 'pass'],
    ['two plans are two',                          { ...unplanned, ...perHour(2), ledger: [...ofPlan('plan-0', ...times(40, 0)), ...ofPlan('plan-2', ...times(40, 0))] }, 'defer cap 1800 s'],
    ['a plan counts again after an hour',          { ...unplanned, ...perHour(1), ledger: ofPlan('plan-0', 61 * minute, 30 * minute, 0) }, 'defer cap 3600 s'],
    ['a further step of a plan takes none',        { ...perHour(1), ledger: ofPlan('plan-1', minute) },                            'pass'],
    ['... while others have used all up',          { ...perHour(2), ledger: [...ofPlan('plan-1', minute), ...earlier(...times(5, 0))] }, 'pass'],
    ['... within the hour',                        { ...perHour(1), ledger: [...ofPlan('plan-1', hour), ...earlier(0)] },           'defer cap 3600 s'],
    ['those on their way count',                   { ...unplanned, ...perHour(1), ledger: earlier(0).map(record => ({ ...record, releasedAtMs: undefined, ending: undefined })) }, 'defer cap 3600 s'],
    ['those of a time to come count as of now',    { ...unplanned, ...perHour(2), ledger: earlier(-9 * hour, -9 * hour) },         'defer cap 1800 s'],
    ['what was withdrawn does not',                { ...unplanned, ...perHour(1), ledger: earlier(0).map(record => ({ ...record, ending: 'withdrawn' })) }, 'pass'],
    ['what failed does',                           { ...unplanned, ...perHour(1), ledger: earlier(0).map(record => ({ ...record, ending: 'failed' })) }, 'defer cap 3600 s'],
    ['rotated secrets do not',                     { ...unplanned, ...perHour(1), ledger: earlier(...times(9, 0)).map(record => ({ ...record, ...reload })) }, 'pass'],
    ["a pod evicted by the kubelet does",          { ...unplanned, ...perHour(1), observed: [seen(0)] },                           'defer cap 3600 s'],
    ["somebody's drain does",                      { ...unplanned, ...perHour(1), observed: [seen(0, { kind: 'drain', workload: undefined })] }, 'defer cap 3600 s'],
    ["GitOps' rollout does",                       { ...unplanned, ...perHour(1), observed: [seen(0, { kind: 'rollout' })] },      'defer cap 3600 s'],
    ["an autoscaler's scaling does not",           { ...unplanned, ...perHour(1), observed: [seen(0, { kind: 'scaled' })] },       'pass'],
    ['what others took beyond it is not owed',     { ...unplanned, ...perHour(1), observed: Array.from({ length: 50 }, () => seen(minute)) }, 'defer cap 3540 s'],
    ['a policy that allows none',                  { ...unplanned, ...perHour(0) },                                                'deny cap'],
    ['a rotated secret asks for none',             { intent: reload, ...perHour(1), ledger: earlier(0) },                           'pass'],
  ])('%s', (_name, asked, expected) => expect(short(caps.ask(question(asked)))).toBe(expected))
})

test('a grant within the caps leaves the caps kept', () => {
  // As many as the caps of the design let through at one moment, over 100 nodes and 40 namespaces.
  const ledger: PermitRecord[] = []
  for (let index = 0; index < 200; index++) {
    const [from, to, namespace] = [`n${index % 9}`, `m${index % 5}`, `ns${index % 7}`]
    const wish = {
      ...single,
      idempotencyKey: `k${index}`,
      targets: [{ ...pod(`p${index}`), namespace }],
      relocation: { from, to: [to] },
      workload: deployment(`w${index}`, namespace),
    }
    const answer = caps.ask(question({ intent: wish, facts: { nodeCount: 100, nodes: [from] }, ledger }))
    if (answer.kind === 'pass')
      ledger.push(permit({ ...wish, batch: undefined, nodes: [from], workload: `${namespace}/Deployment/w${index}` }))
  }
  expect(ledger).toHaveLength(10)
  const most = (of: (record: PermitRecord) => string | undefined) =>
    Math.max(
      ...Map.groupBy(ledger, of)
        .values()
        .map(group => group.length),
    )
  expect(most(record => record.targets[0]?.namespace)).toBeLessThanOrEqual(2)
  expect(most(record => record.nodes[0])).toBeLessThanOrEqual(2)
  expect(most(record => record.relocation?.to[0])).toBeLessThanOrEqual(3)
})
