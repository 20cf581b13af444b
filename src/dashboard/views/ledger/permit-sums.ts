// Sums over lines of the ledger, kept up by difference: a change of one permit among 100,000 costs that permit.
import type { Decision } from '../../contract.ts'
import type { LedgerEntry } from './permits-entry.ts'

type Summed = Pick<LedgerEntry, 'decision' | 'rule' | 'capability'> & Partial<Pick<LedgerEntry, 'namespace'>>

export interface PermitSums {
  readonly decisions: ReadonlyMap<Decision, number>
  /** Rules of what was denied or waits. */
  readonly rules: ReadonlyMap<string, number>
  readonly denials: ReadonlyMap<string, number>
  readonly capabilities: ReadonlyMap<string, number>
  readonly namespaces: ReadonlyMap<string | undefined, number>
}

const nothing: PermitSums = {
  decisions: new Map(),
  rules: new Map(),
  denials: new Map(),
  capabilities: new Map(),
  namespaces: new Map(),
}

/** The sums of `before` with the lines that came and without those that went. */
export function sumsWith(come: Iterable<Summed>, gone: Iterable<Summed> = [], before: PermitSums = nothing): PermitSums {
  const decisions = new Map(before.decisions)
  const rules = new Map(before.rules)
  const denials = new Map(before.denials)
  const capabilities = new Map(before.capabilities)
  const namespaces = new Map(before.namespaces)
  const count = ({ decision, rule, capability, namespace }: Summed, by: 1 | -1) => {
    add(decisions, decision, by)
    add(capabilities, capability, by)
    add(namespaces, namespace, by)
    if (rule === null) return
    add(rules, rule, by)
    if (decision === 'denied') add(denials, rule, by)
  }
  for (const entry of come) count(entry, 1)
  for (const entry of gone) count(entry, -1)
  return { decisions, rules, denials, capabilities, namespaces }
}

function add<Key>(sums: Map<Key, number>, key: Key, by: 1 | -1): void {
  const sum = (sums.get(key) ?? 0) + by
  if (sum === 0) sums.delete(key)
  else sums.set(key, sum)
}
