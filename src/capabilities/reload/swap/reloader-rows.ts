// What becomes of each key of the chart `reloader` 2.2.x: the table of `ballast migrate values --from reloader`.
import { parseMilli } from '#kube/values/quantity.ts'
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
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'
import { reloaderLogLevels } from '../reloader-log-levels.ts'
import { environmentRows, variable } from './reloader-variables.ts'

/** Charts whose keys are recorded; the newest last. */
export const reloaderVersions: readonly string[] = [7, 8, 9, 10, 11, 12, 13, 14, 15, 16].map(patch => `2.2.${patch}`)

const reload = (key: string) => `capabilities.reload.${key}`
const oneImage = 'Ballast is one image of its own'
const ownNames = "upstream's objects keep their names until they are removed; ours have their own"

/** The keys of `custom_annotations`, and ours. */
const annotationNames = {
  configmap: 'configmap',
  secret: 'secret',
  auto: 'auto',
  secret_auto: 'secretAuto',
  configmap_auto: 'configmapAuto',
  search: 'search',
  match: 'match',
  ignore: 'ignore',
  pausePeriod: 'pausePeriod',
  pauseTime: 'pauseTime',
} as const

const naming: readonly ValuesRow[] = [
  same('global.imageRegistry', 'global.imageRegistry'),
  converted('global.imagePullSecrets', value => [
    {
      kind: 'carried',
      to: 'global.imagePullSecrets',
      value: Array.isArray(value) ? value.map(item => (typeof item === 'string' ? { name: item } : item)) : [],
    },
  ]),
  dropped('kubernetes.host', "no template of upstream's reads it"),
  dropped('nameOverride', ownNames),
  dropped('fullnameOverride', ownNames),
  converted('namespace', value => (isEmpty(value) ? [] : [{ kind: 'carried', to: 'namespaceOverride', value }])),
  ...['name', 'repository', 'tag', 'digest'].map(key => dropped(`image.${key}`, oneImage)),
  same('image.pullPolicy', 'image.pullPolicy'),
]

