// HTTP in front of what sleeps: requests wake it, wait for it, and are counted, in the place of KEDA's HTTP add-on.
import { capability } from '#coordination/capability.ts'
import type { Need } from '#coordination/needs.ts'
import { gatewayDoorPort, gatewaysPort } from '#coordination/ports/gateway-door.ts'
import type { Clock } from '#kube/clock.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { replicaFields } from '#kube/server/replicas/ready-replicas.ts'
import { bootNeeds } from './cold/boot-needs.ts'
import { gatewayConfiguration } from './config.ts'
import { serviceFields } from './endpoints/service-fields.ts'
import { servedKinds } from './kinds/served-kinds.ts'
import { gatewayRoles, httpScaledObjects, interceptorRoutes, managedByLabel, ownManager, responseBodyLabel } from './names.ts'

/** Reading files takes the host's time, not the cluster's. */
async function loaded(clock: Clock): Promise<typeof import('./part.ts')> {
  using _held = clock.hold()
  return await import('./part.ts')
}

async function loadedOperator(clock: Clock): Promise<typeof import('./operator/operator-part.ts')> {
  using _held = clock.hold()
  return await import('./operator/operator-part.ts')
}

async function loadedOwnEndpoints(clock: Clock): Promise<typeof import('./own-endpoints/own-endpoints-part.ts')> {
  using _held = clock.hold()
  return await import('./own-endpoints/own-endpoints-part.ts')
}

async function loadedAsking(clock: Clock): Promise<typeof import('./standing/asking-part.ts')> {
  using _held = clock.hold()
  return await import('./standing/asking-part.ts')
}

const kinds: readonly Need[] = [
  { ...interceptorRoutes, kind: 'InterceptorRoute', mode: 'full', optional: true },
  { ...httpScaledObjects, kind: 'HTTPScaledObject', mode: 'full', optional: true },
]

const scaledObjectsNeed: Need = {
  group: 'keda.sh',
  version: 'v1alpha1',
  resource: 'scaledobjects',
  kind: 'ScaledObject',
  mode: 'full',
  optional: true,
}

