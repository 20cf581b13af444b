// What is wrong with nodes and images at present, as faults and pressure have it; kubelets ask here before they report or pull.
import type { Condition } from '#kube/objects/objects.ts'

/** A condition of a node without its times. */
export type NodeCondition = Pick<Condition, 'type' | 'status'> & { readonly reason: string; readonly message: string }

export type PullError = 'ErrImagePull' | 'InvalidImageName'

/** By how much pulls of a node that pulls slowly take longer. */
const slowPullFactor = 10

export class NodeTrouble {
  /** Per node, by who said it, what is reported instead of good health. */
  readonly #conditions = new Map<string, Map<object, NodeCondition>>()
  readonly #slow = new Map<string, Set<object>>()
  readonly #images = new Map<object, { readonly pattern: RegExp; readonly error: PullError }>()

  /** Has the node report the condition until `source` takes it back. */
  report(node: string, source: object, condition: NodeCondition): void {
    const conditions = this.#conditions.get(node) ?? new Map<object, NodeCondition>()
    conditions.set(source, condition)
    this.#conditions.set(node, conditions)
  }

  /** True where the source had said something. */
  takeBack(node: string, source: object): boolean {
    return this.#conditions.get(node)?.delete(source) ?? false
  }

  /** What is reported of a type; of several the last said. */
  conditionOf(node: string, type: string): NodeCondition | undefined {
    return [...(this.#conditions.get(node)?.values() ?? [])].findLast(condition => condition.type === type)
  }

  slowPulls(node: string, source: object, isSlow: boolean): void {
    const sources = this.#slow.get(node) ?? new Set<object>()
    if (isSlow) sources.add(source)
    else sources.delete(source)
    this.#slow.set(node, sources)
  }

  /** By how much pulls take longer than the node's bandwidth has it. */
  pullFactor(node: string): number {
    return (this.#slow.get(node)?.size ?? 0) > 0 ? slowPullFactor : 1
  }

  /** Pulls of images like `pattern` (`*` stands for any text) fail until `source` takes it back. */
  failPulls(source: object, pattern: string, error: PullError): void {
    const parts = pattern.split('*').map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    this.#images.set(source, { pattern: new RegExp(`^${parts.join('.*')}$`, 's'), error })
  }

  allowPulls(source: object): void {
    this.#images.delete(source)
  }

  pullError(image: string): PullError | undefined {
    for (const { pattern, error } of this.#images.values()) if (pattern.test(image)) return error
    return undefined
  }
}
