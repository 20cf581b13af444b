// Which nodes an intent or a permit has to do with.
import type { Relocation, Target } from '../intent.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { Question } from './question.ts'

/** The nodes it names itself: what is drained, tainted, terminated. */
export function firstFew({ targets }: { readonly targets: readonly Target[] }): readonly string[] {
  return targets.filter(({ kind }) => kind === 'Node').map(({ name }) => name)
}

interface Deed {
  readonly targets: readonly Target[]
  readonly relocation?: Relocation | undefined
  readonly nodes?: readonly string[]
  readonly joined?: PermitRecord['joined']
}

/**
 * The first of `wanted` that a wish or a permit has to do with: where pods come from, where they are meant to land, what it names itself;
 * of a permit with those that go along.
 */
export function touchedAmong(
  { targets, relocation, nodes = [], joined = [] }: Deed,
  wanted: ReadonlySet<string>,
): string | undefined {
  const isWanted = (name: string | undefined): name is string => name !== undefined && wanted.has(name)
  // If several places would do for a replacement, the first is the one meant.
  const end = (move: Relocation | undefined) => [move?.from, move?.to[0]].find(isWanted)
  return (
    nodes.find(isWanted) ??
    firstFew({ targets }).find(isWanted) ??
    end(relocation) ??
    joined.map(one => end(one.relocation)).find(isWanted)
  )
}

/** All nodes that the wish in question has to do with: with those on which its pods stand. */
export function touchedBy({ intent, facts }: Pick<Question, 'intent' | 'facts'>): ReadonlySet<string> {
  const { relocation } = intent
  const ends = relocation === undefined ? [] : [relocation.from, ...relocation.to.slice(0, 1)]
  return new Set([...facts.nodes, ...firstFew(intent), ...ends])
}
