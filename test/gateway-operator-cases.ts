// HTTPScaledObjects and InterceptorRoutes for the add-on's operator: `test/real/gateway/record-operator.ts` writes what it makes of them, and
// ours is held to it.

interface OperatorObject {
  readonly apiVersion: string
  readonly kind: 'HTTPScaledObject' | 'InterceptorRoute'
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly [field: string]: unknown
  }
  readonly spec: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

const namespace = 'default'
const target = { name: 'web', kind: 'Deployment', apiVersion: 'apps/v1', service: 'web', port: 8080 }

function scaled(name: string, spec: object, metadata: object = {}): OperatorObject {
  return {
    apiVersion: 'http.keda.sh/v1alpha1',
    kind: 'HTTPScaledObject',
    metadata: { name, namespace, ...metadata },
    spec: { hosts: [`${name}.test`], scaleTargetRef: target, ...spec },
  }
}

function route(name: string): OperatorObject {
  return {
    apiVersion: 'http.keda.sh/v1beta1',
    kind: 'InterceptorRoute',
    metadata: { name, namespace },
    spec: {
      target: { service: 'web', port: 8080 },
      rules: [{ hosts: [`${name}-route.test`] }],
      scalingMetric: { concurrency: { targetValue: 5 } },
    },
  }
}

/** In the order they are made. */
export const operatorObjects: readonly OperatorObject[] = [
  scaled('plain', {}),
  scaled('replicas', { replicas: { min: 2, max: 7 } }),
  scaled('only-most', { replicas: { max: 7 } }),
  scaled('only-least', { replicas: { min: 3 } }),
  scaled('pending', { targetPendingRequests: 12 }),
  scaled('concurrency', { scalingMetric: { concurrency: { targetValue: 12 } } }),
  scaled('rate', { scalingMetric: { requestRate: { targetValue: 9, window: '2m', granularity: '2s' } } }),
  scaled('cooldown', { scaledownPeriod: 40, initialCooldownPeriod: 60 }),
  scaled('failover', { coldStartTimeoutFailoverRef: { service: 'other', port: 80, timeoutSeconds: 5 } }),
  scaled('named-port', {
    scaleTargetRef: { name: 'web', kind: 'Deployment', apiVersion: 'apps/v1', service: 'web', portName: 'http' },
  }),
  scaled('stateful', { scaleTargetRef: { name: 'db', kind: 'StatefulSet', apiVersion: 'apps/v1', service: 'db', port: 5432 } }),
  scaled('untyped', { scaleTargetRef: { name: 'web', service: 'web', port: 8080 } }),
  scaled('paths', { pathPrefixes: ['/a', '/b'], headers: [{ name: 'X-A', value: 'b' }] }),
  scaled(
    'labelled',
    {},
    { labels: { team: 'shop', app: 'own' }, annotations: { 'example.org/note': 'kept', 'autoscaling.keda.sh/paused': 'true' } },
  ),
  scaled('skipped', {}, { annotations: { 'httpscaledobject.keda.sh/skip-scaledobject-creation': 'true' } }),
  scaled('not-skipped', {}, { annotations: { 'httpscaledobject.keda.sh/skip-scaledobject-creation': 'false' } }),
  scaled('orphaned', {}, { annotations: { 'httpscaledobject.keda.sh/orphan-scaledobject': 'true' } }),
  route('same-name'),
  scaled('same-name', {}),
  route('route-alone'),
]

/** What the operator is told of the scaler. */
export const operatorScaler = { service: 'keda-add-ons-http-external-scaler', namespace: 'keda', port: 9090 } as const
