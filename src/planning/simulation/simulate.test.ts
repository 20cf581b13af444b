import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { boundVolume, claimVolume, node, workload } from '../testdata/objects.ts'
import { referenceCluster } from '../testdata/reference-cluster.ts'
import type { StepReport } from './report.ts'
import { operationNames } from './scenario.ts'
import { simulatorAnnotations } from './simulator-annotations.ts'
import { play } from './testdata/playing.ts'

const three = [node('a'), node('b'), node('c')]
const cart = (on: readonly string[], more: Parameters<typeof workload>[1] | object = {}) =>
  workload('shop/cart', { on, cpu: 500, ...more })

/** `cart → b`, `?` for what waits, `- cart` for what is lost, `! cart` for what may not go. */
function told({ landings, pending, refusals, lost }: StepReport): readonly string[] {
  const short = (pod: string) =>
    (pod.split('/')[1] ?? pod).replace(/-abcde12345.*$/, '').replace(/(-[0-9a-z]{7})?-[bcdfghjklmnpqrstvwxz2456789]{5}$/, '')
  return [
    ...landings.map(({ pod, node }) => `${short(pod)} → ${node}`),
    ...pending.map(({ pod }) => `${short(pod)} ?`),
    ...refusals.map(({ pod, code }) => `! ${short(pod)} ${code}`),
    ...lost.map(pod => `- ${short(pod)}`),
  ]
}

const bare: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'alone', namespace: 'shop', uid: 'alone' },
  spec: { nodeName: 'a', containers: [{ name: 'main' }] },
}
const log = workload('kube/log', { kind: 'DaemonSet', cpu: 100, on: ['a', 'b', 'c'] })
const disk = [
  ...workload('shop/db', { kind: 'StatefulSet', on: ['a'], spec: claimVolume('data') }),
  ...boundVolume('shop', 'data', { volume: 'pv', pinnedTo: 'a' }),
]

const gpus = [
  { apiVersion: 'resource.k8s.io/v1', kind: 'DeviceClass', metadata: { name: 'gpu' }, spec: {} },
  {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceClaimTemplate',
    metadata: { name: 'gpu', namespace: 'shop' },
    spec: { spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu' } }] } } },
  },
  ...['a', 'b'].map(nodeName => ({
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceSlice',
    metadata: { name: nodeName },
    spec: {
      nodeName,
      driver: 'gpu.example.com',
      pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
      devices: [{ name: 'gpu-0' }],
    },
  })),
]
/** A Deployment without pods, each of which takes a device. */
const render = cart([], { spec: { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'gpu' }] } })

