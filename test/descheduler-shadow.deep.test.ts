// The drop-in beside a descheduler that runs: what each evicts from the homelab of the utilities example, seen by its Events, by its log,
// and in a dump.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { formatMicroTime } from '#kube/time/time.ts'
import { startTwin } from '#twin/twin.ts'
import { ShadowObserver } from '../src/capabilities/deschedule/shadow/observer.ts'
import { readShadowedPolicy } from '../src/capabilities/deschedule/shadow/read-shadowed-policy.ts'
import { shadowSummary } from '../src/capabilities/deschedule/shadow/summary.ts'
import { readSource } from '../src/cli/source/source.ts'
import { runBallast } from './cli/run-ballast.ts'
import { startBallast } from './cli/running-ballast.ts'

const example = 'examples/utilities-homelab'
const startMs = Date.UTC(2026, 10, 1)
const intervalMs = 300_000

/** As the example's Deployment has it. */
const policy = JSON.stringify({
  apiVersion: 'descheduler/v1alpha2',
  kind: 'DeschedulerPolicy',
  profiles: [
    {
      name: 'default',
      pluginConfig: [
        { name: 'DefaultEvictor', args: {} },
        {
          name: 'LowNodeUtilization',
          args: {
            thresholds: { cpu: 20, memory: 20, pods: 20 },
            targetThresholds: { cpu: 50, memory: 50, pods: 50 },
            evictableNamespaces: { exclude: ['ai-ml', 'kuberay', 'gitea'] },
          },
        },
      ],
      plugins: { balance: { enabled: ['LowNodeUtilization'] } },
    },
  ],
})

let folder = ''
let policyFile = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-shadow-'))
  policyFile = join(folder, 'policy.json')
  writeFileSync(policyFile, policy)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const objectsOf = () => readSource(example).objects.map(({ object }) => object)

/** The example's twin with an observer in the test's process, on a clock that moves only when the test says so. */
async function watchedHomelab() {
  const stack = new AsyncDisposableStack()
  const clock = new VirtualClock(startMs)
  const twin = stack.use(await startTwin({ clock, seed: 1, objects: objectsOf() }))
  await twin.settle({ limitMs: 600_000 })
  const stop = new AbortController()
  stack.defer(() => stop.abort())
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const { signal } = stop
  const informers = stack.use(new Informers(api, { clock, random: seededRandom(1), signal }))
  const shadowed = readShadowedPolicy(policy, 'policy.json', [])
  const figures = async () => ({})
  const observer = stack.use(new ShadowObserver({ informers, clock, policy: shadowed.policy, intervalMs, byLog: false, figures }))
  /** Moves the clock until `work` is done. */
  const finished = async <T>(work: Promise<T>): Promise<T> => {
    let isOver = false
    const over = () => {
      isOver = true
    }
    work.then(over, over)
    await clock.runUntil(() => isOver, { limitMs: 2 * intervalMs })
    return await work
  }
  await finished(observer.open(signal))
  const nextCycle = async () => {
    const cycle = await finished(observer.next(signal))
    if (cycle === undefined) throw new Error('the shadow ended')
    return cycle
  }
  const pods = () => [...observer.state.pods.values()]
  return { api, clock, signal, nextCycle, finished, pods, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

type Homelab = Awaited<ReturnType<typeof watchedHomelab>>

const evict = (api: Api, namespace: string, name: string, signal: AbortSignal) =>
  api
    .resource<Pod>(builtIn.pods)
    .sub(
      name,
      'eviction',
      'POST',
      { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } },
      { namespace, signal },
    )

/** What upstream does to a pod: it evicts it, then tells. */
async function evictAsUpstream({ api, clock, signal, finished, pods }: Homelab, key: string): Promise<void> {
  const pod = pods().find(one => one.key === key)
  if (pod === undefined) throw new Error(`${key} is not there`)
  const { namespace, name, uid, nodeName } = pod
  await finished(evict(api, namespace, name, signal))
  const event: KubeObject = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace, name: `${name}.${uid.slice(0, 8)}` },
    eventTime: formatMicroTime(clock.now()),
    reportingController: 'sigs.k8s.io.descheduler',
    reportingInstance: 'sigs.k8s.io.descheduler-x',
    action: 'Descheduled',
    type: 'Normal',
    reason: 'LowNodeUtilization',
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
    note: `pod eviction from ${nodeName} node by sigs.k8s.io/descheduler`,
  }
  await finished(api.resource(builtIn.events).create(event, { namespace, signal }))
}

