// The policy that is installed with the agents, on the twin: the token of an agent's pod writes the node that the pod is on, and no other.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { startTwin } from '#twin/twin.ts'
import { readinessConfiguration } from '../src/capabilities/readiness/config.ts'
import { startReporter } from '../src/capabilities/readiness/reporter/reporter.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'

const namespace = 'ballast-agent'
const { signal } = new AbortController()
const installed = objects(installationValues({ enable: ['readiness'] }, capabilities), {
  capabilities,
  release: plainRelease('ballast', 'ballast-system'),
}).filter(
  ({ kind, metadata }) =>
    [
      'ServiceAccount',
      'ClusterRole',
      'ClusterRoleBinding',
      'Role',
      'RoleBinding',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ].includes(kind) && metadata.name.includes('agent'),
)
const ours = { key: 'ballast.dev/agent-not-ready', effect: 'NoSchedule', value: 'mirror' }
const other = { key: 'example.com/other', effect: 'NoExecute' }
const node = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: `uid-${name}`, labels: { pool: 'a' }, annotations: { 'example.com/note': 'x' } },
  spec: { podCIDR: '10.0.0.0/24', taints: [ours, other] },
  status: {},
})
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'agent-1', namespace, uid: 'uid-agent-1' },
  spec: { nodeName: 'n1', serviceAccountName: 'ballast-agent', containers: [{ name: 'main', image: 'agent' }] },
}

async function site() {
  const around = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, node('n1'), node('n2'), pod]
  const twin = await startTwin({
    clock: new VirtualClock(systemClock.now()),
    objects: [...around, ...installed],
    components: false,
  })
  const write = async (token: string, name: string) => {
    const api = openApi(twin.transport({ token }), { clock: systemClock, userAgent: 'test' })
    const body = { status: { conditions: [{ type: 'ballast.dev/MirrorReady', status: 'True' }] } }
    return api
      .resource<Node>(builtIn.nodes)
      .patch(name, { type: 'strategic', body }, { signal, subresource: 'status' })
      .then(
        () => 'written',
        (error: Error) => error.message,
      )
  }
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' }).resource<Node>(builtIn.nodes)
  const patchNode = (token: string, name: string, body: object, subresource?: string) =>
    openApi(twin.transport({ token }), { clock: systemClock, userAgent: 'test' })
      .resource<Node>(builtIn.nodes)
      .patch(name, { type: 'merge', body }, { signal, ...(subresource === undefined ? {} : { subresource }) })
      .then(
        () => 'written',
        (error: Error) => error.message,
      )
  const tokenFor = (bound?: { readonly kind: 'Pod'; readonly name: string; readonly uid: string }) =>
    twin.issueToken({ namespace, serviceAccount: 'ballast-agent', ...(bound === undefined ? {} : { bound }) })
  return { write, patchNode, admin, tokenFor, [Symbol.asyncDispose]: () => twin.stop() }
}

