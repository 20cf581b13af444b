// Which parts of capabilities run on nodes, and when: pods, accounts and namespace of the agents follow from it.
import type { Capability, PartOf } from '#coordination/capability.ts'
import { type nodeTrusts, partsIn } from '#coordination/part-hosts.ts'
import { all, any, type Condition } from '../tree.ts'

/**
 * Parts of one trust share a pod. The mirror has one of its own, because it serves before the pods' network is there; so has who mounts, since a
 * mount that hangs holds up its pod.
 */
type AgentTrust = (typeof nodeTrusts)[number]

export interface AgentRole {
  readonly capability: string
  /** `--role`. */
  readonly role: string
  readonly part: PartOf<'node', unknown>
}

/** The parts of a trust, in order. */
export function agentRoles(capabilities: readonly Capability[], trust: AgentTrust): readonly AgentRole[] {
  return capabilities.flatMap(capability =>
    partsIn('node', capability)
      .filter(part => part.trust === trust)
      .map(part => ({ capability: capability.name, role: part.role ?? capability.name, part })),
  )
}

/** When the container of any of these roles is there. */
export function anyRoleOn(roles: readonly AgentRole[]): Condition {
  const always = new Set(roles.filter(({ part }) => part.switchedBy === undefined).map(({ capability }) => capability))
  const switched = roles.filter(({ capability }) => !always.has(capability))
  const isEnabled = (capability: string): Condition => ({ on: `capabilities.${capability}.enabled` })
  return any(
    ...Array.from(always, isEnabled),
    ...switched.map(({ capability, part }) =>
      all(isEnabled(capability), { on: `capabilities.${capability}.${part.switchedBy}` }),
    ),
  )
}

/** When any part of the trust is enabled; `undefined`: there is none. */
export function runsOnNodes(capabilities: readonly Capability[], ...trusts: readonly AgentTrust[]): Condition | undefined {
  const names = new Set(trusts.flatMap(trust => agentRoles(capabilities, trust).map(({ capability }) => capability)))
  return names.size === 0 ? undefined : any(...Array.from(names, (name): Condition => ({ on: `capabilities.${name}.enabled` })))
}
