// SecretProviderClasses (config-reload 3.10): what is mounted of one is told by the status of each pod's mount. While pods report different
// versions the greatest that was told within the rotation window counts, so that nothing rolls back and forth.
import { fieldsIn, listIn, textIn } from '#cluster/loose-fields.ts'
import { type Clock, wallOf } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ReloadConfig } from '../config.ts'
import type { ReloadSettings } from '../settings.ts'
import type { SourceContent } from './content-hash.ts'
import { countingReport, type Report, type Rotation, reportOf, withFoundReport, withReport } from './rotation.ts'
import { parseScopeSelector } from './scope-selector.ts'
import { resourceOfReadable } from './source-reader.ts'
import { type SourceReference, type SourceState, sourceAnnotations, sourceKey } from './source-state.ts'
import { sourceAnnotationKeys } from './source-watch.ts'
import { namedNamespaces, type WatchedNamespaces } from './watched-namespaces.ts'

/** Fields of a mount's status that are read. */
export const mountFields = ['status.secretProviderClassName', 'status.objects.id', 'status.objects.version'] as const

/** The content that counts for one class. */
interface Class {
  readonly reference: SourceReference
  rotation: Rotation
  content: SourceContent
  /** By `elapsed()`, as all that is kept of its rotation: time may be set meanwhile. */
  changedMs: number
  /** What counts is looked at again at a moment that is set. */
  isWaiting: boolean
}

interface ProviderClassesOptions {
  readonly config: ReloadConfig
  readonly settings: Pick<ReloadSettings, 'keys' | 'rotationWindowMs'>
  readonly namespaces: WatchedNamespaces
  readonly informers: Pick<Informers, 'of'>
  readonly clock: Clock
  readonly log: { warn(facts: object, message: string): void }
  /** A class has another content than before, or is seen for the first time. */
  readonly onContent: (news: { readonly reference: SourceReference; readonly isChanged: boolean | undefined }) => void
}

/** A watch told of a mount, in a watched namespace or in another. */
type Received = (type: 'add' | 'update' | 'delete', isWatched: boolean) => void

export class ProviderClasses {
  readonly #options: ProviderClassesOptions
  readonly #mounts: readonly Informer<KubeObject>[]
  readonly #classes: readonly Informer<KubeObject>[]
  readonly #known = new Map<string, Class>()
  readonly #missing = new Set<string>()

