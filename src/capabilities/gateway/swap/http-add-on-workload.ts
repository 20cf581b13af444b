// What a running add-on is told, in the words of its chart's values: the environment of its programs, and what the interceptor's pod says.
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import type { Around } from '#upstreams/upstream.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { convertHttpAddOn } from './http-add-on-rows.ts'

/** The last part of the repository of each program's image. */
export const images = {
  interceptor: 'http-add-on-interceptor',
  scaler: 'http-add-on-scaler',
  operator: 'http-add-on-operator',
} as const

/** Where the chart says what a variable of the interceptor says; of two that mean the same the last counts. */
const paths: Readonly<Record<string, string>> = {
  KEDA_HTTP_REQUEST_TIMEOUT: 'interceptor.requestTimeout',
  KEDA_HTTP_RESPONSE_HEADER_TIMEOUT: 'interceptor.responseHeaderTimeout',
  KEDA_RESPONSE_HEADER_TIMEOUT: 'interceptor.responseHeaderTimeout',
  KEDA_HTTP_READINESS_TIMEOUT: 'interceptor.readinessTimeout',
  KEDA_CONDITION_WAIT_TIMEOUT: 'interceptor.readinessTimeout',
  KEDA_HTTP_CONNECT_TIMEOUT: 'interceptor.tcpConnectTimeout',
  KEDA_HTTP_SHUTDOWN_DELAY: 'interceptor.shutdownDelay',
  KEDA_HTTP_DRAIN_TIMEOUT: 'interceptor.drainTimeout',
  KEDA_HTTP_COLD_START_MAX_PENDING_REQUESTS: 'interceptor.coldStart.maxPendingRequests',
  KEDA_HTTP_DIRECT_POD_ROUTING: 'interceptor.directPodRouting',
  KEDA_HTTP_FORCE_HTTP2: 'interceptor.forceHTTP2',
  KEDA_HTTP_PROXY_PORT: 'interceptor.proxy.port',
  KEDA_HTTP_ADMIN_PORT: 'interceptor.admin.port',
  KEDA_HTTP_MAX_IDLE_CONNS: 'interceptor.maxIdleConns',
  KEDA_HTTP_MAX_IDLE_CONNS_PER_HOST: 'interceptor.maxIdleConnsPerHost',
  KEDA_HTTP_KEEP_ALIVE: 'interceptor.keepAlive',
  KEDA_HTTP_IDLE_CONN_TIMEOUT: 'interceptor.idleConnTimeout',
  KEDA_HTTP_TLS_HANDSHAKE_TIMEOUT: 'interceptor.tlsHandshakeTimeout',
  KEDA_HTTP_EXPECT_CONTINUE_TIMEOUT: 'interceptor.expectContinueTimeout',
  KEDA_HTTP_ENDPOINTS_CACHE_POLLING_INTERVAL_MS: 'interceptor.endpointsCachePollingIntervalMS',
  KEDA_HTTP_PROXY_TLS_ENABLED: 'interceptor.tls.enabled',
  KEDA_HTTP_PROXY_TLS_PORT: 'interceptor.tls.port',
  KEDA_HTTP_PROXY_TLS_CERT_PATH: 'interceptor.tls.certPath',
  KEDA_HTTP_PROXY_TLS_KEY_PATH: 'interceptor.tls.keyPath',
  KEDA_HTTP_PROXY_TLS_SKIP_VERIFY: 'interceptor.tls.skipVerify',
  KEDA_HTTP_TLS_SKIP_VERIFY: 'interceptor.tls.skipVerify',
  KEDA_HTTP_PROXY_TLS_MIN_VERSION: 'interceptor.tls.minVersion',
  KEDA_HTTP_TLS_MIN_VERSION: 'interceptor.tls.minVersion',
  KEDA_HTTP_TLS_MAX_VERSION: 'interceptor.tls.maxVersion',
  KEDA_HTTP_TLS_CIPHER_SUITES: 'interceptor.tls.cipherSuites',
  KEDA_HTTP_TLS_CURVE_PREFERENCES: 'interceptor.tls.curvePreferences',
  KEDA_HTTP_TLS_CA_DIRS: 'interceptor.tls.caDirs',
}
/** Values of these are true or false. */
const switches = new Set(['directPodRouting', 'forceHTTP2', 'enabled', 'skipVerify'])
/** What upstream takes for not set, where its name counts for less than another that is there. */
const unsetTimes = new Set(['', '0', '0s'])
/** The folder that the chart mounts; it is made anew from the Secret's name. */
const certificateFolder = '/certs'
const placing = ['tolerations', 'affinity', 'topologySpreadConstraints', 'priorityClassName'] as const

