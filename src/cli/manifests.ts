// `ballast manifests`: everything that an administrator applies, from what is enabled.

import { InvalidArgumentError } from 'commander'
import { type CapabilityObjects, installedBy } from '#deployment/capability-objects.ts'
import { type Asked, installationValues, merged, plainRelease } from '#deployment/installation.ts'
import type { Values } from '#deployment/names.ts'
import { objects } from '#deployment/objects.ts'
import { platforms, platformValues } from '#deployment/values/platforms.ts'
import { yamlDocuments } from '#deployment/yaml-text.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabling } from '#process/configuration/controller-configuration.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { writeFiles } from '#process/written-files.ts'
import { about } from './about.ts'
import { assertUsed, type DefineCommand, oneOf, type Surroundings } from './command-line.ts'
import { givenText } from './source/given-file.ts'

const choices = ['crds', 'rbac', 'workloads', 'monitoring'] as const
type Choice = (typeof choices)[number]
const stages = ['install', 'switch'] as const
type Stage = (typeof stages)[number]

interface ManifestsOptions {
  readonly force?: boolean
  readonly config?: string
  readonly values?: string
  readonly enable?: readonly string[]
  readonly disable?: readonly string[]
  readonly namespace: string
  readonly release: string
  readonly format: string
  readonly only?: Choice
  readonly stage?: Stage
  readonly kubeVersion?: string
  readonly set?: readonly string[]
  readonly hardened?: boolean
  readonly monitoring?: 'prometheus-operator'
  readonly platform?: string
  readonly agentNamespace?: string
  readonly staticPod?: string
  readonly cleanup?: boolean
}

const listed = (text: string, before: readonly string[] = []) => [...before, ...text.split(',').map(name => name.trim())]
const added = (text: string, before: readonly string[] = []) => [...before, text]

/** Capabilities that install what has it. */
const having = (what: keyof CapabilityObjects): readonly string[] =>
  enabledCapabilities.map(({ name }) => name).filter(name => installedBy([{ name }]).some(one => one[what] !== undefined))

export const defineManifests: DefineCommand = (program, surroundings) => {
  program
    .command('manifests')
    .description(about.manifests)
    .option('--config <file>', 'BallastConfiguration; its blocks go into the ConfigMap')
    .option('-f, --values <file>', 'values as for the Helm chart')
    .option('--set <key=value>', 'one value, as for the Helm chart; may be given often', added)
    .option('--enable <names>', 'capabilities to enable, by comma', listed)
    .option('--disable <names>', 'capabilities to disable, by comma', listed)
    .option('-n, --namespace <name>', "Ballast's own namespace", ballastNamespace)
    .option('--release <name>', 'prefix of the names of objects', 'ballast')
    .option('--format <format>', 'yaml, json, or dir=DIRECTORY: a file each', format, 'yaml')
    .option('--force', 'dir: replace files that are there and differ')
    .option('--only <part>', choices.join(', '), oneOf(...choices))
    .option(
      '--stage <stage>',
      'install: what runs, and what it needs; switch: what then leads the cluster to it (APIService, CSIDriver, webhooks)',
      oneOf(...stages),
    )
    .option('--kube-version <version>', 'version of the cluster, such as 1.34', kubeVersion)
    .option(
      '--platform <name>',
      `distribution of the nodes, which decides containerd's paths: ${Object.keys(platforms).join(', ')}`,
      oneOf(...Object.keys(platforms)),
    )
    .option('--agent-namespace <name>', 'namespace of the pods on nodes')
    .option(
      '--static-pod <name>',
      `${having('staticPod').join(', ')}: print only the static pod for a machine image`,
      oneOf(...having('staticPod')),
    )
    .option(
      '--cleanup',
      "print only what restores containerd's hosts files on every node, after a mirror was removed without uninstall",
    )
    .option('--hardened', 'with network policies')
    .option('--monitoring <kind>', 'prometheus-operator: monitors, rules and a dashboard', oneOf('prometheus-operator'))
    .addHelpText(
      'after',
      [
        '\nThe objects are those of the Helm chart with the same values.',
        'Example: ballast manifests --enable reload | kubectl apply --server-side -f -',
        'Example: ballast manifests --enable metrics --stage install | kubectl apply --server-side -f -\n  kubectl -n ballast-system rollout status deployment/ballast-apiserver\n  ballast manifests --enable metrics --stage switch | kubectl apply --server-side --force-conflicts -f -',
        'Example: ballast manifests --cleanup | kubectl apply -f -\n  kubectl -n ballast-agent wait job ballast-mirror-cleanup --for=condition=complete',
        'Example: ballast manifests --static-pod mirror > /etc/kubernetes/manifests/ballast-mirror.yaml',
      ].join('\n'),
    )
    .action((options: ManifestsOptions) => printManifests(options, surroundings))
}

function format(text: string): string {
  if (text === 'yaml' || text === 'json' || /^dir=./.test(text)) return text
  throw new InvalidArgumentError('It must be yaml, json or dir=DIRECTORY.')
}

/** What the objects use is there from here on. */
const oldestMinor = 29

