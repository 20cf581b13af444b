// `ballast migrate apply spegel`, forth and back, on a twin with three nodes: node by node, killed at every write, and never both mirrors on
// one node.
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { StepResult } from '../src/migration/run.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { carriedSwap, endOf, passed, type SwapWish, upstreamNamed } from './carried-swap.ts'
import { shareOf } from './crash-harness.ts'
import { spegelBootstrapService, spegelDaemonSet, spegelService } from './spegel-cluster.ts'
import { type Kill, mortal } from './swap-site.ts'

const signal = new AbortController().signal
const markKey = 'ballast.dev/mirror-swap'

const node = (name: string, address: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/os': 'linux' } },
  status: {
    addresses: [{ type: 'InternalIP', address }],
    allocatable: { cpu: '8', memory: '32Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True' }],
  },
})
const namespace = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const release: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'sh.helm.release.v1.spegel.v1',
    namespace: 'spegel',
    labels: { owner: 'helm', name: 'spegel', status: 'deployed' },
  },
  type: 'helm.sh/release.v1',
}
const nodes = [node('n1', '10.0.0.1'), node('n2', '10.0.0.2'), node('n3', '10.0.0.3')]
const everything = [...nodes, namespace('spegel'), spegelDaemonSet(), spegelService(), spegelBootstrapService(), release]

interface Applied {
  readonly results: readonly StepResult[]
  readonly isDone: boolean
  readonly error: Error | undefined
  readonly writes: readonly string[]
  readonly told: readonly string[]
}

interface ApplyWish extends SwapWish {
  readonly kill?: Kill
}

class MirrorSite implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  /** Moments at which both were on a node. */
  readonly both: string[] = []
  /** Nodes that had neither, beside the one whose turn it was. */
  readonly bare: string[] = []
  /** Called with each write before it is sent. */
  meanwhile: (write: string) => Promise<void> = async () => undefined
  #isOver = false

  private constructor(clock: VirtualClock, twin: Twin) {
    this.clock = clock
    this.twin = twin
  }

  static async start(objects: readonly KubeObject[] = everything): Promise<MirrorSite> {
    const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
    const site = new MirrorSite(clock, await startTwin({ clock, seed: 1, objects }))
    await site.pass(60_000)
    void site.#watch()
    return site
  }

  async apply(wish: ApplyWish = {}): Promise<Applied> {
    const writes: string[] = []
    const results: StepResult[] = []
    const told: string[] = []
    const { kill } = wish
    const death = new AbortController()
    const transport = mortal(this.twin.transport({ admin: true }), writes, {
      kill,
      death,
      meanwhile: async write => {
        this.#look()
        await this.meanwhile(write)
      },
    })
    const api = openApi(transport, { clock: this.clock, userAgent: 'ballast-test' })
    const reach = { api, clock: this.clock, capabilities: enabledCapabilities, signal: death.signal }
    const tell = (line: string) => told.push(line)
    const run = carriedSwap(upstreamNamed('spegel'), reach, { ...wish, tell }, result => results.push(result))
    return { results, writes, told, ...(await endOf(run, this.clock, 7_200_000)) }
  }

  async pass(ms: number): Promise<void> {
    await passed(this.clock, ms)
  }

  list(resource: string): readonly KubeObject[] {
    return this.twin.access.list(resource) as readonly KubeObject[]
  }

  find(resource: string, name: string): KubeObject | undefined {
    return this.list(resource).find(({ metadata }) => metadata.name === name)
  }

  /** By node: whose mirrors have a pod there that is not over. */
  mirrors(): ReadonlyMap<string, readonly string[]> {
    const on = new Map<string, string[]>(this.list('nodes').map(({ metadata }) => [metadata.name, []]))
    for (const pod of this.list('pods')) {
      const { labels = {} } = pod.metadata
      const whose =
        labels['app.kubernetes.io/component'] === 'spegel'
          ? 'spegel'
          : labels['app.kubernetes.io/component'] === 'agent-mirror'
            ? 'ballast'
            : undefined
      const phase = textAt(pod, 'status', 'phase')
      if (whose !== undefined && phase !== 'Succeeded' && phase !== 'Failed')
        on.get(textAt(pod, 'spec', 'nodeName') ?? '')?.push(whose)
    }
    return on
  }

  get marks(): readonly string[] {
    return this.list('nodes').flatMap(({ metadata }) => metadata.labels?.[markKey] ?? [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.twin.stop()
  }

  #look(): void {
    const mirrors = this.mirrors()
    for (const [name, whose] of mirrors) if (new Set(whose).size > 1) this.both.push(`${name} at ${this.clock.now()}`)
    const bare = [...mirrors].filter(([, whose]) => whose.length === 0).map(([name]) => name)
    if (bare.length > 1) this.bare.push(`${bare.join(' and ')} at ${this.clock.now()}`)
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      this.#look()
      await this.clock.after(500)
    }
  }
}

