// What becomes of each key of the chart `keda`, 2.20.2 and 2.21: the table of `ballast migrate values --from keda`.
import { type ConvertedValues, convertValues } from '#upstreams/convert-values.ts'
import {
  converted,
  dropped,
  isEmpty,
  lostUnlessEmpty,
  type RowContext,
  type Step,
  same,
  type ValuesRow,
} from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import {
  carried,
  flagSteps,
  httpTimeout,
  leaderElectionId,
  minTlsVersion,
  noLabels,
  noProfiles,
  oneScope,
  ownCertificate,
  ownHttp,
  ownLog,
  ownMetrics,
  type Program,
  restricted,
  section,
  variableSteps,
} from './keda-told.ts'

/** Charts whose keys are recorded; the newest last. */
export const kedaVersions: readonly string[] = ['2.20.2', '2.21']

const oneImage = 'Ballast is one image of its own'
const ownNames = "upstream's objects keep their names until they are removed; ours have their own"
const oneProcess = 'ours is a part of ballast apiserver and of ballast controller, which have settings of their own'
const ownProbes = 'ours has probes of its own (apiserver.livenessProbe)'
const ownPolicy = 'ours is networkPolicy: sources of triggers are let out by networkPolicy.extraEgress'
const ownAlerts = 'ours has alerts of its own: prometheusRule'
const noIdentity = 'ours has no identity at a cloud: objects whose authentications ask for one are refused by name'
const kindsStay = 'kinds that are there stay as they are; ours makes those that are missing (crds.install)'

const listOf = (value: unknown): readonly ValuesTree[] => (Array.isArray(value) ? value.filter(isTree) : [])

/** What is empty says nothing. */
const unlessEmpty = (path: string, to: string, options: Pick<ValuesRow, 'since'> = {}): ValuesRow =>
  converted(path, value => (isEmpty(value) ? [] : carried(to, value)), options)

/** Each flag has a line of its own. */
const flags = (path: string, program: Program): ValuesRow =>
  converted(path, value =>
    isTree(value)
      ? Object.entries(value).flatMap(([name, said]) =>
          flagSteps(program, name, String(said)).map(step => ({ ...step, why: why(`--${name}`, step) })),
        )
      : [],
  )

const why = (name: string, step: Step): string =>
  step.why === undefined ? name : step.why.includes(name) ? step.why : `${name}: ${step.why}`

const told: readonly ValuesRow[] = [
  lostUnlessEmpty('watchNamespace', oneScope),
  lostUnlessEmpty('watchLabelSelector', noLabels, { since: '2.21' }),
  lostUnlessEmpty('watchLabelSelectorForTriggerauth', noLabels, { since: '2.21' }),
  converted('http.timeout', httpTimeout),
  converted('http.minTlsVersion', minTlsVersion),
  lostUnlessEmpty('http.tlsCipherList', 'ours takes the ciphers of Node.js'),
  converted('http.keepAlive.enabled', value =>
    value === false
      ? [{ kind: 'lost', why: 'ours asks a source again on the same connection for a while' }]
      : [{ kind: 'dropped', why: 'ours does so, too' }],
  ),
  ...['maxIdleConns', 'maxIdleConnsPerHost', 'idleConnTimeout'].map(key => dropped(`http.${key}`, ownHttp)),
  converted('operator.leaderElectionID', leaderElectionId),
  flags('extraArgs.keda', 'operator'),
  flags('extraArgs.metricsAdapter', 'beside'),
  flags('extraArgs.webhooks', 'beside'),
  converted('env', value => [
    ...listOf(value).flatMap(one => {
      const name = String(one['name'])
      const said = one['value']
      return variableSteps(name, said === undefined && one['valueFrom'] !== undefined ? undefined : String(said ?? '')).map(
        step => ({ ...step, why: why(name, step) }),
      )
    }),
  ]),
  converted('permissions.operator.restrict.secret', value =>
    value === true ? restricted() : [{ kind: 'dropped', why: "it is upstream's default and ours" }],
  ),
  lostUnlessEmpty(
    'permissions.operator.restrict.namesAllowList',
    'rights of ours are for all Secrets, or for those of its own namespace (restrictSecretAccess)',
  ),
  lostUnlessEmpty(
    'permissions.operator.restrict.serviceAccountTokenCreationRoles',
    'ours asks for tokens of accounts that have an audience: tokenNamespaces and tokenAudiences',
  ),
  lostUnlessEmpty(
    'permissions.operator.restrict.allowAllServiceAccountTokenCreation',
    'ours asks for tokens of accounts that have an audience: tokenNamespaces and tokenAudiences',
  ),
  dropped('permissions.metricServer', 'whoever answers external metrics reads no Secrets'),
  converted('rbac.enabledCustomScaledRefKinds', value =>
    value === false
      ? [{ kind: 'dropped', why: 'ours scales only kinds that are named, too: scaleKinds' }]
      : [{ kind: 'dropped', why: 'it belongs to rbac.scaledRefKinds' }],
  ),
  converted('rbac.scaledRefKinds', scaledKinds),
  converted('podIdentity.azureWorkload', identity),
  converted('podIdentity.aws', value => identity(isTree(value) ? value['irsa'] : value)),
  converted('podIdentity.gcp', identity),
  lostUnlessEmpty('hashiCorpVaultTLS', 'ours trusts the authorities of Node.js, and those of the file in NODE_EXTRA_CA_CERTS'),
  lostUnlessEmpty('grpcTLSCertsSecret', 'scalers of type external name their certificates in their own parameters'),
  lostUnlessEmpty(
    'certificates.operator.caDirs',
    'ours trusts the authorities of Node.js, and those of the file in NODE_EXTRA_CA_CERTS (apiserver.extraEnv)',
    { empty: '/custom/ca' },
  ),
  unlessEmpty('clusterName', section('clusterName')),
  lostUnlessEmpty('clusterDomain', 'ours calls Services as NAME.NAMESPACE.svc, which a search domain completes', {
    empty: 'cluster.local',
  }),
  lostUnlessEmpty('opentelemetry.collector.uri', 'ours serves Prometheus metrics only'),
  lostUnlessEmpty('opentelemetry.operator.enabled', 'ours serves Prometheus metrics only'),
]