/** `workload`: the Deployment of its interceptor; `beside` the rest of its installation. */
export function convertHttpAddOnWorkload(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  const place = namespace ?? textAt(workload, 'metadata', 'namespace')
  return convertHttpAddOn({ values: valuesOf(workload, beside), version: undefined, namespace: place })
}

const isStandardNode = (key: string, value: unknown) => key === 'kubernetes.io/os' && value === 'linux'
const isOwnAnnotation = (key: string) => key.startsWith('checksum/') || key.startsWith('kubectl.kubernetes.io/')

function valuesOf(workload: ValuesTree, beside: readonly unknown[]): ValuesTree {
  const template = valueAt(workload, ['spec', 'template'])
  const pod = valueAt(template, ['spec'])
  const container = upstreamContainer(workload, images.interceptor) ?? listAt(pod, 'containers').filter(isTree)[0]
  const mounts = listAt(container, 'volumeMounts').filter(isTree)
  const certificates = mounts.find(({ mountPath }) => mountPath === certificateFolder)
  const volumes = listAt(pod, 'volumes').filter(isTree)
  const secret = volumes.find(({ name }) => name === certificates?.['name'])
  const kept = mounts.filter(mount => mount !== certificates)
  const names = new Set(kept.map(({ name }) => name))
  const replicas = valueAt(workload, ['spec', 'replicas'])
  const said: readonly (readonly [string, unknown])[] = [
    ...interceptorVariables(container),
    ['interceptor.replicas.min', typeof replicas === 'number' ? replicas : undefined],
    ['interceptor.tls.certSecret', textAt(secret, 'secret', 'secretName')],
    ['interceptor.nodeSelector', without(valueAt(pod, ['nodeSelector']), isStandardNode)],
    ...placing.map(key => [`interceptor.${key}`, valueAt(pod, [key])] as const),
    ['interceptor.podAnnotations', without(valueAt(template, ['metadata', 'annotations']), isOwnAnnotation)],
    ['interceptor.imagePullSecrets', listAt(pod, 'imagePullSecrets')],
    ['interceptor.extraVolumes', volumes.filter(({ name }) => names.has(name))],
    ['interceptor.extraVolumeMounts', kept],
    ['operator.watchNamespace', variableBeside(beside, images.operator, 'KEDA_HTTP_OPERATOR_WATCH_NAMESPACE')],
    ['scaler.streamInterval', variableBeside(beside, images.scaler, 'KEDA_HTTP_SCALER_STREAM_INTERVAL_MS')],
  ]
  return said
    .filter(([, value]) => !isNothing(value))
    .reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
}

/** What has no key of the chart is left to `extraEnvs`, and so are variables that come from elsewhere. */
function interceptorVariables(container: unknown): readonly (readonly [string, unknown])[] {
  const all = listAt(container, 'env').map(one => [textAt(one, 'name') ?? '', textAt(one, 'value') ?? ''] as const)
  const order = Object.keys(paths)
  const placed = all
    .filter(([name, value]) => paths[name] !== undefined && !(isRenamed(name) && unsetTimes.has(value)))
    .toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([name, value]) => [paths[name] ?? '', typed(paths[name] ?? '', value)] as const)
  const further = all.filter(([name, value]) => paths[name] === undefined && value !== '')
  return [...placed, ['interceptor.extraEnvs', Object.fromEntries(further)]]
}

const isRenamed = (name: string): boolean => name === 'KEDA_CONDITION_WAIT_TIMEOUT' || name === 'KEDA_RESPONSE_HEADER_TIMEOUT'

function typed(path: string, value: string): unknown {
  const key = path.slice(path.lastIndexOf('.') + 1)
  return switches.has(key) && value !== '' ? /^(1|t|true)$/i.test(value) : value
}

function variableBeside(beside: readonly unknown[], image: string, name: string): string | undefined {
  for (const object of beside) {
    const found = textAt(object, 'kind') === 'Deployment' ? upstreamContainer(object, image) : undefined
    const variable = listAt(found, 'env').find(one => textAt(one, 'name') === name)
    if (variable !== undefined) return textAt(variable, 'value')
  }
  return undefined
}

function without(value: unknown, isLeftOut: (key: string, value: unknown) => boolean): ValuesTree {
  return isTree(value) ? Object.fromEntries(Object.entries(value).filter(([key, inner]) => !isLeftOut(key, inner))) : {}
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return isTree(value) && Object.keys(value).length === 0
}
