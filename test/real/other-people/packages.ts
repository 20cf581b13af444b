// What other people ship for their users to install: manifests and charts, pinned, from Go modules or from archives in the folder that
// BALLAST_PEERS names. They stay in the cache; nothing of them enters the project.

/** Where a package comes from. */
export type Origin =
  | { readonly module: string; readonly version: string }
  /** `<archive>-<version>.tar.gz` in the folder of archives. */
  | { readonly archive: string; readonly version: string }

/** How its documentation has users apply it. */
export type Form =
  /** Files as they are, below the origin. */
  | { readonly files: readonly string[] }
  /** A folder for `kubectl kustomize`. */
  | { readonly kustomization: string }
  | {
      readonly chart: string
      /** What Helm is told beside values, in every command that renders. */
      readonly flags?: readonly string[]
      /** Values beside those. */
      readonly values?: unknown
      /** A file with its definitions, where the chart in the repository lacks them: it is applied first. */
      readonly definitions?: string
    }
  /** Flux's own command builds its manifests from those of its controllers. */
  | { readonly flux: readonly FluxController[] }

export interface FluxController {
  readonly name: string
  readonly origin: Origin
}

export interface Package {
  /** Unique; that of its fixture. */
  readonly name: string
  readonly origin: Origin
  readonly form: Form
  /** The namespace that its users make for it, and name to kubectl and Helm. */
  readonly namespace?: string
  /** Where not all ways in which it can be installed are tried. */
  readonly ways?: readonly Way[]
}

export const kubectlWays = ['apply', 'apply --server-side'] as const
export type Way = (typeof kubectlWays)[number] | 'helm'

/** The ways in which a package is installed: the chart that lacks its definitions by kubectl alone. */
export function waysOf({ form, ways }: Package): readonly Way[] {
  return ways ?? ('chart' in form && form.definitions === undefined ? [...kubectlWays, 'helm'] : kubectlWays)
}

/** What an origin is called in records and tables. */
export function originText(origin: Origin): string {
  return 'module' in origin ? `${origin.module} ${origin.version}` : `${origin.archive} ${origin.version}`
}

const kyverno = { module: 'github.com/kyverno/kyverno', version: 'v1.19.1' }
const longhorn = { archive: 'longhorn', version: '1.12.1' }
const flux = { module: 'github.com/fluxcd/flux2/v2', version: 'v2.9.5' }

/** A house's application, as its people write them for the chart that most homelabs use. */
const homeAssistant = {
  controllers: {
    'home-assistant': {
      type: 'statefulset',
      annotations: { 'reloader.stakater.com/auto': 'true' },
      containers: {
        app: {
          image: { repository: 'ghcr.io/home-operations/home-assistant', tag: '2026.1.1' },
          env: { TZ: 'Etc/UTC', HASS_HTTP_TRUSTED_PROXY_1: '10.0.0.0/8' },
          envFrom: [{ secretRef: { name: 'home-assistant' } }],
          probes: { liveness: { enabled: true }, readiness: { enabled: true }, startup: { enabled: true } },
          resources: { requests: { cpu: '10m' }, limits: { memory: '2Gi' } },
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        },
        'code-server': {
          image: { repository: 'ghcr.io/coder/code-server', tag: '4.99.3' },
          args: ['--auth', 'none', '--port', '12321'],
        },
      },
    },
    backup: {
      type: 'cronjob',
      cronjob: { schedule: '@daily', concurrencyPolicy: 'Forbid' },
      containers: {
        app: { image: { repository: 'busybox', tag: '1.37' }, command: ['sh', '-c', 'tar -cf /config/all.tar /config'] },
      },
    },
  },
  defaultPodOptions: {
    securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, fsGroupChangePolicy: 'OnRootMismatch' },
  },
  service: {
    app: { controller: 'home-assistant', ports: { http: { port: 8123 } } },
    'code-server': { controller: 'home-assistant', ports: { http: { port: 12321 } } },
  },
  ingress: {
    app: {
      className: 'internal',
      hosts: [{ host: 'hass.example.test', paths: [{ path: '/', service: { identifier: 'app', port: 'http' } }] }],
    },
  },
  secrets: { app: { stringData: { HASS_TOKEN: 'not-a-real-one' } } },
  configMaps: { config: { data: { 'configuration.yaml': 'default_config:\n' } } },
  persistence: {
    config: { type: 'persistentVolumeClaim', accessMode: 'ReadWriteOnce', size: '5Gi', globalMounts: [{ path: '/config' }] },
    logs: { type: 'emptyDir', globalMounts: [{ path: '/config/logs' }] },
    'config-file': {
      type: 'configMap',
      identifier: 'config',
      globalMounts: [{ path: '/config/configuration.yaml', subPath: 'configuration.yaml' }],
    },
  },
}

