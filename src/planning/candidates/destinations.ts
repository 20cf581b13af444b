// Nodes that may receive pods, by what the scheduler refuses: pods with the same refusals share one list, or large clusters would have a list
// of all nodes for each pod.
import type { NodeState } from '#cluster/cluster-state.ts'

export class Destinations {
  readonly #names: readonly string[]
  readonly #byRefused = new WeakMap<ReadonlyMap<string, unknown>, readonly string[]>()
  readonly #byText = new Map<string, readonly string[]>()

  constructor(nodes: readonly NodeState[]) {
    this.#names = nodes.map(({ name }) => name)
  }

  /** The nodes that are not among the refused, in order of name; the same list for the same refusals. */
  of(refused: ReadonlyMap<string, unknown>): readonly string[] {
    const known = this.#byRefused.get(refused)
    if (known !== undefined) return known
    const text = this.#names.filter(name => refused.has(name)).join('\n')
    const list = this.#byText.get(text) ?? this.#names.filter(name => !refused.has(name))
    this.#byText.set(text, list)
    this.#byRefused.set(refused, list)
    return list
  }
}
