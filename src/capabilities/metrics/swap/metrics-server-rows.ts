// What becomes of each key of the chart `metrics-server`, 3.12 and 3.13: the table of `ballast migrate values --from metrics-server`.
import { type ConvertedValues, convertValues } from '#upstreams/convert-values.ts'
import { converted, dropped, isEmpty, lostUnlessEmpty, type Step, same, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'
import { flagSteps } from './metrics-server-arguments.ts'

/** Charts whose keys are recorded; the newest last. */
export const metricsServerVersions: readonly string[] = ['3.12.0', '3.12.1', '3.12.2', '3.13.0', '3.13.1']

const oneImage = 'Ballast is one image of its own'
const ownNames = "upstream's objects keep their names until they are removed; ours have their own"
const ownCertificate = 'ours has a certificate of an authority of its own, which is renewed, and its APIService trusts that alone'
const oursHasIt = 'ours is so already'

/** What the chart tells its program unless the values say otherwise. */
const chartArguments: readonly string[] = [
  '--cert-dir=/tmp',
  '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
  '--kubelet-use-node-status-port',
  '--metric-resolution=15s',
]

const carried = (to: string, value: unknown): readonly Step[] => [{ kind: 'carried', to, value }]

/** What is empty says nothing. */
const unlessEmpty = (path: string, to: string): ValuesRow => converted(path, value => (isEmpty(value) ? [] : carried(to, value)))

const words = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : [])

/** Each flag has a line of its own, which begins with its name. */
function argumentLines(path: 'args' | 'defaultArgs', read: (path: string) => unknown): readonly Step[] {
  const all = flagSteps([...words(read('defaultArgs')), ...words(read('args'))])
  const names = (list: readonly string[]) => new Set(flagSteps(list).flatMap(({ flag, isGiven }) => (isGiven ? [flag] : [])))
  const own = names(words(read('args')))
  const isOwn = ({ flag, isGiven }: { readonly flag: string; readonly isGiven: boolean }) => isGiven && own.has(flag)
  return all
    .filter(one => isOwn(one) === (path === 'args'))
    .flatMap(({ flag, steps }) =>
      steps.map(step => ({
        ...step,
        why: step.why === undefined || step.why.includes(flag) ? (step.why ?? flag) : `${flag}: ${step.why}`,
      })),
    )
}

const told: readonly ValuesRow[] = [
  converted('defaultArgs', (_value, { read }) => argumentLines('defaultArgs', read), { upstreamDefault: chartArguments }),
  converted('args', (_value, { read }) => argumentLines('args', read), { upstreamDefault: [] }),
  dropped('metrics.enabled', 'ours serves its metrics always, on port 8081'),
  dropped('containerPort', 'ours listens on port 6443'),
]

