// ServiceAccount, roles and bindings of the controller, and of the apiserver where there is one.
import type { Capability } from '#coordination/capability.ts'
import { agentPlace } from '#coordination/rbac.ts'
import { all, type Condition, type Fields, item, type Named, not, type ObjectTree, shared, type Tree, text } from '../tree.ts'
import { runsOnNodes } from './agent-roles.ts'
import { fullName, metadataOf, nameText } from './object-shapes.ts'
import {
  anyRule,
  apiserverRuleTrees,
  hasPartIn,
  type RuleTree,
  type RuleTrees,
  ruleItems,
  ruleTrees,
  runsApiserver,
} from './rights-tree.ts'

const rbacVersion = 'rbac.authorization.k8s.io/v1'
export const isMade: Condition = { on: 'rbac.create' }
const isNamespaced: Condition = { on: 'rbac.namespaced' }

/** A ServiceAccount and what its objects are called. */
export interface Account {
  readonly component: string
  readonly name: Named
  /** Where it lies, and what the values call its block. */
  readonly namespace: 'namespace' | 'agentNamespace'
  readonly block: string
  /** When there is such a process at all; left out: always. */
  readonly when?: Condition
  /** Below `templates/rbac`, before the name of each file. */
  readonly prefix: string
}

const controller: Account = {
  component: 'controller',
  name: 'serviceAccount',
  namespace: 'namespace',
  block: 'controller',
  prefix: '',
}
const apiserver = (capabilities: readonly Capability[]): Account => ({
  component: 'apiserver',
  name: 'apiserverAccount',
  namespace: 'namespace',
  block: 'apiserver',
  when: runsApiserver(capabilities),
  prefix: 'apiserver-',
})

/** The gateway's, where any capability has a part there. */
function gatewayRights(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = hasPartIn(capabilities, 'gateway')
  if (runs === undefined) return []
  const account: Account = {
    component: 'gateway',
    name: 'gatewayAccount',
    namespace: 'namespace',
    block: 'gateway',
    when: runs,
    prefix: 'gateway-',
  }
  return accountObjects(account, ruleTrees(capabilities, { trust: 'gateway', elects: false, when: runs }))
}

/** The account of pods on nodes that call the API, while `runs` holds. */
export function agentAccount(runs: Condition): Account {
  return {
    component: 'agent',
    name: 'agentAccount',
    namespace: 'agentNamespace',
    block: 'agent',
    when: runs,
    prefix: 'agent-',
  }
}

/** Pods on nodes that call the API. Those of a trust of their own are installed by their capability. */
function agentRights(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent')
  if (runs === undefined) return []
  return accountObjects(agentAccount(runs), ruleTrees(capabilities, { trust: 'agent', elects: false }))
}

const onlyIf = (condition: Condition | undefined, ...others: readonly Condition[]): { readonly when: Condition } => ({
  when: all(isMade, ...others, ...(condition === undefined ? [] : [condition])),
})

/** A role and its binding, under one condition. */
interface Granted {
  readonly file: string
  readonly kind: 'ClusterRole' | 'Role'
  readonly suffix: string
  readonly rules: readonly Tree[]
  readonly when: Condition
  readonly namespace?: Tree
  readonly each?: string
}

export function granted(account: Account, { file, kind, suffix, rules, namespace, ...around }: Granted): readonly ObjectTree[] {
  const { component, prefix } = account
  const name = fullName(`-${component}${suffix}`)
  const metadata = metadataOf({ name, namespace: kind === 'Role' ? (namespace ?? nameText('namespace')) : undefined, component })
  const role: Fields = { apiVersion: rbacVersion, kind, metadata, rules }
  const binding: Fields = {
    apiVersion: rbacVersion,
    kind: `${kind}Binding`,
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
    subjects: [{ kind: 'ServiceAccount', name: nameText(account.name), namespace: nameText(account.namespace) }],
  }
  const path = account.namespace === 'agentNamespace' ? 'agents/rights.yaml' : `rbac/${prefix}${file}`
  return [role, binding].map(tree => ({ file: path, tree, ...around }))
}

/** The objects for every choice among `capabilities`. */
export function rightsObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  return [
    ...accountObjects(controller, ruleTrees(capabilities)),
    ...accountObjects(apiserver(capabilities), apiserverRuleTrees(capabilities)),
    ...gatewayRights(capabilities),
    ...agentRights(capabilities),
    ...aggregated(capabilities),
    ...aggregatedApis(capabilities),
  ]
}

