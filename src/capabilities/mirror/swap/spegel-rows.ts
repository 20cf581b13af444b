// What becomes of each key of the chart `spegel`, 0.3.0 to 0.7.4 and the line after it: the table of `ballast migrate values --from spegel`.
import { type ConvertedValues, convertValues, isOlder } from '#upstreams/convert-values.ts'
import {
  converted,
  dropped,
  isEmpty,
  lostUnlessEmpty,
  type RowContext,
  type Step,
  same,
  textList,
  type ValuesRow,
} from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'

/** Charts whose keys are recorded, the newest last; `0.8` is the unreleased line after 0.7. */
export const spegelVersions: readonly string[] = [
  '0.3.0',
  '0.4.0',
  '0.5.0',
  '0.5.1',
  '0.6.0',
  '0.7.0',
  '0.7.1',
  '0.7.2',
  '0.7.3',
  '0.7.4',
  '0.8.0',
]

const mirror = (key: string) => `capabilities.mirror.${key}`
const oneImage = 'Ballast is one image of its own'
const ownNames = "upstream's objects keep their names until they are removed; ours have their own"
const noService = "containerd asks the node's own address: no Service stands between"
const hostNetwork = "ours is on the host's network: router 29995, metrics 29997 (capabilities.mirror.routerPort, metricsPort)"

/** From here on the chart has no host port, and its node port is 30020. */
const firstWithoutHostPort = '0.7.5'
const standardPort = 30_020
/** Node port of the Service, up to 0.7. */
const earlyNodePort = 30_021

/** An explicit nothing where upstream has a default cannot be told from silence: both take the default. */
const isLate = (version: string | undefined): boolean => version !== undefined && !isOlder(version, firstWithoutHostPort)

const carried = (to: string, value: unknown, why?: string): readonly Step[] => [
  { kind: 'carried', to, value, ...(why === undefined ? {} : { why }) },
]

const portNumber = (value: unknown): number | undefined => {
  const found = Number(value)
  return value !== '' && Number.isInteger(found) && found >= 1 && found <= 65_535 ? found : undefined
}

/** Where the nodes' hosts files ask: the host port first, then a node port that somebody chose. */
function portsOf({ read }: RowContext, version: string | undefined): readonly number[] {
  const nodePort = portNumber(read('service.registry.nodePort') ?? '')
  if (isLate(version)) return [nodePort ?? standardPort]
  // Then the chart tells containerd of the Service alone.
  if (read('service.registry.usePreferSameNodeTrafficDistribution') === true) return [nodePort ?? earlyNodePort]
  const hostPort = portNumber(read('service.registry.hostPort') ?? standardPort)
  const named = [...new Set([hostPort, nodePort].filter(port => port !== undefined))]
  return named.length === 0 ? [standardPort] : named
}

