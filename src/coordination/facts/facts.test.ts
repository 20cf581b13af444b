import { describe, expect, test } from 'vitest'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Intent, Target } from '../intent.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { ownerMatrix } from '../policy/owner-matrix.ts'
import {
  deployment,
  drain,
  intent,
  minute,
  node as nodeTarget,
  nowMs,
  permit,
  pod as podTarget,
  question,
  reload,
  steer,
  upscale,
} from '../policy/testdata/question.ts'
import { factsFor, newestPodsOf } from './facts.ts'

const ownerLabel = defaultOwnerLabel

interface Meta {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly created?: string
  readonly isLeaving?: boolean
}

function metaOf(name: string, { labels, annotations, created = '2026-03-01T00:00:00Z', isLeaving }: Meta) {
  return {
    name,
    uid: `uid-${name}`,
    creationTimestamp: created,
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(isLeaving === true && { deletionTimestamp: created }),
  }
}

function node(name: string, meta: Meta = {}): KubeObject {
  const status = { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] }
  return { apiVersion: 'v1', kind: 'Node', metadata: metaOf(name, meta), spec: {}, status }
}

function namespace(name: string, meta: Meta = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: metaOf(name, meta) }
}

function workload(name: string, meta: Meta = {}, replicas: unknown = 2): KubeObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { ...metaOf(name, meta), namespace: 'shop' }, spec: { replicas } }
}

/** A pod of the Deployment `owner` on `on`. */
function pod(name: string, owner = 'cart', meta: Meta & { readonly on?: string; readonly started?: string } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metaOf(name, meta),
      namespace: 'shop',
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: owner, uid: `uid-${owner}`, controller: true }],
    },
    spec: { nodeName: meta.on ?? 'n1', containers: [{ name: 'main', image: 'x' }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      ...(meta.started && { startTime: meta.started }),
    },
  }
}

function scaler(target: string): KubeObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { ...metaOf(`${target}-scaler`, {}), namespace: 'shop' },
    spec: { scaleTargetRef: { name: target } },
  }
}

const cluster = (...objects: readonly KubeObject[]): ClusterState =>
  buildClusterState([node('n1'), node('n2'), namespace('shop'), namespace('ballast-system'), ...objects]).state

function factsOf(state: ClusterState, change: Partial<Intent> = {}, ledger: readonly PermitRecord[] = []) {
  return factsFor(intent(change), { state, ledger, ownerLabel, ownNamespace: 'ballast-system', nowMs })
}

const whole = () => cluster(workload('cart'), pod('cart-a'), pod('cart-b', 'cart', { on: 'n2' }))

