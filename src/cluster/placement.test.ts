import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { buildClusterState, type ClusterState, type PodState, podState } from './cluster-state.ts'
import { readDocuments } from './documents.ts'
import { type Evaluation, Placement } from './placement.ts'
import { defaultSettings, type SchedulerVersion } from './scheduler-settings.ts'
import { node, object, type PodOptions, pod } from './testdata/objects.ts'
import { nodeUtilisation } from './utilisation.ts'

const stateOf = (...objects: readonly KubeObject[]): ClusterState => {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  return state
}
const placementOf = (...objects: readonly KubeObject[]) => new Placement(stateOf(...objects), defaultSettings('1.34'))
const totals = ({ verdicts }: Evaluation) =>
  Object.fromEntries(
    Array.from(verdicts, ([name, verdict]) => [name, verdict.kind === 'feasible' ? verdict.total : verdict.reasons.join(', ')]),
  )
const scoresOn = ({ verdicts }: Evaluation, name: string) => {
  const verdict = verdicts.get(name)
  return verdict?.kind === 'feasible' ? verdict.scores : {}
}
const podOf = (placement: Placement, state: ClusterState, key: string): PodState => {
  const found = state.pods.get(key)
  if (found === undefined) throw new Error(`no pod ${key}`)
  return placement.asPending(found)
}

describe('the reference cluster', () => {
  const folder = join(import.meta.dirname, '../../examples/talos-homelab/cluster')
  const objects = readdirSync(folder).flatMap(file =>
    readDocuments(file, readFileSync(join(folder, file), 'utf8')).objects.map(read => read.object),
  )
  const state = stateOf(...objects)

  const evicted = (key: string, version: SchedulerVersion) => {
    const placement = new Placement(state, defaultSettings(version))
    placement.remove(key)
    return placement.evaluate(podOf(placement, state, key))
  }

  test('case 5: mimir-store-gateway, evicted, lands on talos03', () => {
    const evaluation = evicted('monitoring/mimir-store-gateway-0', '1.34')
    expect(evaluation.landing).toEqual(['talos03'])
    expect(totals(evaluation)).toEqual({ talos00: 605, talos01: 600, 'talos02-gpu': 665, talos03: 680 })
    expect(scoresOn(evaluation, 'talos03')).toMatchObject({
      NodeResourcesFit: 87,
      NodeResourcesBalancedAllocation: 93,
      PodTopologySpread: 200,
      TaintToleration: 300,
    })
  })

  test.each([
    ['1.34', ['talos02-gpu'], 663, 660],
    ['1.36', ['talos03'], 640, 646],
  ] as const)('case 6: one loki, evicted, on %s', (version, landing, gpu, last) => {
    const evaluation = evicted('monitoring/loki-0', version)
    expect(evaluation.landing).toEqual(landing)
    expect(totals(evaluation)).toMatchObject({ talos00: 'Insufficient memory', 'talos02-gpu': gpu, talos03: last })
    expect(scoresOn(evaluation, 'talos01')['PodTopologySpread']).toBe(100)
  })

  test.each([
    ['1.34', 18.6],
    ['1.36', 22],
  ] as const)(
    'case 3: talos00 tainted, what is not core evicted from it lands where it likes: on %s talos03 comes to some %d %, not 30',
    (version, near) => {
      const core = new Set([
        'kube-system',
        'cert-manager',
        'external-secrets',
        'flux-system',
        'argocd',
        'liqo',
        'cilium-spire',
        'local-path-storage',
        'node-feature-discovery',
        'traefik',
      ])
      const taint = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }
      const tainted = stateOf(
        ...objects.map(one =>
          one.kind === 'Node' && one.metadata.name === 'talos00' ? { ...one, spec: { taints: [taint] } } : one,
        ),
      )
      const evicted = tainted
        .podsOn('talos00')
        .filter(({ namespace, workload }) => !core.has(namespace) && workload?.kind !== 'DaemonSet')
        .toSorted(
          (a, b) =>
            (b.requests['memory'] ?? 0) - (a.requests['memory'] ?? 0) || (b.requests['cpu'] ?? 0) - (a.requests['cpu'] ?? 0),
        )
      expect(evicted).toHaveLength(23)
      const random = seededRandom(3)
      const draws = 20
      let sum = 0
      for (let draw = 0; draw < draws; draw++) {
        const placement = new Placement(tainted, defaultSettings(version))
        for (const one of evicted) {
          const pending = placement.asPending(one)
          placement.remove(one.key)
          const { landing } = placement.evaluate(pending)
          placement.bind(pending, landing[Math.floor(random() * landing.length)] ?? '')
        }
        const allocatable = tainted.nodes.get('talos03')?.allocatable['cpu'] ?? 0
        const percent = ((allocatable - (placement.freeOf('talos03')['cpu'] ?? 0)) / allocatable) * 100
        expect(percent).toBeLessThan(25)
        sum += percent
      }
      expect(Math.abs(sum / draws - near)).toBeLessThan(0.7)
    },
  )

  test('prints what `kubectl describe node` prints', () => {
    const printed = (name: string) => {
      const use = nodeUtilisation(state, name)
      return [use.percent('cpu').truncated, use.percent('memory').truncated, use.pods]
    }
    expect(['talos00', 'talos01', 'talos02-gpu', 'talos03'].map(printed)).toEqual([
      [93, 82, 59],
      [54, 97, 45],
      [32, 28, 11],
      [4, 16, 9],
    ])
  })
})

