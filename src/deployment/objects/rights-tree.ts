// The controller's rights as a tree: each rule under the condition on the values under which a capability asks for it. The conditions are
// not written by hand: capabilities are asked for their rights with each choice of the settings that rights depend on.
import type { Capability } from '#coordination/capability.ts'
import { grantsOf, type Right } from '#coordination/rbac.ts'
import { type ApiserverNeed, apiserverRights } from '#process/apiserver/apiserver-rights.ts'
import { all, any, type Condition, each, type Fields, not, type Tree, text, when } from '../tree.ts'
import { type Axis, choices, conditionOf } from '../truth-table.ts'

/** Stands for each namespace of a capability's own list, and is looked for in where the capability then asks for rights. */
const anyNamespace = 'each-listed-namespace'

/** A setting that makes a capability ask for more, or for less. */
const settings: Readonly<Record<string, readonly Axis[]>> = {
  mirror: [
    {
      condition: { is: 'capabilities.mirror.bootstrapKind', value: 'kubernetes' },
      with: { bootstrapKind: 'kubernetes' },
    },
  ],
  readiness: [
    { condition: { on: 'capabilities.readiness.configureNodes' }, with: { configureNodes: true } },
    { condition: { on: 'capabilities.readiness.nidhogg' }, with: { nidhogg: { nodeSelector: [], daemonsets: [] } } },
  ],
  reload: [
    { condition: { on: 'capabilities.reload.namespaces' }, with: { namespaces: [anyNamespace] } },
    { condition: { on: 'capabilities.reload.argoRollouts' }, with: { argoRollouts: true } },
    { condition: { on: 'capabilities.reload.csiIntegration' }, with: { csiIntegration: true } },
    { condition: { has: 'capabilities.reload.resourcesToIgnore', value: 'secrets' }, with: { resourcesToIgnore: ['secrets'] } },
    {
      condition: { has: 'capabilities.reload.resourcesToIgnore', value: 'configmaps' },
      with: { resourcesToIgnore: ['configmaps'] },
    },
    { condition: { has: 'capabilities.reload.ignoredWorkloadTypes', value: 'jobs' }, with: { ignoredWorkloadTypes: ['jobs'] } },
    {
      condition: { has: 'capabilities.reload.ignoredWorkloadTypes', value: 'cronjobs' },
      with: { ignoredWorkloadTypes: ['cronjobs'] },
    },
  ],
}

/** Stands for each kind of a user's own, and is looked for in what the capability then asks for. */
const anyKind = { group: 'each.custom.kind', version: 'v1', kind: 'Each', resource: 'each-custom-kind' } as const
/** Lists of the configuration whose members bring rights of their own. */
const lists: Readonly<Record<string, readonly { readonly path: string; readonly with: Readonly<Record<string, unknown>> }[]>> = {
  reload: [{ path: 'capabilities.reload.customKinds', with: { customKinds: [anyKind] } }],
}

const clusterScoped: ReadonlySet<string> = new Set([
  'nodes',
  'namespaces',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'priorityclasses.scheduling.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'nodepools.karpenter.sh',
  'nodeclaims.karpenter.sh',
  'nodes.metrics.k8s.io',
  'tokenreviews.authentication.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
])

/** Whether a right is on objects outside of namespaces; of our own kinds the capabilities say it. */
function isClusterScoped({ group, resource }: Right, capabilities: readonly Capability[]): boolean {
  const [plural = resource] = resource.split('/')
  const own = capabilities.flatMap(({ kinds }) => kinds).find(kind => kind.group === group && kind.plural === plural)
  return own === undefined ? clusterScoped.has(group === '' ? plural : `${plural}.${group}`) : own.scope === 'Cluster'
}

/** A right, and when it is asked for; without a condition always. */
export interface ConditionalRight {
  readonly right: Right
  readonly when: Condition | undefined
}

/** The rules of the roles of one ServiceAccount. */
export interface RuleTrees {
  /** On objects outside of namespaces. */
  readonly cluster: readonly RuleTree[]
  /** On objects of any namespace. */
  readonly workloads: readonly RuleTree[]
  /** On Secrets of any namespace: apart, so that an administrator can bind it elsewhere. */
  readonly secrets: readonly RuleTree[]
  /** By namespace, `''` for our own. */
  readonly namespaces: ReadonlyMap<string, PlacedRules>
  /** In each namespace that the value at `path` lists. */
  readonly listed: PlacedRules & { readonly path: string }
}

interface PlacedRules {
  readonly rules: readonly RuleTree[]
  readonly secrets: readonly RuleTree[]
}

export interface RuleTree {
  readonly when: Condition | undefined
  readonly rule: Tree
}

