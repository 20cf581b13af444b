// Which parts of capabilities run on nodes, and when: pods, accounts and namespace of the agents follow from it.
import type { Capability, PartOf } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { any, type Condition } from '../tree.ts'

/** Parts of one trust share a pod: the mirror has one of its own, because it serves before the pods' network is there. */
type AgentTrust = 'agent' | 'agent-mirror'

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

/** When any part of the trust is enabled; `undefined`: there is none. */
export function runsOnNodes(capabilities: readonly Capability[], ...trusts: readonly AgentTrust[]): Condition | undefined {
  const names = new Set(trusts.flatMap(trust => agentRoles(capabilities, trust).map(({ capability }) => capability)))
  return names.size === 0 ? undefined : any(...Array.from(names, (name): Condition => ({ on: `capabilities.${name}.enabled` })))
}