test('case 7: an empty node of 4 CPUs and 32 GiB, a pod of 100m and 16 GiB', () => {
  const placement = placementOf(
    node('n0', { memory: '32Gi' }),
    node('n1', { memory: '32Gi' }),
    object('v1', 'Service', 'shop/cart', { spec: { selector: { app: 'cart' } } }),
  )
  const evaluation = placement.evaluate(
    podState(stateOf(), pod('shop/cart', { cpu: '100m', memory: '16Gi', labels: { app: 'cart' } })),
  )
  expect(scoresOn(evaluation, 'n0')).toEqual({
    NodeResourcesFit: 73,
    NodeResourcesBalancedAllocation: 76,
    PodTopologySpread: 200,
    TaintToleration: 300,
    ImageLocality: 0,
  })
  expect(evaluation.landing).toEqual(['n0', 'n1'])
})

test('case 16: a request of 0 fits where nothing is left', () => {
  const placement = placementOf(node('n0', { memory: '100Mi' }), pod('shop/big', { node: 'n0', memory: '110Mi' }))
  expect(placement.freeOf('n0')['memory']).toBe(-10 * 1024 * 1024)
  expect(placement.fits(podState(stateOf(), pod('shop/cart', { cpu: '100m', memory: '0' })), 'n0').kind).toBe('feasible')
  expect(placement.fits(podState(stateOf(), pod('shop/cart', { memory: '1' })), 'n0')).toEqual({
    kind: 'refused',
    filter: 'NodeResourcesFit',
    reasons: ['Insufficient memory'],
  })
})

