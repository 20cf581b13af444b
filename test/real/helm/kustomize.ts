// The Kustomize form: choices of components build, and add up to what `ballast manifests` prints for it.
import { deepStrictEqual } from 'node:assert'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { partsIn } from '../../../src/coordination/part-hosts.ts'
import { installationValues, plainRelease } from '../../../src/deployment/installation.ts'
import { agentRoles } from '../../../src/deployment/objects/agent-roles.ts'
import { objects } from '../../../src/deployment/objects.ts'
import { kustomizeFiles } from '../../../src/deployment/packaging/kustomize.ts'
import { yamlText } from '../../../src/deployment/yaml-text.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { canonical, documentsOf } from '../../rendered-chart.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { commandOutput } from '../run-command.ts'

const capabilities = enabledCapabilities
const names = capabilities.map(({ name }) => name)
/** Those with a part in `ballast apiserver`, which a component of its own brings, or the page's. */
const behind = capabilities.filter(one => partsIn('apiserver', one).length > 0).map(({ name }) => name)
const inGateway = capabilities.filter(one => partsIn('gateway', one).length > 0).map(({ name }) => name)
/** Those whose parts connect to what nobody can foretell. */
const goingAnywhere = capabilities
  .filter(({ parts }) => parts.some(({ connectsTo = [] }) => connectsTo.some(to => 'anywhere' in to)))
  .map(({ name }) => name)
const agentNamespace = 'ballast-agent'
/** Components that bring a process, and its block of the values. */
const processes = [
  ['dashboard', 'apiserver'],
  ['descheduler', 'descheduler'],
] as const

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

const isRights = ({ kind }: KubeObject) => /^(Cluster)?Role(Binding)?$/.test(kind)

/** Each right of the controller by itself, with where it holds. */
function rightsIn(list: readonly KubeObject[]): readonly string[] {
  const bound = new Map(
    list
      .filter(({ kind }) => /^(Cluster)?RoleBinding$/.test(kind))
      .map(({ kind, metadata, roleRef }) => [
        `${kind} ${metadata.namespace ?? ''}/${(roleRef as { readonly name: string }).name}`,
        true,
      ]),
  )
  const rights = list
    .filter(({ kind, metadata }) => bound.has(`${kind}Binding ${metadata.namespace ?? ''}/${metadata.name}`))
    .flatMap(({ metadata, rules }) =>
      ((rules ?? []) as readonly Rule[]).flatMap(({ apiGroups, resources, resourceNames = [], verbs }) =>
        apiGroups.flatMap(group =>
          resources.flatMap(resource =>
            verbs.map(verb => `${metadata.namespace ?? ''}: ${verb} ${group}/${resource} ${resourceNames.join()}`),
          ),
        ),
      ),
    )
  const all = new Set(rights)
  // What is granted for all names need not be granted for one.
  return [...all].filter(right => right.endsWith(' ') || !all.has(right.replace(/ \S*$/, ' '))).sort()
}

/** So many more are drawn by chance, always the same. */
const drawn = 120

/** None, one, two, all but one, all, and some by chance: components meet in pairs, and all of them are too many. */
function choices(): readonly (readonly string[])[] {
  const random = seededRandom(names.length)
  const chosen = [
    [],
    ...names.map(name => [name]),
    ...names.flatMap((name, at) => names.slice(at + 1).map(other => [name, other])),
    ...names.map(name => names.filter(other => other !== name)),
    [...names],
    ...Array.from({ length: drawn }, () => names.filter(() => random() < 0.5)),
  ]
  return [...new Map(chosen.map(choice => [choice.join(), choice])).values()]
}

const componentOf = ({ metadata }: KubeObject) => metadata.labels?.['app.kubernetes.io/component'] ?? ''
/** Capabilities with a role in the agents' pod, and what their agents are called in components: the last has the agents' own names. */
const onNodes = [...new Set(agentRoles(capabilities, 'agent').map(({ capability }) => capability))]
const agentComponents = ['agent', ...onNodes.slice(0, -1).map(name => `agent-${name}`)]