// biome-ignore format: a table
const rows: readonly (readonly [what: string, objects: readonly KubeObject[], step: string, said: readonly string[]])[] = [
  ['addNode: what waited has a place', [node('a', { cpu: 400 }), ...cart([]), ...waiting('cart')], '- addNode: {name: b}', ['cart → b']],
  ['addNode: daemons follow', [...three, ...log], '- addNode: {name: d, like: a, count: 2}', ['log → d-1', 'log → d-2']],
  ['addNode: a taint keeps daemons off', [...three, ...log], '- addNode: {name: d, taints: [{key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}]}', []],
  ['removeNode: replaced elsewhere, bare pods are lost, daemons go with it', [node('a'), node('b', { cpu: 600 }), ...cart(['a']), bare, ...workload('kube/log', { kind: 'DaemonSet', on: ['a', 'b'] })], '- removeNode: {node: a}', ['cart → b', '- alone']],
  ['cordon: nothing moves', [...three, ...cart(['a'])], '- cordon: {node: a}', []],
  ['uncordon: what waited lands', [node('a', { unschedulable: true }), ...cart([]), ...waiting('cart')], '- uncordon: {node: a}', ['cart → a']],
  ['taint NoSchedule: what runs stays', [...three, ...cart(['a'])], '- taint: {node: a, key: k, effect: NoSchedule}', []],
  ['taint NoExecute: what does not tolerate it goes', [node('a'), node('b'), ...cart(['a'], { budget: { maxUnavailable: 0 } }), bare], '- taint: {node: a, key: k, effect: NoExecute}', ['cart → b', '- alone']],
  ['untaint: daemons come', [node('a', { taints: [{ key: 'k', effect: 'NoSchedule' }] }), ...workload('kube/log', { kind: 'DaemonSet', on: [] })], '- untaint: {node: a, key: k}', ['log → a']],
  ['label: who waited for it', [node('a'), ...cart([]), ...waiting('cart', { nodeSelector: { disk: 'ssd' } })], '- label: {node: a, labels: {disk: ssd}}', ['cart → a']],
  ['label: a daemon that no longer matches goes', [node('a', { labels: { disk: 'ssd' } }), ...workload('kube/log', { kind: 'DaemonSet', on: ['a'], spec: { nodeSelector: { disk: 'ssd' } } })], '- label: {node: a, labels: {disk: null}}', []],
  ['setAllocatable: room for who waited', [node('a', { cpu: 400 }), ...cart([]), ...waiting('cart')], '- setAllocatable: {node: a, allocatable: {cpu: 1}}', ['cart → a']],
  ['scale up a Deployment', [node('a', { cpu: 1200 }), ...cart(['a'])], '- scale: {workload: shop/cart, replicas: 3}', ['cart → a', 'cart ?']],
  ['scale up a StatefulSet', [node('a'), ...workload('shop/db', { kind: 'StatefulSet', on: ['a'] })], '- scale: {workload: shop/StatefulSet/db, replicas: 3}', ['db-1 → a', 'db-2 → a']],
  ['scale down: what waits goes first', [node('a'), ...cart(['a', 'a']), ...waiting('cart', { nodeSelector: { no: 'where' } })], '- scale: {workload: shop/cart, replicas: 2}', []],
  ['scale from nothing', [node('a'), ...cart([])], '- scale: {workload: shop/cart, replicas: 1}', ['cart → a']],
  ['scale up: each pod takes a device', [...three, ...gpus, ...render], '- scale: {workload: shop/cart, replicas: 3}', ['cart → a', 'cart → b', 'cart ?']],
  ['scale down gives a device back', [node('a'), ...gpus, ...render], '- scale: {workload: shop/cart, replicas: 1}\n- scale: {workload: shop/cart, replicas: 0}\n- scale: {workload: shop/cart, replicas: 1}', ['cart → a']],
  ['setRequests: a rollout, one after the other', [node('a', { cpu: 2000 }), ...cart(['a', 'a'])], '- setRequests: {workload: shop/cart, requests: {cpu: 600m}}', ['cart → a', 'cart → a']],
  ['setRequests: a rollout that sticks', [node('a', { cpu: 1000 }), ...cart(['a', 'a'])], '- setRequests: {workload: shop/cart, requests: {cpu: 900m}}', ['cart ?']],
  ['setRequests: a StatefulSet, highest first', [node('a', { cpu: 2000 }), ...workload('shop/db', { kind: 'StatefulSet', on: ['a', 'a'] })], '- setRequests: {workload: shop/db, requests: {cpu: 1200m}}', ['db-1 → a', 'db-0 ?']],
  ['setRequests: a DaemonSet', [node('a'), node('b'), ...workload('kube/log', { kind: 'DaemonSet', on: ['a', 'b'] })], '- setRequests: {workload: kube/log, requests: {cpu: 200m}}', ['log → a', 'log → b']],
  ['apply: a new Deployment', [node('a')], '- apply: {objects: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main}]}}}}]}', ['web → a', 'web → a']],
  ['apply: what is there already', [node('a'), ...cart(['a'])], '- apply: {objects: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {replicas: 1}}]}', []],
  ['apply: another template', [node('a'), node('b'), ...cart(['a'])], '- apply: {objects: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {template: {spec: {nodeSelector: {kubernetes.io/hostname: b}}}}}]}', ['cart → b']],
  ['evict: a budget that allows one at a time allows all, one by one', [...three, ...cart(['a', 'a'], { budget: { maxUnavailable: 1 } })], '- cordon: {node: a}\n- evict: {node: a}', ['cart → b', 'cart → c']],
  ['evict: together it does not', [...three, ...cart(['a', 'a'], { budget: { maxUnavailable: 1 } })], '- cordon: {node: a}\n- evict: {node: a, pace: together}', ['cart → b', '! cart 429']],
  ['evict: a replacement that waits holds the next', [node('a', { unschedulable: true }), ...cart(['a', 'a'], { budget: { maxUnavailable: 1 } })], '- evict: {node: a}', ['cart ?', '! cart 429']],
  ['evict: a bare pod is lost', [...three, bare], '- evict: {pods: [shop/alone]}', ['- alone']],
  ['evict: at most so many', [...three, ...cart(['a', 'a', 'a'])], '- cordon: {node: [a, c]}\n- evict: {workload: shop/cart, most: 1}', ['cart → b']],
  ['drain: in rounds, until all are gone', [node('a'), node('b'), ...cart(['a', 'a', 'a'], { budget: { maxUnavailable: 1 } })], '- drain: {node: a}', ['cart → b', 'cart → b', 'cart → b']],
  ['drain: what a volume holds waits, the rest is refused', [node('a'), node('b'), ...disk], '- drain: {node: a}', ['db-0 ?']],
  ['drain: a bare pod holds all', [node('a'), node('b'), ...cart(['a']), bare], '- drain: {node: a}', ['! alone 0']],
  ['drain: to where a device is free', [...three, ...gpus, ...render], '- scale: {workload: shop/cart, replicas: 1}\n- drain: {node: a}', ['cart → b']],
  ['drain: forced', [node('a'), node('b'), ...cart(['a']), bare], '- drain: {node: a, force: true}', ['cart → b', '- alone']],
  ['drain: an emptyDir holds all', [node('a'), node('b'), ...cart(['a'], { spec: { volumes: [{ name: 'tmp', emptyDir: {} }] } })], '- drain: {node: a}', ['! cart 0']],
  ['delete: pods, whatever their budget says', [node('a'), ...cart(['a'], { budget: { maxUnavailable: 0 } })], '- delete: {workload: shop/cart}', ['cart → a']],
  ['delete: a workload with its pods', [node('a'), ...cart(['a'])], '- delete: {object: {kind: Deployment, namespace: shop, name: cart}}', []],
  ['delete: a budget', [...three, ...cart(['a'], { budget: { maxUnavailable: 0 } })], '- delete: {object: {kind: PodDisruptionBudget, namespace: shop, name: cart}}\n- cordon: {node: [a, c]}\n- evict: {node: a}', ['cart → b']],
  ['powerOff: drained and off', [node('a'), node('b'), ...cart(['a']), bare], '- powerOff: {node: a}', ['cart → b', '- alone']],
  ['powerOff: a budget keeps it on', [node('a'), node('b'), ...cart(['a'], { budget: { maxUnavailable: 0 } })], '- powerOff: {node: a}', ['! cart 429']],
  ['powerOff: forced', [node('a'), node('b'), ...cart(['a'], { budget: { maxUnavailable: 0 } })], '- powerOff: {node: a, force: true}', ['cart → b', '! cart 429']],
]