export const gateway = capability({
  name: 'gateway',
  document: 'gateway.md',
  config: gatewayConfiguration,
  kinds: servedKinds,
  replaces: [{ upstream: 'http-add-on', leases: ['http-add-on.keda.sh'] }],
  disrupts: [],
  commands: [
    {
      name: 'interceptor',
      usage: '[words...]',
      about:
        "runs in the place of the KEDA HTTP add-on's interceptor, with its environment and ports. A program called `interceptor` runs it too",
      inPlaceOf: { programs: ['interceptor'] },
      load: async () => (await import('./commands/interceptor.ts')).defineInterceptor,
    },
    {
      name: 'scaler',
      usage: '[words...]',
      about:
        "runs in the place of the KEDA HTTP add-on's scaler, with its environment and port. A program called `scaler` runs it too",
      inPlaceOf: { programs: ['scaler'] },
      load: async () => (await import('./commands/scaler.ts')).defineScaler,
    },
    {
      name: 'http-operator',
      usage: '[words...]',
      about: "runs in the place of the KEDA HTTP add-on's operator, with its flags, environment and Lease",
      load: async () => (await import('./commands/http-operator.ts')).defineHttpOperator,
    },
  ],
  parts: [
    {
      process: 'gateway',
      presence: 'always',
      trust: 'gateway',
      needs: [
        ...kinds,
        { ...builtIn.services, kind: 'Service', mode: 'projection', fields: serviceFields },
        { ...builtIn.endpointslices, kind: 'EndpointSlice', mode: 'projection', fields: replicaFields },
        { ...builtIn.configmaps, kind: 'ConfigMap', mode: 'full', labelSelector: `${responseBodyLabel}=true` },
        ...bootNeeds,
      ],
      permissions: [
        {
          groups: [httpScaledObjects.group],
          resources: [`${httpScaledObjects.resource}/status`, `${interceptorRoutes.resource}/status`],
          verbs: ['get', 'patch'],
          because: 'says how long targets take to start',
        },
      ],
      listeners: [
        { kind: 'port', name: 'http', port: 8080, servicePort: 80, protocol: 'TCP', exposure: 'pod' },
        { kind: 'port', name: 'https', port: 8443, servicePort: 443, protocol: 'TCP', exposure: 'pod' },
        { kind: 'port', name: 'admin', port: 9090, servicePort: 'none', protocol: 'TCP', exposure: 'pod' },
        { kind: 'port', name: 'scaler', port: 9091, servicePort: 9090, protocol: 'TCP', exposure: 'pod' },
      ],
      connectsTo: [{ anywhere: true, because: 'forwards requests to the Services that routes name' }],
      offers: [gatewayDoorPort],
      takes: [],
      start: async (context, config, signal) => (await loaded(context.clock)).startGateway(context, config, signal),
    },
    {
      process: 'apiserver',
      role: 'gateway-operator',
      presence: 'leading',
      trust: 'edge',
      needs: [...kinds, scaledObjectsNeed],
      permissions: [
        {
          groups: ['keda.sh'],
          resources: ['scaledobjects'],
          verbs: ['create', 'patch', 'delete'],
          because: 'writes the ScaledObject of an HTTPScaledObject',
        },
        {
          groups: [httpScaledObjects.group],
          resources: [httpScaledObjects.resource, `${httpScaledObjects.resource}/finalizers`],
          verbs: ['get', 'patch', 'update'],
          because: "keeps the add-on's finalizer",
        },
        {
          groups: [httpScaledObjects.group],
          resources: [`${httpScaledObjects.resource}/status`, `${interceptorRoutes.resource}/status`],
          verbs: ['get', 'patch'],
          because: 'says how routes stand',
        },
      ],
      listeners: [],
      offers: [],
      takes: [],
      start: async (context, config, signal) =>
        (await loadedOperator(context.clock)).startGatewayOperator(context, config, signal),
    },
    {
      process: 'apiserver',
      role: 'gateway-own-endpoints',
      presence: 'leading',
      trust: 'edge',
      needs: [
        ...kinds,
        { ...builtIn.services, kind: 'Service', mode: 'projection', fields: serviceFields },
        {
          ...builtIn.endpointslices,
          kind: 'EndpointSlice',
          mode: 'projection',
          fields: [...replicaFields, 'metadata.ownerReferences'],
        },
        scaledObjectsNeed,
      ],
      permissions: [
        {
          groups: [builtIn.endpointslices.group],
          resources: [builtIn.endpointslices.resource],
          verbs: ['create', 'patch', 'delete'],
          because: 'lets Services of sleeping targets lead to the gateway, where routes ask for it',
        },
        {
          groups: [builtIn.clusterroles.group],
          resources: [builtIn.clusterroles.resource],
          names: gatewayRoles,
          verbs: ['get'],
          because: 'lets these EndpointSlices go with what the gateway is installed by',
        },
        {
          groups: [httpScaledObjects.group],
          resources: [`${httpScaledObjects.resource}/status`, `${interceptorRoutes.resource}/status`],
          verbs: ['get', 'patch'],
          because: 'says whether Services lead to the gateway',
        },
      ],
      listeners: [],
      offers: [],
      takes: [],
      start: async (context, _config, signal) => (await loadedOwnEndpoints(context.clock)).startOwnEndpoints(context, signal),
    },
    {
      process: 'apiserver',
      role: 'gateways',
      // Not where it leads: numbers are shown also while the add-on's operator has its Lease.
      presence: 'always',
      trust: 'edge',
      needs: [],
      permissions: [
        {
          groups: [builtIn.endpointslices.group],
          resources: [builtIn.endpointslices.resource],
          verbs: ['list'],
          scope: 'own-namespace',
          because: 'finds the gateways whose numbers the page shows',
        },
      ],
      listeners: [],
      connectsTo: [{ setting: 'ports.admin', because: 'asks the gateways for the numbers that the page shows' }],
      offers: [gatewaysPort],
      takes: [],
      start: async (context, config) => (await loadedAsking(context.clock)).startAskingGateways(context, config),
    },
  ],
  upstreams: async () => [(await import('./swap/http-add-on.ts')).httpAddOn],
  page: async () => (await import('./page/gateway-page.ts')).gatewayPage,
  up: async () => (await import('./commands/gateway-story.ts')).gatewayStory,
  leaves: [
    { kind: 'labelled-objects', of: 'endpointslices.discovery.k8s.io', label: managedByLabel, value: ownManager },
    {
      kind: 'finalizer',
      name: 'httpscaledobject.http.keda.sh',
      on: [`${httpScaledObjects.resource}.${httpScaledObjects.group}`],
    },
  ],
})