/** In the order of the issue that asked for them. */
export const packages: readonly Package[] = [
  {
    name: 'argo-cd',
    origin: { module: 'github.com/argoproj/argo-cd/v3', version: 'v3.5.7' },
    form: { files: ['manifests/install.yaml'] },
    namespace: 'argocd',
  },
  {
    name: 'cert-manager',
    origin: { module: 'github.com/cert-manager/cert-manager', version: 'v1.21.2' },
    form: { chart: 'deploy/charts/cert-manager', flags: ['--set=crds.enabled=true'] },
    namespace: 'cert-manager',
  },
  {
    name: 'flux',
    origin: flux,
    form: {
      flux: [
        { name: 'source-controller', origin: { module: 'github.com/fluxcd/source-controller', version: 'v1.9.5' } },
        { name: 'kustomize-controller', origin: { module: 'github.com/fluxcd/kustomize-controller', version: 'v1.9.5' } },
        { name: 'helm-controller', origin: { archive: 'helm-controller', version: '1.6.3' } },
        { name: 'notification-controller', origin: { archive: 'notification-controller', version: '1.9.3' } },
      ],
    },
  },
  {
    name: 'prometheus-operator',
    origin: { module: 'github.com/prometheus-operator/prometheus-operator', version: 'v0.85.0' },
    form: { files: ['bundle.yaml'] },
  },
  {
    name: 'keda',
    origin: { module: 'github.com/kedacore/keda/v2', version: 'v2.21.0' },
    form: { kustomization: 'config/default' },
  },
  { name: 'kyverno', origin: kyverno, form: { files: ['config/install-latest-testing.yaml'] } },
  { name: 'kyverno-chart', origin: kyverno, form: { chart: 'charts/kyverno' }, namespace: 'kyverno', ways: ['helm'] },
  {
    name: 'gateway-api',
    origin: { module: 'sigs.k8s.io/gateway-api', version: 'v1.6.3' },
    form: { kustomization: 'config/crd' },
  },
  {
    name: 'cloudnative-pg',
    origin: { archive: 'cloudnative-pg', version: '1.30.0' },
    form: { files: ['releases/cnpg-1.30.0.yaml'] },
  },
  {
    name: 'external-secrets',
    origin: { module: 'github.com/external-secrets/external-secrets', version: 'v0.16.2' },
    form: { chart: 'deploy/charts/external-secrets', definitions: 'deploy/crds/bundle.yaml' },
    namespace: 'external-secrets',
  },
  {
    name: 'cilium',
    origin: { module: 'github.com/cilium/cilium', version: 'v1.20.2' },
    form: { chart: 'install/kubernetes/cilium', flags: ['--set=hubble.relay.enabled=true,hubble.ui.enabled=true'] },
    namespace: 'kube-system',
  },
  { name: 'longhorn', origin: longhorn, form: { files: ['deploy/longhorn.yaml'] } },
  { name: 'longhorn-chart', origin: longhorn, form: { chart: 'chart' }, namespace: 'longhorn-system', ways: ['helm'] },
  {
    name: 'home-assistant',
    origin: { archive: 'app-template', version: '4.1.1' },
    // Its schemas are to be fetched from elsewhere.
    form: { chart: 'chart', values: homeAssistant, flags: ['--skip-schema-validation'] },
    namespace: 'home',
  },
]