/** A pod of `shop/<name>` that has no node yet. */
function waiting(name: string, spec: object = {}): readonly KubeObject[] {
  const container = { name: 'main', resources: { requests: { cpu: '500m', memory: '128Mi' } } }
  const set = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: `${name}-abcde12345`,
    uid: `replicaset-shop-${name}`,
    controller: true,
  }
  const metadata = {
    name: `${name}-abcde12345-waits`,
    namespace: 'shop',
    uid: `waits-${name}`,
    labels: { 'app.kubernetes.io/name': name },
    ownerReferences: [set],
  }
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: { containers: [container], ...spec },
      status: { phase: 'Pending', conditions: [] },
    },
  ]
}

test.each(rows)('%s', async (_what, objects, step, said) => {
  const report = await play(objects, `steps:\n${step}`)
  expect(told(report.steps.at(-1) ?? report.steps[0] ?? ({} as never))).toEqual(said)
})

test('every operation without a policy has a row', () => {
  const text = rows.map(([, , step]) => step).join('\n')
  expect(operationNames.filter(name => !text.includes(`- ${name}: `))).toEqual(['applyPolicy', 'isolate', 'schedulerConfig'])
})

test('case 17: half of five: two go, the third is refused; with their replacements ready two may go again', async () => {
  const objects = [...three, ...cart(['a', 'a', 'a', 'a', 'a'], { budget: { minAvailable: '50%' }, cpu: 100 })]
  const { steps } = await play(
    objects,
    'steps:\n- evict: {node: a, most: 3, pace: together}\n- evict: {node: a, most: 3, pace: together}',
  )
  expect(steps.map(step => [step.landings.length, step.refusals.map(({ code, cause }) => `${code} ${cause}`)])).toEqual([
    [2, ['429 The disruption budget cart needs 3 healthy pods and has 3 currently']],
    [2, ['429 The disruption budget cart needs 3 healthy pods and has 3 currently']],
  ])
})