describe('what a pod that fits nowhere is told', () => {
  const nodes = [
    node('n0', { unschedulable: true }),
    node('n1', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] }),
    node('n2', { cpu: '1', pods: '1' }),
    node('n3', { labels: { disk: 'ssd' } }),
  ]
  const full = pod('shop/full', { node: 'n2', cpu: '900m' })
  const volume = (claimName: string) => ({ volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] })
  // biome-ignore format: a table
  test.each<[string, PodOptions, string, string]>([
    ['each node for its own reason', { cpu: '5', nodeSelector: { disk: 'ssd' } }, '0/4 nodes are available: 1 Insufficient cpu, 1 node(s) didn\'t match Pod\'s node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.', 'no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.'],
    ['several reasons of one node', { cpu: '200m', nodeSelector: { 'kubernetes.io/hostname': 'n2' } }, '0/4 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) didn\'t match Pod\'s node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.', 'no new claims to deallocate, preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling.'],
    ['that it never preempts', { cpu: '5', preemptionPolicy: 'Never', tolerations: [{ operator: 'Exists' }] }, '0/4 nodes are available: 1 Too many pods, 4 Insufficient cpu.', 'no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.'],
    ['that its claim is missing', volume('gone'), '0/4 nodes are available: persistentvolumeclaim "gone" not found.', 'not found'],
    ['that it waits at a gate', { schedulingGates: [{ name: 'ballast.dev/landing' }] }, 'waiting for scheduling gates: [ballast.dev/landing]', ''],
  ])('%s', (_, options, message, preemption) => {
    const evaluation = placementOf(...nodes, full).evaluate(podState(stateOf(), pod('shop/cart', options)))
    expect([evaluation.message, evaluation.preemption, evaluation.landing]).toEqual([message, preemption, []])
  })

  test('that there are no nodes', () => {
    const evaluation = placementOf().evaluate(podState(stateOf(), pod('shop/cart')))
    expect([evaluation.message, evaluation.preemption, evaluation.landing]).toEqual([
      'no nodes available to schedule pods',
      '',
      [],
    ])
  })
})

describe('a placement', () => {
  const cluster = () => placementOf(node('n0'), node('n1'), pod('shop/old', { node: 'n0', cpu: '1' }))
  const cart = podState(stateOf(), pod('shop/cart', { cpu: '2', memory: '1Gi' }))

  test('counts what is bound and removed, and knows where it is', () => {
    const placement = cluster()
    placement.bind(cart, 'n1')
    expect([placement.nodeOf('shop/cart'), placement.nodeOf('shop/old'), placement.nodeOf('shop/none')]).toEqual([
      'n1',
      'n0',
      undefined,
    ])
    expect({ ...placement.freeOf('n1') }).toEqual({ cpu: 2000, memory: 7 * 1024 ** 3, pods: 109 })
    placement.remove('shop/cart')
    expect({ ...placement.freeOf('n1') }).toEqual({ cpu: 4000, memory: 8 * 1024 ** 3, pods: 110 })
  })

  test('refuses what makes no sense', () => {
    const placement = cluster()
    expect(() => placement.bind(cart, 'n7')).toThrow('node n7')
    expect(() => placement.remove('shop/cart')).toThrow('shop/cart')
    placement.bind(cart, 'n0')
    expect(() => placement.bind(cart, 'n1')).toThrow('placed already')
  })

  test('taints that are only thought of count in scores', () => {
    const placement = cluster()
    const taint = { key: 'ballast.dev/landing', effect: 'PreferNoSchedule' }
    expect(placement.evaluate(cart).landing).toEqual(['n1'])
    expect(placement.evaluate(cart, { extraTaints: new Map([['n1', [taint]]]) }).landing).toEqual(['n0'])
  })

  test('only some nodes can be compared', () => {
    expect(cluster().evaluate(cart, { among: ['n0'] }).landing).toEqual(['n0'])
  })

  test('an evaluation says what was, whatever happens afterwards', () => {
    const placement = cluster()
    const before = placement.evaluate(cart)
    placement.bind(podState(stateOf(), pod('shop/big', { cpu: '4' })), 'n1')
    expect([before.landing, before.verdicts.get('n1')?.kind, placement.evaluate(cart).landing]).toEqual([
      ['n1'],
      'feasible',
      ['n0'],
    ])
  })

  test('the replacement of a pod is pending, under another name unless a StatefulSet made it', () => {
    const placement = cluster()
    const stateful = podState(
      stateOf(),
      pod('shop/db-0', { node: 'n0', deletionTimestamp: 'x', owner: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' } }),
    )
    const [a, b] = [placement.asPending(stateful), placement.asPending({ ...cart, nodeName: 'n0' })]
    expect([a.name, a.uid === stateful.uid, a.nodeName, a.isTerminating, a.isReady, a.workload?.name]).toEqual([
      'db-0',
      false,
      undefined,
      false,
      false,
      'db',
    ])
    expect([b.name === cart.name, b.key === cart.key]).toEqual([false, false])
  })
})

describe('spread and affinity between pods', () => {
  const zones = [0, 1, 2].map(index => node(`n${index}`, { labels: { zone: `z${index % 2}` } }))
  const labelSelector = { matchLabels: { app: 'cart' } }
  const spread = {
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector }],
  }
  const apart = {
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector }] } },
  }
  const together = {
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector }] } },
  }
  const labels = { app: 'cart' }
  const there = pod('shop/there', { node: 'n0', labels })
  const leaving = pod('shop/there', { node: 'n0', labels, deletionTimestamp: '2026-01-01T00:00:00Z' })
  const elsewhere = pod('other/there', { node: 'n0', labels })
  const shy = pod('shop/shy', { node: 'n1', ...apart })
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], PodOptions, readonly string[]]>([
    ['hard spread keeps away from the fuller zone', [there], { labels, ...spread }, ['n1']],
    ['a terminating pod does not count for spread', [leaving], { labels, ...spread }, ['n0', 'n1', 'n2']],
    ['nor one of another namespace', [elsewhere], { labels, ...spread }, ['n0', 'n1', 'n2']],
    ['anti-affinity keeps off the whole zone', [there], { ...apart }, ['n1']],
    ['a terminating pod counts for anti-affinity', [leaving], { ...apart }, ['n1']],
    ['another pod\'s anti-affinity is respected', [shy], { labels }, ['n0', 'n2']],
    ['affinity stays with the zone', [there], { ...together }, ['n0', 'n2']],
    ['affinity to pods that are nowhere', [], { ...together }, []],
    ['but the first of a kind may begin', [], { labels, ...together }, ['n0', 'n1', 'n2']],
  ])('%s', (_, others, options, expected) => {
    const placement = placementOf(...zones, ...others)
    const asked = podState(stateOf(), pod('shop/cart', options))
    expect(placement.evaluate(asked).feasible).toEqual(expected)
    expect(placement.nodes.filter(name => placement.fits(asked, name).kind === 'feasible')).toEqual(expected)
  })
})