const states = ({ results }: Applied) => results.map(({ id, state }) => `${id} ${state}`)
const everyNode = (whose: string) => new Map(nodes.map(({ metadata }) => [metadata.name, [whose]]))
const specOf = (site: MirrorSite, resource: string, name: string) => site.find(resource, name)?.['spec']

test('forth: node by node to ours, and nothing of Spegel is left; back: Spegel is as it was', async () => {
  await using site = await MirrorSite.start()
  const before = specOf(site, 'daemonsets.apps', 'spegel')
  const service = specOf(site, 'services', 'spegel-registry')
  const forth = await site.apply()
  expect([forth.error, states(forth)]).toEqual([
    undefined,
    ['check', 'keep', 'convert', 'pin', 'install', 'mark', 'switch', 'remove', 'open', 'doctor'].map(id => `${id} done`),
  ])
  expect(forth.told).toEqual([1, 2, 3].map(at => `node n${at} (${at} of 3): spegel goes, ballast comes`))
  expect(site.mirrors()).toEqual(everyNode('ballast'))
  expect([site.marks, site.both, site.bare]).toEqual([[], [], []])
  expect(site.find('daemonsets.apps', 'spegel')).toBeUndefined()
  expect(site.find('secrets', 'sh.helm.release.v1.spegel.v1')).toBeUndefined()
  const config = textAt(
    site.list('configmaps').find(({ metadata }) => metadata.namespace === 'ballast-system'),
    'data',
    'config.yaml',
  )
  expect(config).toContain('ports: [30020]')
  const back = await site.apply({ back: true })
  expect([back.error, states(back)]).toEqual([
    undefined,
    ['check', 'mark', 'pin', 'restore', 'switch', 'off', 'open', 'doctor'].map(id => `${id} done`),
  ])
  expect(site.mirrors()).toEqual(everyNode('spegel'))
  expect([site.marks, site.both, site.bare]).toEqual([[], [], []])
  expect(specOf(site, 'daemonsets.apps', 'spegel')).toEqual(before)
  const { type, ports, selector } = Object(service)
  expect(specOf(site, 'services', 'spegel-registry')).toMatchObject({ type, ports, selector })
  // Its name leads to the pods themselves, as before.
  expect(specOf(site, 'services', 'spegel-bootstrap')).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true })
  expect(site.find('daemonsets.apps', 'ballast-agent-mirror')).toBeUndefined()
  expect(site.find('deployments.apps', 'ballast-controller')).toBeDefined()
})

