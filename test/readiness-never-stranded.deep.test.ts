// Whatever happens to a node, its mirror and the controllers in whatever order: while it was never ready it is held, and when all is well
// in the end it is free, and nothing of ours is left.
import { expect, test } from 'vitest'
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const ownTaint = 'ballast.dev/agent-not-ready'
const rules = { group: 'readiness.node.x-k8s.io', version: 'v1alpha1', resource: 'nodereadinessrules' }
const upstream = {
  apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
  kind: 'NodeReadinessRule',
  metadata: { name: 'net' },
  spec: {
    conditions: [{ type: 'Net', requiredStatus: 'True' }],
    enforcementMode: 'continuous',
    taint: { key: 'readiness.k8s.io/net', effect: 'NoSchedule' },
    nodeSelector: { matchLabels: { role: 'worker' } },
  },
}

class Story {
  readonly #of: ControlledCluster
  readonly #random: Random
  readonly #said = new Map<string, string>()
  /** What was done, for whoever reads a failure. */
  readonly done: string[] = []
  #wasReady = false

  constructor(of: ControlledCluster, random: Random) {
    this.#of = of
    this.#random = random
  }

  async register(): Promise<void> {
    const bare = node('n2')
    const { uid: _, ...metadata } = bare.metadata
    const spec = { taints: [{ key: ownTaint, effect: 'NoSchedule' }] }
    const fresh = { ...bare, metadata: { ...metadata, labels: { ...metadata.labels, role: 'worker' } }, spec }
    await this.#of.admin.resource<KubeObject>(builtIn.nodes).create(fresh, { signal })
    this.#said.clear()
    this.#wasReady = false
    this.done.push('registers')
  }

  async say(type: string, status: string): Promise<void> {
    const at = new Date(this.#of.clock.now()).toISOString()
    const body = { status: { conditions: [{ type, status, lastTransitionTime: at }] } }
    await this.#of.admin.resource<Node>(builtIn.nodes).patch('n2', { type: 'strategic', body }, { signal, subresource: 'status' })
    this.#said.set(type, status)
    this.#wasReady ||= this.#said.get('ballast.dev/MirrorReady') === 'True'
    this.done.push(`${type}=${status}`)
  }

  /** One thing that happens, then some time. */
  async step(): Promise<void> {
    const of = this.#of
    const drawn = Math.floor(this.#random() * 7)
    if (drawn === 0) of.killController()
    else if (drawn === 1) await of.stopController()
    else if (drawn === 2) {
      await of.admin.resource(builtIn.nodes).delete('n2', { signal })
      await of.until(() => this.node === undefined, 60_000)
      await this.register()
    } else if (drawn < 5) await this.say('ballast.dev/MirrorReady', drawn === 3 ? 'True' : 'False')
    else await this.say('Net', drawn === 5 ? 'True' : 'False')
    if (drawn < 2) this.done.push(drawn === 0 ? 'killed' : 'stopped')
    await of.pass(Math.floor(this.#random() * 40_000))
    if (!this.#wasReady && !this.taints.includes(ownTaint)) throw new Error('it is let go though its mirror never answered')
  }

  get node(): Node | undefined {
    return this.#of.list<Node>('nodes').find(({ metadata }) => metadata.name === 'n2')
  }

  /** Keys of taints that are no kubelet's business. */
  get taints(): readonly string[] {
    const all = this.node?.spec?.taints ?? []
    return all.map(({ key }) => key).filter(key => !key.startsWith('node.kubernetes.io/'))
  }
}

test.each(Array.from({ length: 12 }, (_, at) => at + 1))('seed %i: free in the end', async seed => {
  const random = seededRandom(seed * 7919)
  const mode = random() < 0.5 ? 'bootstrap' : 'continuous'
  await using of = await controlledCluster({
    objects: [node('n1')],
    capabilities: [readiness],
    seed,
    configurations: {
      readiness: readiness.config.parse({
        admission: false,
        timeout: '24h',
        rules: [
          {
            name: 'mirror',
            mode,
            nodeSelector: { matchLabels: { role: 'worker' } },
            require: [{ condition: 'ballast.dev/MirrorReady=True' }],
          },
        ],
      }),
    },
  })
  const story = new Story(of, random)
  await of.admin.resource<KubeObject>(rules).create(upstream, { signal })
  await of.until(() => of.list('configmaps').some(({ metadata }) => metadata.name === 'ballast-readiness-rules'), 120_000)
  await story.register()
  try {
    for (let step = 0; step < 12; step++) await story.step()
    await story.say('ballast.dev/MirrorReady', 'True')
    await story.say('Net', 'True')
    await of.until(() => story.taints.length === 0, 180_000)
    await of.pass(90_000)
    expect(story.taints).toEqual([])
  } catch (error) {
    throw new Error(`${mode}: ${story.done.join(', ')}; taints: ${story.taints.join(', ')}`, { cause: error })
  }
  expect(of.permits().filter(({ spec, status }) => spec.grant !== undefined && status?.releasedAt === undefined)).toEqual([])
  expect(of.forbidden).toEqual([])
})