test('case 18: minAvailable 1 and one replica: refused each time, nothing is lost', async () => {
  const objects = [...three, ...cart(['a'], { budget: { minAvailable: 1 } })]
  const { steps } = await play(objects, 'steps:\n- evict: {node: a}\n- drain: {node: a}\nexpect:\n- {refusals: 2}')
  expect(steps.flatMap(step => step.refusals.map(({ code }) => code))).toEqual([429, 429])
  expect(steps[1]?.nodes[0]).toMatchObject({ node: 'a', state: 'cordoned', pods: 1 })
})

test('case 19: not ready below a budget: refused by default, gone with AlwaysAllow', async () => {
  const broken = { podStatus: { conditions: [{ type: 'Ready', status: 'False' }] } }
  const objects = [...three, ...cart(['a'], broken), ...budget('IfHealthyBudget')]
  const refused = await play(objects, 'steps:\n- evict: {node: a}')
  expect(refused.steps[0]?.refusals).toHaveLength(1)
  const allowed = await play([...three, ...cart(['a'], broken), ...budget('AlwaysAllow')], 'steps:\n- evict: {node: a}')
  expect(allowed.steps[0]).toMatchObject({ refusals: [], landings: [{ from: 'a' }] })
})

function budget(unhealthyPodEvictionPolicy: string): readonly KubeObject[] {
  const selector = { matchLabels: { 'app.kubernetes.io/name': 'cart' } }
  const metadata = { name: 'cart', namespace: 'shop', uid: 'budget' }
  return [
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec: { minAvailable: 2, unhealthyPodEvictionPolicy, selector },
    },
  ]
}

describe('the reference cluster', () => {
  const objects = referenceCluster()

  test('case 5: mimir-store-gateway, evicted, with its totals', async () => {
    const { steps } = await play(objects, 'steps:\n- evict: {workload: monitoring/mimir-store-gateway}', {
      explain: simulatorAnnotations,
    })
    const [landing] = steps[0]?.landings ?? []
    expect([landing?.node, landing?.landing]).toEqual(['talos03', ['talos03']])
    const annotation = (name: string) =>
      JSON.parse(landing?.annotations?.[`kube-scheduler-simulator.sigs.k8s.io/${name}`] ?? '{}')
    expect(annotation('finalscore-result').talos03).toMatchObject({
      NodeResourcesFit: '87',
      NodeResourcesBalancedAllocation: '93',
      PodTopologySpread: '200',
      TaintToleration: '300',
    })
    expect(annotation('score-result').talos03).toMatchObject({ NodeResourcesFit: '87', TaintToleration: '0' })
    expect(annotation('filter-result').talos03).toMatchObject({ NodeResourcesFit: 'passed', InterPodAffinity: 'passed' })
    expect(landing?.annotations?.['kube-scheduler-simulator.sigs.k8s.io/selected-node']).toBe('talos03')
  })

  test.each([
    ['1.34', 'talos02-gpu'],
    ['1.36', 'talos03'],
  ])('case 6: one loki, evicted, on %s lands on %s', async (server, wanted) => {
    const { steps } = await play(objects, 'steps:\n- evict: {pods: [monitoring/loki-0]}', {
      server,
      explain: simulatorAnnotations,
    })
    expect(steps[0]?.landings[0]?.landing).toEqual([wanted])
    const filters = JSON.parse(steps[0]?.landings[0]?.annotations?.['kube-scheduler-simulator.sigs.k8s.io/filter-result'] ?? '{}')
    expect(filters.talos00).toEqual({
      NodeUnschedulable: 'passed',
      NodeName: 'passed',
      TaintToleration: 'passed',
      NodeAffinity: 'passed',
      NodePorts: 'passed',
      NodeResourcesFit: 'Insufficient memory',
    })
  })

  test("what waits says why in the scheduler's words, reasons sorted", async () => {
    const { steps } = await play(objects, 'steps:\n- drain: {node: talos01}')
    expect(steps[0]?.pending).toEqual([
      {
        pod: 'registry/nexus-0',
        workload: 'StatefulSet/nexus',
        message: expect.stringMatching(/^0\/4 nodes are available: (\d [^,]+, )+\d [^,]+\.$/),
      },
    ])
    const reasons = (/: (.*)\.$/.exec(steps[0]?.pending[0]?.message ?? '')?.[1] ?? '').split(', ')
    expect(reasons).toEqual(reasons.toSorted())
    expect(reasons).toContain("2 node(s) didn't match PersistentVolume's node affinity")
  })
})

