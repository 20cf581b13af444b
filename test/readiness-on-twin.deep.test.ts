// Nodes held until ready, in a real controller on the twin, with exactly the rights that the capability declares.
import { expect, test } from 'vitest'
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { makePatient } from './patient-webhooks.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const ownTaint = 'ballast.dev/agent-not-ready'
const rules = { group: 'readiness.node.x-k8s.io', version: 'v1alpha1', resource: 'nodereadinessrules' }
const mirror = { name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }

function cluster(config: object, options: Partial<ControlledOptions> = {}): Promise<ControlledCluster> {
  return controlledCluster({
    objects: [node('n1')],
    capabilities: [readiness],
    configurations: { readiness: readiness.config.parse({ admission: options.hold === true, ...config }) },
    ...options,
  })
}

function nodeOf(of: ControlledCluster, name: string): Node {
  const found = of.list<Node>('nodes').find(({ metadata }) => metadata.name === name)
  if (found === undefined) throw new Error(`there is no node ${name}`)
  return found
}

/** Keys of taints that are no kubelet's business. */
function taintsOf(of: ControlledCluster, name: string): readonly string[] {
  return (nodeOf(of, name).spec?.taints ?? []).map(({ key }) => key).filter(key => !key.startsWith('node.kubernetes.io/'))
}

async function join(of: ControlledCluster, name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
  const { uid: _, ...metadata } = node(name).metadata
  const fresh = { ...node(name), metadata: { ...metadata, labels: { ...metadata.labels, ...labels } } }
  await of.admin.resource<KubeObject>(builtIn.nodes).create(fresh, { signal })
}

async function say(of: ControlledCluster, name: string, type: string, status: string): Promise<void> {
  const at = new Date(of.clock.now()).toISOString()
  const body = { status: { conditions: [{ type, status, lastTransitionTime: at, lastHeartbeatTime: at }] } }
  await of.admin.resource<Node>(builtIn.nodes).patch(name, { type: 'strategic', body }, { signal, subresource: 'status' })
}

const timedOut = 'ballast.dev/ReadinessTimedOut'
const conditionOf = (of: ControlledCluster, name: string, type: string) =>
  nodeOf(of, name).status?.conditions?.find(one => one.type === type)

const quiet = (of: ControlledCluster) => expect([...of.forbidden, ...of.errors]).toEqual([])

function upstreamRule(name: string, over: object = {}): KubeObject {
  return {
    apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
    kind: 'NodeReadinessRule',
    metadata: { name },
    spec: {
      conditions: [
        { type: 'A', requiredStatus: 'True' },
        { type: 'B', requiredStatus: 'True' },
      ],
      enforcementMode: 'bootstrap-only',
      taint: { key: 'readiness.k8s.io/net', effect: 'NoSchedule', value: 'pending' },
      nodeSelector: { matchLabels: { role: 'worker' } },
      ...over,
    },
  }
}

test('a new node is held until its mirror serves; one that was there before the rule never', async () => {
  await using of = await cluster({ rules: [mirror] })
  of.startController()
  await of.pass(10_000)
  expect(taintsOf(of, 'n1')).toEqual([])
  await join(of, 'n2')
  await of.until(() => taintsOf(of, 'n2').includes(ownTaint), 60_000)
  expect(nodeOf(of, 'n2').spec?.taints?.find(({ key }) => key === ownTaint)).toMatchObject({
    value: 'mirror',
    effect: 'NoSchedule',
  })
  await say(of, 'n2', 'ballast.dev/MirrorReady', 'True')
  await of.until(() => taintsOf(of, 'n2').length === 0, 60_000)
  expect(nodeOf(of, 'n2').metadata.annotations?.['ballast.dev/readiness-released-at']).toBeDefined()
  await say(of, 'n2', 'ballast.dev/MirrorReady', 'False')
  await of.pass(120_000)
  expect(taintsOf(of, 'n2')).toEqual([])
  const events = await of.events()
  expect(events).toContain(
    "Normal TaintAdded Node n2: Taint 'ballast.dev/agent-not-ready:NoSchedule' added by rule 'mirror': condition ballast.dev/MirrorReady is missing, True is required",
  )
  expect(events.some(event => event.startsWith('Normal TaintRemoved Node n2'))).toBe(true)
  expect(of.permits().every(({ status }) => status?.ending === 'done')).toBe(true)
  quiet(of)
})

