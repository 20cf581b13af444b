// What capabilities tell in `ballast up`: what happens while the cluster goes on, and how it can be tried.
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
}

export async function capabilityStories(): Promise<readonly UpStory[]> {
  return await Promise.all(enabledCapabilities.flatMap(({ up }) => (up === undefined ? [] : [up()])))
}