test("case 7: an empty node of kwok's size takes what comes; scores are those of the sample", async () => {
  const pod =
    '{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default}, spec: {containers: [{name: main, resources: {requests: {cpu: 100m, memory: 16Gi}}}]}}'
  const sample = [node('n', { cpu: 4000, memoryMi: 32 * 1024 }), node('m', { cpu: 4000, memoryMi: 32 * 1024 })]
  const { steps } = await play(sample, `steps:\n- apply: {objects: [${pod}]}`, { explain: simulatorAnnotations })
  const scores = JSON.parse(
    steps[0]?.landings[0]?.annotations?.['kube-scheduler-simulator.sigs.k8s.io/finalscore-result'] ?? '{}',
  )
  expect(scores.n).toMatchObject({ NodeResourcesFit: '73', NodeResourcesBalancedAllocation: '76', TaintToleration: '300' })
  const roomy = await play([], `steps:\n- addNode: {name: k}\n- apply: {objects: [${pod}]}\nexpect: [{pending: 0}]`)
  expect(roomy.steps[1]?.nodes[0]).toMatchObject({
    cpu: { allocatable: 1_000_000 },
    memory: { allocatable: 2 ** 40 },
    podsAllocatable: 1_000_000,
    pods: 1,
  })
  expect(roomy.holds).toBe(true)
})

test('watts go by the CPU that is requested; a node that is off takes its standby', async () => {
  const objects = [node('a', { cpu: 1000 }), node('b', { cpu: 1000 }), ...cart(['a'])]
  const text =
    'watts:\n- {node: a, idle: 10, max: 30, standby: 2}\n- {node: b, idle: 20, max: 40}\nsteps:\n- powerOff: {node: a}\nexpect:\n- {watts: {below: 32.1, above: 31.9}}'
  const { start, steps, holds } = await play(objects, text)
  expect([start.watts, steps[0]?.watts, steps[0]?.nodes.map(({ watts, state }) => [watts, state]), holds]).toEqual([
    40,
    32,
    [
      [2, 'off'],
      [30, 'ready'],
    ],
    true,
  ])
})

test('general kubelets take their time, fast ones none', async () => {
  const text = (kubelet: string) => `kubelet: ${kubelet}\nsteps:\n- evict: {node: a}`
  const fast = await play([...three, ...cart(['a'])], text('fast'))
  const general = await play([...three, ...cart(['a'])], text('general'))
  expect(fast.steps[0]?.seconds).toBe(0)
  expect(general.steps[0]?.seconds).toBeGreaterThanOrEqual(2)
  expect(general.steps[0]?.seconds).toBeLessThanOrEqual(12)
})

// biome-ignore format: a table
test.each([
  ['{pending: 0}', true], ['{pending: 1}', false], ['{refusals: 0}', true], ['{lost: 0}', true], ['{moves: 0}', false],
  ['{node: b, resource: cpu, above: 12}', true], ['{node: b, resource: cpu, above: 12.5}', false], ['{node: b, resource: cpu, below: 12.5}', false],
  ['{node: [a, c], resource: pods, below: 1}', true], ['{node: z, resource: cpu, below: 1}', false], ['{node: a, resource: gpu, below: 1}', false],
  ['{workload: shop/cart, nodes: [b]}', true], ['{workload: shop/cart, nodes: [a, c]}', false], ['{workload: shop/none, nodes: [a]}', false],
  ['{watts: {below: 5}}', false],
])('expected %s: %s', async (expected, holds) => {
  const report = await play([...three, ...cart(['a'])], `steps:\n- cordon: {node: [a, c]}\n- evict: {node: a}\n  expect: [${expected}]\nexpect: [${expected}]`)
  expect([report.holds, ...report.expectations.map(each => each.holds), ...(report.steps[1]?.expectations ?? []).map(each => each.holds)]).toEqual([holds, holds, holds])
})

