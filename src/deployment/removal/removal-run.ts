// One run of `ballast uninstall`: what it was asked, what was done so far, and what could not be.
import type { Leadership } from '#coordination/arbiter/leadership.ts'
import type { Capability } from '#coordination/capability.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import type { Api } from '#kube/client/api.ts'
import { isWrittenBy, takeAway, withoutOurs } from '#kube/client/take-away.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type GroupVersionResource, resourceKey } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'

export const keepable = ['crds', 'labels', 'objects', 'asleep'] as const
type Keepable = (typeof keepable)[number]

export interface RemovalOptions {
  readonly api: Api
  readonly clock: Clock
  readonly capabilities: readonly Capability[]
  readonly namespace: string
  /** The release: the label `app.kubernetes.io/instance` of what was installed. */
  readonly release: string
  /**
   * `crds`: kinds, and with them users' policies. `labels`: annotations on workloads and nodes. `objects`: what the installer applied.
   * `asleep`: workloads that are held at zero replicas, for whoever scales them next.
   */
  readonly keep: ReadonlySet<Keepable>
  readonly dryRun: boolean
  readonly signal: AbortSignal
}

/** Effects ask whether we lead. The controller was stopped before: nobody does, and what they do here takes nothing from anybody. */
const nobodyLeads: Leadership = {
  transitions: 0,
  assert: () => undefined,
  confirm: async () => undefined,
  annotations: () => ({}),
  outlast: async () => undefined,
  annotate: async () => undefined,
}

/** One run of it, with what was done so far. */
export class RemovalRun {
  readonly options: RemovalOptions
  readonly done: string[] = []
  readonly left: string[] = []
  /** What is as somebody wants it, and why. */
  readonly stays: string[] = []

  constructor(options: RemovalOptions) {
    this.options = options
  }

  /** What effects are called with. */
  get effects(): EffectContext {
    const { api, clock } = this.options
    return { api, clock, leadership: nobodyLeads }
  }

  /** Does `work` unless this is a dry run. What is gone is as good as done; what fails is left. */
  async take(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      if (!this.options.dryRun) await work()
      this.done.push(what)
    } catch (error) {
      this.options.signal.throwIfAborted()
      if (!isNotFound(error)) this.left.push(`${what}: ${messageOf(error)}`)
    }
  }

  /** Every object of a resource that `matches`; none where it is not served. */
  async find<T extends KubeObject>(
    resource: GroupVersionResource,
    matches: (object: T) => boolean,
    namespace?: string,
  ): Promise<readonly T[]> {
    const { api, signal } = this.options
    const found: T[] = []
    try {
      for await (const page of api.resource<T>(resource).pages({ signal, namespace })) found.push(...page.items.filter(matches))
    } catch (error) {
      signal.throwIfAborted()
      if (!isNotFound(error)) this.left.push(`look for ${resourceKey(resource)}: ${messageOf(error)}`)
    }
    return found
  }

  /** As `delete`, but for what others put into it, or made under a name of ours: that is left, and told. */
  async takeAway(resource: GroupVersionResource, object: KubeObject): Promise<void> {
    const { api, signal } = this.options
    const { name, namespace, uid } = object.metadata
    const what = `${resourceKey(resource)} ${placeOf(object)}`
    if (!isWrittenBy(object)) {
      this.left.push(`${what}: Ballast has not written it`)
      return
    }
    if (withoutOurs(object) === undefined) return this.delete(resource, object)
    await this.take(`take what is ours out of ${what}`, () =>
      takeAway(api.resource<KubeObject>(resource), name, { namespace, signal, uid }),
    )
    this.left.push(`${what}: others have put something into it, which stays`)
  }

  async delete(resource: GroupVersionResource, object: KubeObject): Promise<void> {
    const { namespace, name, uid } = object.metadata
    const { api, signal } = this.options
    await this.take(`delete ${resourceKey(resource)} ${placeOf(object)}`, () =>
      api.resource(resource).delete(name, {
        namespace,
        signal,
        propagationPolicy: 'Background',
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      }),
    )
  }
}

export const placeOf = ({ metadata }: KubeObject) =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
export const installedLabel = 'app.kubernetes.io/instance'