test('an agent writes the node that its pod is on and no other; a token that names no node writes none', async () => {
  await using of = await site()
  const token = await of.tokenFor({ kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' })
  const refused = expect.stringContaining('denied request: an agent writes the node that it runs on')
  expect(await of.write(token, 'n1')).toBe('written')
  expect(await of.write(token, 'n2')).toEqual(refused)
  expect(await of.write(await of.tokenFor(), 'n1')).toEqual(refused)
})

const released = {
  metadata: { annotations: { 'ballast.dev/readiness-released-at': '2026-03-02T04:00:00Z' } },
  spec: { taints: [other] },
}

test('an agent takes our taint off its own node, with what says so, in one write', async () => {
  await using of = await site()
  const token = await of.tokenFor({ kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' })
  expect(await of.patchNode(token, 'n2', released)).toContain('an agent writes the node that it runs on')
  expect(await of.patchNode(token, 'n1', released)).toBe('written')
  const { metadata, spec } = await of.admin.get('n1', { signal })
  expect(spec?.taints).toEqual([other])
  expect(metadata.annotations).toMatchObject({ 'example.com/note': 'x', ...released.metadata.annotations })
})

test.each([
  ['a taint of another goes', { spec: { taints: [ours] } }, 'sets no taint'],
  ['all taints go', { spec: { taints: null } }, 'sets no taint'],
  ['a taint comes', { spec: { taints: [other, { key: 'a', effect: 'NoSchedule' }] } }, 'sets no taint'],
  ['our taint gets another value', { spec: { taints: [{ ...ours, value: 'b' }, other] } }, 'sets no taint'],
  ['the node is cordoned', { spec: { unschedulable: true } }, 'changes nothing of the spec'],
  ['the spec loses a field', { spec: { podCIDR: null } }, 'changes nothing of the spec'],
  ['a label comes', { metadata: { labels: { role: 'control-plane' } } }, 'changes no labels'],
  ['a label goes', { metadata: { labels: { pool: null } } }, 'changes no labels'],
  ['another annotation comes', { metadata: { annotations: { 'example.com/a': 'b' } } }, 'changes no labels'],
  ['another annotation goes', { metadata: { annotations: { 'example.com/note': null } } }, 'changes no labels'],
  ['a finalizer comes', { metadata: { finalizers: ['example.com/a'] } }, 'changes no labels'],
])('an agent may not: %s', async (_, body, words) => {
  await using of = await site()
  const token = await of.tokenFor({ kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' })
  expect(await of.patchNode(token, 'n1', body)).toContain(words)
})

test('a label cannot come by way of the status either', async () => {
  await using of = await site()
  const token = await of.tokenFor({ kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' })
  expect(await of.patchNode(token, 'n1', { metadata: { labels: { role: 'a' } } }, 'status')).toContain('changes no labels')
})

test('without the policy there is no right that it would narrow', () => {
  const without = objects(
    installationValues({ enable: ['readiness'], preset: { agent: { ownNodeOnly: false } } }, capabilities),
    {
      capabilities,
      release: plainRelease('ballast', 'ballast-system'),
    },
  )
  const names = without.filter(({ metadata }) => metadata.name === 'ballast-agent-own-node').map(({ kind }) => kind)
  expect(names).toEqual([])
  const rules = without.flatMap(object =>
    object.metadata.name === 'ballast-agent' && object.kind === 'ClusterRole' ? [object['rules']] : [],
  )
  expect(rules).toEqual([
    [
      { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
      { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
    ],
  ])
})

test('without a controller the agent lets its node go when time and margin are over, and says so', async () => {
  const clock = new VirtualClock(systemClock.now())
  const around = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, node('n1'), node('n2'), pod]
  await using stack = new AsyncDisposableStack()
  const twin = await startTwin({ clock, objects: [...around, ...installed], components: false })
  stack.defer(() => twin.stop())
  const token = await twin.issueToken({
    namespace,
    serviceAccount: 'ballast-agent',
    bound: { kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' },
  })
  const api = openApi(twin.transport({ token }), { clock, userAgent: 'test' })
  const section = readinessConfiguration.parse({
    timeout: '2m',
    rules: [{ name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }],
    agent: { mirror: '', releaseMargin: '1m' },
  })
  const metrics = new Registry()
  const identity = { name: 'a', namespace, instance: 'a_1' }
  const ports = { take: () => undefined, offer: () => undefined }
  const context = { clock, random: seededRandom(1), log: silentLog, node: 'n1', api, identity, ports, metrics }
  stack.use(await startReporter(context, section, signal))
  const now = () => (twin.access.list('nodes') as readonly Node[]).find(({ metadata }) => metadata.name === 'n1')
  const isHeld = () => now()?.spec?.taints?.some(({ key }) => key === ours.key) === true
  const createdMs = Date.parse(now()?.metadata.creationTimestamp ?? '')
  await clock.runUntil(() => !isHeld(), { limitMs: 600_000 })
  expect(clock.now() - createdMs).toBeGreaterThanOrEqual(180_000)
  expect(clock.now() - createdMs).toBeLessThan(200_000)
  expect(now()?.spec?.taints).toEqual([other])
  expect(now()?.metadata.annotations).toMatchObject({ 'ballast.dev/readiness-timed-out': 'mirror' })
  const told = () => now()?.status?.conditions?.find(({ type }) => type === 'ballast.dev/ReadinessTimedOut')
  await clock.runUntil(() => told() !== undefined, { limitMs: 60_000 })
  expect(told()).toMatchObject({ status: 'True', reason: 'ReleasedByAgent' })
  const events = () =>
    (twin.access.list('events') as readonly (KubeObject & { readonly reason: string })[]).map(({ reason }) => reason)
  await clock.runUntil(() => events().includes('ReadinessTimeout'), { limitMs: 60_000 })
  expect(await metrics.metrics()).toContain('ballast_readiness_timeouts_total{rule="mirror",outcome="released-by-agent"} 1')
})