describe('killed at any write, another run ends it; never both on a node, never two nodes without', () => {
  // Before a write is after the one before it, but for what was read since: of nodes that is tried as well.
  const ways = [
    ['forth', false, 'after', /./],
    ['forth', false, 'before', /nodes/],
    ['back', true, 'after', /./],
    ['back', true, 'before', /nodes/],
  ] as const
  test.each(ways)('%s, back: %s, killed %s a write like %s', async (_name, back, when, like) => {
    const writes = await (async () => {
      await using site = await MirrorSite.start()
      const forth = await site.apply()
      return (back ? await site.apply({ back }) : forth).writes
    })()
    // Some of the many writes that apply our objects are chosen, and all other writes.
    const isTelling = (write: string, at: number) => like.test(write) && (!/force=true/.test(write) || at % 12 === 0)
    const telling = writes.flatMap((write, at) => (isTelling(write, at) ? [at + 1] : []))
    expect(telling.length).toBeGreaterThan(5)
    for (const write of shareOf(telling)) {
      await using site = await MirrorSite.start()
      if (back) await site.apply()
      const killed = await site.apply({ back, kill: { write, when }, holder: 'ann' })
      const next = await site.apply({ back, holder: 'ann' })
      const named = `killed ${when} write ${write}, ${killed.writes.at(-1)}: ${JSON.stringify(next.results)}`
      expect(next.error?.message, named).toBeUndefined()
      expect([next.isDone, site.marks, site.both, site.bare], named).toEqual([true, [], [], []])
      expect(site.mirrors(), named).toEqual(everyNode(back ? 'spegel' : 'ballast'))
    }
  })
})

test('step by step, and what is done is not done again', async () => {
  await using site = await MirrorSite.start()
  const ids: string[] = []
  for (let step = 0; step < 10; step++) ids.push(...states(await site.apply({ which: { kind: 'next' } })))
  expect(ids.at(-1)).toBe('doctor done')
  expect((await site.apply()).results).toEqual([])
})

test('a node that joins meanwhile is taken along', async () => {
  await using site = await MirrorSite.start()
  let hasJoined = false
  site.meanwhile = async write => {
    if (!write.startsWith('PATCH /api/v1/nodes/n3') || hasJoined) return
    hasJoined = true
    await openApi(site.twin.transport({ admin: true }), { clock: site.clock, userAgent: 'test' })
      .resource(builtIn.nodes)
      .create(node('n4', '10.0.0.4'), { signal })
  }
  const forth = await site.apply()
  expect([forth.error, forth.isDone]).toEqual([undefined, true])
  expect([...site.mirrors().values()]).toEqual([['ballast'], ['ballast'], ['ballast'], ['ballast']])
  expect([site.marks, site.both]).toEqual([[], []])
})

test("Helm's own record is deleted only with consent; Spegel stays until then, off every node", async () => {
  await using site = await MirrorSite.start()
  const refused = await site.apply({ forgetRelease: false })
  expect(refused.results.at(-1)).toMatchObject({ id: 'remove', state: 'failed' })
  expect(refused.results.at(-1)?.said).toContain('--forget-release')
  expect(site.mirrors()).toEqual(everyNode('ballast'))
  expect((await site.apply()).isDone).toBe(true)
})

test('back in the middle of the way forth', async () => {
  await using site = await MirrorSite.start()
  const forth = await site.apply({ forgetRelease: false })
  expect(forth.isDone).toBe(false)
  const back = await site.apply({ back: true })
  expect([back.error, back.isDone, back.results.at(-1)?.said]).toEqual([undefined, true, 'Spegel mirrors, ours is off'])
  expect(site.mirrors()).toEqual(everyNode('spegel'))
  expect([site.marks, site.both, site.bare]).toEqual([[], [], []])
})

test('the node port of its Service is freed first, and comes back last', async () => {
  const objects = [
    ...nodes,
    namespace('spegel'),
    spegelDaemonSet({ nodePort: 30_020, labels: { 'helm.sh/chart': 'spegel-0.8.0' } }),
  ]
  await using site = await MirrorSite.start([...objects, spegelService(30_020), release])
  const forth = await site.apply()
  expect([forth.error, states(forth)]).toEqual([undefined, expect.arrayContaining(['free done', 'doctor done'])])
  const back = await site.apply({ back: true })
  expect([back.error, back.isDone]).toEqual([undefined, true])
  const ports: readonly unknown[] = Object(specOf(site, 'services', 'spegel-registry')).ports
  expect(ports.map(port => numberAt(port, 'nodePort'))).toEqual([30_020])
})