  constructor(options: ProviderClassesOptions) {
    const { config, informers } = options
    this.#options = options
    const selector = parseScopeSelector(config.resourceLabelSelector)
    const labelSelector = selector.ok ? selector.value.toString() : ''
    const places = (namedNamespaces(config) ?? [undefined]).map(namespace => (namespace === undefined ? {} : { namespace }))
    this.#mounts = places.map(place =>
      informers.of<KubeObject>(resourceOfReadable.SecretProviderClassPodStatus, {
        ...place,
        ...(labelSelector === '' ? {} : { labelSelector }),
        fields: mountFields,
        optional: true,
      }),
    )
    this.#classes = places.map(place =>
      informers.of<KubeObject>(resourceOfReadable.SecretProviderClass, {
        ...place,
        metadataOnly: true,
        annotations: sourceAnnotationKeys(config),
        optional: true,
      }),
    )
  }

  get informers(): readonly Informer<KubeObject>[] {
    return [...this.#mounts, ...this.#classes]
  }

  *names(namespace: string): Iterable<string> {
    for (const { reference } of this.#known.values()) if (reference.namespace === namespace) yield reference.name
  }

  /** A class as it is known now. A class without an object has no annotations, which is told once. */
  state(reference: SourceReference): SourceState {
    const { settings, clock, log } = this.#options
    const known = this.#known.get(sourceKey(reference))
    const found = this.#classOf(reference)
    if (
      known !== undefined &&
      found === undefined &&
      this.#classes.some(({ isSynced }) => isSynced) &&
      !this.#missing.has(sourceKey(reference))
    ) {
      this.#missing.add(sourceKey(reference))
      log.warn({ ...reference }, 'pods mount a SecretProviderClass that is not there: it is taken to have no annotations')
    }
    return {
      reference,
      annotations: sourceAnnotations(found?.metadata.annotations, settings.keys),
      content: known?.content ?? 'unread',
      resourceVersion: known?.content.sha1 ?? '',
      uid: found?.metadata.uid ?? '',
      changedAtMs: known === undefined ? clock.now() : wallOf(clock, known.changedMs),
    }
  }

  /** Follows the mounts; told of a changed annotation of a class, too. Returns what ends that. */
  start(onAnnotations: (reference: SourceReference) => void, received: Received): () => void {
    const ended = new AbortController()
    const { signal } = ended
    const ends = [
      ...this.#mounts.map(informer => informer.onChange(change => this.#mounted(change, { received, signal }))),
      ...this.#classes.map(informer =>
        informer.onChange(({ object, initial }) => {
          const { namespace = '', name } = object.metadata
          if (!initial && this.#options.namespaces.has(namespace)) onAnnotations({ type: 'secretproviderclass', namespace, name })
        }),
      ),
    ]
    return () => {
      ended.abort()
      for (const end of ends) end()
    }
  }

  #classOf({ namespace, name }: SourceReference): KubeObject | undefined {
    for (const informer of this.#classes) {
      const found = informer.store.get(namespace, name)
      if (found !== undefined) return found
    }
    return undefined
  }

  #mounted(
    { type, object, previous, initial, resync }: Change<KubeObject>,
    { received, signal }: { readonly received: Received; readonly signal: AbortSignal },
  ): void {
    const { namespaces, clock, settings, onContent } = this.#options
    const { namespace = '' } = object.metadata
    const mount = mountOf(object)
    if (resync === true) return
    const isWatched = namespaces.has(namespace)
    received(type === 'ADDED' ? 'add' : type === 'DELETED' ? 'delete' : 'update', isWatched)
    if (mount === undefined || !isWatched || type === 'DELETED') return
    const reference = { type: 'secretproviderclass', namespace, name: mount.className } as const
    const key = sourceKey(reference)
    const known = this.#known.get(key)
    const nowMs = clock.elapsed()
    if (known === undefined) {
      const { content } = mount.report
      const rotation = withFoundReport([], mount.report, nowMs)
      this.#known.set(key, { reference, rotation, content, changedMs: nowMs, isWaiting: false })
      onContent({ reference, isChanged: undefined })
      return
    }
    if (initial) {
      known.rotation = withFoundReport(known.rotation, mount.report, nowMs)
      this.#settle(known, undefined, signal)
      return
    }
    // The mount of a new pod says what that pod has got already: nothing is to be rolled for it.
    const before = previous === undefined ? undefined : mountOf(previous)
    if (type !== 'MODIFIED' || before === undefined || before.report.versions === mount.report.versions) return
    known.rotation = withReport(known.rotation, mount.report, { nowMs, windowMs: settings.rotationWindowMs })
    this.#settle(known, true, signal)
  }

  /** Takes what counts now, and looks again when that may change. */
  #settle(known: Class, isChanged: true | undefined, signal: AbortSignal): void {
    const { clock, settings, onContent } = this.#options
    const nowMs = clock.elapsed()
    const counting = countingReport(known.rotation, { nowMs, windowMs: settings.rotationWindowMs })
    if (counting === undefined) return
    const { content } = counting.report
    if (content.exact !== known.content.exact) {
      known.content = content
      known.changedMs = nowMs
      onContent({ reference: known.reference, isChanged })
    }
    if (counting.changesAtMs === undefined || known.isWaiting) return
    known.isWaiting = true
    const again = () => {
      known.isWaiting = false
      this.#settle(known, true, signal)
    }
    // Rejects only with the end of the part.
    clock.after(counting.changesAtMs - nowMs, signal).then(again, () => undefined)
  }
}

interface Mount {
  readonly className: string
  readonly report: Report
}

/** What a status says is mounted; `undefined` where it says nothing. */
export function mountOf(object: KubeObject): Mount | undefined {
  const status = fieldsIn(object, 'status')
  const className = textIn(status, 'secretProviderClassName') ?? ''
  if (className === '') return undefined
  const objects = listIn(status, 'objects').map(one => ({ id: textIn(one, 'id') ?? '', version: textIn(one, 'version') ?? '' }))
  return { className, report: reportOf(className, objects) }
}
