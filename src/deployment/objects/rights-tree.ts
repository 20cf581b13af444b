// The controller's rights as a tree: each rule under the condition on the values under which a capability asks for it. The conditions are
// not written by hand: capabilities are asked for their rights with each choice of the settings that rights depend on.
import { isDeepStrictEqual } from 'node:util'
import type { Capability, RightsSetting } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { grantsOf, partRights, type Right } from '#coordination/rbac.ts'
import { pagePart, pageSchema } from '#process/apiserver/page-part.ts'
import { all, any, type Condition, each, type Fields, not, type Tree, text, when } from '../tree.ts'
import { type Axis, choices, conditionOf } from '../truth-table.ts'

/** Stands for each namespace of a capability's own list, and is looked for in where the capability then asks for rights. */
const anyNamespace = 'each-listed-namespace'

/** Stands for each kind of a user's own, and is looked for in what the capability then asks for. */
const anyKind = { group: 'each.custom.kind', version: 'v1', kind: 'Each', resource: 'each-custom-kind' } as const

/** The settings that make a capability ask for more, or for less. */
function axesOf({ name, rightsFollow = {} }: Pick<Capability, 'name' | 'rightsFollow'>): readonly Axis[] {
  const { settings = [], namespacesIn } = rightsFollow
  const at = (key: string) => `capabilities.${name}.${key}`
  const conditionFor = (setting: RightsSetting): Condition =>
    'on' in setting
      ? { on: at(setting.on) }
      : 'is' in setting
        ? { is: at(setting.is), value: setting.value }
        : { has: at(setting.has), value: setting.value }
  return [
    ...(namespacesIn === undefined ? [] : [{ condition: { on: at(namespacesIn) }, with: { [namespacesIn]: [anyNamespace] } }]),
    ...settings.map(setting => ({ condition: conditionFor(setting), with: setting.with })),
  ]
}

/** Where the list lies that `key` of the capabilities' sections of rights names; one of a trust has it at most. @throws Error for two */
function listedIn(capabilities: readonly Capability[], key: 'namespacesIn' | 'kindsIn'): string | undefined {
  const paths = capabilities.flatMap(({ name, rightsFollow }) => {
    const list = rightsFollow?.[key]
    return list === undefined ? [] : [`capabilities.${name}.${list}`]
  })
  if (paths.length > 1) throw new Error(`${paths.join(' and ')}: rights can follow one such list (${key})`)
  return paths[0]
}

const clusterScoped: ReadonlySet<string> = new Set([
  'nodes',
  'namespaces',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'volumesnapshotcontents.snapshot.storage.k8s.io',
  'volumesnapshotclasses.snapshot.storage.k8s.io',
  'priorityclasses.scheduling.k8s.io',
  'deviceclasses.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'nodepools.karpenter.sh',
  'nodeclaims.karpenter.sh',
  'nodes.metrics.k8s.io',
  'tokenreviews.authentication.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
  'apiservices.apiregistration.k8s.io',
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
  /** When there is such a process at all; left out: always. */
  readonly when?: Condition
}

/** The rights of a ServiceAccount, unless said otherwise of the core's, for every choice of `capabilities`. */
export function ruleTrees(capabilities: readonly Capability[], of: Holder = { trust: 'core', elects: true }): RuleTrees {
  return treesOf(conditionalRights(capabilities, of), { capabilities, trust: of.trust })
}

/** When the page of the cluster is served at all. */
export const servesDashboard: Condition = all({ on: 'apiserver.enabled' }, { on: 'dashboard.enabled' })
/** It listens where others than its own pod may reach it. */
export const isDashboardExposed: Condition = not({ is: 'dashboard.auth.mode', value: 'loopback' })

/** When any capability with a part in `process` is enabled; `undefined`: there is none. */
export function hasPartIn(capabilities: readonly Capability[], process: 'apiserver' | 'gateway'): Condition | undefined {
  const having = capabilities.filter(one => partsIn(process, one).length > 0)
  return having.length === 0 ? undefined : any(...having.map(({ name }): Condition => ({ on: `capabilities.${name}.enabled` })))
}

/** When `ballast apiserver` runs: for the page, or for a part of a capability. */
export function runsApiserver(capabilities: readonly Capability[]): Condition {
  const parts = hasPartIn(capabilities, 'apiserver')
  return parts === undefined ? servesDashboard : any(servesDashboard, parts)
}

/** What the rights of the page depend on, below `dashboard`. */
const pageAxes: readonly Axis[] = [
  { condition: { is: 'dashboard.auth.mode', value: 'token' }, with: { auth: { mode: 'token' } } },
  { condition: { is: 'dashboard.auth.mode', value: 'proxy' }, with: { auth: { mode: 'proxy' } } },
  { condition: { on: 'dashboard.actions' }, with: { actions: true } },
]

/** The rights of the ServiceAccount of `ballast apiserver`: of the capabilities' parts there, and of the page. */
export function apiserverRuleTrees(capabilities: readonly Capability[]): RuleTrees {
  const found = conditions(conditionalRights(capabilities, { trust: 'edge', elects: true, when: runsApiserver(capabilities) }))
  const { possible, rights } = heldRights({
    axes: pageAxes,
    members: {},
    read: section => pageSchema.safeParse(section),
    rightsWith: config => partRights(pagePart, config),
  })
  for (const { right, held } of rights) {
    const inner = conditionOf(held, pageAxes, possible)
    found.add(right, inner === undefined ? servesDashboard : all(servesDashboard, inner))
  }
  return treesOf(found.rights(), { capabilities, trust: 'edge' })
}

function treesOf(
  rights: readonly ConditionalRight[],
  { capabilities, trust }: { readonly capabilities: readonly Capability[]; readonly trust: string },
): RuleTrees {
  const trusted = capabilities.filter(({ parts }) => parts.some(part => part.trust === trust))
  const rulesAt = (select: (right: Right) => boolean) => rulesOf(rights.filter(({ right }) => select(right)))
  const isSecret = ({ group, resource }: Right) => group === '' && resource === 'secrets'
  const hasCustom = rights.some(({ right }) => right.group === anyKind.group)
  const listing = trusted.filter(({ rightsFollow }) => (rightsFollow?.listsOf ?? trust) === trust)
  const kinds = listedIn(listing, 'kindsIn')
  const custom = hasCustom && kinds !== undefined ? [kinds] : []
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
    listed: { path: listedIn(listing, 'namespacesIn') ?? '', ...placed(anyNamespace) },
  }
}