const behaviour: readonly ValuesRow[] = [
  same('reloader.autoReloadAll', reload('autoReloadAll')),
  same('reloader.isArgoRollouts', reload('argoRollouts')),
  lostUnlessEmpty(
    'reloader.isOpenshift',
    "DeploymentConfigs are not reloaded; upstream's code does not reload them since 1.4, either",
  ),
  ignoring('reloader.ignoreSecrets', 'resourcesToIgnore', 'secrets'),
  ignoring('reloader.ignoreConfigMaps', 'resourcesToIgnore', 'configmaps'),
  ignoring('reloader.ignoreJobs', 'ignoredWorkloadTypes', 'jobs'),
  ignoring('reloader.ignoreCronJobs', 'ignoredWorkloadTypes', 'cronjobs'),
  same('reloader.reloadOnCreate', reload('reloadOnCreate')),
  same('reloader.reloadOnDelete', reload('reloadOnDelete')),
  same('reloader.syncAfterRestart', reload('syncAfterRestart')),
  converted('reloader.reloadStrategy', value => {
    if (value === 'default') return [{ kind: 'dropped', why: 'it means env-vars, which is our default' }]
    if (value === 'env-vars' || value === 'annotations') return [{ kind: 'carried', to: reload('reloadStrategy'), value }]
    return [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected default, env-vars or annotations` }]
  }),
  same('reloader.enableCSIIntegration', reload('csiIntegration'), { since: '2.2.8' }),
  same('reloader.enableMetricsByNamespace', reload('metricsByNamespace')),
  ...Object.entries(annotationNames).map(([from, to]) =>
    converted(
      `reloader.custom_annotations.${from}`,
      value => (isEmpty(value) ? [] : [{ kind: 'carried', to: reload(`annotations.${to}`), value }]),
      from === 'ignore' ? { since: '2.2.13' } : {},
    ),
  ),
  converted('reloader.webhookUrl', (value, context) => {
    if (isEmpty(value)) return []
    if (!isEmpty(context.read('reloader.custom_annotations'))) return [{ kind: 'carried', to: reload('webhookUrl'), value }]
    return [
      {
        kind: 'changed',
        to: reload('webhookUrl'),
        value,
        why: "upstream's chart passes it on only beside custom_annotations, so it had no effect: with ours a change is posted there and no workload is reloaded",
      },
    ]
  }),
]

const scope: readonly ValuesRow[] = [
  converted('reloader.watchGlobally', (value, context) => (value === false ? namespaced(context) : []), {
    upstreamDefault: true,
  }),
  converted(
    'reloader.namespaces',
    (value, context) => {
      if (isEmpty(value)) return []
      if (context.read('reloader.watchGlobally') === false)
        return [
          { kind: 'dropped', why: 'it stands in rbac.namespaced and capabilities.reload.namespaces, with watchGlobally: false' },
        ]
      const namespaces = watched(context)
      if (namespaces === undefined) return [unknownNamespace]
      return [
        {
          kind: 'carried',
          to: reload('namespaces'),
          value: namespaces,
          why: 'with the namespace of the release, as upstream adds it',
        },
      ]
    },
    { since: '2.2.15', upstreamDefault: [] },
  ),
  converted('reloader.ignoreNamespaces', (value, context) => onlyGlobally(context, value, 'namespacesToIgnore', textList(value))),
  converted('reloader.namespaceSelector', (value, context) => onlyGlobally(context, value, 'namespaceSelector', value)),
  same('reloader.resourceLabelSelector', reload('resourceLabelSelector')),
]

const ofProcess: readonly ValuesRow[] = [
  converted('reloader.logFormat', value =>
    value === 'json'
      ? [{ kind: 'carried', to: 'process.logFormat', value }]
      : [{ kind: 'dropped', why: 'ours writes JSON always' }],
  ),
  converted('reloader.logLevel', value => {
    const to = typeof value === 'string' ? reloaderLogLevels.get(value) : undefined
    return to === undefined
      ? [{ kind: 'dropped', why: 'no level that upstream knows: it goes on with info, as ours does' }]
      : [{ kind: 'carried', to: 'process.logLevel', value: to, ...(to === value ? {} : { why: 'the nearest of our levels' }) }]
  }),
  dropped('reloader.enableHA', 'ours elects a leader always', { upstreamDefault: false }),
  converted('reloader.enablePProf', value =>
    value === true ? [{ kind: 'dropped', why: 'Go profiles; Node has its own ways' }] : [],
  ),
  dropped('reloader.pprofAddr', 'Go profiles; Node has its own ways'),
  dropped(
    'reloader.readOnlyRootFileSystem',
    'ours is read-only anyway, whatever containerSecurityContext says beside a true here',
  ),
  dropped('reloader.legacy.rbac', 'roles are made for what is enabled'),
  converted('reloader.matchLabels', value =>
    isEmpty(value) ? [] : [{ kind: 'carried', to: 'controller.podLabels', value, why: 'as labels: selectors of ours are fixed' }],
  ),
]

const deployment: readonly ValuesRow[] = [
  ...[
    'nodeSelector',
    'affinity',
    'tolerations',
    'topologySpreadConstraints',
    'revisionHistoryLimit',
    'livenessProbe',
    'readinessProbe',
  ].map(key => same(`reloader.deployment.${key}`, `controller.${key}`)),
  converted('reloader.deployment.priorityClassName', value =>
    isEmpty(value)
      ? [{ kind: 'dropped', why: 'ours is system-cluster-critical unless told otherwise' }]
      : [{ kind: 'carried', to: 'controller.priorityClassName', value }],
  ),
  converted(
    'reloader.deployment.hostUsers',
    value => (typeof value === 'boolean' ? [{ kind: 'carried', to: 'controller.hostUsers', value }] : []),
    { since: '2.2.13' },
  ),
  converted('reloader.deployment.volumes', (value, { read }) => {
    const left = ofOwnPlace(listOf(read('reloader.deployment.volumeMounts')))
    return carriedBut(value, 'controller.extraVolumes', volume => left.has(volume['name']))
  }),
  converted('reloader.deployment.volumeMounts', value => carriedBut(value, 'controller.extraVolumeMounts', isOwnPlace)),
  same('reloader.deployment.annotations', 'controller.annotations'),
  same('reloader.deployment.pod.annotations', 'controller.podAnnotations'),
  converted('reloader.deployment.labels', value => labels(value)),
  converted('reloader.deployment.replicas', (value, context) => {
    const count = Number(value)
    const isElecting = context.read('reloader.enableHA') === true
    if (count > 1 && !isElecting)
      return [
        {
          kind: 'lost',
          why: `${count} replicas without enableHA: upstream's chart runs one; say controller.replicas yourself, ours elects a leader always`,
        },
      ]
    if (isElecting || count === 0) return [{ kind: 'carried', to: 'controller.replicas', value: count }]
    return [{ kind: 'dropped', why: 'ours runs two of which one leads; controller.replicas says otherwise' }]
  }),
  converted('reloader.deployment.securityContext', value =>
    secured('controller.podSecurityContext', value, { runAsUser: 65_534 }),
  ),
  converted('reloader.deployment.containerSecurityContext', (value, { read }) =>
    // Upstream's chart writes its own true over whatever stands here.
    read('reloader.readOnlyRootFileSystem') === true && isTree(value)
      ? secured('controller.securityContext', { ...value, readOnlyRootFilesystem: true }, {})
      : secured('controller.securityContext', value, {}),
  ),
  converted('reloader.deployment.resources', value =>
    isEmpty(value)
      ? []
      : [
          {
            kind: 'dropped',
            why: `${JSON.stringify(value)} was measured for upstream; ours asks for 50m and 160Mi with a limit of 512Mi (controller.resources)`,
          },
        ],
  ),
  lostUnlessEmpty('reloader.deployment.dnsConfig', 'our chart has no key for it'),
  lostUnlessEmpty('reloader.deployment.runtimeClassName', 'our chart has no key for it', { since: '2.2.16' }),
  lostUnlessEmpty('reloader.deployment.schedulerName', 'our chart has no key for it', { since: '2.2.16' }),
  dropped('reloader.deployment.automountServiceAccountToken', 'ours mounts a token of its own, for an hour at a time'),
  dropped('reloader.deployment.gomaxprocsOverride', "Go's threads; JavaScript runs on one"),
  converted('reloader.deployment.gomemlimitOverride', value => heapLimit(value)),
  ...environmentRows,
]