/** As items of a list of rules. Rules side by side under the same condition share it. */
export function ruleItems(rules: readonly RuleTree[]): readonly Tree[] {
  const items: Tree[] = []
  for (let at = 0; at < rules.length; ) {
    const condition = rules[at]?.when
    const key = JSON.stringify(condition)
    const together: Tree[] = []
    for (; at < rules.length && JSON.stringify(rules[at]?.when) === key; at++) together.push(rules[at]?.rule ?? {})
    items.push(...(condition === undefined ? together : [when(condition, ...together)]))
  }
  return items
}

/** When any of the rules is there; `undefined`: always. */
export function anyRule(rules: readonly RuleTree[]): Condition | undefined {
  const conditions = new Map(rules.map(({ when: condition }) => [JSON.stringify(condition), condition]))
  const found = [...conditions.values()]
  return found.some(condition => condition === undefined) ? undefined : anyOf(found.filter(condition => condition !== undefined))
}

/** Whose rights: parts of one trust share a ServiceAccount. */
interface Holder {
  readonly trust: string
  /** Its process stands for a Lease. */
  readonly elects: boolean
}

/** The rights of a ServiceAccount, unless said otherwise of the core's, for every choice of `capabilities`. */
export function ruleTrees(capabilities: readonly Capability[], of: Holder = { trust: 'core', elects: true }): RuleTrees {
  return treesOf(conditionalRights(capabilities, of), capabilities)
}

/** When the page of the cluster is served at all. */
export const servesDashboard: Condition = all({ on: 'apiserver.enabled' }, { on: 'dashboard.enabled' })
/** It listens where others than its own pod may reach it. */
export const isDashboardExposed: Condition = not({ is: 'dashboard.auth.mode', value: 'loopback' })

const apiserverNeeds: Readonly<Record<ApiserverNeed, Condition>> = {
  always: servesDashboard,
  endpoint: all(servesDashboard, isDashboardExposed),
  reviews: all(servesDashboard, isDashboardExposed),
  tokens: all(servesDashboard, { is: 'dashboard.auth.mode', value: 'token' }),
  writes: all(servesDashboard, { is: 'dashboard.auth.mode', value: 'proxy' }, { on: 'dashboard.actions' }),
}

/** The rights of the ServiceAccount of `ballast apiserver`. */
export function apiserverRuleTrees(capabilities: readonly Capability[]): RuleTrees {
  const found = new Map<string, { readonly right: Right; readonly needs: ApiserverNeed[] }>()
  for (const { need, right } of apiserverRights()) {
    const key = JSON.stringify(right)
    const known = found.get(key)
    if (known === undefined) found.set(key, { right, needs: [need] })
    else known.needs.push(need)
  }
  const rights = [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { right, needs }]): ConditionalRight => {
      const needed = needs.includes('always') ? (['always'] as const) : needs
      return { right, when: anyOf(needed.map(need => apiserverNeeds[need])) }
    })
  return treesOf(rights, capabilities)
}

function treesOf(rights: readonly ConditionalRight[], capabilities: readonly Capability[]): RuleTrees {
  const rulesAt = (select: (right: Right) => boolean) => rulesOf(rights.filter(({ right }) => select(right)))
  const isSecret = ({ group, resource }: Right) => group === '' && resource === 'secrets'
  const hasCustom = rights.some(({ right }) => right.group === anyKind.group)
  const custom = hasCustom ? (lists['reload']?.map(({ path }) => path) ?? []) : []
  const places = [...new Set(rights.map(({ right }) => right.place))]
    .filter(place => place !== 'cluster' && place !== anyNamespace)
    .sort()
  const placed = (place: string): PlacedRules => ({
    rules: rulesAt(right => right.place === place && !isSecret(right)),
    secrets: rulesAt(right => right.place === place && isSecret(right)),
  })
  const plain = (right: Right) => right.place === 'cluster' && right.group !== anyKind.group
  return {
    cluster: rulesAt(right => plain(right) && isClusterScoped(right, capabilities)),
    workloads: [
      ...rulesAt(right => plain(right) && !isSecret(right) && !isClusterScoped(right, capabilities)),
      ...custom.flatMap(path => customRules(rights, path)),
    ],
    secrets: rulesAt(right => plain(right) && isSecret(right)),
    namespaces: new Map(places.map(place => [place, placed(place)])),
    listed: { path: 'capabilities.reload.namespaces', ...placed(anyNamespace) },
  }
}

/** One rule for each kind of a user's own. */
function customRules(rights: readonly ConditionalRight[], path: string): readonly RuleTree[] {
  const ofKind = rights.filter(({ right }) => right.group === anyKind.group)
  const named = { apiGroups: [text({ item: 'group' })], resources: [text({ item: 'resource' })] }
  return rulesOf(ofKind, named).map(({ when: condition, rule }) => ({
    when: condition,
    rule: each(path, rule),
  }))
}