const pods: readonly ValuesRow[] = [
  ...['image.keda', 'image.metricsApiServer', 'image.webhooks'].map(path => dropped(path, oneImage)),
  dropped('global.image.registry', oneImage),
  same('image.pullPolicy', 'image.pullPolicy'),
  unlessEmpty('imagePullSecrets', 'imagePullSecrets'),
  unlessEmpty('additionalLabels', 'commonLabels'),
  unlessEmpty('additionalAnnotations', 'commonAnnotations'),
  dropped('operator.name', ownNames),
  dropped('webhooks.name', ownNames),
  ...['nodeSelector', 'affinity', 'tolerations'].flatMap(key => [
    converted(key, (value, { read }) => {
      if (isEmpty(value)) return []
      return isEmpty(read(`operator.${key}`))
        ? carried(`apiserver.${key}`, value)
        : [{ kind: 'dropped', why: `operator.${key} says it for the one that scales` }]
    }),
    unlessEmpty(`operator.${key}`, `apiserver.${key}`),
    dropped(`metricsServer.${key}`, oneProcess),
    dropped(`webhooks.${key}`, oneProcess),
  ]),
  unlessEmpty('priorityClassName', 'apiserver.priorityClassName'),
  unlessEmpty('podAnnotations.keda', 'apiserver.podAnnotations'),
  unlessEmpty('podLabels.keda', 'apiserver.podLabels'),
  ...['podAnnotations', 'podLabels'].flatMap(key =>
    ['metricsAdapter', 'webhooks'].map(program => dropped(`${key}.${program}`, oneProcess)),
  ),
  unlessEmpty('operator.revisionHistoryLimit', 'apiserver.revisionHistoryLimit'),
  unlessEmpty('upgradeStrategy.operator', 'apiserver.updateStrategy'),
  dropped('upgradeStrategy.metricsApiServer', oneProcess),
  dropped('upgradeStrategy.webhooks', oneProcess),
  converted('operator.replicaCount', value => {
    const count = Number(value)
    if (count > 1) return carried('apiserver.replicas', count)
    return [{ kind: 'dropped', why: 'ours runs two, of which one leads; apiserver.replicas says otherwise' }]
  }),
  converted('operator.hostUsers', value => (typeof value === 'boolean' ? carried('apiserver.hostUsers', value) : []), {
    since: '2.21',
  }),
  ...['metricsServer', 'webhooks'].map(program => dropped(`${program}.hostUsers`, oneProcess, { since: '2.21' })),
  unlessEmpty('operator.extraInitContainers', 'apiserver.initContainers'),
  lostUnlessEmpty('operator.extraContainers', 'our pods have one container'),
  ...['operator', 'metricsServer', 'webhooks'].flatMap(program => [
    lostUnlessEmpty(
      `${program}.useHostNetwork`,
      'ours has the network of pods only: the API server has to reach that for admission and external metrics',
    ),
    lostUnlessEmpty(`${program}.dnsConfig`, 'our chart has no key for it'),
    dropped(`${program}.livenessProbe`, ownProbes),
    dropped(`${program}.readinessProbe`, ownProbes),
  ]),
  lostUnlessEmpty('global.dnsConfig', 'our chart has no key for it'),
  ...['operator', 'metricsServer'].flatMap(program => [
    lostUnlessEmpty(`${program}.dnsPolicy`, 'our chart has no key for it', { empty: 'ClusterFirst' }),
    dropped(`${program}.disableCompression`, ownHttp),
  ]),
  ...['replicaCount', 'revisionHistoryLimit'].flatMap(key =>
    ['metricsServer', 'webhooks'].map(program => dropped(`${program}.${key}`, oneProcess)),
  ),
  lostUnlessEmpty('hostAliases', 'our chart has no key for it'),
  dropped('enableServiceLinks', 'our pods have none'),
  converted('topologySpreadConstraints.operator', value =>
    isEmpty(value)
      ? []
      : [
          {
            kind: 'dropped',
            why: 'it selects pods of upstream; ours are spread over nodes (apiserver.topologySpreadConstraints)',
          },
        ],
  ),
  dropped('topologySpreadConstraints.metricsServer', oneProcess),
  dropped('topologySpreadConstraints.webhooks', oneProcess),
  dropped('securityContext', 'ours is restricted (apiserver.securityContext)'),
  dropped('podSecurityContext', 'ours is restricted (apiserver.podSecurityContext)'),
  dropped('resources', 'they were measured for upstream; ours has its own (apiserver.resources)'),
  unlessEmpty('volumes.keda.extraVolumes', 'apiserver.extraVolumes'),
  unlessEmpty('volumes.keda.extraVolumeMounts', 'apiserver.extraVolumeMounts'),
  ...['metricsApiServer', 'webhooks'].flatMap(program =>
    ['extraVolumes', 'extraVolumeMounts'].map(key => dropped(`volumes.${program}.${key}`, oneProcess)),
  ),
]