const monitors: readonly ValuesRow[] = (['podMonitor', 'serviceMonitor'] as const).flatMap(kind => {
  const to = `metrics.${kind}`
  const from = `reloader.${kind}`
  const none = (key: string) => lostUnlessEmpty(`${from}.${key}`, `our ${kind} has no key for it`)
  return [
    ...['enabled', 'namespace', 'interval', 'labels', 'relabelings', 'metricRelabelings'].map(key =>
      same(`${from}.${key}`, `${to}.${key}`),
    ),
    same(`${from}.timeout`, `${to}.scrapeTimeout`),
    converted(`${from}.honorLabels`, value =>
      value === false
        ? [{ kind: 'dropped', why: 'no series of ours has a label that a scrape would rename' }]
        : [{ kind: 'dropped', why: 'no series of ours has labels job or instance' }],
    ),
    ...['annotations', 'scheme', 'tlsConfig', kind === 'podMonitor' ? 'bearerTokenSecret' : 'bearerTokenFile'].map(none),
    none(kind === 'podMonitor' ? 'podTargetLabels' : 'targetLabels'),
  ]
})

const around: readonly ValuesRow[] = [
  same('reloader.rbac.enabled', 'rbac.create'),
  lostUnlessEmpty('reloader.rbac.labels', 'labels for all our objects are commonLabels'),
  same('reloader.serviceAccount.create', 'controller.serviceAccount.create'),
  converted('reloader.serviceAccount.name', (value, context) => {
    if (isEmpty(value)) return []
    return context.read('reloader.serviceAccount.create') === false
      ? [{ kind: 'carried', to: 'controller.serviceAccount.name', value }]
      : [{ kind: 'dropped', why: "while both are installed an account of ours may not have upstream's name" }]
  }),
  same('reloader.serviceAccount.annotations', 'controller.serviceAccount.annotations'),
  lostUnlessEmpty('reloader.serviceAccount.labels', 'labels for all our objects are commonLabels'),
  dropped('reloader.serviceAccount.automountServiceAccountToken', 'ours mounts a token of its own, for an hour at a time'),
  lostUnlessEmpty('reloader.service', "our Service is for metrics and has its own port; whoever calls upstream's has to change"),
  same('reloader.podDisruptionBudget.enabled', 'controller.podDisruptionBudget.enabled'),
  converted('reloader.podDisruptionBudget.minAvailable', (value, context) =>
    isEmpty(context.read('reloader.podDisruptionBudget.maxUnavailable'))
      ? [{ kind: 'carried', to: 'controller.podDisruptionBudget.minAvailable', value }]
      : [{ kind: 'dropped', why: 'upstream takes maxUnavailable where both are given' }],
  ),
  same('reloader.podDisruptionBudget.maxUnavailable', 'controller.podDisruptionBudget.maxUnavailable'),
  same('reloader.netpol.enabled', 'networkPolicy.enabled'),
  lostUnlessEmpty(
    'reloader.netpol.from',
    'ours lets in its ports from everywhere; write a NetworkPolicy of your own into extraObjects',
  ),
  lostUnlessEmpty(
    'reloader.netpol.to',
    'ours lets out what its capabilities need; write a NetworkPolicy of your own into extraObjects',
  ),
  lostUnlessEmpty(
    'reloader.verticalPodAutoscaler.enabled',
    'our chart makes no VerticalPodAutoscaler; write one into extraObjects',
  ),
  ...['recommenders', 'controlledResources', 'controlledValues', 'maxAllowed', 'minAllowed', 'updatePolicy'].map(key =>
    dropped(`reloader.verticalPodAutoscaler.${key}`, 'it belongs to verticalPodAutoscaler.enabled'),
  ),
]

