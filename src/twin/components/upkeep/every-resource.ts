// All objects of all kinds, custom ones that are defined later included: what the garbage collector and the namespace controller watch.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ComponentContext } from '../component.ts'
import type { KindEvent } from '../kinds.ts'

const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
/** Nothing owns these and they own nothing. */
const leftOut = new Set(['events', 'pods.metrics.k8s.io', 'nodes.metrics.k8s.io'])

type EveryHandler = (resource: string, event: KindEvent<KubeObject>) => void

/** Calls `handler` for each object there is, as ADDED, and after each commit. */
export function watchEverything(context: ComponentContext, name: string, handler: EveryHandler): void {
  const { access, view, loop } = context
  const seen = new Set<string>()
  const scan = () => {
    for (const resource of access.resources()) {
      if (seen.has(resource) || leftOut.has(resource)) continue
      seen.add(resource)
      for (const object of access.list(resource)) handler(resource, { type: 'ADDED', object, previous: undefined })
      view.onAny(resource, event => handler(resource, event))
    }
  }
  // A definition is served a moment after it is stored.
  const queue = loop.queue(`${name} kinds`, scan)
  view.onAny(definitions, () => queue.add('scan'))
  scan()
}