const pods: readonly ValuesRow[] = [
  dropped('image.repository', oneImage),
  dropped('image.tag', oneImage),
  same('image.pullPolicy', 'image.pullPolicy'),
  unlessEmpty('imagePullSecrets', 'imagePullSecrets'),
  dropped('nameOverride', ownNames),
  dropped('fullnameOverride', ownNames),
  same('commonLabels', 'commonLabels'),
  ...[
    'nodeSelector',
    'tolerations',
    'affinity',
    'topologySpreadConstraints',
    'podAnnotations',
    'podLabels',
    'updateStrategy',
  ].map(key => unlessEmpty(key, `apiserver.${key}`)),
  unlessEmpty('revisionHistoryLimit', 'apiserver.revisionHistoryLimit'),
  unlessEmpty('deploymentAnnotations', 'apiserver.annotations'),
  converted('extraVolumes', (value, { read }) => volumes(listOf(value), ofTmp(read))),
  converted('extraVolumeMounts', (value, { read }) => {
    const refused = new Set(
      listOf(read('extraVolumes'))
        .filter(isRefused)
        .map(({ name }) => name),
    )
    return besides(
      listOf(value).filter(mount => !refused.has(mount['name'])),
      'apiserver.extraVolumeMounts',
      isTmp,
    )
  }),
  converted('priorityClassName', value =>
    isEmpty(value) || value === 'system-cluster-critical'
      ? [{ kind: 'dropped', why: 'ours is system-cluster-critical unless told otherwise' }]
      : carried('apiserver.priorityClassName', value),
  ),
  converted('podSecurityContext', value => secured('apiserver.podSecurityContext', value)),
  converted('securityContext', value => secured('apiserver.securityContext', value)),
  converted('replicas', value => {
    const count = Number(value)
    if (count > 1) return carried('apiserver.replicas', count)
    return [{ kind: 'dropped', why: 'ours runs two, of which each answers; apiserver.replicas says otherwise' }]
  }),
  converted('resources', value =>
    isEmpty(value)
      ? []
      : [
          {
            kind: 'dropped',
            why: `${JSON.stringify(value)} was measured for upstream; ours asks for 50m and 160Mi with a limit of 512Mi (apiserver.resources)`,
          },
        ],
  ),
  dropped('livenessProbe', 'ours has probes of its own port (apiserver.livenessProbe)'),
  dropped('readinessProbe', 'ours has probes of its own port (apiserver.readinessProbe)'),
  dropped('tmpVolume', 'ours has a volume at /tmp'),
  lostUnlessEmpty('hostNetwork.enabled', 'ours has the network of pods only: the API server has to reach that'),
  lostUnlessEmpty('dnsConfig', 'our chart has no key for it'),
  lostUnlessEmpty('schedulerName', 'our chart has no key for it'),
  lostUnlessEmpty('addonResizer.enabled', 'nothing makes ours larger with the cluster: say apiserver.resources'),
  ...['image', 'securityContext', 'resources', 'nanny'].map(key =>
    dropped(`addonResizer.${key}`, 'it belongs to addonResizer.enabled'),
  ),
]

const around: readonly ValuesRow[] = [
  same('rbac.create', 'rbac.create'),
  lostUnlessEmpty('rbac.pspEnabled', 'no version of Kubernetes since 1.25 has PodSecurityPolicies'),
  same('serviceAccount.create', 'apiserver.serviceAccount.create'),
  unlessEmpty('serviceAccount.annotations', 'apiserver.serviceAccount.annotations'),
  converted('serviceAccount.name', (value, context) => {
    if (isEmpty(value)) return []
    return context.read('serviceAccount.create') === false
      ? carried('apiserver.serviceAccount.name', value)
      : [{ kind: 'dropped', why: "while both are installed an account of ours may not have upstream's name" }]
  }),
  lostUnlessEmpty('serviceAccount.secrets', 'ours mounts no Secrets by its account'),
  converted('apiService.create', value =>
    value === false
      ? [{ kind: 'lost', why: "ours registers its API always: with somebody else's APIService leave the capability off" }]
      : [{ kind: 'dropped', why: 'ours registers its API always' }],
  ),
  lostUnlessEmpty('apiService.annotations', 'our APIService has no annotations of others'),
  dropped('apiService.insecureSkipTLSVerify', ownCertificate),
  dropped('apiService.caBundle', ownCertificate),
  dropped('tls', ownCertificate, { since: '3.13.0' }),
  dropped('additionalAnnotations', ownCertificate, { since: '3.13.0' }),
  converted('service.type', value =>
    isEmpty(value) || value === 'ClusterIP'
      ? [{ kind: 'dropped', why: oursHasIt }]
      : [{ kind: 'lost', why: 'only the API server calls ours, inside the cluster' }],
  ),
  dropped('service.port', 'ours has 443; nobody but the API server asks for it, by the APIService'),
  lostUnlessEmpty('service.annotations', 'our Service has no annotations of others'),
  lostUnlessEmpty('service.labels', 'labels for all our objects are commonLabels'),
  converted('podDisruptionBudget.enabled', value =>
    value === true
      ? carried('apiserver.podDisruptionBudget.enabled', true)
      : [{ kind: 'dropped', why: 'ours keeps one of its two (apiserver.podDisruptionBudget)' }],
  ),
  ...['minAvailable', 'maxUnavailable', 'unhealthyPodEvictionPolicy'].map(key => ({
    ...unlessEmpty(`podDisruptionBudget.${key}`, `apiserver.podDisruptionBudget.${key}`),
    ...(key === 'unhealthyPodEvictionPolicy' ? { since: '3.13.0' } : {}),
  })),
  converted('serviceMonitor.enabled', value =>
    value === true
      ? [
          {
            kind: 'carried',
            to: 'metrics.serviceMonitor.enabled',
            value,
            why: 'the monitor of all of Ballast; the series keep their names, and are on port 8081',
          },
        ]
      : [],
  ),
  ...['interval', 'scrapeTimeout', 'metricRelabelings', 'relabelings'].map(key =>
    monitored(`serviceMonitor.${key}`, `metrics.serviceMonitor.${key}`),
  ),
  monitored('serviceMonitor.additionalLabels', 'metrics.serviceMonitor.labels'),
]