const around: readonly ValuesRow[] = [
  dropped('crds.install', kindsStay),
  converted('crds.additionalAnnotations', value =>
    isEmpty(value) ? [] : [{ kind: 'dropped', why: `${kindsStay}; ours are kept when it is uninstalled (crds.keep)` }],
  ),
  same('rbac.create', 'rbac.create'),
  converted('rbac.aggregateToDefaultRoles', value => carried('rbac.aggregate', value === true)),
  dropped('rbac.controlPlaneServiceAccountsNamespace', 'autoscalers have their right to external metrics from the API server'),
  converted('serviceAccount.operator.create', value => carried('apiserver.serviceAccount.create', value !== false)),
  unlessEmpty('serviceAccount.operator.annotations', 'apiserver.serviceAccount.annotations'),
  converted('serviceAccount.operator.name', (value, { read }) =>
    read('serviceAccount.operator.create') === false && !isEmpty(value)
      ? carried('apiserver.serviceAccount.name', value)
      : [{ kind: 'dropped', why: "while both are installed an account of ours may not have upstream's name" }],
  ),
  dropped('serviceAccount.operator.automountServiceAccountToken', 'ours calls the API server as its account'),
  dropped('serviceAccount.metricServer', oneProcess),
  dropped('serviceAccount.webhooks', oneProcess),
  ...['annotations', 'automountServiceAccountToken', 'create', 'name'].map(key =>
    dropped(`serviceAccount.${key}`, 'it is of charts before 2.15; serviceAccount.operator says it'),
  ),
  converted('metricsServer.enabled', value =>
    value === false
      ? [{ kind: 'lost', why: 'ours answers external metrics where autoscale is on: autoscalers would ask nobody else' }]
      : [{ kind: 'dropped', why: 'ours answers external metrics where autoscale is on' }],
  ),
  converted('webhooks.enabled', value =>
    value === false
      ? [
          {
            kind: 'changed',
            to: 'webhooks.enabled',
            value: true,
            why: 'ours judges objects when they are written; it cannot be left out alone',
          },
        ]
      : [{ kind: 'dropped', why: 'ours judges objects by the webhook of ballast controller' }],
  ),
  converted('webhooks.failurePolicy', value =>
    value === 'Fail'
      ? [{ kind: 'lost', why: 'our webhook has the failure policy Ignore: what it did not see is judged at the first look' }]
      : [{ kind: 'dropped', why: 'ours is Ignore, too' }],
  ),
  ...['port', 'healthProbePort', 'timeoutSeconds'].map(key => dropped(`webhooks.${key}`, oneProcess)),
  converted('service.type', value =>
    isEmpty(value) || value === 'ClusterIP'
      ? [{ kind: 'dropped', why: 'ours is so already' }]
      : [{ kind: 'lost', why: 'only the API server calls ours, inside the cluster' }],
  ),
  dropped('service.portHttps', 'ours has 443; nobody but the API server asks for it, by the APIService'),
  dropped('service.portHttpsTarget', 'ours listens on port 6443'),
  lostUnlessEmpty('service.annotations', 'our Service has no annotations of others'),
  dropped('service.minTlsVersion', ownCertificate),
  dropped('service.tlsCipherList', ownCertificate),
  ...['autoGenerated', 'secretName', 'mountPath', 'certManager'].map(key => dropped(`certificates.${key}`, ownCertificate)),
  dropped('certificates.operator.apiServicePatching', ownCertificate),
  ...['minAvailable', 'maxUnavailable'].flatMap(key => [
    unlessEmpty(`podDisruptionBudget.operator.${key}`, `apiserver.podDisruptionBudget.${key}`),
    dropped(`podDisruptionBudget.${key}`, 'it is read beside podDisruptionBudget.operator only'),
  ]),
  dropped('podDisruptionBudget.metricServer', oneProcess),
  dropped('podDisruptionBudget.webhooks', oneProcess),
  ...['operator', 'metricsServer', 'webhooks'].flatMap(program => [
    lostUnlessEmpty(`profiling.${program}.enabled`, noProfiles),
    dropped(`profiling.${program}.port`, 'it belongs to the profiles'),
  ]),
  ...['operator', 'metricServer', 'webhooks'].map(program => dropped(`logging.${program}`, ownLog)),
  converted('networkPolicy.enabled', value => (value === true ? carried('networkPolicy.enabled', true, ownPolicy) : [])),
  dropped('networkPolicy.flavor', ownPolicy),
  ...['cilium', 'kubernetes'].map(flavor =>
    converted(`networkPolicy.${flavor}`, (value, context) => egress(flavor, value, context)),
  ),
  ...monitors(),
  lostUnlessEmpty('extraObjects', 'objects of yours are in no chart of ours: apply them by themselves'),
  dropped('customManagedBy', ownNames),
  dropped('asciiArt', 'ours draws none'),
]