function portRows(version: string | undefined): readonly ValuesRow[] {
  const row = (key: string): ValuesRow =>
    converted(`service.registry.${key}`, (value, context) =>
      portNumber(value) === undefined
        ? [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected a port` }]
        : carried(mirror('ports'), portsOf(context, version)),
    )
  const late = isLate(version)
  return [
    ...(late ? [] : [row('hostPort')]),
    row('nodePort'),
    dropped('service.registry.port', "it is the container's; ours binds the port of the node itself"),
    dropped('service.registry.nodeIp', "ours binds the node's own address"),
    dropped('service.registry.annotations', noService),
    ...['topologyAwareHintsEnabled', 'usePreferSameNodeTrafficDistribution', 'internalTrafficLocal'].map(key =>
      dropped(`service.registry.${key}`, noService),
    ),
    dropped('service.router.port', hostNetwork),
    dropped('service.metrics.port', hostNetwork),
    lostUnlessEmpty('service.metrics.annotations', 'our Service for metrics has no annotations; a PodMonitor finds the mirrors'),
    same('service.bootstrap.annotations', 'mirror.service.annotations'),
    dropped('service.cleanup.port', 'ours restores the hosts files on its own port (mirror.cleanup.port)'),
    lostUnlessEmpty('service.cleanup.annotations', 'our cleanup has no Service'),
  ]
}

/** Filters, and the old flag that is one. */
function filtersOf({ read }: RowContext): readonly string[] {
  return [...textList(read('spegel.registryFilters')), ...(read('spegel.resolveLatestTag') === false ? [':latest$'] : [])]
}

function modeOf({ read }: RowContext): 'agent' | 'operator' | 'none' {
  if (read('spegel.containerdMirrorAdd') !== false) return 'agent'
  return read('kvick.nodeReadiness.enabled') === true ? 'operator' : 'none'
}

const behaviour: readonly ValuesRow[] = [
  converted('spegel.logLevel', value => {
    const level = String(value).toLowerCase()
    return ['debug', 'info', 'warn', 'error'].includes(level)
      ? carried('process.logLevel', level)
      : [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected DEBUG, INFO, WARN or ERROR` }]
  }),
  converted('spegel.mirroredRegistries', value => {
    const texts = textList(value)
    const bare = texts.filter(text => !text.includes('://') && text !== '_default' && text !== '*')
    const registries = texts.map(text => (bare.includes(text) ? `https://${text}` : text))
    const why = bare.length === 0 ? undefined : `https:// was put before ${bare.join(', ')}`
    return texts.length === 0 ? [] : carried(mirror('registries'), registries, why)
  }),
  converted('spegel.additionalMirrorTargets', value =>
    isEmpty(value) ? [] : carried(mirror('additionalTargets'), textList(value)),
  ),
  ...[
    'mirrorResolveRetries',
    'mirrorResolveTimeout',
    'containerdSock',
    'containerdNamespace',
    'containerdRegistryConfigPath',
    'containerdContentPath',
  ].map(key => same(`spegel.${key}`, mirror(key))),
  // Off unless asked for, and on in upstream's chart.
  same('spegel.debugWebEnabled', mirror('debugWebEnabled'), { upstreamDefault: true }),
  ...['enabled', 'path', 'hostPath'].map(key =>
    same(`spegel.persistence.${key}`, mirror(`persistence.${key}`), { since: '0.7.0' }),
  ),
  converted('spegel.containerdMirrorAdd', (_, context) => carried(mirror('nodeConfiguration.mode'), modeOf(context)), {
    upstreamDefault: true,
  }),
  converted('spegel.resolveTags', value => carried(mirror('tags'), value === false ? 'never' : 'always')),
  converted('spegel.resolveLatestTag', (value, context) =>
    value === false
      ? carried(mirror('filters'), filtersOf(context), 'as a filter')
      : [{ kind: 'dropped', why: 'it is what ours does' }],
  ),
  converted(
    'spegel.registryFilters',
    (value, context) => (isEmpty(value) ? [] : carried(mirror('filters'), filtersOf(context))),
    { since: '0.4.0' },
  ),
  converted('spegel.prependExisting', value =>
    carried(mirror('nodeConfiguration.existing'), value === true ? 'prepend' : 'replace'),
  ),
  converted('basicAuthSecretName', value => (isEmpty(value) ? [] : carried(mirror('basicAuthSecretName'), value))),
  same('kvick.nodeReadiness.enabled', 'capabilities.readiness.enabled'),
  lostUnlessEmpty(
    'kvick.imageCredentials',
    'image credentials are not ours to check: capabilities.mirror.allowFrom keeps other pods away, an admission policy on image names the rest',
  ),
]

