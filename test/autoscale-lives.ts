// Whole lives of a ScaledObject and of a ScaledJob whose operator ends once, before or after one of its writes: the next one ends them as
// one that nobody ended would have.
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { ScaledJob } from '../src/capabilities/autoscale/kinds/scaled-job.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { scaledJobs, scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { AutoscaleSite, type EndAt, hourly, type OneOperator, scaled } from './autoscale-site.ts'

const never = '0 0 30 2 *'
/** Active at all times, with so much waiting. */
export const waiting = (count: number) => hourly(never, '0 12 * * *', count)

export function scaledJob(spec: Partial<ScaledJob['spec']>, metadata: Partial<KubeObject['metadata']> = {}): KubeObject {
  const annotations = { 'ballast.dev/twin-run-for': '1h' }
  const containers = [{ name: 'work', image: 'registry.example/work:1', resources: { requests: { cpu: '10m' } } }]
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledJob',
    metadata: { name: 'work', namespace: 'default', ...metadata },
    spec: {
      jobTargetRef: {
        backoffLimit: 0,
        template: { metadata: { labels: { own: 'yes' }, annotations }, spec: { containers } },
      },
      pollingInterval: 10,
      triggers: [waiting(3)],
      ...spec,
    },
  }
}

export async function jobsOf(site: AutoscaleSite): Promise<readonly KubeObject[]> {
  const { items } = await site.api.resource<KubeObject>(builtIn.jobs).list({ namespace: 'default', signal: site.signal })
  return items
}

/** Advances, and starts another operator as soon as the first has ended. */
class Successor {
  readonly #site: AutoscaleSite
  #operator: OneOperator
  readonly first: OneOperator

  constructor(site: AutoscaleSite, operator: OneOperator) {
    this.#site = site
    this.first = operator
    this.#operator = operator
  }

  async advance(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 5) {
      await this.#site.clock.advance(5_000)
      if (!this.#operator.wire.hasEnded) continue
      await this.#operator[Symbol.asyncDispose]()
      this.#operator = await this.#site.operator({ isServed: false })
    }
  }
}

export interface Life {
  readonly writes: readonly string[]
  /** What holds at its moments. */
  readonly seen: readonly string[]
}

const quick = { pollingInterval: 5, cooldownPeriod: 20 }

async function exists(site: AutoscaleSite, resource: Parameters<AutoscaleSite['get']>[0], name: string): Promise<boolean> {
  try {
    await site.get(resource, name)
    return true
  } catch (error) {
    if (!isNotFound(error)) throw error
    return false
  }
}

/** From zero and back, paused, unpaused, renamed, deleted. */
export async function objectLife(end?: EndAt): Promise<Life> {
  await using site = await AutoscaleSite.start(2)
  const operator = await site.operator({ isServed: false, ...(end === undefined ? {} : { end }) })
  const life = new Successor(site, operator)
  const seen: string[] = []
  const look = async (moment: string) => {
    const { items } = await site.api
      .resource<KubeObject>(builtIn.horizontalpodautoscalers)
      .list({ namespace: 'default', signal: site.signal })
    const object = (await exists(site, scaledObjects, 'web')) ? await site.get<ScaledObject>(scaledObjects, 'web') : undefined
    const conditions = object?.status?.conditions?.map(({ type, status }) => `${type} ${status}`)
    seen.push(
      `${moment}: ${await site.replicas()} replicas, ${items.map(({ metadata }) => metadata.name)}, ${conditions}, first ${object?.status?.originalReplicaCount}`,
    )
  }
  const change = async (body: unknown) =>
    await site.api
      .resource<KubeObject>(scaledObjects)
      .patch('web', { type: 'merge', body }, { namespace: 'default', signal: site.signal })
  const annotate = async (value: string | null) =>
    await change({ metadata: { annotations: { 'autoscaling.keda.sh/paused-replicas': value } } })
  const advanced = { restoreToOriginalReplicaCount: true }
  await site.create(scaledObjects, scaled('web', { ...quick, advanced, triggers: [hourly('3 * * * *', '5 * * * *', 4)] }))
  await life.advance(90)
  await look('asleep')
  await life.advance(120)
  await look('awake')
  await life.advance(150)
  await look('asleep again')
  await annotate('3')
  await life.advance(45)
  await look('paused')
  await annotate(null)
  await life.advance(60)
  await look('unpaused')
  await change({ spec: { advanced: { ...advanced, horizontalPodAutoscalerConfig: { name: 'other' } } } })
  await life.advance(45)
  await look('renamed')
  await site.api.resource(scaledObjects).delete('web', { namespace: 'default', signal: site.signal })
  await life.advance(45)
  await look('deleted')
  return { writes: life.first.wire.writes, seen }
}

/** Jobs are started, rolled out, and let go. */
export async function jobLife(end?: EndAt): Promise<Life> {
  await using site = await AutoscaleSite.start(0)
  const operator = await site.operator({ isServed: false, ...(end === undefined ? {} : { end }) })
  const life = new Successor(site, operator)
  const seen: string[] = []
  const look = async (moment: string) => {
    const generations = (await jobsOf(site)).map(({ metadata }) => metadata.annotations?.['scaledjob.keda.sh/generation'])
    const isThere = await exists(site, scaledJobs, 'work')
    const object = isThere ? await site.get<ScaledJob>(scaledJobs, 'work') : undefined
    const conditions = object?.status?.conditions?.map(({ type, status }) => `${type} ${status}`)
    seen.push(`${moment}: Jobs of ${generations.toSorted()}; ${conditions}; ${at(object?.status, 'triggersTypes')}`)
  }
  await site.create(scaledJobs, scaledJob({}))
  await life.advance(45)
  await look('started')
  const body = { spec: { triggers: [waiting(2)] } }
  await site.api
    .resource<KubeObject>(scaledJobs)
    .patch('work', { type: 'merge', body }, { namespace: 'default', signal: site.signal })
  await life.advance(60)
  await look('rolled out')
  await site.api.resource(scaledJobs).delete('work', { namespace: 'default', signal: site.signal })
  await life.advance(45)
  await look('deleted')
  return { writes: life.first.wire.writes, seen }
}
