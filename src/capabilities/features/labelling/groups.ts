// NodeFeatureGroups: which nodes are in each, by the rules of the group.

import { isDeepStrictEqual } from 'node:util'
import { type EffectContext, effectOptions, leadingGuard } from '#coordination/effects/effect-context.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound, StatusError } from '#kube/objects/status.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { setAttributes } from '../matching/feature-set.ts'
import { type Rule, runRule } from '../matching/rule.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { capabilityName, nodeFeatureGroups } from '../names.ts'
import { mergedFeatures, type NodeFeatureSource } from '../rules/node-outcome.ts'
import { readRule } from '../rules/read-rule.ts'
import { nodeFeatureGroupSpec } from '../rules/rule-schema.ts'

interface Group {
  readonly name: string
  readonly rules: readonly Rule[]
}

interface Membership {
  /** The node's name in groups: its feature `system.name`, as upstream has it, else that of the Node. */
  readonly name: string
  readonly groups: ReadonlySet<string>
}

/** The groups of `objects`; one that cannot be read has no members, and is told. */
export function readGroups(objects: Iterable<KubeObject>, tell: (why: string) => void): readonly Group[] {
  return Array.from(objects, object => {
    const { name } = object.metadata
    const read = checkAgainst(nodeFeatureGroupSpec, object['spec'] ?? {}, `NodeFeatureGroup ${name}: spec`)
    if (read.ok) return { name, rules: read.value.featureGroupRules.map(rule => readRule(rule)) }
    for (const problem of read.problems) tell(problemSentence(problem))
    return { name, rules: [] }
  })
}

/** Which groups a node is in. Pure: vars of a rule are seen by those behind it, in the same group; a rule that fails matches nothing. */
export function membershipOf(
  node: string,
  sources: readonly NodeFeatureSource[],
  groups: readonly Group[],
  around: Parameters<typeof mergedFeatures>[1],
): Membership {
  const name = mergedFeatures(sources, around).attributes.get('system.name')?.get('nodename') ?? node
  const isIn = ({ rules }: Group) => {
    const features = mergedFeatures(sources, around)
    const matches = rules.map(rule => {
      try {
        const { matched, vars } = runRule(rule, features)
        setAttributes(features, 'rule.matched', vars)
        return matched
      } catch (error) {
        if (error instanceof RuleFailure) return false
        throw error
      }
    })
    return matches.includes(true)
  }
  return { name, groups: new Set(sources.length === 0 ? [] : groups.filter(isIn).map(group => group.name)) }
}

interface GroupStatus {
  readonly nodes?: readonly { readonly name: string }[]
}

/** Who is in which group, and what the server is told of it. */
export class GroupMembers {
  readonly #nodes = new Map<string, Membership>()

  keep(node: string, membership: Membership): void {
    this.#nodes.set(node, membership)
  }

  forget(node: string): void {
    this.#nodes.delete(node)
  }

  /**
   * Writes the statuses that differ; one that cannot be written holds up no other.
   *
   * @returns whether all is written @throws what the leadership throws when we lead no more
   */
  async write(groups: Informer<KubeObject>, { effects, log }: Writing, signal: AbortSignal): Promise<boolean> {
    const resource = effects.api.resource<KubeObject>(nodeFeatureGroups)
    let isDone = true
    for (const group of [...groups.store.list()]) {
      const { name, namespace, uid } = group.metadata
      const members = [...this.#nodes.values()].filter(one => one.groups.has(name)).map(one => one.name)
      const nodes = [...new Set(members)].sort().map(member => ({ name: member }))
      // The cast: the definition says what a status is.
      const before = group['status'] as GroupStatus | undefined
      if (isDeepStrictEqual(nodes, before?.nodes ?? [])) continue
      const options = effectOptions(capabilityName, namespace, { guard: leadingGuard(effects), signal })
      try {
        const body = { metadata: { uid }, status: { nodes } }
        groups.observe(await resource.patch(name, { type: 'merge', body }, { ...options, subresource: 'status' }))
      } catch (error) {
        if (isNotFound(error)) continue
        if (!(error instanceof StatusError)) throw error
        isDone = false
        log.warn({ group: name, why: messageOf(error) }, 'the status of a group is not written, tried again')
      }
    }
    return isDone
  }
}

interface Writing {
  readonly effects: EffectContext
  readonly log: Log
}
