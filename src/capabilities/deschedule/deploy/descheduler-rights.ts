// What the descheduler may: the rights that the program says it needs, each under the condition on the values under which it needs them.

import type { Right } from '#coordination/rbac.ts'
import { metadataOf, nameText } from '#deployment/objects/object-shapes.ts'
import { type Account, granted, isMade } from '#deployment/objects/rights-objects.ts'
import { anyRule, type ConditionalRight, type RuleTree, ruleItems, rulesOf } from '#deployment/objects/rights-tree.ts'
import { all, any, type Condition, type Fields, type ObjectTree, text, value } from '#deployment/tree.ts'
import { type Axis, choices, conditionOf } from '#deployment/truth-table.ts'
import { deschedulerRules } from '../compat/rights.ts'

const deschedulerAccount: Account = {
  component: 'descheduler',
  name: 'deschedulerAccount',
  namespace: 'namespace',
  block: 'descheduler',
  prefix: 'descheduler-',
}

export const isDeschedulerOn: Condition = { on: 'descheduler.enabled' }
export const isStaying: Condition = { is: 'descheduler.kind', value: 'Deployment' }
export const electsLeader: Condition = all(isStaying, { on: 'descheduler.leaderElection.enabled' })

/** Stand for what the values say, and are looked for in what the program then asks for. */
const lease = { namespace: 'namespace-of-the-lease', name: 'name-of-the-lease' } as const
const token = { namespace: 'namespace-of-the-token', name: 'name-of-the-token' } as const

const axes: readonly Axis[] = [
  { condition: { on: 'descheduler.dryRun' }, with: { dryRun: true } },
  { condition: electsLeader, with: { leaderElection: lease } },
  {
    condition: any(
      { says: 'descheduler.policy', value: 'KubernetesMetrics' },
      { says: 'descheduler.policy.metricsCollector', value: 'true' },
    ),
    with: { kubernetesMetrics: true },
  },
  { condition: { on: 'descheduler.coordination.enforce' }, with: { enforced: true } },
]

/** Every right that it may need, and when; `undefined`: always. */
function conditionalRights(): readonly ConditionalRight[] {
  const cases = choices(axes.length)
  const held = new Map<string, { readonly right: Right; readonly bits: Set<number> }>()
  for (const bits of cases) {
    const isSo = (at: number) => (bits & (1 << at)) !== 0
    const rights = deschedulerRules({
      dryRun: isSo(0),
      ...(isSo(1) ? { leaderElection: lease } : {}),
      enforced: isSo(3),
      policy: { kubernetesMetrics: isSo(2), prometheus: { url: '', tokenSecret: token } },
      // The controller keeps the book of permits; it sees what is evicted here as done by others.
      permits: false,
    })
    for (const right of rights) {
      const key = JSON.stringify(right)
      const entry = held.get(key) ?? { right, bits: new Set<number>() }
      entry.bits.add(bits)
      held.set(key, entry)
    }
  }
  return Array.from(held.values(), ({ right, bits }) => ({ right, when: conditionOf(bits, axes, cases) }))
}

/** Account, roles and bindings. */
export function deschedulerRights(): readonly ObjectTree[] {
  const rights = conditionalRights()
  const at = (select: (right: Right) => boolean, named: Fields = {}) =>
    rulesOf(
      rights.filter(({ right }) => select(right)),
      named,
    )
  const isAt = (place: string) => (right: Right) => right.place === place
  const ofLease = [
    ...at(right => isAt(lease.namespace)(right) && right.names.length === 0),
    ...at(right => isAt(lease.namespace)(right) && right.names.length > 0, {
      resourceNames: [value('descheduler.leaderElection.resourceName')],
    }),
  ]
  const ofToken = at(isAt(token.namespace), { resourceNames: [text({ item: 'name' })] })
  return [
    {
      file: 'descheduler/rights.yaml',
      when: all(isDeschedulerOn, { on: 'descheduler.serviceAccount.create' }),
      tree: {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: metadataOf({
          name: nameText('deschedulerAccount'),
          component: 'descheduler',
          annotationsOf: ['descheduler.serviceAccount.annotations'],
        }),
        automountServiceAccountToken: false,
      },
    },
    ...roles('', at(isAt('cluster')), { kind: 'ClusterRole' }),
    ...roles('-lease', ofLease, { kind: 'Role', namespace: value('descheduler.leaderElection.resourceNamespace') }),
    ...roles('-secrets', ofToken, {
      kind: 'Role',
      namespace: text({ item: 'namespace' }),
      each: 'descheduler.tokenSecrets',
    }),
  ].map(tree => ({ ...tree, file: 'descheduler/rights.yaml' }))
}

function roles(
  suffix: string,
  rules: readonly RuleTree[],
  place: { readonly kind: 'ClusterRole' | 'Role'; readonly namespace?: ReturnType<typeof text>; readonly each?: string },
): readonly ObjectTree[] {
  if (rules.length === 0) return []
  const condition = anyRule(rules)
  return granted(deschedulerAccount, {
    file: 'rights.yaml',
    suffix,
    rules: ruleItems(rules),
    when: all(isDeschedulerOn, isMade, ...(condition === undefined ? [] : [condition])),
    ...place,
  })
}