const pods: readonly ValuesRow[] = [
  ...['name', 'repository', 'tag', 'digest'].map(key => dropped(`image.${key}`, oneImage)),
  same('image.pullPolicy', 'image.pullPolicy'),
  same('imagePullSecrets', 'imagePullSecrets'),
  dropped('nameOverride', ownNames),
  dropped('fullnameOverride', ownNames),
  dropped('namespaceOverride', 'our pods on nodes lie in agent.namespace'),
  dropped('serviceAccount.name', 'the mirror has no token'),
  same('serviceAccount.annotations', 'mirror.serviceAccount.annotations'),
  same('daemonsetAnnotations', 'mirror.annotations', { since: '0.5.0' }),
  ...['podAnnotations', 'revisionHistoryLimit', 'nodeSelector', 'tolerations', 'affinity', 'priorityClassName'].map(key =>
    same(key, `mirror.${key}`),
  ),
  converted('podSecurityContext', value => (isEmpty(value) ? [] : carried('mirror.podSecurityContext', value))),
  converted('securityContext', value => {
    const said = isTree(value)
      ? Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'readOnlyRootFilesystem'))
      : {}
    return isEmpty(said) ? [{ kind: 'dropped', why: 'ours is so already' }] : carried('mirror.securityContext', said)
  }),
  converted('updateStrategy', value => (isEmpty(value) ? [] : carried('mirror.updateStrategy', value))),
  converted('resources', value =>
    isEmpty(value)
      ? []
      : [
          {
            kind: 'dropped',
            why: `${JSON.stringify(value)} was measured for upstream; ours has its own figures (mirror.resources)`,
          },
        ],
  ),
  same('commonLabels', 'commonLabels'),
  dropped('clusterDomain', 'our mirrors find each other by a file, without DNS'),
  converted('livenessProbe.enabled', value =>
    value === true
      ? [{ kind: 'lost', why: 'ours has no probe unless mirror.livenessProbe says which' }]
      : [{ kind: 'dropped', why: 'ours has none, either' }],
  ),
  dropped(
    'networkPolicy.enabled',
    "ours is on the host's network, where no NetworkPolicy holds: capabilities.mirror.allowFrom does",
  ),
  converted('extraVolumes', value => (isEmpty(value) ? [] : carried('mirror.extraVolumes', value))),
  converted('extraInitContainers', value => (isEmpty(value) ? [] : carried('mirror.initContainers', value))),
]

const around: readonly ValuesRow[] = [
  ...['enabled', 'interval', 'scrapeTimeout', 'labels', 'relabelings', 'metricRelabelings'].map(key =>
    same(`serviceMonitor.${key}`, `metrics.serviceMonitor.${key}`),
  ),
  same('grafanaDashboard.enabled', 'grafanaDashboard.enabled'),
  converted('grafanaDashboard.labels', value => (isEmpty(value) ? [] : carried('grafanaDashboard.labels', value))),
  converted('grafanaDashboard.sidecarLabel', (value, { read }) =>
    carried('grafanaDashboard.labels', { [String(value)]: String(read('grafanaDashboard.sidecarLabelValue')) }),
  ),
  converted(
    'grafanaDashboard.sidecarLabelValue',
    (value, { read }) => carried('grafanaDashboard.labels', { [String(read('grafanaDashboard.sidecarLabel'))]: String(value) }),
    { upstreamDefault: '1' },
  ),
  same('grafanaDashboard.annotations', 'grafanaDashboard.annotations'),
  same('grafanaDashboard.mode', 'grafanaDashboard.mode', { since: '0.5.0' }),
  dropped('grafanaDashboard.grafanaOperator', 'ours is found by its labels (grafanaDashboard.labels)'),
  lostUnlessEmpty('verticalPodAutoscaler.enabled', 'our chart makes no VerticalPodAutoscaler; write one into extraObjects'),
  ...['recommenders', 'controlledResources', 'controlledValues', 'maxAllowed', 'minAllowed', 'updatePolicy'].map(key =>
    dropped(`verticalPodAutoscaler.${key}`, 'it belongs to verticalPodAutoscaler.enabled'),
  ),
]

/** The rows of a chart's version; without one those of 0.7. */
export function spegelRows(version: string | undefined): readonly ValuesRow[] {
  return [...portRows(version), ...behaviour, ...pods, ...around].map(row =>
    row.path === 'grafanaDashboard.sidecarLabel' ? { ...row, upstreamDefault: 'grafana_dashboard' } : row,
  )
}

/** Values of ours. The port is always written out: hosts files and user data on the nodes name it. */
export function convertSpegel(input: {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: string | undefined
}): ConvertedValues {
  const rows = spegelRows(input.version)
  const start = { capabilities: { mirror: { enabled: true } } }
  const done = convertValues({ rows, ...input, start })
  const read = (path: string) => valueAt(input.values, path.split('.'))
  const path = mirror('ports').split('.')
  if (valueAt(done.values, path) !== undefined) return done
  const ports = portsOf({ read, namespace: input.namespace }, input.version)
  const from = isLate(input.version) ? 'service.registry.nodePort' : 'service.registry.hostPort'
  const why = "upstream's default, written out: the nodes' hosts files name it"
  return {
    ...done,
    values: withValue(done.values, path, ports),
    report: [...done.report, { from, kind: 'carried', to: mirror('ports'), why }],
  }
}
