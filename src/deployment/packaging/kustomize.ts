// The Kustomize form: a base in which nothing is enabled, and a component for each capability and for the page. They add up: a component brings roles of
// its own and one flag, so any choice of them builds.
import { isDeepStrictEqual } from 'node:util'
import type { Capability } from '#coordination/capability.ts'
import { nodeTrusts } from '#coordination/part-hosts.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { installedBy } from '../capability-objects.ts'
import { installationValues, plainRelease } from '../installation.ts'
import { agentRoles } from '../objects/agent-roles.ts'
import { hasPartIn } from '../objects/rights-tree.ts'
import { objects } from '../objects.ts'
import { yamlDocuments, yamlText } from '../yaml-text.ts'

const namespace = 'ballast-system'
const roleKinds: ReadonlySet<string> = new Set(['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'])
const header = '# Generated; do not edit.\n'
const keyOf = ({ kind, metadata }: KubeObject) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`

/** Where Kustomize, while it builds, adds a flag to our own Deployment. */
const podPath = ['', 'spec', 'template', 'spec'].join('/')
const argumentsPath = [podPath, 'containers', '0', 'args', '-'].join('/')

/** Path below `kustomize/` → text. */
export function kustomizeFiles(capabilities: readonly Capability[]): ReadonlyMap<string, string> {
  const names = capabilities.map(({ name }) => name)
  const made = (enabled: readonly string[], preset: Readonly<Record<string, unknown>> = {}) =>
    objects(
      installationValues(
        {
          preset: { namespace: { create: true }, ...preset },
          enable: enabled,
          disable: names.filter(name => !enabled.includes(name)),
        },
        capabilities,
      ),
      { capabilities, release: plainRelease('ballast', namespace) },
    )
  const none = made([])
  const whole = made(names)
  const ofNone = ({ kind, metadata }: KubeObject) =>
    roleKinds.has(kind) || (metadata.name === 'ballast-config' && metadata.namespace === namespace)
  const base = [
    ...none.filter(ofNone),
    ...whole
      .filter(object => !ofNone(object) && !isOnNodes(object) && !isOfProcess(object))
      .map(object => toleratingAs(object, none)),
  ]
  const inOrder = whole.map(keyOf)
  base.sort((a, b) => inOrder.indexOf(keyOf(a)) - inOrder.indexOf(keyOf(b)))
  const policies = (enabled: readonly string[]) =>
    made(enabled, { networkPolicy: { enabled: true } }).filter(({ kind }) => kind === 'NetworkPolicy')
  // Who has to reach anything brings that along with its component: policies add up.
  const unbounded = capabilities.filter(goesAnywhere).map(({ name }) => name)
  const hardened = policies(names.filter(name => !unbounded.includes(name)))
  const enabledByDefault = capabilities.filter(({ replaces }) => replaces.length === 0).map(({ name }) => name)
  // Components cannot share a DaemonSet: one has the agents' names, and each other one agents of its own.
  const onNodes = new Set(agentRoles(capabilities, 'agent').map(({ capability }) => capability))
  const isApart = (name: string) => onNodes.has(name) && name !== [...onNodes].at(-1)
  return new Map([
    ['base/kustomization.yaml', kustomization('Kustomization', { resources: ['install.yaml'] })],
    ['base/install.yaml', header + yamlDocuments(base)],
    ...names.flatMap(name => {
      const opened = unbounded.includes(name) ? policies([name]).filter(object => isOf(object, 'apiserver')) : []
      // A capability that bears its process's name brings that process along.
      const own = hostedProcesses.some(process => process === name) ? whole.filter(object => isOfHost(object, name)) : []
      const enabled = [...made([name]), ...opened.map(policy => openedFor(policy, name))]
      return component(name, isApart(name) ? enabled.map(object => agentsApart(object, name)) : enabled, none, own)
    }),
    ...processComponent('dashboard', 'apiserver', [
      ...made([], { apiserver: { enabled: true } }).filter(({ kind }) => roleKinds.has(kind)),
      // Its pods may have parts of capabilities beside the page: they are reached by what is there for all of them.
      ...made(names, { apiserver: { enabled: true } }).filter(object => isOfHost(object, 'apiserver')),
    ]),
    ...installedBy(capabilities).flatMap(({ block, isSwitched }) =>
      isSwitched === true && block !== undefined
        ? processComponent(block.name, block.name, made([], { [block.name]: { enabled: true } }))
        : [],
    ),
    ...hostedProcesses
      .filter(process => hasPartIn(capabilities, process) !== undefined && !names.includes(process))
      .flatMap(process =>
        processComponent(
          process,
          process,
          made(names).filter(object => isOfHost(object, process)),
        ),
      ),
    [
      'overlays/hardened/kustomization.yaml',
      kustomization('Kustomization', {
        resources: ['../../base', 'network-policy.yaml'],
        components: enabledByDefault.map(name => `../../components/${name}`),
      }),
    ],
    ['overlays/hardened/network-policy.yaml', header + yamlDocuments(hardened)],
  ])
}

function goesAnywhere({ parts }: Capability): boolean {
  return parts.some(({ connectsTo = [] }) => connectsTo.some(to => 'anywhere' in to))
}

/** Lets the pods that `policy` speaks of connect to anything. */
function openedFor({ spec: whole, ...policy }: KubeObject, capability: string): KubeObject {
  const spec = { podSelector: at(whole, 'podSelector'), policyTypes: ['Egress'], egress: [{}] }
  return { ...policy, metadata: { ...policy.metadata, name: `ballast-${capability}-sources` }, spec }
}

/** Processes that are there for parts of capabilities: a component each, beside those of the capabilities. */
const hostedProcesses = ['apiserver', 'gateway'] as const

const isOfProcess = (object: KubeObject) => hostedProcesses.some(process => isOf(object, process))

const isOf = ({ metadata }: KubeObject, process: string) => metadata.labels?.['app.kubernetes.io/component'] === process

/** What runs, without what is one capability's: rights and APIServices. */
const isOfHost = (object: KubeObject, process: string) =>
  isOf(object, process) && !roleKinds.has(object.kind) && object.kind !== 'APIService'

/** What belongs to the agents, under names, labels and an account of one capability's own. */
function agentsApart(object: KubeObject, capability: string): KubeObject {
  if (!isOf(object, 'agent')) return object
  const text = JSON.stringify(object)
    .replaceAll(/"(name|serviceAccountName|policyName)":"ballast-agent(?=["-])/g, `"$1":"ballast-agent-${capability}`)
    .replaceAll("serviceaccount:ballast-agent:ballast-agent'", `serviceaccount:ballast-agent:ballast-agent-${capability}'`)
    .replaceAll('"app.kubernetes.io/component":"agent"', `"app.kubernetes.io/component":"agent-${capability}"`)
  return JSON.parse(text)
}