describe('whether the targets are there', () => {
  const gone: Target = podTarget('cart-z')
  const other: Target = { ...podTarget('cart-a'), uid: 'uid-older' }
  const state = cluster(workload('cart'), pod('cart-a'), pod('cart-b', 'cart', { isLeaving: true }))
  // biome-ignore format: a table
  test.each<[string, Target, string]>([
    ['a pod',                     podTarget('cart-a'),                          'present'],
    ['a pod that is leaving',     podTarget('cart-b'),                          'terminating'],
    ['a pod that is gone',        gone,                                         'gone'],
    ['another pod of the name',   other,                                        'replaced'],
    ['a node',                    nodeTarget('n1'),                             'present'],
    ['a node that is gone',       nodeTarget('n9'),                             'gone'],
    ['a workload',                deployment('cart'),                           'present'],
    ['a workload made anew',      { ...deployment('cart'), uid: 'uid-older' },  'replaced'],
    ['a workload without UID',    { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart' }, 'present'],
    ['a kind that is not watched', { apiVersion: 'batch/v1', kind: 'CronJob', namespace: 'shop', name: 'cart', uid: 'uid-cart' }, 'present'],
  ])('%s', (_name, target, expected) => {
    expect(factsOf(state, { targets: [target] }).presence).toEqual([{ target, presence: expected }])
  })
})

describe('how many replicas are wanted', () => {
  // biome-ignore format: a table
  test.each<[string, unknown, number | undefined]>([
    ['two', 2, 2], ['none', 0, 0], ['not said', null, undefined], ['text', '2', undefined],
  ])('%s', (_name, replicas, expected) => {
    expect(factsOf(cluster(workload('cart', {}, replicas), pod('cart-a'))).replicas).toBe(expected)
  })
})

describe('who owns it', () => {
  const labelled = (value: string): Meta => ({ labels: { [ownerLabel.key]: value } })
  const of = (...objects: readonly KubeObject[]) => factsOf(cluster(...objects)).owner
  const cart = 'shop/Deployment/cart'

  test('the label of the pod, then of the workload, then of the namespace', () => {
    expect(of(workload('cart', labelled('none')), pod('cart-a', 'cart', labelled('descheduler')))).toMatchObject({
      value: 'descheduler',
      source: 'pod',
      workload: cart,
    })
    expect(of(workload('cart', labelled('none')), pod('cart-a'))).toMatchObject({
      value: 'none',
      source: 'workload',
      workload: cart,
    })
    expect(of(workload('cart'), pod('cart-a'))).toMatchObject({ value: undefined, source: 'nowhere', workload: cart })
  })

  test('a ScaledObject says more than a label, and the contradiction is told', () => {
    expect(of(scaler('cart'), workload('cart', labelled('descheduler')), pod('cart-a'))).toMatchObject({
      value: 'keda',
      source: 'scaler',
      contradicting: 'descheduler',
      workload: cart,
    })
    expect(of(scaler('cart'), workload('cart', labelled('keda')), pod('cart-a'))).toMatchObject({
      value: 'keda',
      source: 'scaler',
      workload: cart,
    })
    expect(of(scaler('blog'), workload('cart'), pod('cart-a'))).toMatchObject({ value: undefined })
  })

  test('a value that means nothing is told', () => {
    expect(of(workload('cart', labelled('mine')), pod('cart-a'))).toMatchObject({
      value: undefined,
      source: 'workload',
      contradicting: 'mine',
      workload: cart,
    })
  })

  test.each([
    ['of the pod', { unlabelled: 'none' } as const, 'descheduler'],
    ['of a workload without pods', { disrupts: [], targets: [deployment('cart')], verb: 'restart' } as const, 'descheduler'],
  ])('where the policy ignores ScaledObjects the label stands: %s', (_name, wish, value) => {
    const pods = 'disrupts' in wish ? [] : [pod('cart-a')]
    const state = cluster(scaler('cart'), workload('cart', labelled('descheduler')), ...pods)
    expect(factsOf(state, wish)).toMatchObject({ owner: { value: 'keda' }, contradictions: [{ said: 'descheduler' }] })
    const facts = factsOf(state, { ...wish, ignoreScalers: true })
    expect(facts).toMatchObject({ owner: { value, source: 'workload' }, contradictions: [] })
    const asked = (ignoreScalers: boolean) => {
      const move = intent({ ...wish, purpose: 'move', ignoreScalers })
      return ownerMatrix.ask(question({ intent: move, facts: factsOf(state, move) })).kind
    }
    expect([asked(false), asked(true)]).toEqual(['deny', 'pass'])
  })

  test('each label that says other than what holds is told of its workload, once', () => {
    const state = cluster(
      workload('cart', labelled('descheduler')),
      scaler('cart'),
      workload('blog', labelled('mine')),
      workload('shop', labelled('none')),
      pod('cart-a'),
      pod('cart-b'),
      pod('blog-a', 'blog'),
      pod('shop-a', 'shop'),
    )
    const disrupts = ['cart-a', 'cart-b', 'blog-a', 'shop-a'].map(podTarget)
    expect(factsOf(state, { ...drain, disrupts }).contradictions).toEqual([
      {
        subject: expect.objectContaining({ kind: 'Deployment', name: 'cart' }),
        said: 'descheduler',
        key: ownerLabel.key,
        isScaled: true,
      },
      {
        subject: expect.objectContaining({ kind: 'Deployment', name: 'blog' }),
        said: 'mine',
        key: ownerLabel.key,
        isScaled: false,
      },
    ])
  })

  test('of several workloads on a node the one that allows least', () => {
    const objects = [
      workload('cart', labelled('descheduler')),
      workload('blog'),
      workload('shop', labelled('none')),
      pod('cart-a'),
      pod('blog-a', 'blog'),
      pod('shop-a', 'shop'),
    ]
    const disrupts = ['cart-a', 'blog-a', 'shop-a'].map(podTarget)
    const owner = (count: number) => factsOf(cluster(...objects), { ...drain, disrupts: disrupts.slice(0, count) }).owner
    expect(owner(1)).toMatchObject({ value: 'descheduler', workload: cart })
    expect(owner(2)).toMatchObject({ value: undefined, workload: 'shop/Deployment/blog' })
    expect(owner(3)).toMatchObject({ value: 'none', workload: 'shop/Deployment/shop' })
    expect(factsOf(cluster(...objects, scaler('cart')), { ...drain, disrupts }).owner).toMatchObject({
      value: 'keda',
      contradicting: 'descheduler',
    })
  })

  test('of a rollout that names no pods any pod of the workload, of one without pods its labels', () => {
    const named = { ...reload, disrupts: [] }
    expect(factsOf(cluster(workload('cart'), pod('cart-a', 'cart', labelled('none'))), named).owner).toMatchObject({
      value: 'none',
      source: 'pod',
    })
    expect(factsOf(cluster(workload('cart', labelled('none'))), named).owner).toMatchObject({
      value: 'none',
      source: 'workload',
      workload: cart,
    })
    expect(factsOf(cluster(scaler('cart'), workload('cart')), { ...upscale, disrupts: [] }).owner).toEqual({
      value: 'keda',
      source: 'scaler',
      workload: cart,
    })
  })

  test('nobody of what has no workload', () => {
    expect(factsOf(cluster(), steer).owner).toEqual({ value: undefined, source: 'nowhere' })
  })
})

describe('what is frozen around it', () => {
  const frozen: Meta = { annotations: { 'ballast.dev/freeze': 'audit' } }
  const where = (objects: readonly KubeObject[], change: Partial<Intent> = {}) =>
    factsOf(buildClusterState(objects).state, change).freeze?.where
  const rest = [node('n2'), namespace('web', frozen)]
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Partial<Intent>, string | undefined]>([
    ['nothing',                  [node('n1'), namespace('shop'), workload('cart'), pod('cart-a')],                    {},         undefined],
    ['its namespace',            [node('n1'), namespace('shop', frozen), workload('cart'), pod('cart-a')],            {},         'ballast.dev/freeze on Namespace shop'],
    ['its workload',             [node('n1'), namespace('shop'), workload('cart', frozen), pod('cart-a')],            {},         'ballast.dev/freeze on Deployment shop/cart'],
    ['its node',                 [node('n1', frozen), namespace('shop'), workload('cart'), pod('cart-a')],            {},         'ballast.dev/freeze on Node n1'],
    ["Ballast's own namespace",  [node('n1'), namespace('ballast-system', frozen), workload('cart'), pod('cart-a')],  {},         'ballast.dev/freeze on Namespace ballast-system'],
    ['a pod of a drained node',  [node('n1'), namespace('shop', frozen), workload('cart'), pod('cart-a')],            drain,      'ballast.dev/freeze on Namespace shop'],
    ['... its workload',         [node('n1'), workload('cart', frozen), pod('cart-a')],                               drain,      'ballast.dev/freeze on Deployment shop/cart'],
    ['the drained node',         [node('n1', frozen)],                                                                { ...drain, disrupts: [] }, 'ballast.dev/freeze on Node n1'],
    ['a node of a rollout',      [node('n1', frozen), workload('cart'), pod('cart-a')],                               reload,     'ballast.dev/freeze on Node n1'],
    ['another pod of the name',  [node('n1', frozen), workload('cart'), pod('cart-a')],                               { disrupts: [{ ...podTarget('cart-a'), uid: 'uid-older' }] }, undefined],
  ])('%s', (_name, objects, change, expected) => expect(where([...objects, ...rest], change)).toBe(expected))
})

describe('a pod that asks not to be disturbed', () => {
  const started = '2026-03-02T03:00:00Z' // an hour ago
  // biome-ignore format: a table
  test.each<[string, string, string, string | undefined]>([
    ['for good',                      'karpenter.sh/do-not-disrupt',                   'true',        'karpenter.sh/do-not-disrupt: true'],
    ['not at all',                    'karpenter.sh/do-not-disrupt',                   'false',       undefined],
    ['for two hours from its start',  'karpenter.sh/do-not-disrupt',                   '2h',          'karpenter.sh/do-not-disrupt: 2h'],
    ['for exactly an hour',           'karpenter.sh/do-not-disrupt',                   '1h',          undefined],
    ['for less',                      'karpenter.sh/do-not-disrupt',                   '59m59s',      undefined],
    ['in the past',                   'karpenter.sh/do-not-disrupt',                   '-2h',         undefined],
    ['for no time at all',            'karpenter.sh/do-not-disrupt',                   'NaN',         undefined],
    ['for a hundred digits of hours', 'karpenter.sh/do-not-disrupt',                   `${'9'.repeat(100)}h`, undefined],
    ['for two hours, with 200 zeros', 'karpenter.sh/do-not-disrupt',                   `${'0'.repeat(200)}2h`, `karpenter.sh/do-not-disrupt: ${'0'.repeat(64)}`],
    ['of the autoscaler',             'cluster-autoscaler.kubernetes.io/safe-to-evict', 'false',      'cluster-autoscaler.kubernetes.io/safe-to-evict: "false"'],
    ['... which is safe',             'cluster-autoscaler.kubernetes.io/safe-to-evict', 'true',       undefined],
  ])('%s', (_name, key, value, expected) => {
    const state = cluster(workload('cart'), pod('cart-a', 'cart', { annotations: { [key]: value }, started }))
    expect(factsOf(state).protection?.annotation).toBe(expected)
  })
})

describe('which nodes and zones', () => {
  const zoned = (name: string, zone: string) => node(name, { labels: { 'topology.kubernetes.io/zone': zone } })
  const state = buildClusterState([
    zoned('n1', 'a'),
    zoned('n2', 'b'),
    node('n3'),
    workload('cart'),
    pod('cart-a'),
    pod('cart-b', 'cart', { on: 'n2' }),
  ]).state
  const drained = permit({ ...drain, batch: undefined, targets: [nodeTarget('n2')] })
  // biome-ignore format: a table
  test.each<[string, Partial<Intent>, readonly PermitRecord[], readonly string[], Readonly<Record<string, string>>]>([
    ['of a move',                     {},                                                                 [],         ['n1'],        { n1: 'a' }],
    ['of two pods',                   { disrupts: [podTarget('cart-b'), podTarget('cart-a')] },           [],         ['n2', 'n1'],  { n1: 'a', n2: 'b' }],
    ['with one that is being drained', {},                                                                [drained],  ['n1'],        { n1: 'a', n2: 'b' }],
    ['of a drain',                    drain,                                                              [],         ['n1'],        { n1: 'a', n2: 'b', n3: '' }],
    ['of an empty node',              { ...drain, disrupts: [], targets: [nodeTarget('n3')] },            [],         ['n3'],        { n1: 'a', n2: 'b', n3: '' }],
    ['of steering',                   steer,                                                              [],         [],            { n3: '' }],
    ['of a node that is gone',        { ...drain, verb: 'terminate', disrupts: [], targets: [nodeTarget('n9')] }, [], ['n9'],        { n9: '' }],
  ])('%s', (_name, change, ledger, nodes, zones) => {
    expect(factsOf(state, change, ledger)).toMatchObject({ nodes, nodeCount: 3 })
    expect(factsOf(state, change, ledger).zones).toEqual(zones)
  })
})

test('budgets are asked for what is evicted, or demanded', () => {
  const asked = (change: Partial<Intent>) =>
    factsOf(whole(), change).budgets.map(({ pod: { name }, answer }) => `${name} ${answer.kind}`)
  expect(asked({})).toEqual(['cart-a no-budget'])
  expect(asked({ ...drain, disrupts: [podTarget('cart-a'), podTarget('cart-b')] })).toEqual([
    'cart-a no-budget',
    'cart-b no-budget',
  ])
  expect(asked(reload)).toEqual([])
  expect(asked({ ...reload, requireBudget: true })).toEqual(['cart-a no-budget'])
})

test("a workload's pods, the newest first", () => {
  const state = cluster(
    workload('cart'),
    pod('cart-a', 'cart', { created: '2026-03-01T00:00:00Z' }),
    pod('cart-c', 'cart', { created: '2026-03-02T00:00:00Z' }),
    pod('cart-b', 'cart', { created: '2026-03-02T00:00:00Z' }),
    pod('blog-a', 'blog', { created: '2026-03-02T01:00:00Z' }),
  )
  expect(newestPodsOf(state, deployment('cart'))).toEqual(['uid-cart-b', 'uid-cart-c', 'uid-cart-a'])
  expect(newestPodsOf(state, { ...deployment('cart'), kind: 'StatefulSet' })).toEqual([])
})

describe('hostile objects', () => {
  const long = 'x'.repeat(200_000)
  const hostile: Meta = {
    annotations: { 'ballast.dev/freeze': long },
    labels: JSON.parse(`{"__proto__": "keda", "constructor": "keda", "${ownerLabel.key}": "__proto__"}`),
  }

  test('a long reason freezes, and is cut', () => {
    const { freeze, owner } = factsOf(cluster(workload('cart', hostile), pod('cart-a')))
    expect(freeze).toEqual({ where: 'ballast.dev/freeze on Deployment shop/cart', reason: 'x'.repeat(256), untilMs: undefined })
    expect(owner).toMatchObject({ value: undefined, contradicting: '__proto__' })
  })

  test('an owner label that is called __proto__ is a label like others', () => {
    const state = cluster(workload('cart', hostile), pod('cart-a'))
    const facts = factsFor(intent(), {
      state,
      ledger: [],
      ownerLabel: { ...ownerLabel, key: '__proto__' },
      ownNamespace: 'x',
      nowMs,
    })
    expect(facts.owner).toMatchObject({ value: 'keda', source: 'workload' })
    const none = factsFor(intent(), {
      state: whole(),
      ledger: [],
      ownerLabel: { ...ownerLabel, key: 'constructor' },
      ownNamespace: 'x',
      nowMs,
    })
    expect(none.owner.value).toBeUndefined()
  })

  test('a pod without a start that is no time protects nobody for ever', () => {
    const meta = { annotations: { 'karpenter.sh/do-not-disrupt': '1h' }, created: 'yesterday', started: 'soon' }
    expect(factsOf(cluster(workload('cart'), pod('cart-a', 'cart', meta))).protection).toBeUndefined()
  })

  test('500 targets of which most are gone are answered one by one', () => {
    const targets = Array.from({ length: 500 }, (_, index) => podTarget(`cart-${index}`))
    const { presence } = factsOf(whole(), { targets: [podTarget('cart-a'), ...targets], disrupts: targets })
    expect(presence.filter(one => one.presence === 'present')).toHaveLength(1)
    expect(presence).toHaveLength(501)
  })
})

describe('the freeze annotation', () => {
  const at = (value: string) =>
    factsOf(cluster(workload('cart', { annotations: { 'ballast.dev/freeze': value } }), pod('cart-a'))).freeze
  // biome-ignore format: a table
  test.each<[string, number | undefined | 'not frozen']>([
    ['true',                             undefined],
    ['',                                 undefined],
    ['moving house',                     undefined],
    ['false',                            'not frozen'],
    ['2026-03-02T04:01:00Z',             nowMs + minute],
    ['2026-03-02T05:01:00+01:00',        nowMs + minute],
    ['2026-03-02T04:00:00Z',             'not frozen'],
    ['2026-03-02T03:59:59Z',             'not frozen'],
    ['2026-03-02T04:01:00',              undefined], // no zone: it would depend on the machine
    ['2026-13-45T99:99:99Z',             undefined],
    [`2026-03-02T04:01:00.${'0'.repeat(300)}Z`, undefined],
  ])('%s', (value, expected) => {
    const freeze = at(value)
    expect(freeze === undefined ? 'not frozen' : freeze.untilMs).toBe(expected)
  })
})

describe('a proof that it fits elsewhere', () => {
  const asked = (change: Partial<Intent>, provesFit: boolean) => {
    const { proof, ...unproven } = intent(change)
    const wish = change.proof === undefined ? unproven : { ...unproven, proof: change.proof }
    return factsFor(wish, { state: whole(), ledger: [], ownerLabel, ownNamespace: 'x', provesFit, nowMs }).proof?.nodes
  }

  test('is made for who brings none, where it is asked for', () => {
    expect(asked({}, true)).toEqual(['n2'])
    expect(asked({}, false)).toBeUndefined()
    expect(asked({ proof: { snapshotHash: '', nodes: [] } }, true)).toBeUndefined()
    expect(asked({ disrupts: [] }, true)).toBeUndefined()
    expect(asked(reload, true)).toBeUndefined()
  })
})