/** Every key of every supported chart has a row here, by itself or by one above it: held by a test against the recorded lists of keys. */
export const kedaRows: readonly ValuesRow[] = [...told, ...pods, ...around]

/** Any kind is none that has to be named; what live objects target is named by `migrate plan`. */
function scaledKinds(value: unknown): readonly Step[] {
  const standard = ['deployments', 'statefulsets', 'replicasets']
  const named = listOf(value).map(one => ({ group: String(one['apiGroup']), resource: String(one['kind']) }))
  if (named.some(({ group, resource }) => group === '*' || resource === '*'))
    return [
      {
        kind: 'dropped',
        why: 'ours scales Deployments, StatefulSets, ReplicaSets, Rollouts, and kinds that scaleKinds names: migrate plan names those that objects target',
      },
    ]
  const further = named.filter(
    ({ group, resource }) =>
      !(group === 'apps' && standard.includes(resource)) && !(group === 'argoproj.io' && resource === 'rollouts'),
  )
  if (further.length === 0) return [{ kind: 'dropped', why: 'ours scales them, too' }]
  return further.map(({ group, resource }) => ({
    kind: 'lost',
    why: `${resource}.${group}: name it in ${section('scaleKinds')} with group, version, kind and resource; migrate plan does for what objects target`,
  }))
}

function identity(value: unknown): readonly Step[] {
  if (!isTree(value) || value['enabled'] !== true) return [{ kind: 'dropped', why: 'it is off' }]
  return [{ kind: 'lost', why: noIdentity }]
}