describe('by its Events', () => {
  test('six pods of the full node by both; what came in their place is no difference, and the next cycle does nothing', async () => {
    await using homelab = await watchedHomelab()
    const web = homelab.pods().filter(({ namespace, name }) => namespace === 'apps' && name.startsWith('web-'))
    // Not the first six by name, which are ours: among pods that are alike upstream takes any.
    for (const { key } of web.slice(3, 9)) await evictAsUpstream(homelab, key)
    const first = await homelab.nextCycle()
    expect(shadowSummary([first]).pods).toEqual({ agreed: 3, alike: 6, 'ours-only': 0, 'theirs-only': 0, drift: 0 })
    expect(first.rows.every(({ node, pod }) => node === 'util-w1' && pod.startsWith('apps/web-'))).toBe(true)
    expect((await homelab.nextCycle()).rows).toEqual([])
  })

  test('a namespace that the policy excludes is a difference, with our reason; so is what upstream leaves', async () => {
    await using homelab = await watchedHomelab()
    const of = (namespace: string) => homelab.pods().find(pod => pod.namespace === namespace && pod.nodeName === 'util-gpu1')
    const foreign = of('ai-ml') ?? of('kuberay')
    const web = homelab.pods().filter(({ namespace, name }) => namespace === 'apps' && name.startsWith('web-'))
    for (const { key } of web.slice(0, 5)) await evictAsUpstream(homelab, key)
    await evictAsUpstream(homelab, foreign?.key ?? '')
    const { rows } = await homelab.nextCycle()
    const different = rows.filter(({ verdict }) => verdict !== 'agreed')
    expect(different).toEqual([
      expect.objectContaining({ pod: foreign?.key, verdict: 'theirs-only', why: expect.stringMatching(/\S/) }),
      expect.objectContaining({ pod: web[5]?.key, verdict: 'ours-only' }),
    ])
  })

  test('what others evict is nobody’s decision; a cluster that changes within the window explains what ours would have done', async () => {
    await using homelab = await watchedHomelab()
    const { api, signal, finished, nextCycle } = homelab
    const web = homelab.pods().filter(({ namespace, name }) => namespace === 'apps' && name.startsWith('web-'))
    await finished(evict(api, 'apps', web[0]?.name ?? '', signal))
    // The only node with room goes: from then on nothing is underused.
    await finished(
      api.resource(builtIn.nodes).patch('util-w2', { type: 'merge', body: { spec: { unschedulable: true } } }, { signal }),
    )
    const { rows } = await nextCycle()
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.every(({ verdict }) => verdict === 'drift')).toBe(true)
  })
})

const end = 'I1121 09:20:11.515990   24348 descheduler.go:252] "Number of evictions/requests" totalEvicted=6 evictionRequests=0'
const dry = (pod: string, node: string) =>
  `I1121 09:20:11.515900   24348 evictions.go:587] "Evicted pod in dry run mode" pod="${pod}" reason="" strategy="LowNodeUtilization" node="${node}" profile="default"`

/** Pods of `apps/web`, by name, as the twin made them. */
async function webPods(api: Api, signal: AbortSignal): Promise<readonly string[]> {
  const { items } = await api.resource<Pod>(builtIn.pods).list({ namespace: 'apps', signal })
  return items.flatMap(({ metadata }) => (metadata.name.startsWith('web-') ? [`apps/${metadata.name}`] : [])).sort()
}