describe('for any steps', () => {
  const nodes = ['a', 'b', 'c', 'd']
  const step = fc.oneof(
    fc.constantFrom(...nodes).map(name => `- drain: {node: ${name}}`),
    fc.constantFrom(...nodes).map(name => `- uncordon: {node: ${name}}`),
    fc.constantFrom(...nodes).map(name => `- taint: {node: ${name}, key: k, effect: NoExecute}`),
    fc.constantFrom(...nodes).map(name => `- untaint: {node: ${name}, key: k}`),
    fc.constantFrom(...nodes).map(name => `- evict: {node: ${name}, pace: together}`),
    fc
      .tuple(fc.constantFrom('cart', 'web', 'db'), fc.nat(9))
      .map(([name, replicas]) => `- scale: {workload: shop/${name}, replicas: ${replicas}}`),
    fc
      .tuple(fc.constantFrom('cart', 'web', 'db', 'log'), fc.integer({ min: 50, max: 900 }))
      .map(([name, cpu]) => `- setRequests: {workload: shop/${name}, requests: {cpu: ${cpu}m}}`),
    fc.integer({ min: 500, max: 4000 }).map(cpu => `- setAllocatable: {node: a, allocatable: {cpu: ${cpu}m}}`),
  )
  const cluster = [
    ...nodes.map(name => node(name, { cpu: 3000 })),
    ...cart(['a', 'b'], { budget: { maxUnavailable: 1 } }),
    ...workload('shop/web', { on: ['a', 'a', 'c'], cpu: 300 }),
    ...workload('shop/db', { kind: 'StatefulSet', on: ['d', 'b'], cpu: 700, budget: { minAvailable: 1 } }),
    ...workload('shop/log', { kind: 'DaemonSet', on: nodes, cpu: 50 }),
  ]

  test('equal input and seed give equal bytes; nothing lands where there is no room; no workload has more pods than it wants', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), fc.nat(1000), async (steps, seed) => {
        const text = `seed: ${seed}\nsteps:\n${steps.join('\n')}`
        const report = await play(cluster, text)
        expect(JSON.stringify(await play(cluster, text))).toBe(JSON.stringify(report))
        const shrinks = steps.some(each => each.startsWith('- setAllocatable'))
        for (const { nodes: after, pending, landings } of report.steps) {
          for (const one of after)
            if (!shrinks || one.node !== 'a') expect(one.cpu.requested).toBeLessThanOrEqual(one.cpu.allocatable)
          for (const { node: on, landing } of landings) expect(landing).toContain(on)
          for (const { message } of pending) expect(message).toMatch(/^0\/4 nodes are available: /)
        }
        const wanted = new Map([
          ['cart', 2],
          ['web', 3],
          ['db', 2],
        ])
        for (const each of steps) {
          const [, name = '', replicas = ''] = /scale: \{workload: shop\/(\w+), replicas: (\d+)/.exec(each) ?? []
          if (name !== '') wanted.set(name, Number(replicas))
        }
        const last = report.steps.at(-1)
        const standing = (last?.nodes ?? []).reduce((sum, one) => sum + one.pods, 0)
        const waits = last?.pending.length ?? 0
        const most = [...wanted.values()].reduce((sum, count) => sum + count, 0)
        // Rollouts that are stuck keep one pod of the old template beside one of the new; daemons are one a node.
        expect(standing + waits).toBeLessThanOrEqual(most + nodes.length + steps.length * 4)
        expect(standing + waits).toBeGreaterThanOrEqual(Math.min(most, 0))
      }),
      { numRuns: 60 },
    )
  })

  test('another seed draws otherwise, and only among what is equally good', async () => {
    const equal = [...three, node('d'), ...cart(['d'])]
    const reports = await Promise.all(
      Array.from({ length: 20 }, async (_, seed) => await play(equal, `steps:\n- drain: {node: d}`, { seed })),
    )
    const landings = reports.flatMap(report => report.steps[0]?.landings ?? [])
    expect(new Set(landings.map(({ node: on }) => on)).size).toBeGreaterThan(1)
    for (const { landing } of landings) expect(landing).toEqual(['a', 'b', 'c'])
  })
})