describe('what a roll-out makes in place of a pod', () => {
  const labels = { app: 'cart', 'pod-template-hash': 'abc' }
  const replicas = object('apps/v1', 'ReplicaSet', 'shop/cart-abc', {
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels } } },
  })
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'cart-abc' }
  const key = {
    topologySpreadConstraints: [
      {
        ...{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
        labelSelector: { matchLabels: { app: 'cart' } },
        matchLabelKeys: ['pod-template-hash'],
      },
    ],
  }
  const standing = (options: PodOptions) => {
    const state = stateOf(node('n0'), node('n1'), replicas, pod('shop/cart', { node: 'n0', labels, owner, ...options }))
    const found = state.pods.get('shop/cart')
    if (found === undefined) throw new Error('no pod')
    return { placement: new Placement(state, defaultSettings('1.34')), found }
  }

  test('does not count the pods of before in the spread of the scheduler', () => {
    const { placement, found } = standing({})
    const spread = (asked: PodState) => scoresOn(placement.evaluate(asked), 'n0')['PodTopologySpread']
    expect(spread(placement.asPending(found))).toBe(132)
    expect(spread(placement.asRolledOut(found))).toBe(200)
  })

  test('nor in a hard one by the hash of its template', () => {
    const { placement, found } = standing(key)
    expect(placement.evaluate(placement.asPending(found)).feasible).toEqual(['n1'])
    expect(placement.evaluate(placement.asRolledOut(found)).feasible).toEqual(['n0', 'n1'])
  })

  test('is the pod that an eviction makes where no template has a hash', () => {
    const { placement, found } = standing({ labels: { app: 'cart' } })
    expect(placement.asRolledOut(found)).toBe(placement.asPending(found))
  })
})