/** Every key of every supported chart has a row here, by itself or by one above it: held by a test against the recorded lists of keys. */
export const metricsServerRows: readonly ValuesRow[] = [...told, ...pods, ...around]

/** Only of a monitor that is to be. */
function monitored(path: string, to: string): ValuesRow {
  return converted(path, (value, { read }) => {
    if (isEmpty(value)) return []
    return read('serviceMonitor.enabled') === true
      ? carried(to, value)
      : [{ kind: 'dropped', why: 'it belongs to serviceMonitor.enabled' }]
  })
}

const isTmp = ({ mountPath }: ValuesTree): boolean => /^\/tmp\/*$/.test(String(mountPath))

/** Names of volumes that are mounted at /tmp and nowhere else. */
function ofTmp(read: (path: string) => unknown): ReadonlySet<unknown> {
  const mounts = listOf(read('extraVolumeMounts'))
  const names = (isThere: boolean) => new Set(mounts.filter(mount => isTmp(mount) === isThere).map(({ name }) => name))
  return names(true).difference(names(false))
}

/** Volumes that the standard `restricted` takes, by which our namespace is held. */
const takenVolumes = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret']
const isRefused = (volume: ValuesTree): boolean => Object.keys(volume).some(key => key !== 'name' && !takenVolumes.includes(key))

function volumes(all: readonly ValuesTree[], tmp: ReadonlySet<unknown>): readonly Step[] {
  const refused = all.filter(isRefused).map(({ name }) => String(name))
  const taken = all.filter(volume => !isRefused(volume))
  return [
    ...besides(taken, 'apiserver.extraVolumes', one => tmp.has(one['name'])),
    ...refused.map(
      (name): Step => ({
        kind: 'lost',
        why: `volume ${name} is of a kind that our namespace refuses (pod security restricted): put its files into a ConfigMap or Secret there, which upstream mounts, too`,
      }),
    ),
  ]
}

const listOf = (value: unknown): readonly ValuesTree[] => (Array.isArray(value) ? value.filter(isTree) : [])

function besides(value: unknown, to: string, isLeftOut: (item: ValuesTree) => boolean): readonly Step[] {
  const items = listOf(value)
  const left = items.filter(item => !isLeftOut(item))
  return [
    ...(left.length === items.length ? [] : [{ kind: 'dropped', why: 'ours has a volume at /tmp' } as const]),
    ...(left.length === 0 ? [] : carried(to, left)),
  ]
}

/** What our pods say by themselves, and the user of upstream's image. */
const standardSecurity: Readonly<Record<string, unknown>> = {
  runAsNonRoot: true,
  runAsUser: 1000,
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  seccompProfile: { type: 'RuntimeDefault' },
  capabilities: { drop: ['ALL'] },
}

function secured(to: string, value: unknown): readonly Step[] {
  if (!isTree(value) || Object.keys(value).length === 0) return []
  const said = Object.entries(value).filter(([key, inner]) => JSON.stringify(standardSecurity[key]) !== JSON.stringify(inner))
  if (said.length === 0) return [{ kind: 'dropped', why: 'ours is restricted already' }]
  return carried(to, Object.fromEntries(said))
}

export function convertMetricsServer(input: {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: string | undefined
}): ConvertedValues {
  return convertValues({ ...input, rows: metricsServerRows, start: { capabilities: { metrics: { enabled: true } } } })
}