/** Only the rules of the flavor that is used say something; ours are those of Kubernetes. */
function egress(flavor: string, value: unknown, { read }: RowContext): readonly Step[] {
  const isMeant = read('networkPolicy.enabled') === true && String(read('networkPolicy.flavor') ?? 'cilium') === flavor
  const rules = isTree(value)
    ? Object.values(value).flatMap(program => (isTree(program) ? listOf(program['extraEgressRules']) : []))
    : []
  if (!isMeant || rules.length === 0) return [{ kind: 'dropped', why: 'it says nothing' }]
  if (flavor === 'kubernetes') return carried('networkPolicy.extraEgress', rules)
  return [{ kind: 'lost', why: 'ours has policies of Kubernetes only: write the rules into networkPolicy.extraEgress' }]
}

function monitors(): readonly ValuesRow[] {
  const programs = ['operator', 'metricServer', 'webhooks']
  return [
    ...programs.flatMap(program => [
      dropped(`prometheus.${program}.enabled`, ownMetrics),
      dropped(`prometheus.${program}.port`, ownMetrics),
      dropped(`prometheus.${program}.appProtocol`, ownMetrics),
    ]),
    dropped('prometheus.metricServer.portName', ownMetrics),
    ...['serviceMonitor', 'podMonitor'].flatMap(kind => monitor(kind)),
    dropped('prometheus.metricServer.serviceMonitor', 'the monitor of all of Ballast has its series, too'),
    dropped('prometheus.metricServer.podMonitor', 'the monitor of all of Ballast has its series, too'),
    dropped('prometheus.webhooks.serviceMonitor', 'the monitor of all of Ballast has its series, too'),
    ...['operator', 'webhooks'].map(program =>
      converted(`prometheus.${program}.prometheusRules`, value =>
        isTree(value) && value['enabled'] === true
          ? [{ kind: 'lost', why: `${ownAlerts}; write yours into a PrometheusRule of your own` }]
          : [{ kind: 'dropped', why: ownAlerts }],
      ),
    ),
  ]
}

/** Only of a monitor that is to be; ours is one for all. */
function monitor(kind: string): readonly ValuesRow[] {
  const theirs = `prometheus.operator.${kind}`
  const ours = `metrics.${kind}`
  const of = (key: string, to: string): ValuesRow =>
    converted(`${theirs}.${key}`, (value, { read }) => {
      if (isEmpty(value)) return []
      return read(`${theirs}.enabled`) === true
        ? carried(`${ours}.${to}`, value)
        : [{ kind: 'dropped', why: `it belongs to ${theirs}.enabled` }]
    })
  const oneMonitor = 'ours has one monitor for all of Ballast, in its own namespace'
  return [
    converted(`${theirs}.enabled`, value =>
      value === true ? carried(`${ours}.enabled`, true, 'the monitor of all of Ballast, on port 8081') : [],
    ),
    of('interval', 'interval'),
    of('scrapeTimeout', 'scrapeTimeout'),
    of('relabelings', 'relabelings'),
    of('metricRelabelings', 'metricRelabelings'),
    of('additionalLabels', 'labels'),
    dropped(`${theirs}.namespace`, oneMonitor),
    ...(kind === 'podMonitor'
      ? []
      : ['jobLabel', 'targetLabels', 'podTargetLabels', 'port', 'targetPort', 'relabellings', 'scheme', 'tlsConfig'].map(key =>
          dropped(`${theirs}.${key}`, oneMonitor),
        )),
  ]
}

export function convertKeda(input: {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: string | undefined
}): ConvertedValues {
  const found = convertValues({ ...input, rows: kedaRows, start: { capabilities: { autoscale: { enabled: true } } } })
  return withNamespace(found, input.namespace)
}

/** Secrets for the whole cluster lie where the operator is, unless it is told otherwise. */
function withNamespace(found: ConvertedValues, namespace: string | undefined): ConvertedValues {
  const path = section('clusterObjectNamespace').split('.')
  const isSaid = [path, section('restrictSecretAccess').split('.')].some(one => valueAt(found.values, one) !== undefined)
  if (namespace === undefined || isSaid) return found
  return {
    ...found,
    values: withValue(found.values, path, namespace),
    report: [
      ...found.report,
      {
        from: 'namespace',
        kind: 'carried',
        to: path.join('.'),
        why: 'Secrets of ClusterTriggerAuthentications lie where the operator is',
      },
    ],
  }
}