describe('forks and undoing', () => {
  const apps = ['a', 'b', 'c']
  const step = fc.record({
    node: fc.nat(3),
    app: fc.constantFrom(...apps),
    cpu: fc.integer({ min: 0, max: 900 }),
    port: fc.option(fc.integer({ min: 80, max: 82 })),
    isShy: fc.boolean(),
  })
  const build = (steps: readonly { node: number; app: string; cpu: number; port: number | null; isShy: boolean }[]) =>
    steps.map(({ app, cpu, port, isShy, node: at }, index) => ({
      node: `n${at}`,
      pod: podState(
        stateOf(),
        pod(`shop/p${index}`, {
          labels: { app },
          containers: [
            {
              name: 'main',
              resources: { requests: { cpu: `${cpu}m`, 'example.com/gpu': '1' } },
              ...(port !== null && { ports: [{ containerPort: 80, hostPort: port }] }),
            },
          ],
          ...(isShy && {
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } },
                ],
              },
            },
          }),
        }),
      ),
    }))
  const nodes = [0, 1, 2, 3].map(index => node(`n${index}`, { resources: { 'example.com/gpu': '9' } }))
  const probes = apps.flatMap(app =>
    [undefined, 80].map(port =>
      podState(
        stateOf(),
        pod(`shop/probe-${app}`, {
          labels: { app },
          containers: [
            {
              name: 'main',
              resources: { requests: { cpu: '1' } },
              ports: port === undefined ? [] : [{ containerPort: 80, hostPort: port }],
            },
          ],
        }),
      ),
    ),
  )
  const picture = (placement: Placement) => [
    ...placement.nodes.map(name => ({ ...placement.freeOf(name) })),
    ...probes.map(probe => totals(placement.evaluate(probe))),
  ]

  test('removing what was bound leaves nothing behind', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.array(step, { maxLength: 8 }), (kept, undone) => {
        const placement = placementOf(...nodes)
        const all = build([...kept, ...undone])
        for (const one of all.slice(0, kept.length)) placement.bind(one.pod, one.node)
        const before = picture(placement)
        for (const one of all.slice(kept.length)) placement.bind(one.pod, one.node)
        for (const one of all.slice(kept.length).reverse()) placement.remove(one.pod.key)
        expect(picture(placement)).toEqual(before)
      }),
      { numRuns: 200 },
    )
  })

  test('a fork and its origin do not see each other', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 9 }), fc.nat(8), (steps, cut) => {
        const origin = placementOf(...nodes)
        const all = build(steps)
        const [first, second] = [all.slice(0, cut % all.length), all.slice(cut % all.length)]
        for (const one of first) origin.bind(one.pod, one.node)
        const before = picture(origin)
        const fork = origin.fork()
        for (const one of second) fork.bind(one.pod, one.node)
        expect(picture(origin)).toEqual(before)
        const after = picture(fork)
        for (const one of first) origin.remove(one.pod.key)
        expect(picture(fork)).toEqual(after)
        expect(picture(origin)).toEqual(picture(placementOf(...nodes)))
      }),
      { numRuns: 200 },
    )
  })
})

test('nodes that say something else of themselves are seen, and who stands on them stays', () => {
  const stateWith = (labels: Readonly<Record<string, string>>, cpu: string) => [
    node('a', { cpu: '4' }),
    node('b', { cpu, labels }),
    pod('default/standing', { node: 'b', cpu: '1' }),
    pod('default/next', { cpu: '2', nodeSelector: { disk: 'fast' } }),
  ]
  const before = stateOf(...stateWith({}, '4'))
  const placement = new Placement(before, defaultSettings('1.34'))
  const next = podOf(placement, before, 'default/next')
  expect(placement.evaluate(next).landing).toEqual([])
  for (const cpu of ['4', '2']) {
    const after = stateOf(...stateWith({ disk: 'fast' }, cpu))
    expect(placement.hasNodesOf(after)).toBe(true)
    placement.renew(after)
    expect(totals(placement.evaluate(next))).toEqual(totals(new Placement(after, defaultSettings('1.34')).evaluate(next)))
    expect(placement.nodeOf('default/standing')).toBe('b')
    expect(placement.evaluate(next).landing).toEqual(cpu === '4' ? ['b'] : [])
  }
  expect(placement.hasNodesOf(stateOf(node('a', { cpu: '4' }), node('c', { cpu: '4' })))).toBe(false)
})
