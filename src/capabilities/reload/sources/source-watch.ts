// ConfigMaps and Secrets as their metadata: what exists, in which version, with which of our annotations. The content never passes here:
// all other annotations are cut out of the bytes before anything becomes text.
import { isDeepStrictEqual } from 'node:util'
import type { Informers } from '#kube/informers/informer.ts'
import type { InformerScope } from '#kube/informers/informer-scope.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { fixedAnnotationKeys } from '../annotations.ts'
import type { ReloadConfig } from '../config.ts'
import { parseScopeSelector } from './scope-selector.ts'
import type { SourceReference } from './source-state.ts'
import { namedNamespaces, type WatchedNamespaces } from './watched-namespaces.ts'

export type ObjectType = 'configmap' | 'secret'

/** What a watch told of one object. */
export interface SourceChange {
  readonly reference: SourceReference
  readonly type: 'add' | 'update' | 'delete'
  /** Part of the first list. */
  readonly initial: boolean
  /** Its version, and the one that was known before; of what is new only the first. */
  readonly version: string
  readonly previousVersion?: string
  /** What its annotations say to us is another than before. */
  readonly isMarkedAnew: boolean
}

const resources: Readonly<Record<ObjectType, GroupVersionResource>> = { configmap: builtIn.configmaps, secret: builtIn.secrets }
const plurals: Readonly<Record<ObjectType, 'configmaps' | 'secrets'>> = { configmap: 'configmaps', secret: 'secrets' }
/** Helm keeps each release in a Secret of up to a megabyte, and nobody refers to them. */
const notOfHelm = 'type!=helm.sh/release.v1'

/** The types that are watched. */
export function watchedTypes({ resourcesToIgnore }: Pick<ReloadConfig, 'resourcesToIgnore'>): readonly ObjectType[] {
  return (['configmap', 'secret'] as const).filter(type => !resourcesToIgnore.includes(plurals[type]))
}

/** Keys of an object's annotations that are read, watched or fetched. */
export function sourceAnnotationKeys({ annotations }: Pick<ReloadConfig, 'annotations'>): readonly string[] {
  return [annotations.ignore, annotations.match, fixedAnnotationKeys.allowNamespaces, fixedAnnotationKeys.revoked]
}

/** What the server is asked for of a type. */
export function sourceSelectors(type: ObjectType, config: ReloadConfig): Pick<InformerScope, 'labelSelector' | 'fieldSelector'> {
  const selector = parseScopeSelector(config.resourceLabelSelector)
  // The configuration's schema has parsed it.
  const labelSelector = selector.ok ? selector.value.toString() : ''
  return {
    ...(labelSelector === '' ? {} : { labelSelector }),
    ...(type === 'secret' ? { fieldSelector: notOfHelm } : {}),
  }
}

export class SourceWatch {
  readonly #informers: readonly { readonly type: ObjectType; readonly informer: Informer<KubeObject> }[]
  readonly #namespaces: WatchedNamespaces

  constructor(config: ReloadConfig, namespaces: WatchedNamespaces, informers: Pick<Informers, 'of'>) {
    this.#namespaces = namespaces
    const places = namedNamespaces(config) ?? [undefined]
    this.#informers = watchedTypes(config).flatMap(type =>
      places.map(namespace => {
        const scope: InformerScope = {
          ...sourceSelectors(type, config),
          ...(namespace === undefined ? {} : { namespace }),
          metadataOnly: true,
          annotations: sourceAnnotationKeys(config),
          optional: true,
        }
        return { type, informer: informers.of<KubeObject>(resources[type], scope) }
      }),
    )
  }

  get informers(): readonly Informer<KubeObject>[] {
    return this.#informers.map(({ informer }) => informer)
  }

  /** Whether objects of the type are known here; what is not known is neither there nor absent. */
  knows({ type, namespace }: Pick<SourceReference, 'type' | 'namespace'>): boolean {
    return this.#namespaces.has(namespace) && this.#informers.some(one => one.type === type && one.informer.isSynced)
  }

  /** The metadata of an object that is there and selected. */
  get({ type, namespace, name }: SourceReference): KubeObject | undefined {
    if (!this.#namespaces.has(namespace)) return undefined
    for (const one of this.#informers) {
      const found = one.type === type ? one.informer.store.get(namespace, name) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Names of all objects of a type in a namespace. */
  *names(type: ObjectType, namespace: string): Iterable<string> {
    if (!this.#namespaces.has(namespace)) return
    for (const one of this.#informers)
      if (one.type === type) for (const { metadata } of one.informer.store.list(namespace)) yield metadata.name
  }

  /**
   * Calls `changed` with what is there and then with each change in the watched namespaces, and `passedOver` with the same of another that
   * the watch tells of all the same. Returns what ends that.
   */
  onChange(changed: (change: SourceChange) => void, passedOver: (change: SourceChange) => void): () => void {
    const ends = this.#informers.map(({ type, informer }) =>
      informer.onChange(change => {
        const told = changeOf(type, change)
        if (told === undefined) return
        if (this.#namespaces.has(told.reference.namespace)) changed(told)
        else passedOver(told)
      }),
    )
    return () => {
      for (const end of ends) end()
    }
  }
}

function changeOf(type: ObjectType, change: Change<KubeObject>): SourceChange | undefined {
  const { object, previous, initial } = change
  const { name, namespace = '' } = object.metadata
  // A tombstone without an object has no name: there is nothing it could be about.
  if (name === undefined || name === '' || change.resync === true) return undefined
  const reference = { type, namespace, name }
  const version = object.metadata.resourceVersion ?? ''
  const seen = { reference, initial, version, isMarkedAnew: false }
  if (change.type === 'DELETED') return { ...seen, type: 'delete' }
  if (change.type === 'ADDED' || previous === undefined) return { ...seen, type: 'add' }
  // Deleted and made again between two looks: another object.
  if (previous.metadata.uid !== object.metadata.uid) return { ...seen, type: 'add', isMarkedAnew: isMarkedAnew(previous, object) }
  const { resourceVersion } = previous.metadata
  return {
    ...seen,
    type: 'update',
    ...(resourceVersion === undefined ? {} : { previousVersion: resourceVersion }),
    isMarkedAnew: isMarkedAnew(previous, object),
  }
}

function isMarkedAnew(previous: KubeObject, object: KubeObject): boolean {
  return !isDeepStrictEqual(previous.metadata.annotations, object.metadata.annotations)
}
