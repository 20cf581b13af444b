// What one cycle says of its plugins: what they take nodes for, how much room they see, which limits stopped them, why they ended.
import type { CycleSaid } from '#planning/simulation/descheduler-run.ts'
import type { DeschedulerPlugin, LimitedWish } from '#planning/simulation/report.ts'
import type { CycleStep } from '../cycle.ts'

/** klog's level up to which plugins say what is kept here. */
export const noteLevel = 2

type Fields = Readonly<Record<string, string | number>>

interface PluginNotes {
  readonly nodes: Map<string, string[]>
  readonly sources: string[]
  room?: Fields
  ended?: string
}

export class CycleNotes {
  readonly #plugins: DeschedulerPlugin[] = []
  readonly #limited: LimitedWish[] = []
  /** Notes of the plugin that runs. */
  #notes: PluginNotes = { nodes: new Map(), sources: [] }

  get said(): Pick<CycleSaid, 'plugins' | 'limited'> {
    return { plugins: this.#plugins, limited: this.#limited }
  }

  step(step: CycleStep): void {
    if (step.kind === 'begin') this.#notes = { nodes: new Map(), sources: [] }
    else if (step.kind === 'limit')
      this.#limited.push({ pod: step.wish.pod.key, strategy: step.wish.strategy, limit: step.refusal.result })
    else if (step.kind === 'end') this.#plugins.push(pluginOf(step, this.#notes))
  }

  told(message: string, fields: Fields): void {
    const { node, category, strategy, ...rest } = fields
    if (message === 'node has been classified') this.#classified(String(category), String(node))
    else if (message === 'pods on node') this.#notes.sources.push(String(node))
    else if (message === 'total capacity to be moved') this.#notes.room = rest
    // A plugin that ends at once says so with its name alone.
    else if (strategy !== undefined && Object.keys(fields).length === 1) this.#notes.ended = message
  }

  #classified(category: string, node: string): void {
    const known = this.#notes.nodes.get(category)
    if (known === undefined) this.#notes.nodes.set(category, [node])
    else known.push(node)
  }
}

function pluginOf(
  { plugin, evicted, error }: Extract<CycleStep, { readonly kind: 'end' }>,
  { nodes, sources, room, ended }: PluginNotes,
): DeschedulerPlugin {
  return {
    profile: plugin.profile,
    strategy: plugin.strategy,
    evicted,
    ...(nodes.size === 0 ? {} : { nodes: Object.fromEntries(nodes) }),
    ...(sources.length === 0 ? {} : { sources }),
    ...(room === undefined ? {} : { room }),
    ...(ended === undefined ? {} : { ended }),
    ...(error === undefined ? {} : { error }),
  }
}