test('pods that wait for a held node are placed when it is let go', async () => {
  const waiting: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { nodeSelector: { pool: 'new' }, containers: [{ name: 'main', image: 'web' }] },
  }
  await using of = await cluster({ rules: [mirror] }, { hold: true })
  of.startController()
  await of.until(() => of.list('mutatingwebhookconfigurations.admissionregistration.k8s.io').length > 0, 60_000)
  await makePatient(of)
  await of.admin.resource<KubeObject>(builtIn.pods).create(waiting, { signal, namespace: 'default' })
  const joining = join(of, 'n2', { pool: 'new' })
  await of.pass(2_500)
  await joining
  // Set while it was created: nothing came before it.
  expect(taintsOf(of, 'n2')).toContain(ownTaint)
  await of.pass(60_000)
  const placed = () => of.list<Pod>('pods').find(({ metadata }) => metadata.name === 'web')?.spec.nodeName
  expect(placed()).toBeUndefined()
  await say(of, 'n2', 'ballast.dev/MirrorReady', 'True')
  await of.until(() => placed() === 'n2', 120_000)
  quiet(of)
})

test('over its time: held on with an event every 10 minutes, or let go with one', async () => {
  const soft = { ...mirror, name: 'soft', nodeSelector: { matchLabels: { soft: 'yes' } } }
  const hard = { ...mirror, nodeSelector: { matchLabels: { hard: 'yes' } }, onTimeout: 'hold' }
  await using of = await cluster({ rules: [hard, soft], timeout: '2m' })
  of.startController()
  await of.pass(5_000)
  await join(of, 'hard', { hard: 'yes' })
  await join(of, 'soft', { soft: 'yes' })
  await of.pass(60_000)
  expect([taintsOf(of, 'hard'), taintsOf(of, 'soft')]).toEqual([[ownTaint], [ownTaint]])
  await of.pass(120_000)
  expect([taintsOf(of, 'hard'), taintsOf(of, 'soft')]).toEqual([[ownTaint], []])
  const why = 'condition ballast.dev/MirrorReady is missing, True is required'
  await of.until(() => conditionOf(of, 'soft', timedOut) !== undefined, 60_000)
  expect(conditionOf(of, 'hard', timedOut)).toMatchObject({
    status: 'True',
    reason: 'HeldOverTime',
    message: `rule 'mirror': ${why}`,
  })
  expect(conditionOf(of, 'soft', timedOut)).toMatchObject({
    status: 'True',
    reason: 'ReleasedByTimeout',
    message: `rule 'soft': ${why}`,
  })
  await say(of, 'soft', 'ballast.dev/MirrorReady', 'True')
  await of.until(() => conditionOf(of, 'soft', timedOut)?.status === 'False', 60_000)
  const events = await of.events()
  expect(events.filter(event => event.startsWith('Warning ReadinessTimeout')).toSorted()).toEqual([
    "Warning ReadinessTimeout Node hard: rule 'mirror' holds the node though its time is over: condition ballast.dev/MirrorReady is missing, True is required",
    "Warning ReadinessTimeout Node soft: rule 'soft' lets the node go, its time is over: condition ballast.dev/MirrorReady is missing, True is required",
  ])
  quiet(of)
})

test('an agent that vanished: its condition is Unknown, a continuous rule holds the node, and time lets it go', async () => {
  await using of = await cluster({ rules: [{ ...mirror, mode: 'continuous', timeout: '5m' }] })
  of.startController()
  await say(of, 'n1', 'ballast.dev/MirrorReady', 'True')
  const is = () => conditionOf(of, 'n1', 'ballast.dev/MirrorReady')
  await of.pass(300_000)
  await say(of, 'n1', 'ballast.dev/MirrorReady', 'True')
  await of.pass(600_000)
  expect([is()?.status, taintsOf(of, 'n1')]).toEqual(['True', []])
  await of.until(() => is()?.status === 'Unknown', 120_000)
  expect(is()).toMatchObject({ reason: 'AgentVanished' })
  await of.until(() => taintsOf(of, 'n1').includes(ownTaint), 60_000)
  await of.pass(240_000)
  expect(taintsOf(of, 'n1')).toEqual([ownTaint])
  await of.until(() => taintsOf(of, 'n1').length === 0, 120_000)
  await of.until(() => conditionOf(of, 'n1', timedOut)?.reason === 'ReleasedByTimeout', 60_000)
  await say(of, 'n1', 'ballast.dev/MirrorReady', 'True')
  await of.until(() => conditionOf(of, 'n1', timedOut)?.status === 'False', 60_000)
  const events = await of.events()
  expect(events).toContain(
    'Warning AgentVanished Node n1: condition ballast.dev/MirrorReady is Unknown: the agent of the node has not written this condition for 630 s',
  )
  quiet(of)
})