/** The agents of a component are, but for their names, those that the manifests have with that capability alone. */
function judgeAgents(theirs: readonly KubeObject[], name: string): void {
  const component = name === onNodes.at(-1) ? 'agent' : `agent-${name}`
  const found = theirs
    .filter(object => !isRights(object) && componentOf(object) === component)
    .map((object): KubeObject => {
      const text = JSON.stringify(object).replaceAll(`ballast-agent-${name}`, 'ballast-agent')
      return JSON.parse(text.replaceAll(`"agent-${name}"`, '"agent"'))
    })
  const alone = objects(
    installationValues(
      { preset: { namespace: { create: true } }, enable: [name], disable: names.filter(one => one !== name) },
      capabilities,
    ),
    { capabilities, release: plainRelease('ballast', 'ballast-system') },
  ).filter(object => !isRights(object) && componentOf(object) === 'agent')
  deepStrictEqual(canonical(found.map(withoutServing)), canonical(alone.map(withoutServing)))
}

export async function judgeKustomization(): Promise<string> {
  const kubectl = await kubectlPath('newest')
  const directory = mkdtempSync(join(tmpdir(), 'ballast-kustomize-'))
  try {
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), text)
    }
    for (const [path, text] of kustomizeFiles(capabilities)) write(path, text)
    let built = 0
    for (const chosen of choices()) {
      const hosted = chosen.filter(name => behind.includes(name))
      const components = [...(hosted.length > 0 ? ['apiserver'] : []), ...chosen].map(name => `../../components/${name}`)
      write(
        'overlays/chosen/kustomization.yaml',
        yamlText({ kind: 'Kustomization', resources: ['../../base'], ...(components.length === 0 ? {} : { components }) }),
      )
      const theirs = documentsOf(
        await commandOutput(kubectl, ['kustomize', join(directory, 'overlays', 'chosen')], { timeoutMs: 60_000 }),
      )
      const values = installationValues(
        { preset: { namespace: { create: true } }, enable: chosen, disable: names.filter(name => !chosen.includes(name)) },
        capabilities,
      )
      const ours = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') })
      deepStrictEqual(rightsIn(theirs), rightsIn(ours), `rights of ${chosen.join()}`)
      const flags = chosen.map(name => `--enable=${name}`)
      const plain = (list: readonly KubeObject[]) => {
        const rest = list.filter(
          object =>
            !isRights(object) &&
            !isForNodes(object) &&
            !agentComponents.includes(componentOf(object)) &&
            !/^(ballast-config|ballast-webhook)$/.test(object.metadata.name) &&
            object.kind !== 'CustomResourceDefinition' &&
            object.kind !== 'NetworkPolicy',
        )
        return canonical(rest.map(withoutServing))
      }
      const theirFlags = argsOf(theirs).filter(arg => arg.startsWith('--enable='))
      const apart = chosen.filter(name => inGateway.includes(name))
      deepStrictEqual(theirFlags.toSorted(), [...flags, ...[...hosted, ...apart].map(name => `--enable=${name}`)].toSorted())
      deepStrictEqual(plain(theirs), plain(ours))
      for (const name of chosen.filter(one => onNodes.includes(one))) judgeAgents(theirs, name)
      // Beside the hardened policies, who asks sources brings along what lets it out.
      const policies = theirs.filter(({ kind }) => kind === 'NetworkPolicy').map(({ metadata }) => metadata.name)
      deepStrictEqual(
        policies,
        chosen.filter(name => goingAnywhere.includes(name)).map(name => `ballast-${name}-sources`),
      )
      built++
    }
    for (const [name, process] of processes) {
      write(
        'overlays/process/kustomization.yaml',
        yamlText({ kind: 'Kustomization', resources: ['../../base'], components: [`../../components/${name}`] }),
      )
      const text = await commandOutput(kubectl, ['kustomize', join(directory, 'overlays', 'process')], { timeoutMs: 60_000 })
      const of = (choice: { readonly enable?: readonly string[]; readonly disable?: readonly string[] }) =>
        objects(installationValues({ preset: { [process]: { enabled: true } }, ...choice }, capabilities), {
          capabilities,
          release: plainRelease('ballast', 'ballast-system'),
        })
      // Where parts of capabilities may run beside it, all of them can be reached; their rights and APIs come with them.
      const ours =
        process === 'apiserver'
          ? [
              ...of({ disable: names }).filter(isRights),
              ...of({ enable: names }).filter(object => !isRights(object) && object.kind !== 'APIService'),
            ]
          : of({ disable: names })
      const isOwn = ({ metadata }: KubeObject) => metadata.labels?.['app.kubernetes.io/component'] === process
      deepStrictEqual(canonical(documentsOf(text).filter(isOwn)), canonical(ours.filter(isOwn)), `component ${name}`)
    }
    const beside = ['dashboard', ...behind].map(name => `../../components/${name}`)
    write('overlays/page/kustomization.yaml', yamlText({ kind: 'Kustomization', resources: ['../../base'], components: beside }))
    const page = await commandOutput(kubectl, ['kustomize', join(directory, 'overlays', 'page')], { timeoutMs: 60_000 })
    const args = argsOf(documentsOf(page).filter(({ metadata }) => metadata.name === 'ballast-apiserver'))
    deepStrictEqual(
      args.filter(arg => arg.startsWith('--enable=') || arg.startsWith('--api-service=')),
      ['--api-service=ballast-apiserver', ...behind.map(name => `--enable=${name}`)],
      'the page with capabilities in its process',
    )
    await commandOutput(kubectl, ['kustomize', join(directory, 'overlays', 'hardened')], { timeoutMs: 60_000 })
    return `${built} choices of components, ${processes.length} processes of their own, and the hardened overlay`
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Podded extends KubeObject {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly Contained[]; readonly tolerations?: unknown } }
  }
}
interface Contained {
  readonly args: readonly string[]
  readonly ports?: readonly { readonly name: string }[]
  readonly env?: readonly { readonly name: string }[]
}

