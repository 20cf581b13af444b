// NodeMetrics and PodMetrics as values. Whoever serves metrics.k8s.io may send anything: what is not whole counts as not there, never as 0.
import { isFields } from '#cluster/loose-fields.ts'
import { cpuMillicores, wholeNumber } from '#kube/values/quantity.ts'

type UsageSample = Readonly<Record<string, string | number>>

/** The usage of a node with its name; `undefined` where something of it is missing or no quantity. */
export function nodeSampleOf(item: unknown): { readonly node: string; readonly usage: UsageSample } | undefined {
  const node = nameIn(item)?.name
  const usage = usageIn(item)
  return node === undefined || usage === undefined ? undefined : { node, usage }
}

/** The usage of a pod's containers with its key, or why it cannot be read. */
export type PodMetricsReading =
  | { readonly containers: readonly { readonly name: string; readonly usage: UsageSample }[] }
  | { readonly problem: string }

/** `undefined` where it names no pod. */
export function podSampleOf(item: unknown): { readonly key: string; readonly reading: PodMetricsReading } | undefined {
  const metadata = nameIn(item)
  if (metadata?.namespace === undefined) return undefined
  const key = `${metadata.namespace}/${metadata.name}`
  const listed = isFields(item) ? item['containers'] : undefined
  if (!Array.isArray(listed)) return { key, reading: { problem: 'it lists no containers' } }
  const containers = listed.map(container => {
    const name = isFields(container) && typeof container['name'] === 'string' ? container['name'] : ''
    return { name, usage: usageIn(container) }
  })
  const broken = containers.find(({ usage }) => usage === undefined)
  if (broken !== undefined)
    return { key, reading: { problem: `container "${broken.name}" has no cpu and memory that are quantities` } }
  return { key, reading: { containers: containers.flatMap(({ name, usage }) => (usage === undefined ? [] : [{ name, usage }])) } }
}

function nameIn(item: unknown): { readonly name: string; readonly namespace?: string } | undefined {
  const metadata = isFields(item) ? item['metadata'] : undefined
  if (!isFields(metadata)) return undefined
  const { name, namespace } = metadata
  if (typeof name !== 'string' || name === '') return undefined
  return { name, ...(typeof namespace === 'string' && namespace !== '' && { namespace }) }
}

/** Both cpu and memory, as quantities from 0 up; other resources are left out. */
function usageIn(of: unknown): UsageSample | undefined {
  const usage = isFields(of) ? of['usage'] : undefined
  if (!isFields(usage)) return undefined
  const { cpu, memory } = usage
  return isAmount(cpu, cpuMillicores) && isAmount(memory, wholeNumber) ? { cpu, memory } : undefined
}

function isAmount(value: unknown, read: typeof wholeNumber): value is string | number {
  return (typeof value === 'string' || typeof value === 'number') && read(value, 'usage').ok
}
