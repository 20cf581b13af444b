// Which namespaces are looked at (config-reload 3.1): exactly those named, or all but the ignored ones, of those that a selector takes.
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { Selector } from '#kube/objects/selector.ts'
import type { ReloadConfig } from '../config.ts'
import { parseScopeSelector } from './scope-selector.ts'

/** The namespaces that each have watches of their own; `undefined`: one watch for all. */
export function namedNamespaces({ namespaces }: Pick<ReloadConfig, 'namespaces'>): readonly string[] | undefined {
  return namespaces.length === 0 ? undefined : [...new Set(namespaces)]
}

/** Whether a selector of namespaces is in force: it has no meaning beside named ones. */
function selectsNamespaces({ namespaces, namespaceSelector }: Pick<ReloadConfig, 'namespaces' | 'namespaceSelector'>): boolean {
  return namespaces.length === 0 && namespaceSelector !== ''
}

export class WatchedNamespaces {
  readonly #named: ReadonlySet<string> | undefined
  readonly #ignored: ReadonlySet<string>
  readonly #selector: Selector | undefined
  readonly #informer: Informer<KubeObject> | undefined

  constructor(config: ReloadConfig, informers: Pick<Informers, 'of'>) {
    const named = namedNamespaces(config)
    this.#named = named === undefined ? undefined : new Set(named)
    this.#ignored = new Set(named === undefined ? config.namespacesToIgnore : [])
    const selector = selectsNamespaces(config) ? parseScopeSelector(config.namespaceSelector) : undefined
    // The configuration's schema has parsed it.
    this.#selector = selector?.ok === true ? selector.value : undefined
    this.#informer = this.#selector === undefined ? undefined : informers.of<KubeObject>(builtIn.namespaces)
  }

  /** Namespaces are watched too. */
  get informer(): Informer<KubeObject> | undefined {
    return this.#informer
  }

  has(namespace: string): boolean {
    if (this.#named !== undefined) return this.#named.has(namespace)
    if (this.#ignored.has(namespace)) return false
    return (
      this.#selector === undefined || this.#selector.matches(this.#informer?.store.get(undefined, namespace)?.metadata.labels)
    )
  }

  /**
   * Calls `changed` with each namespace that comes in or falls out by its labels, and `seen` with what a watch of the selected ones alone
   * would tell. Returns what ends that.
   */
  onChange(changed: (namespace: string) => void, seen: (type: 'add' | 'update' | 'delete') => void): () => void {
    const selector = this.#selector
    if (this.#informer === undefined || selector === undefined) return () => undefined
    return this.#informer.onChange(({ type, object, previous, initial, resync }) => {
      if (resync === true) return
      const was = previous !== undefined && selector.matches(previous.metadata.labels)
      const is = type !== 'DELETED' && selector.matches(object.metadata.labels)
      if (is) seen(was ? 'update' : 'add')
      else if (was) seen('delete')
      if (!initial && was !== is) changed(object.metadata.name)
    })
  }
}