interface Service extends KubeObject {
  readonly spec: { readonly ports: readonly { readonly name: string }[] }
}

const isService = (object: KubeObject): object is Service => object.kind === 'Service'
const isDeployment = (object: KubeObject): object is Podded => object.kind === 'Deployment'
const argsOf = (list: readonly KubeObject[]) =>
  list.filter(isDeployment).flatMap(({ spec }) => spec.template.spec.containers.flatMap(({ args }) => args))

/** The base has the namespace of pods on nodes whatever is enabled: two components could not both bring it. */
const isForNodes = ({ kind, metadata: { name, namespace } }: KubeObject) =>
  (kind === 'Namespace' && name === agentNamespace) || (kind === 'ResourceQuota' && namespace === agentNamespace)

/**
 * The base serves webhooks whatever is enabled, says where pods on nodes are, and enables by flags; what hosts parts of capabilities tolerates
 * what any of them puts on nodes, and serves aggregated APIs whether or not one of them has any.
 */
function withoutServing(object: KubeObject): KubeObject {
  if (isService(object)) {
    return { ...object, spec: { ...object.spec, ports: object.spec.ports.filter(({ name }) => name !== 'aggregated') } }
  }
  if (!isDeployment(object)) return object
  const { template } = object.spec
  const containers = template.spec.containers.map(container => ({
    ...container,
    args: container.args.filter(arg => !/^--(enable|webhook-host|api-service)=/.test(arg)),
    // Pods on the host's network declare none.
    ports: (container.ports ?? []).filter(({ name }) => name !== 'webhooks' && name !== 'aggregated'),
    env: (container.env ?? []).filter(({ name }) => name !== 'BALLAST_AGENT_NAMESPACE'),
  }))
  const { tolerations, ...rest } = template.spec
  const spec = { ...rest, ...(/^ballast-(apiserver|gateway)$/.test(object.metadata.name) ? {} : { tolerations }), containers }
  return { ...object, spec: { ...object.spec, template: { ...template, spec } } }
}