/** The account, its roles and its bindings. */
export function accountObjects(account: Account, trees: RuleTrees): readonly ObjectTree[] {
  const { component, prefix } = account
  const everywhere = (name: string, file: string, suffix: string, rules: readonly RuleTree[]) => {
    if (rules.length === 0) return []
    const items = [shared(name, ruleItems(rules))]
    const condition = anyRule(rules)
    return [
      ...granted(account, { file, kind: 'ClusterRole', suffix, rules: items, ...onlyIf(condition, not(isNamespaced)) }),
      ...granted(account, {
        file,
        kind: 'Role',
        suffix,
        rules: items,
        namespace: text(item),
        each: 'rbac.namespaced',
        ...onlyIf(condition, isNamespaced),
      }),
    ]
  }
  const inNamespaces = [...trees.namespaces].flatMap(([place, { rules, secrets }]) => {
    const namespace = place === '' ? nameText('namespace') : place === agentPlace ? nameText('agentNamespace') : place
    const suffix = place === agentPlace ? '-agents' : '-own'
    const own = (suffix: string, of: readonly RuleTree[]) =>
      of.length === 0
        ? []
        : granted(account, {
            file: place === agentPlace ? 'agent-namespace.yaml' : 'own-namespace.yaml',
            kind: 'Role',
            suffix,
            rules: ruleItems(of),
            namespace,
            ...onlyIf(anyRule(of)),
          })
    return [...own(suffix, rules), ...own(`${suffix}-secrets`, secrets)]
  })
  const { listed } = trees
  const inListed = (suffix: string, rules: readonly RuleTree[]) =>
    rules.length === 0
      ? []
      : granted(account, {
          file: 'listed-namespaces.yaml',
          kind: 'Role',
          suffix,
          rules: ruleItems(rules),
          namespace: text(item),
          each: listed.path,
          ...onlyIf(anyRule(rules)),
        })
  const isCreated: Condition = { on: `${account.block}.serviceAccount.create` }
  const ruleName = (name: string) => (component === 'controller' ? `rules.${name}` : `rules.${component}-${name}`)
  return [
    {
      file: account.namespace === 'agentNamespace' ? 'agents/rights.yaml' : `rbac/${prefix}service-account.yaml`,
      when: account.when === undefined ? isCreated : all(account.when, isCreated),
      tree: {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: metadataOf({
          name: nameText(account.name),
          namespace: nameText(account.namespace),
          component,
          annotationsOf: [`${account.block}.serviceAccount.annotations`],
        }),
        automountServiceAccountToken: false,
      },
    },
    ...(trees.cluster.length === 0
      ? []
      : granted(account, {
          file: 'cluster.yaml',
          kind: 'ClusterRole',
          suffix: '',
          rules: ruleItems(trees.cluster),
          ...onlyIf(anyRule(trees.cluster)),
        })),
    ...everywhere(ruleName('workloads'), 'workloads.yaml', '-workloads', trees.workloads),
    ...everywhere(ruleName('secrets'), 'secrets.yaml', '-secrets', trees.secrets),
    ...inNamespaces,
    ...inListed('-sources', listed.rules),
    ...inListed('-sources-secrets', listed.secrets),
  ]
}

/** Takes a role into those three. */
const toEverybody = Object.fromEntries(
  ['admin', 'edit', 'view'].map(role => [`rbac.authorization.k8s.io/aggregate-to-${role}`, 'true']),
)

/** The same people read what enabled capabilities serve behind the API server: no other object says that they may. Some of it is for no people. */
function aggregatedApis(capabilities: readonly Capability[]): readonly ObjectTree[] {
  return capabilities.flatMap(({ name, parts }) =>
    parts
      .flatMap(part => part.listeners.filter(listener => listener.kind === 'api-service'))
      // A rule without a resource is refused by the API server.
      .filter(({ resources }) => resources.length > 0)
      .map(
        ({ group, resources }): ObjectTree => ({
          file: 'rbac/apiserver-view.yaml',
          when: all(isMade, { on: 'rbac.aggregate' }, { on: `capabilities.${name}.enabled` }),
          tree: {
            apiVersion: rbacVersion,
            kind: 'ClusterRole',
            metadata: metadataOf({
              name: fullName(`-${name}-view`),
              namespace: undefined,
              component: 'apiserver',
              labels: { ...toEverybody, 'ballast.dev/capability': name },
            }),
            rules: [{ apiGroups: [group], resources: [...resources], verbs: ['get', 'list', 'watch'] }],
          },
        }),
      ),
  )
}

/** What people with the roles `view`, `edit` and `admin` see of our kinds. None of them may grant a permit. */
function aggregated(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const kinds = new Map(capabilities.flatMap(one => one.kinds.map(kind => [`${kind.plural}.${kind.group}`, kind] as const)))
  const groups = [...new Set([...kinds.values()].map(({ group }) => group))].sort()
  if (groups.length === 0) return []
  const rules = groups.map(group => {
    const ofGroup = [...kinds.values()].filter(kind => kind.group === group)
    const resources = ofGroup.flatMap(({ plural }) => [plural, `${plural}/status`]).sort()
    return { apiGroups: [group], resources, verbs: ['get', 'list', 'watch'] }
  })
  return [
    {
      file: 'rbac/view.yaml',
      when: all(isMade, { on: 'rbac.aggregate' }),
      tree: {
        apiVersion: rbacVersion,
        kind: 'ClusterRole',
        metadata: metadataOf({ name: fullName('-view'), namespace: undefined, component: 'controller', labels: toEverybody }),
        rules,
      },
    },
  ]
}