/** One rule for each kind of a user's own. */
function customRules(rights: readonly ConditionalRight[], path: string): readonly RuleTree[] {
  const ofKind = rights.filter(({ right }) => right.group === anyKind.group)
  const parts = [...new Set(ofKind.map(({ right }) => right.resource.slice(anyKind.resource.length)))]
  return parts.flatMap(part => {
    const resource = part === '' ? text({ item: 'resource' }) : text({ item: 'resource' }, part)
    const named = { apiGroups: [text({ item: 'group' })], resources: [resource] }
    const ofPart = ofKind.filter(({ right }) => right.resource === `${anyKind.resource}${part}`)
    return rulesOf(ofPart, named).map(({ when: condition, rule }) => ({ when: condition, rule: each(path, rule) }))
  })
}

/** Rights with the conditions under which somebody asks for them. */
function conditions(known: readonly ConditionalRight[] = []) {
  const found = new Map<string, { readonly right: Right; always: boolean; readonly conditions: Condition[] }>()
  const collected = {
    /** Without a condition: always. */
    add(right: Right, condition: Condition | undefined): void {
      const key = JSON.stringify(right)
      const entry = found.get(key) ?? { right, always: false, conditions: [] }
      found.set(key, entry)
      if (condition === undefined) entry.always = true
      else if (!entry.conditions.some(other => isDeepStrictEqual(other, condition))) entry.conditions.push(condition)
    },
    rights: (): readonly ConditionalRight[] =>
      [...found]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { right, always, conditions }]) => ({ right, when: always ? undefined : anyOf(absorbed(conditions)) })),
  }
  for (const { right, when: condition } of known) collected.add(right, condition)
  return collected
}

/** Without those that say another of them and more. */
function absorbed(conditions: readonly Condition[]): readonly Condition[] {
  return conditions.filter(
    condition =>
      !(
        'all' in condition &&
        condition.all.some(one => conditions.some(other => other !== condition && isDeepStrictEqual(one, other)))
      ),
  )
}

function conditionalRights(capabilities: readonly Capability[], of: Holder): readonly ConditionalRight[] {
  const found = conditions()
  const around = grantsOf([], of)
  for (const right of around) found.add(right, of.when)
  for (const capability of capabilities) {
    if (!capability.parts.some(({ trust }) => trust === of.trust)) continue
    const isEnabled: Condition = { on: `capabilities.${capability.name}.enabled` }
    const axes = axesOf(capability)
    const { kindsIn } = capability.rightsFollow ?? {}
    const { possible, rights } = heldRights({
      axes,
      members: kindsIn === undefined ? {} : { [kindsIn]: [anyKind] },
      read: section => capability.config.safeParse(section),
      rightsWith: config => grantsOf([capability], { ...of, configurations: { [capability.name]: config } }),
    })
    for (const { right, held } of rights) {
      if (around.some(other => isDeepStrictEqual(other, right))) continue
      const inner = conditionOf(held, axes, possible)
      found.add(right, inner === undefined ? isEnabled : all(isEnabled, inner))
    }
  }
  return found.rights()
}

interface Asked<Config> {
  readonly axes: readonly Axis[]
  /** What each section has besides. */
  readonly members: Readonly<Record<string, unknown>>
  read(section: unknown): { readonly success: true; readonly data: Config } | { readonly success: false }
  rightsWith(config: Config): readonly Right[]
}

/** Each right that is asked for with some choice of the settings, and the choices with which it is. */
function heldRights<Config>({ axes, members, read, rightsWith }: Asked<Config>) {
  const held = new Map<string, { readonly right: Right; readonly held: Set<number> }>()
  const possible: number[] = []
  for (const bits of choices(axes.length)) {
    const chosen = axes.filter((_, at) => (bits & (1 << at)) !== 0).map(axis => axis.with)
    const section = sectionWith([members, ...chosen])
    const config = section === undefined ? undefined : read(section)
    if (config?.success !== true) continue
    possible.push(bits)
    for (const right of rightsWith(config.data)) {
      const key = JSON.stringify(right)
      const entry = held.get(key) ?? { right, held: new Set<number>() }
      entry.held.add(bits)
      held.set(key, entry)
    }
  }
  return { possible, rights: [...held.values()] }
}

/** Lists that several settings write are joined. `undefined` where two of them cannot hold together. */
function sectionWith(changes: readonly Readonly<Record<string, unknown>>[]): Readonly<Record<string, unknown>> | undefined {
  const joined: Record<string, unknown> = {}
  for (const change of changes)
    for (const [key, value] of Object.entries(change)) {
      const before = joined[key]
      if (before !== undefined && !Array.isArray(before) && !isDeepStrictEqual(before, value)) return undefined
      joined[key] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value
    }
  return joined
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