/** A process apart from the controller, whole: nothing of it is in the base. */
function processComponent(name: string, process: string, enabled: readonly KubeObject[]): readonly (readonly [string, string])[] {
  const own = enabled.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === process)
  return [
    [`components/${name}/kustomization.yaml`, kustomization('Component', { resources: [`${process}.yaml`] })],
    [`components/${name}/${process}.yaml`, header + yamlDocuments(own)],
  ]
}

function component(
  name: string,
  enabled: readonly KubeObject[],
  none: readonly KubeObject[],
  own: readonly KubeObject[],
): readonly (readonly [string, string])[] {
  const known = new Map(none.map(object => [keyOf(object), JSON.stringify(object)]))
  const roles = enabled
    .filter(object => roleKinds.has(object.kind) && object.metadata.name !== 'ballast-view')
    .filter(object => known.get(keyOf(object)) !== JSON.stringify(object) || isBindingOfOther(object, enabled, known))
    .map(object => renamed(object, name))
  // A namespace that components share belongs to none of them.
  const onNodes = enabled.filter(isOnNodes)
  const apis = enabled.filter(({ kind }) => kind === 'APIService')
  const policies = enabled.filter(({ kind }) => kind === 'NetworkPolicy')
  const tolerations = tolerationsIn(enabled)
  const patch = [
    { op: 'add', path: argumentsPath, value: `--enable=${name}` },
    ...(isDeepStrictEqual(tolerations, tolerationsIn(none))
      ? []
      : [{ op: 'add', path: `${podPath}/tolerations`, value: tolerations }]),
  ]
  return [
    [
      `components/${name}/kustomization.yaml`,
      kustomization('Component', {
        resources: [
          'rights.yaml',
          ...(own.length > 0 ? ['process.yaml'] : []),
          ...(onNodes.length > 0 ? ['agents.yaml'] : []),
          ...(apis.length > 0 ? ['api-services.yaml'] : []),
          ...(policies.length > 0 ? ['network-policy.yaml'] : []),
        ],
        patches: [
          { target: { kind: 'Deployment', name: 'ballast-controller' }, patch: JSON.stringify(patch) },
          ...hostedProcesses
            .filter(process => enabled.some(object => object.kind === 'Deployment' && isOf(object, process)))
            .map(process => ({
              target: { kind: 'Deployment', name: `ballast-${process}` },
              patch: JSON.stringify(patch.slice(0, 1)),
            })),
        ],
      }),
    ],
    [`components/${name}/rights.yaml`, header + yamlDocuments(roles)],
    ...(own.length > 0 ? [[`components/${name}/process.yaml`, header + yamlDocuments(own)] as const] : []),
    ...(apis.length > 0 ? [[`components/${name}/api-services.yaml`, header + yamlDocuments(apis)] as const] : []),
    ...(policies.length > 0 ? [[`components/${name}/network-policy.yaml`, header + yamlDocuments(policies)] as const] : []),
    ...(onNodes.length > 0 ? [[`components/${name}/agents.yaml`, header + yamlDocuments(onNodes)] as const] : []),
  ]
}