test('a continuous rule holds a node again after 30 s, and lets it go', async () => {
  await using of = await cluster({ rules: [{ ...mirror, mode: 'continuous' }] })
  of.startController()
  await say(of, 'n1', 'ballast.dev/MirrorReady', 'True')
  await of.pass(10_000)
  await say(of, 'n1', 'ballast.dev/MirrorReady', 'False')
  await of.pass(20_000)
  expect(taintsOf(of, 'n1')).toEqual([])
  await of.pass(20_000)
  expect(taintsOf(of, 'n1')).toEqual([ownTaint])
  await say(of, 'n1', 'ballast.dev/MirrorReady', 'True')
  await of.until(() => taintsOf(of, 'n1').length === 0, 30_000)
  quiet(of)
})

test('case 26: NodeReadinessRule of mode bootstrap-only; deleted, its taints go, then it', async () => {
  await using of = await cluster({})
  await join(of, 'w1', { role: 'worker' })
  await say(of, 'w1', 'A', 'True')
  await of.admin.resource(rules).create(upstreamRule('net'), { signal })
  of.startController()
  await of.until(() => taintsOf(of, 'w1').includes('readiness.k8s.io/net'), 60_000)
  const rule = () => of.list('nodereadinessrules.readiness.node.x-k8s.io')[0]
  await of.until(() => JSON.stringify(rule()?.['status'] ?? {}).includes('"Present"'), 60_000)
  expect(rule()?.metadata.finalizers).toEqual(['readiness.node.x-k8s.io/cleanup-taints'])
  const patches = () => of.writes.filter(write => write === 'PATCH /api/v1/nodes/w1').length
  const before = patches()
  await say(of, 'w1', 'B', 'True')
  await of.until(() => taintsOf(of, 'w1').length === 0, 60_000)
  expect(patches() - before).toBe(1)
  const key = `readiness.k8s.io/bootstrap-completed-${rule()?.metadata.uid}`
  expect(nodeOf(of, 'w1').metadata.annotations?.[key]).toBe('{"rule-name":"net"}')
  await say(of, 'w1', 'B', 'False')
  await of.pass(120_000)
  expect(taintsOf(of, 'w1')).toEqual([])
  await join(of, 'w2', { role: 'worker' })
  await of.until(() => taintsOf(of, 'w2').includes('readiness.k8s.io/net'), 60_000)
  await of.admin.resource(rules).delete('net', { signal })
  await of.until(() => rule() === undefined, 60_000)
  expect(taintsOf(of, 'w2')).toEqual([])
  quiet(of)
})

test('the server refuses what upstream’s definition refuses, in its words', async () => {
  await using of = await cluster({})
  const create = (over: object) => of.admin.resource(rules).create(upstreamRule('bad', over), { signal })
  await expect(create({ taint: { key: 'example.com/a', effect: 'NoSchedule' } })).rejects.toThrow(
    "taint key must start with 'readiness.k8s.io/'",
  )
  await expect(create({ taint: { key: 'readiness.k8s.io/a', effect: 'Never' } })).rejects.toThrow(
    "taint effect must be one of 'NoSchedule', 'PreferNoSchedule', 'NoExecute'",
  )
  await expect(create({ conditions: [] })).rejects.toThrow()
  await of.admin.resource(rules).create(upstreamRule('net'), { signal })
  const change = { spec: { enforcementMode: 'continuous' } }
  await expect(of.admin.resource(rules).patch('net', { type: 'merge', body: change }, { signal })).rejects.toThrow(
    'enforcementMode is immutable',
  )
})