/** Every key of every supported chart has a row here, by itself or by one above it: held by a test against the recorded lists of keys. */
export const reloaderRows: readonly ValuesRow[] = [
  ...naming,
  ...scope,
  ...behaviour,
  ...ofProcess,
  ...deployment,
  ...monitors,
  ...around,
]

function ignoring(path: string, key: 'resourcesToIgnore' | 'ignoredWorkloadTypes', word: string): ValuesRow {
  return converted(path, (value, context) => {
    if (value !== true) return []
    const isBoth =
      key === 'resourcesToIgnore' &&
      context.read('reloader.ignoreSecrets') === true &&
      context.read('reloader.ignoreConfigMaps') === true
    if (isBoth)
      return [{ kind: 'lost', why: 'ignoring Secrets and ConfigMaps leaves nothing to do: upstream does not start with both' }]
    return [{ kind: 'carried', to: reload(key), value: word, isItem: true }]
  })
}

const unknownNamespace: Step = {
  kind: 'lost',
  why: 'upstream watches the namespace of its release, which is not known here: say it with -n NAMESPACE',
}

/** Upstream's list of watched namespaces: that of the release and those named, each once, sorted. */
function watched({ read, namespace }: RowContext): readonly string[] | undefined {
  const place = typeof read('namespace') === 'string' ? String(read('namespace')) : namespace
  return place === undefined ? undefined : [...new Set([place, ...textList(read('reloader.namespaces'))])].sort()
}

function namespaced(context: RowContext): readonly Step[] {
  const namespaces = watched(context)
  if (namespaces === undefined) return [unknownNamespace]
  return [
    { kind: 'carried', to: 'rbac.namespaced', value: namespaces },
    { kind: 'carried', to: reload('namespaces'), value: namespaces },
  ]
}

