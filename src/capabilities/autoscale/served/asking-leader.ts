// Values of external metrics on a replica that does not lead: the one that does is asked, over the way that replicas have for themselves.
import type { ApiEndpoint, ApiserverContext } from '#coordination/capability.ts'
import type { ExternalMetricSource, ExternalMetricValue } from '#coordination/ports/external-metrics.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError, statusBody } from '#kube/objects/status.ts'

const path = '/ballast/external-metrics'
const largestAnswer = 64 * 1024

/** Who leads: it has autoscaling, and it alone. */
type Own = () => ExternalMetricSource | undefined

type Around = Pick<ApiserverContext, 'informers' | 'identity'> & { readonly apis: ApiEndpoint }

/** Answers by ourselves where we lead; else asks each other ready replica until one says that it does. Disposing takes the way between replicas away. */
export function askingLeader({ informers, identity, apis }: Around, own: Own): ExternalMetricSource & Disposable {
  const slices = informers.of<KubeObject>(builtIn.endpointslices, { namespace: identity.namespace, optional: true })
  const answering = apis.answerReplicas({
    path,
    contentType: 'application/json',
    answer: async (query, signal) => Buffer.from(JSON.stringify(await answerOf(own(), query, signal))),
  })
  return {
    async values(of, signal) {
      const source = own()
      if (source !== undefined) return await source.values(of, signal)
      const others = slices.isSynced ? (apis.replicasBy(slices.store.list())?.others ?? []) : []
      const asked = `${path}?${new URLSearchParams({ namespace: of.namespace, scaledObject: of.scaledObject, metric: of.metric })}`
      const failures: string[] = []
      for (const replica of others) {
        try {
          const { status, body } = await apis.askReplica(replica, asked, { mostBytes: largestAnswer, signal })
          if (status !== 200) throw new Error(`it answered ${status}`)
          const answer = parsed(body)
          if ('values' in answer) return answer.values
          if (answer.failure !== undefined) throw new AskedError(answer.failure)
        } catch (error) {
          signal.throwIfAborted()
          if (error instanceof AskedError) throw error
          failures.push(`${replica.name}: ${messageOf(error)}`)
        }
      }
      throw new Error(['no replica leads that looks at sources', ...failures].join('; '))
    },
    [Symbol.dispose]: () => answering[Symbol.dispose](),
  }
}

/** The leader itself says why a metric cannot be told. */
class AskedError extends Error {
  override readonly name = 'AskedError'
}

type Answer =
  | { readonly values: readonly ExternalMetricValue[] }
  /** Without a failure: we do not lead. */
  | { readonly failure?: string }

async function answerOf(source: ExternalMetricSource | undefined, query: URLSearchParams, signal: AbortSignal): Promise<Answer> {
  const [namespace, scaledObject, metric] = ['namespace', 'scaledObject', 'metric'].map(key => query.get(key) ?? '')
  if (
    namespace === undefined ||
    scaledObject === undefined ||
    metric === undefined ||
    [namespace, scaledObject, metric].includes('')
  )
    throw new StatusError(statusBody(400, 'expected namespace, scaledObject and metric', 'BadRequest'))
  if (source === undefined) return {}
  try {
    return { values: await source.values({ namespace, scaledObject, metric }, signal) }
  } catch (error) {
    signal.throwIfAborted()
    return { failure: messageOf(error) }
  }
}

/** @throws Error for what no replica of ours says */
function parsed(body: Buffer): Answer {
  const answer: unknown = JSON.parse(body.toString('utf8'))
  if (typeof answer !== 'object' || answer === null) throw new Error('its answer cannot be read')
  if (!('values' in answer)) return 'failure' in answer && typeof answer.failure === 'string' ? { failure: answer.failure } : {}
  if (!Array.isArray(answer.values) || !answer.values.every(isValue)) throw new Error('its values cannot be read')
  return { values: answer.values }
}

function isValue(value: unknown): value is ExternalMetricValue {
  if (typeof value !== 'object' || value === null) return false
  return (
    'name' in value &&
    typeof value.name === 'string' &&
    'quantity' in value &&
    typeof value.quantity === 'string' &&
    'atMs' in value &&
    typeof value.atMs === 'number'
  )
}
