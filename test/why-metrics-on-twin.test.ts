// `ballast why PodMetrics/NAME` on a twin: its kubelets are read through the API server, with the caller's rights.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startMs, testNodes, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { explainMetrics } from '../src/capabilities/metrics/commands/why-metrics.ts'

const { signal } = new AbortController()
const rbac = 'rbac.authorization.k8s.io'
/** May read everything but what kubelets say. */
const reader: readonly KubeObject[] = [
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'reads' },
    rules: [{ apiGroups: ['', 'metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list'] }],
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'reads' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'reads' },
    subjects: [{ kind: 'User', apiGroup: rbac, name: 'jane' }],
  },
]
const person = { manager: 'kubectl', user: 'ballast-admin' } as const

class Site implements AsyncDisposable {
  readonly twin: Twin
  readonly clock: VirtualClock

  private constructor(twin: Twin, clock: VirtualClock) {
    this.twin = twin
    this.clock = clock
  }

  static async start(): Promise<Site> {
    const clock = new VirtualClock(startMs)
    const objects = [...testNodes(2), testWorkload('Deployment', 'web', { replicas: 1 }), ...reader]
    const twin = await startTwin({ clock, seed: 1, objects })
    await twin.settle({ limitMs: 60_000 })
    twin.components?.usage.set({ cpu: { constant: '250m' }, memory: { constant: '40Mi' } }, { name: 'all' })
    await clock.advance(60_000)
    return new Site(twin, clock)
  }

  get pod(): KubeObject {
    return this.twin.access.list('pods', 'default')[0] ?? expect.fail('no pod')
  }

  /** The node of that pod. */
  get node(): string {
    return String(Reflect.get(Object(this.pod['spec']), 'nodeName'))
  }

  async ask(
    kind: string,
    name: string,
    change: { readonly user?: string; readonly isOnce?: boolean; readonly namespace?: string } = {},
  ) {
    const { user, isOnce = false, namespace } = change
    const api = openApi(this.twin.transport(user === undefined ? { admin: true } : { user, groups: [] }), {
      clock: this.clock,
      userAgent: 'test',
    })
    const said: string[] = []
    const asked = explainMetrics({
      kind,
      name,
      namespace,
      isOnce,
      api,
      config: undefined,
      clock: this.clock,
      signal,
      say: line => void said.push(line),
    })
    // It is awaited below, after the clock has moved.
    asked.catch(() => undefined)
    // The second reading is 15 s after the first.
    if (!isOnce) await this.clock.advance(20_000)
    const explanation = await asked
    const text = explanation.sections.flatMap(({ heading, lines }) => [heading, ...lines]).join('\n')
    return { ...explanation, text, said, rule: explanation.document['rule'] }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.twin[Symbol.asyncDispose]()
  }
}

test('a pod and a node that are served, with values, raw lines and what the API says', async () => {
  await using site = await Site.start()
  const { name } = site.pod.metadata
  const pod = await site.ask('PodMetrics', name)
  expect([pod.rule, pod.isFound]).toEqual(['served', true])
  for (const words of [
    `PodMetrics default/${name}`,
    'cpu 250m',
    'memory 40Mi',
    'window 15s',
    'It is served: of',
    'strict), it would be served',
    `pod="${name}"`,
  ])
    expect(pod.text).toContain(words)
  expect(pod.said).toEqual([expect.stringContaining('in 15 s')])
  const node = await site.ask('NodeMetrics', site.node)
  expect([node.rule, node.text]).toEqual(['served', expect.stringContaining('node_cpu_usage_seconds_total')])
})

describe('what cannot be told, and why', () => {
  let site: Site
  beforeAll(async () => {
    site = await Site.start()
  })
  afterAll(() => site[Symbol.asyncDispose]())

  const web = () => site.pod.metadata.name
  // Each leaves the site as the next can use it: what breaks it comes last.
  // biome-ignore format: a table
  test.each<[string, () => Promise<Awaited<ReturnType<Site['ask']>>>, string, string, boolean]>([
    ['one reading',           () => site.ask('PodMetrics', web(), { isOnce: true }),                    'one-point',    'leave --once away',    true],
    ['no such pod',           () => site.ask('PodMetrics', 'nobody'),                                   'no-such-pod',  'no namespace',         false],
    ['no pod of a namespace', () => site.ask('PodMetrics', 'nobody', { namespace: 'default' }),         'no-such-pod',  'not found',            false],
    ['no such node',          () => site.ask('NodeMetrics', 'n9'),                                      'no-such-node', 'no node n9',           false],
    ['no right',              () => site.ask('PodMetrics', web(), { user: 'jane' }),                    'may-not-read', 'nodes/proxy',          true],
    ['no right for a node',   () => site.ask('NodeMetrics', site.node, { user: 'jane' }),               'may-not-read', 'It is served: of',     true],
    ['a node that is down',   async () => {
      site.twin.components?.nodes.kill(site.node)
      await site.clock.advance(60_000)
      return await site.ask('PodMetrics', web())
    },                                                                                                  'node-silent',  'does not answer',      true],
    ['a pod that is over',    async () => {
      const { pod } = site
      site.twin.access.update('pods', { ...pod, status: { ...Object(pod['status']), phase: 'Failed' } }, person, { subresource: 'status' })
      return await site.ask('PodMetrics', pod.metadata.name, { isOnce: true })
    },                                                                                                  'not-running',  'Failed',               true],
  ])('%s', async (_name, act, rule, words, isFound) => {
    const found = await act()
    expect([found.rule, found.text, found.isFound]).toEqual([rule, expect.stringContaining(words), isFound])
  })
})

test('several pods of one name are not guessed among', async () => {
  await using site = await Site.start()
  const { metadata, spec } = site.pod as KubeObject & { readonly spec: object }
  site.twin.access.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }, person)
  site.twin.access.create(
    'pods',
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: metadata.name, namespace: 'other' }, spec },
    person,
  )
  await expect(site.ask('PodMetrics', metadata.name)).rejects.toThrow(
    /there are 2 of that name: default\/.*, other\/.*; say which with -n/,
  )
})