function conditionalRights(capabilities: readonly Capability[], of: Holder): readonly ConditionalRight[] {
  const found = new Map<string, { readonly right: Right; always: boolean; readonly conditions: Condition[] }>()
  const entryOf = (right: Right) => {
    const key = JSON.stringify(right)
    const entry = found.get(key) ?? { right, always: false, conditions: [] }
    found.set(key, entry)
    return entry
  }
  for (const right of grantsOf([], of)) entryOf(right).always = true
  for (const capability of capabilities) {
    const isEnabled: Condition = { on: `capabilities.${capability.name}.enabled` }
    const axes = settings[capability.name] ?? []
    const { possible, rights } = heldRights(capability, axes, of)
    for (const { right, held } of rights) {
      const inner = conditionOf(held, axes, possible)
      entryOf(right).conditions.push(inner === undefined ? isEnabled : all(isEnabled, inner))
    }
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { right, always, conditions }]) => ({ right, when: always ? undefined : anyOf(conditions) }))
}

/** Each right that the capability asks for with some choice of its settings, and the choices with which it does. */
function heldRights(capability: Capability, axes: readonly Axis[], of: Holder) {
  const held = new Map<string, { readonly right: Right; readonly held: Set<number> }>()
  const possible: number[] = []
  const members = Object.assign({}, ...(lists[capability.name] ?? []).map(list => list.with))
  for (const bits of choices(axes.length)) {
    const chosen = axes.filter((_, at) => (bits & (1 << at)) !== 0).map(axis => axis.with)
    const config = configurationWith(capability, [members, ...chosen])
    if (config === undefined) continue
    possible.push(bits)
    for (const right of grantsOf([capability], { ...of, configurations: { [capability.name]: config.config } })) {
      const key = JSON.stringify(right)
      const entry = held.get(key) ?? { right, held: new Set<number>() }
      entry.held.add(bits)
      held.set(key, entry)
    }
  }
  return { possible, rights: [...held.values()] }
}

/** Lists that several axes write are joined. `undefined` where the schema refuses the choice. */
function configurationWith(
  capability: Capability,
  changes: readonly Readonly<Record<string, unknown>>[],
): { readonly config: unknown } | undefined {
  const joined: Record<string, unknown> = {}
  for (const change of changes)
    for (const [key, value] of Object.entries(change)) {
      const before = joined[key]
      joined[key] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value
    }
  const read = capability.config.safeParse(joined)
  return read.success ? { config: read.data } : undefined
}

function anyOf(conditions: readonly Condition[]): Condition {
  return any(...conditions)
}

interface VerbsOfResource {
  readonly right: Right
  readonly verbs: Map<string, Condition | undefined>
}

/** Rules in which each resource stands once; a verb that is not always asked for stands under its condition. */
export function rulesOf(rights: readonly ConditionalRight[], named: Fields = {}): readonly RuleTree[] {
  const byResource = new Map<string, VerbsOfResource>()
  for (const { right, when: condition } of rights) {
    const key = JSON.stringify([right.group, right.resource, right.names])
    const entry = byResource.get(key) ?? { right, verbs: new Map<string, Condition | undefined>() }
    entry.verbs.set(right.verb, condition)
    byResource.set(key, entry)
  }
  const together = new Map<string, { readonly of: VerbsOfResource; readonly resources: string[] }>()
  for (const [, entry] of [...byResource].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = JSON.stringify([entry.right.group, entry.right.names, [...entry.verbs].sort()])
    const known = together.get(key)
    if (known === undefined) together.set(key, { of: entry, resources: [entry.right.resource] })
    else known.resources.push(entry.right.resource)
  }
  return Array.from(together.values(), ({ of, resources }) => ruleTree(of, resources, named))
}

function ruleTree({ right, verbs }: VerbsOfResource, resources: readonly string[], named: Fields): RuleTree {
  const conditions = new Map([...verbs.values()].map(condition => [JSON.stringify(condition), condition]))
  const isUniform = conditions.size === 1
  const guards = [...conditions.values()]
  const guard = guards.some(condition => condition === undefined)
    ? undefined
    : anyOf(guards.filter(condition => condition !== undefined))
  const verbItems = [...verbs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([verb, condition]): Tree => (isUniform || condition === undefined ? verb : when(condition, verb)))
  return {
    when: guard,
    rule: {
      apiGroups: [right.group],
      resources,
      ...(right.names.length === 0 ? {} : { resourceNames: right.names }),
      verbs: verbItems,
      ...named,
    },
  }
}
