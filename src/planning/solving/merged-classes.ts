// Classes that nothing in a model tells apart become one: fifty Deployments of one shape on a node are one question, not fifty. What is
// chosen for the one is then shared out among them.
import type { Assignment, DomainRule, Flow, GoalRow, MoveClass, MoveModel } from '../model/move-model.ts'

interface Merged {
  /** Without what only the later objectives need: workloads are not told apart in it. */
  readonly model: MoveModel
  /** What an assignment of `model` means for the classes that were merged. @throws RangeError where it moves more than there are */
  share(assignment: Assignment): Assignment
}

/** The same model with fewer classes; its answers have the same shortfall and cost. */
export function mergedClasses(model: MoveModel): Merged {
  const roles = rolesOf(model)
  const groups = [...Map.groupBy(model.classes.keys(), index => keyOf(model, index, roles[index] ?? [])).values()]
  const groupOf = new Map(groups.flatMap((members, group) => members.map(member => [member, group] as const)))
  const classes = groups.flatMap((members): MoveClass[] => {
    const [first] = members.flatMap(member => model.classes[member] ?? [])
    if (first === undefined) return []
    const size = members.reduce((sum, member) => sum + (model.classes[member]?.size ?? 0), 0)
    return [{ ...first, size }]
  })
  const inGroups = (members: readonly number[]) => [...new Set(members.flatMap(member => groupOf.get(member) ?? []))]
  const rules = model.rules.map(
    (rule): DomainRule =>
      rule.kind === 'apart'
        ? { ...rule, members: inGroups(rule.members), others: inGroups(rule.others) }
        : { ...rule, members: inGroups(rule.members) },
  )
  return {
    model: { ...model, classes, rules, goals: model.goals.map(row => withGroups(row, inGroups)), replicated: [] },
    share: assignment => shared(model, groups, assignment),
  }
}

/** The row with its classes by their groups. */
function withGroups(row: GoalRow, inGroups: (members: readonly number[]) => readonly number[]): GoalRow {
  if (row.parts?.some(({ only }) => only !== undefined) !== true) return row
  return {
    ...row,
    parts: row.parts.map(part => (part.only === undefined ? part : { ...part, only: new Set(inGroups([...part.only])) })),
  }
}

/** Which rules each class is in, and as what; and which rows count it. */
function rolesOf(model: MoveModel): readonly (readonly string[])[] {
  const roles = model.classes.map((): string[] => [])
  for (const [at, rule] of model.rules.entries()) {
    for (const member of rule.members) roles[member]?.push(`${at} member`)
    for (const other of rule.kind === 'apart' ? rule.others : []) roles[other]?.push(`${at} other`)
  }
  for (const [at, row] of model.goals.entries()) {
    for (const [index, { only }] of (row.parts ?? []).entries())
      for (const member of only ?? []) roles[member]?.push(`goal ${at} ${index}`)
  }
  return roles
}

function keyOf(model: MoveModel, index: number, roles: readonly string[]): string {
  const { from, requests, usage, cost, destinations, preferred, namespace } = model.classes[index] ?? {}
  const amounts = (of: Readonly<Record<string, number>> = {}) => Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const limited = model.limits.perNamespace === undefined ? undefined : namespace
  const wanted = preferred === undefined ? undefined : [...preferred].toSorted((a, b) => a - b)
  return JSON.stringify([from, amounts(requests), amounts(usage), cost, destinations, wanted, limited, roles])
}

/** Workloads that are touched already give first, then those that have most: few are disturbed. */
function shared(model: MoveModel, groups: readonly (readonly number[])[], assignment: Assignment): Assignment {
  const left = model.classes.map(({ size }) => size)
  const touched = new Set<string>()
  const flows = assignment.flatMap(({ class: group, to, count }): Flow[] => {
    const given: Flow[] = []
    let wanted = count
    while (wanted > 0) {
      const next = nextOf(groups[group] ?? [], index => ({
        left: left[index] ?? 0,
        isTouched: touched.has(model.classes[index]?.workload ?? ''),
      }))
      if (next === undefined) throw new RangeError(`${count} pods of a class that has fewer`)
      const taken = Math.min(wanted, left[next] ?? 0)
      left[next] = (left[next] ?? 0) - taken
      wanted -= taken
      touched.add(model.classes[next]?.workload ?? '')
      given.push({ class: next, to, count: taken })
    }
    return given
  })
  return flows.toSorted((a, b) => a.class - b.class || a.to - b.to)
}

function nextOf(
  members: readonly number[],
  of: (index: number) => { readonly left: number; readonly isTouched: boolean },
): number | undefined {
  return members
    .filter(index => of(index).left > 0)
    .toSorted((a, b) => Number(of(b).isTouched) - Number(of(a).isTouched) || of(b).left - of(a).left || a - b)[0]
}