const isController = (object: KubeObject): object is Podded =>
  object.kind === 'Deployment' && object.metadata.name === 'ballast-controller'
const tolerationsIn = (list: readonly KubeObject[]) => list.find(isController)?.spec.template.spec.tolerations

interface Podded extends KubeObject {
  readonly spec: { readonly template: { readonly spec: { readonly tolerations?: readonly object[] } } }
}

/** The controller with what it tolerates in `list`: the taint that a component puts on nodes is that component's to tolerate. */
function toleratingAs(object: KubeObject, list: readonly KubeObject[]): KubeObject {
  if (!isController(object)) return object
  const { tolerations: _, ...pod } = object.spec.template.spec
  const tolerations = tolerationsIn(list)
  const spec = tolerations === undefined ? pod : { ...pod, tolerations }
  return { ...object, spec: { ...object.spec, template: { ...object.spec.template, spec } } }
}

/** Pods on nodes and what is theirs alone; their rights come with the others. */
function isOnNodes({ kind, metadata }: KubeObject): boolean {
  const component = metadata.labels?.['app.kubernetes.io/component'] ?? ''
  return !roleKinds.has(kind) && (component.startsWith('agent-') || nodeTrusts.some(trust => trust === component))
}

/** A binding that stands as it is in the base binds a role that the component brings anew. */
function isBindingOfOther(object: KubeObject, enabled: readonly KubeObject[], known: ReadonlyMap<string, string>): boolean {
  if (!object.kind.endsWith('Binding')) return false
  const role = enabled.find(one => `${one.kind}Binding` === object.kind && keyOf(one) === keyOf(object).replace('Binding', ''))
  return role !== undefined && known.get(keyOf(role)) !== JSON.stringify(role)
}

function renamed(object: KubeObject, capability: string): KubeObject {
  const name = object.metadata.name.replace(/^ballast-(controller|apiserver|gateway)/, (_, process: string) =>
    process === 'controller' ? `ballast-${capability}` : `ballast-${capability}-${process}`,
  )
  const { roleRef } = object
  return {
    ...object,
    metadata: { ...object.metadata, name },
    ...(typeof roleRef === 'object' && roleRef !== null ? { roleRef: { ...roleRef, name } } : {}),
  }
}

function kustomization(kind: 'Kustomization' | 'Component', fields: Readonly<Record<string, unknown>>): string {
  const version = kind === 'Component' ? 'v1alpha1' : 'v1beta1'
  return header + yamlText({ apiVersion: `kustomize.config.k8s.io/${version}`, kind, ...fields })
}
