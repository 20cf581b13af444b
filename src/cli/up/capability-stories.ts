// What capabilities tell in `ballast up`: what happens while the cluster goes on, and how it can be tried.
import type { NodeContext } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { PortBook } from '#process/parts/port-book.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** What `ballast up` tells of it. */
    readonly up?: () => Promise<UpStory>
  }
}

export interface UpStory {
  /** A sentence and a command that try it on a cluster of `objects`; empty where there is nothing to try. */
  readonly toTry: (objects: readonly KubeObject[], doors: Pick<PortBook, 'take'>) => readonly string[]
  /** Tells what begins from now on, as lines without a time. Returns what ends it. */
  readonly watch: (informers: Pick<Informers, 'of'>, tell: (line: string) => void) => () => void
  /** What stands in for machines that a twin has not, such as file servers. */
  readonly standIn?: StandIn
}

export interface StandIn {
  /** The role of the part on nodes whose rights it has. */
  readonly role: string
  /** Provisioners of volumes that it is, by the section of its capability: the twin leaves their volumes to it. */
  readonly provisioners: (config: unknown) => readonly string[]
  /** Runs until it is disposed of. @throws OutsideError where the host does not let it */
  readonly start: (context: StandInContext, config: unknown, signal: AbortSignal) => Promise<AsyncDisposable>
}

export interface StandInContext extends NodeContext {
  readonly api: Api
  /** A folder of its own: kept where the cluster is kept, else removed at the end. */
  readonly folder: string
  readonly isKept: boolean
  /** Tells whoever started it. */
  readonly tell: (line: string) => void
}

export interface NamedStory extends UpStory {
  readonly capability: string
}

export async function capabilityStories(): Promise<readonly NamedStory[]> {
  return await Promise.all(
    enabledCapabilities.flatMap(({ name, up }) =>
      up === undefined ? [] : [up().then(story => ({ ...story, capability: name }))],
    ),
  )
}
