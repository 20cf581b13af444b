// Webhooks of a dump that nobody answers in a twin: simulated pods listen nowhere, and what lies outside is not to be asked by a copy of
// the cluster. Left in, those with failurePolicy Fail would refuse every pod.
import type { KubeObject } from '#kube/objects/objects.ts'

interface LoadedWebhook {
  readonly name?: string
  readonly clientConfig?: {
    readonly url?: string
    readonly service?: { readonly namespace?: string; readonly name?: string }
  }
}

const configurations: ReadonlySet<string> = new Set(['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'])
/** On a Service: where what it stands for is really served. */
const endpointAnnotation = 'ballast.dev/twin-endpoint'

/** The objects without such webhooks, and what was left out, a sentence for each configuration. */
export function withoutUnansweredWebhooks(objects: readonly KubeObject[]): {
  readonly objects: readonly KubeObject[]
  readonly leftOut: readonly string[]
} {
  const answered = new Set(
    objects
      .filter(({ kind, metadata }) => kind === 'Service' && metadata?.annotations?.[endpointAnnotation] !== undefined)
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  )
  const leftOut: string[] = []
  const kept = objects.map(object => {
    const { webhooks } = object
    if (!configurations.has(object.kind) || !Array.isArray(webhooks)) return object
    const playable = webhooks.filter(webhook => isAnswered(webhook, answered))
    const missing = webhooks.length - playable.length
    if (missing === 0) return object
    leftOut.push(
      `${object.kind} ${object.metadata.name}: ${missing} of ${webhooks.length} webhooks are left out, as nobody answers them here`,
    )
    return { ...object, webhooks: playable }
  })
  return { objects: kept, leftOut }
}

function isAnswered(webhook: LoadedWebhook | null | undefined, answered: ReadonlySet<string>): boolean {
  const { url, service } = webhook?.clientConfig ?? {}
  if (url !== undefined) return URL.canParse(url) && ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname)
  return answered.has(`${service?.namespace}/${service?.name}`)
}