function onlyGlobally(context: RowContext, value: unknown, key: string, carried: unknown): readonly Step[] {
  if (isEmpty(value)) return []
  if (context.read('reloader.watchGlobally') === false)
    return [{ kind: 'dropped', why: 'upstream passes it on only with watchGlobally: true' }]
  return [{ kind: 'carried', to: reload(key), value: carried }]
}

/** Labels of the chart's own are left out: their values follow upstream's version. */
function labels(value: unknown): readonly Step[] {
  if (!isTree(value)) return []
  const own = Object.entries(value).filter(
    ([key, text]) =>
      !(key === 'provider' && text === 'stakater') &&
      !(key === 'group' && text === 'com.stakater.platform') &&
      !(key === 'version' && /^v?\d/.test(String(text))),
  )
  if (own.length === 0) return [{ kind: 'dropped', why: "labels of upstream's chart" }]
  return [{ kind: 'carried', to: 'controller.podLabels', value: Object.fromEntries(own) }]
}

function secured(to: string, value: unknown, upstream: Readonly<Record<string, unknown>>): readonly Step[] {
  if (!isTree(value)) return []
  const said = Object.fromEntries(Object.entries(value).filter(([key, inner]) => upstream[key] !== inner && !isOurs(key, inner)))
  if (Object.keys(said).length === 0) return [{ kind: 'dropped', why: 'ours is restricted already' }]
  return [{ kind: 'carried', to, value: said }]
}

const listOf = (value: unknown): readonly ValuesTree[] => (Array.isArray(value) ? value.filter(isTree) : [])

/** `/tmp`, which has to be mounted by hand where the root is read-only; ours has it. */
const isOwnPlace = ({ mountPath }: ValuesTree): boolean => /^\/tmp\/*$/.test(String(mountPath))

/** Names of volumes that are mounted there and nowhere else. */
function ofOwnPlace(mounts: readonly ValuesTree[]): ReadonlySet<unknown> {
  const names = (isThere: boolean) => new Set(mounts.filter(mount => isOwnPlace(mount) === isThere).map(({ name }) => name))
  return names(true).difference(names(false))
}

/** A list without what ours has by itself: a second mount of one path, or a volume of a name that is taken, is refused by the server. */
function carriedBut(value: unknown, to: string, isLeftOut: (item: ValuesTree) => boolean): readonly Step[] {
  const items = listOf(value)
  const carried = items.filter(item => !isLeftOut(item))
  return [
    ...(carried.length === items.length ? [] : [{ kind: 'dropped', why: 'ours has a volume at /tmp' } as const]),
    ...(carried.length === 0 ? [] : [{ kind: 'carried', to, value: carried } as const]),
  ]
}

/** What our pods say by themselves. */
function isOurs(key: string, value: unknown): boolean {
  const own: Readonly<Record<string, unknown>> = {
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: { drop: ['ALL'] },
  }
  return JSON.stringify(own[key]) === JSON.stringify(value)
}

/** Go's soft limit of memory as the heap of Node, which has other memory besides: three quarters. */
function heapLimit(value: unknown): readonly Step[] {
  if (isEmpty(value)) return []
  const text = String(value)
  if (text === '0' || text === 'off')
    return [{ kind: 'dropped', why: 'Go is told to keep no limit; ours follows the memory limit' }]
  const match = /^(\d+)(B|KiB|MiB|GiB|TiB)?$/.exec(text)
  if (match === null) return [{ kind: 'lost', why: `found ${JSON.stringify(text)}, expected bytes such as 400MiB` }]
  const bytes = parseMilli(`${match[1]}${(match[2] ?? '').replace('B', '')}`) / 1000
  const heap = Math.max(32, Math.floor((0.75 * bytes) / 1024 ** 2))
  return [
    {
      ...variable({ name: 'NODE_OPTIONS', value: `--max-old-space-size=${heap}` }),
      why: "three quarters of Go's limit as Node's heap, in MiB",
    },
  ]
}
