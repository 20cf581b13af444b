// What autoscalers of ScaledObjects are told of external metrics now, whoever tells it.
import type { Api } from '#kube/client/api.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { Reads } from '#upstreams/upstream.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { externalMetrics } from '../names.ts'

/** Metrics that are asked for: each asks a source. */
const mostAsked = 500
const mostAtOnce = 8

interface Question {
  /** `media/s0-rabbitmq-queue (scaledobject.keda.sh/name=worker)` */
  readonly name: string
  readonly namespace: string
  readonly metric: string
  readonly labelSelector: string
}

/** What autoscalers of ScaledObjects ask, by their own specs. */
async function questions({ api, signal }: Reads): Promise<readonly Question[]> {
  const found: Question[] = []
  for await (const page of api.resource<KubeObject>(builtIn.horizontalpodautoscalers).pages({ signal }))
    found.push(...page.items.filter(isOfScaledObject).flatMap(asked))
  return found.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, mostAsked)
}

const isOfScaledObject = ({ metadata }: KubeObject): boolean =>
  (metadata.ownerReferences ?? []).some(({ kind, apiVersion }) => kind === 'ScaledObject' && apiVersion.startsWith('keda.sh/'))

function asked(autoscaler: KubeObject): readonly Question[] {
  const { namespace = 'default' } = autoscaler.metadata
  return listAt(autoscaler, 'spec', 'metrics').flatMap(metric => {
    const name = textAt(metric, 'external', 'metric', 'name')
    const labels = Object(metric).external?.metric?.selector?.matchLabels
    if (name === undefined) return []
    const labelSelector = isTree(labels)
      ? Object.entries(labels)
          .map(([key, value]) => `${key}=${String(value)}`)
          .join(',')
      : ''
    return [{ name: `${namespace}/${name} (${labelSelector})`, namespace, metric: name, labelSelector }]
  })
}

/** Names of questions that are answered; of `among`, those that nobody asks any more count as answered. */
export async function answeredNow({ api, signal }: Reads, among?: readonly string[]): Promise<readonly string[]> {
  const all = await questions({ api, signal })
  const wanted = among === undefined ? all : all.filter(({ name }) => among.includes(name))
  const names = new Set(all.map(({ name }) => name))
  const answered = (among ?? []).filter(name => !names.has(name))
  for (let from = 0; from < wanted.length; from += mostAtOnce) {
    const some = wanted.slice(from, from + mostAtOnce)
    const told = await Promise.all(some.map(async one => ((await isAnswered(api, one, signal)) ? [one.name] : [])))
    answered.push(...told.flat())
  }
  return answered
}

async function isAnswered(api: Api, { namespace, metric, labelSelector }: Question, signal: AbortSignal): Promise<boolean> {
  const { group, version } = externalMetrics
  try {
    const { items } = await api
      .resource<KubeObject>({ group, version, resource: metric })
      .list({ namespace, labelSelector, signal })
    return items.length > 0
  } catch (error) {
    if (error instanceof StatusError) return false
    throw error
  }
}