function kubeVersion(text: string): string {
  const minor = Number(/^v?1\.(\d+)(\.\d+)?$/.exec(text)?.[1] ?? Number.NaN)
  if (Number.isNaN(minor)) throw new InvalidArgumentError('It must be a version such as 1.34.')
  if (minor < oldestMinor) throw new InvalidArgumentError(`Kubernetes before 1.${oldestMinor} is not supported.`)
  return text
}

const source = (file: string | undefined) => (file === undefined ? undefined : { file, text: givenText(file, '--config') })

function printManifests(options: ManifestsOptions, { terminal }: Surroundings): void {
  const { disable = [], staticPod, cleanup = false } = options
  const needed = staticPod === undefined ? (cleanup ? having('cleanup') : []) : [staticPod]
  if (staticPod !== undefined && cleanup) throw new CommandRefused('--static-pod and --cleanup exclude each other')
  const isWhole = staticPod === undefined && !cleanup
  if (options.stage !== undefined && !isWhole)
    throw new CommandRefused(`--stage and ${cleanup ? '--cleanup' : '--static-pod'} exclude each other`)
  assertUsed({ '--force': options.force }, options.format.startsWith('dir='), '--format dir=')
  const both = (options.enable ?? []).filter(name => disable.includes(name))
  if (both.length > 0) throw new CommandRefused(`--enable and --disable both name ${both.join(', ')}`)
  const enable = [...(options.enable ?? []), ...needed]
  if (enable.length > 0) enabling(enable.join(','), enabledCapabilities)
  if (disable.length > 0) enabling(disable.join(','), enabledCapabilities, '--disable')
  const asked: Asked = {
    preset: presetOf(options),
    configuration: source(options.config),
    values: source(options.values),
    set: options.set ?? [],
    enable,
    disable,
  }
  const values = installationValues(asked, enabledCapabilities)
  const around = { capabilities: enabledCapabilities, release: plainRelease(options.release, options.namespace) }
  const made = objects(values, around)
  const only = () =>
    made
      .filter(object => options.only === undefined || partOf(object) === options.only)
      .filter(object => options.stage === undefined || stageOf(object) === options.stage)
  const wanted = cleanup
    ? [
        ...made.filter(isNamespaceOfAgents),
        ...installedBy(enabledCapabilities).flatMap(one => one.cleanup?.(values, around) ?? []),
      ]
    : staticPod === undefined
      ? only()
      : installedBy([{ name: staticPod }]).flatMap(one => one.staticPod?.(made) ?? [])
  if (wanted.length === 0 && options.stage !== undefined)
    terminal.say(`nothing to ${options.stage}: of what is enabled nothing belongs to this stage`)
  if (options.format.startsWith('dir=')) {
    const lines = writeFiles(options.format.slice('dir='.length), filesOf(wanted), options.force === true)
    for (const line of lines) terminal.say(line)
  } else terminal.write((options.format === 'json' ? jsonList(wanted) : yamlDocuments(wanted)).trimEnd())
}

/** It may be gone with the mirror. */
const isNamespaceOfAgents = ({ kind, metadata }: KubeObject): boolean =>
  kind === 'Namespace' && metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'privileged'

function presetOf({ namespace, hardened, monitoring, platform, agentNamespace }: ManifestsOptions): Values {
  const isOwn = !/^(kube-.*|default)$/.test(namespace)
  const presets: readonly Values[] = [
    { namespace: { create: isOwn } },
    platform === undefined ? {} : platformValues(platform),
    agentNamespace === undefined ? {} : { agent: { namespace: agentNamespace } },
    hardened === true ? { networkPolicy: { enabled: true } } : {},
    monitoring === undefined
      ? {}
      : {
          metrics: { serviceMonitor: { enabled: true } },
          prometheusRule: { enabled: true },
          grafanaDashboard: { enabled: true },
        },
  ]
  return presets.reduce(merged, {})
}

const rights: ReadonlySet<string> = new Set(['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'])

function partOf({ kind, apiVersion, metadata }: KubeObject): Choice {
  if (kind === 'CustomResourceDefinition') return 'crds'
  if (rights.has(kind)) return 'rbac'
  const isMonitoring = /^(monitoring\.coreos\.com|grafana\.)/.test(apiVersion) || metadata.name.endsWith('-dashboard')
  return isMonitoring ? 'monitoring' : 'workloads'
}

/** What turns the cluster's own requests to us: an API or a driver of this name may be served by another program until then. */
const leading: ReadonlySet<string> = new Set([
  'APIService',
  'CSIDriver',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
])

const stageOf = ({ kind }: KubeObject): Stage => (leading.has(kind) ? 'switch' : 'install')

function jsonList(items: readonly KubeObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, undefined, 2)
}

/** Files sort in the order in which they are to be applied. */
function filesOf(made: readonly KubeObject[]): readonly { readonly path: string; readonly text: string }[] {
  if (made.length === 0) throw new CommandRefused('nothing to write')
  return Array.from(made.entries(), ([at, object]) => {
    const { namespace, name } = object.metadata
    const parts = [String(at).padStart(2, '0'), object.kind.toLowerCase(), ...(namespace === undefined ? [] : [namespace]), name]
    return { path: `${parts.join('-')}.yaml`, text: yamlDocuments([object]) }
  })
}
