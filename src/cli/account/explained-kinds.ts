// Kinds that a capability tells of by itself, such as what is measured: `ballast why` asks it, and it looks for what it needs.
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { Api } from '#kube/client/api.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import { installedSettings } from '../source/installed-settings.ts'
import { isInPod, kubeconfigOf, openLiveApi } from '../source/live-source.ts'
import type { AccountOptions } from './account-source.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** Kinds that it tells of by itself: what `ballast why` says of one. */
    readonly explains?: ExplainedKinds
  }
}

interface ExplainedKinds {
  /** By the names that kubectl takes, in lower case. */
  readonly kinds: Readonly<Record<string, string>>
  readonly load: () => Promise<Explain>
}

/** Asks whom it needs. @throws CommandRefused; Error where the cluster cannot be read */
type Explain = (asked: AskedKind) => Promise<Explanation>

export interface AskedKind {
  readonly kind: string
  readonly name: string
  readonly namespace: string | undefined
  /** Nothing is looked at a second time. */
  readonly isOnce: boolean
  readonly api: Api
  /** The capability's section of the configuration, as far as that can be read. */
  readonly config: unknown
  readonly clock: Clock
  readonly signal: AbortSignal
  /** For a person who waits. */
  readonly say: (line: string) => void
}

interface Section {
  readonly heading: string
  readonly lines: readonly string[]
  /** Lines of somebody else, which are not broken. */
  readonly isVerbatim?: boolean
}

export interface Explanation {
  /** For a person: a heading, and what stands below it. */
  readonly sections: readonly Section[]
  readonly document: Readonly<Record<string, unknown>>
  /** Whether there is such an object that could be told of. */
  readonly isFound: boolean
}

/** What a capability says of `text` (`podmetrics/cart-a`); undefined where it is no kind of any. @throws as `Explain` */
export async function explainedKind(
  text: string,
  options: AccountOptions & { readonly namespace?: string; readonly once?: boolean },
  surroundings: Surroundings,
): Promise<Explanation | undefined> {
  const [given = '', name = ''] = text.split(/\/(.*)/s)
  for (const { name: capability, explains } of enabledCapabilities) {
    const kind =
      explains !== undefined && Object.hasOwn(explains.kinds, given.toLowerCase())
        ? explains.kinds[given.toLowerCase()]
        : undefined
    if (explains === undefined || kind === undefined) continue
    if (name === '') throw new CommandRefused(`found ${JSON.stringify(text)}, expected ${kind}/NAME`)
    if (options.cluster !== undefined)
      throw new CommandRefused(
        `${kind} is told from what a live cluster says now: name one with --kubeconfig, a dump does not do`,
      )
    const { environment, signal, terminal } = surroundings
    const kubeconfig = kubeconfigOf(options.kubeconfig, environment)
    if (kubeconfig === undefined && !isInPod(environment)) throw new CommandRefused('no cluster: name one with --kubeconfig FILE')
    const nothing = { isLive: true, objects: [], state: buildClusterState([]).state }
    const { settings } = await installedSettings(options, nothing, surroundings)
    const { api } = await openLiveApi({ kubeconfig, context: options.context, environment, signal })
    try {
      return await (await explains.load())({
        ...{ kind, name, api, signal, clock: systemClock, isOnce: options.once === true },
        namespace: options.namespace,
        config: settings.capabilities[capability]?.config,
        say: line => terminal.say(line),
      })
    } finally {
      await api.close()
    }
  }
  return undefined
}