describe('the command', () => {
  test('by the log of a dry run, cycle by cycle until it is stopped, as a table and with 3 where they differ', async () => {
    const clock = new VirtualClock(startMs)
    await using twin = await startTwin({ clock, seed: 1, objects: objectsOf(), listen: { port: 0 } })
    await twin.settle({ limitMs: 600_000 })
    const { signal } = new AbortController()
    const pods = await webPods(openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' }), signal)
    const kubeconfig = join(folder, 'kubeconfig')
    writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
    const args = ['--kubeconfig', kubeconfig, '--policy-config-file', policyFile, '--upstream-log', '-', '--cycles', '0']
    await using shadow = startBallast(['shadow', ...args])
    await shadow.said(/looking at 4 nodes/)
    for (const pod of pods.slice(0, 6)) shadow.type(`${dry(pod, 'util-w1')}\n`)
    shadow.type(`${end}\n`)
    await shadow.said(/cycle 1, .*: 6 by both, 0 by ours only, 0 by upstream only$/m)
    for (const pod of pods.slice(0, 5)) shadow.type(`${dry(pod, 'util-w1')}\n`)
    shadow.type(`${end}\n`)
    await shadow.said(/cycle 2, .*: 5 by both, 1 by ours only/)
    expect(await shadow.stop()).toBe(3)
    expect(shadow.output).toMatch(/^2 cycles: 11 by both, 1 by ours only, 0 by upstream only$/m)
    expect(shadow.output).toMatch(new RegExp(`^${pods[5]} +util-w1 +default/LowNodeUtilization +- +ours only`, 'm'))
  })

  test('a dump and a log, as JSON', async () => {
    const clock = new VirtualClock(startMs)
    await using twin = await startTwin({ clock, seed: 1, objects: objectsOf() })
    await twin.settle({ limitMs: 600_000 })
    const { signal } = new AbortController()
    const pods = await webPods(openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' }), signal)
    const dump = join(folder, 'dump.json')
    const log = join(folder, 'upstream.log')
    writeFileSync(dump, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: twin.dump() }))
    writeFileSync(log, [...pods.slice(0, 6).map(pod => dry(pod, 'util-w1')), end, ''].join('\n'))
    const { code, output } = await runBallast([
      'shadow',
      '--cluster',
      dump,
      '--policy-config-file',
      policyFile,
      '--upstream-log',
      log,
      '-o',
      'json',
    ])
    const document = JSON.parse(output)
    expect({ code, summary: document.summary.pods }).toEqual({
      code: 0,
      summary: { agreed: 6, alike: 0, 'ours-only': 0, 'theirs-only': 0, drift: 0 },
    })
    expect(document.cycles).toHaveLength(1)
  })

  test.each<[string, readonly string[], RegExp]>([
    ['no policy', ['--cluster', example, '--upstream-log', '-'], /policy-config-file/],
    [
      'a policy that is not there',
      ['--cluster', example, '--upstream-log', '-', '--policy-config-file', 'nowhere.yaml'],
      /nowhere\.yaml/,
    ],
    ['a dump without a log', ['--cluster', example, '--policy-config-file', 'POLICY'], /--cluster needs --upstream-log/],
    [
      'both from standard input',
      ['--cluster', '-', '--upstream-log', '-', '--policy-config-file', 'POLICY'],
      /both be standard input/,
    ],
    [
      'a policy that is none',
      ['--cluster', example, '--upstream-log', '-', '--policy-config-file', 'package.json'],
      /expected apiVersion: descheduler\/v1alpha2/,
    ],
    [
      'an interval of nothing',
      ['--kubeconfig', 'none', '--descheduling-interval', '0s', '--policy-config-file', 'POLICY'],
      /descheduling-interval/,
    ],
  ])('%s is refused with 2', async (_, args, words) => {
    const { code, words: said } = await runBallast(['shadow', ...args.map(word => (word === 'POLICY' ? policyFile : word))])
    expect({ code, said }).toEqual({ code: 2, said: expect.stringMatching(words) })
  })

  test('a log that cannot be read ends it with 1, one without a cycle too', async () => {
    const common = ['shadow', '--cluster', example, '--policy-config-file', policyFile, '--upstream-log']
    expect(await runBallast([...common, join(folder, 'nowhere.log')])).toMatchObject({
      code: 1,
      words: expect.stringMatching(/nowhere\.log/),
    })
    expect(await runBallast([...common, '-'], 'nothing of it\n')).toMatchObject({
      code: 1,
      words: expect.stringMatching(/no cycle/),
    })
  })
})
